"""`vigie call`: the calls of this moment."""

from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json

app = typer.Typer(help="Live calls.", no_args_is_help=True)

CallId = Annotated[str, typer.Argument(help="The call, as `call list` shows it.")]


@app.command("list")
def list_(
    context: typer.Context,
    line: Annotated[str | None, typer.Option("--line", help="Only this line.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List the live calls."""
    items = Desk.of(context, config, data, as_json).ask_rows("call.list", line=line)
    if as_json:
        show.json(items)
        return
    columns = ("call_id", "line", "direction", "src", "dst", "state", "start", "duration_ms")
    show.table(items, columns, empty="No call right now.")


@app.command("show")
def show_(
    context: typer.Context,
    call_id: CallId,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show one live call with its legs."""
    item = Desk.of(context, config, data, as_json).ask_object("call.show", call_id=call_id)
    if as_json:
        show.json(item)
    else:
        show.pairs(item)


@app.command("hangup")
def hangup(
    context: typer.Context,
    call_id: CallId,
    force: Annotated[
        bool, typer.Option("--force", help="Also if it is an emergency call.")
    ] = False,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """End one call at both ends."""
    desk = Desk.of(context, config, data, as_json)
    item = desk.ask_object("call.hangup", call_id=call_id, force=force or None)
    if as_json:
        show.json(item)
    else:
        show.out().print("hung up")
