"""`vigie reg`: which phones are registered."""

from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json

app = typer.Typer(help="Registered phones.", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    """Registered phones."""


@app.command("list")
def list_(
    context: typer.Context,
    line: Annotated[str | None, typer.Option("--line", help="Only this line.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List the bound contacts."""
    items = Desk.of(context, config, data, as_json).ask_rows("reg.list", line=line)
    if as_json:
        show.json(items)
        return
    columns = ("line", "contact", "transport", "remote", "q", "level", "expires_at", "user_agent")
    show.table(items, columns, empty="No phone is registered.")
