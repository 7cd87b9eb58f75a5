"""`vigie emergency`: what became of emergency calls."""

from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.explain import utc_ms

app = typer.Typer(help="Emergency calls.", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    """Emergency calls."""


@app.command("log")
def log(
    context: typer.Context,
    line: Annotated[str | None, typer.Option("--line", help="Only this line.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="At or after (UTC ms or ISO 8601).")
    ] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List emergency calls with their verdict, their location and each carrier tried."""
    desk = Desk.of(context, config, data, as_json)
    try:
        after = utc_ms(since) if since is not None else None
    except ValueError as error:
        desk.refuse("bad_args", str(error))
    items = desk.ask_rows("emergency.log", line=line, since=after)
    if as_json:
        show.json(items)
        return
    columns = ("at", "line", "dialled", "class", "level", "verdict", "insee", "attempts")
    show.table(items, columns, empty="No emergency call yet.")
