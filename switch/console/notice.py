"""`vigie notice`: what customers were told, or are to be told, and by which clause."""

from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json

app = typer.Typer(help="Notices to customers.", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    """Notices to customers."""


@app.command("list")
def list_(
    context: typer.Context,
    line: Annotated[str | None, typer.Argument(help="Only this line.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List the notices, oldest first."""
    items = Desk.of(context, config, data, as_json).ask_rows("notice.list", line=line)
    if as_json:
        show.json(items)
        return
    columns = ("at", "line", "account", "kind", "percentage", "clause", "channel", "state")
    show.table(items, columns, empty="No notice yet.")
