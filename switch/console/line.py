"""`vigie line`: what the lines are, and their state in the contract."""

import getpass
from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json

app = typer.Typer(help="Lines and their state.", no_args_is_help=True)

Line = Annotated[str, typer.Argument(help="The line's id.")]
By = Annotated[str, typer.Option("--by", help="Who decided (kept in the audit).")]


@app.command("list")
def list_(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List all lines."""
    items = Desk.of(context, config, data, as_json).ask_rows("line.list")
    if as_json:
        show.json(items)
        return
    columns = ("line", "number", "account", "state", "registered", "used_ms", "threshold_ms")
    show.table(items, columns, empty="No lines are configured.")


@app.command("show")
def show_(
    context: typer.Context,
    line: Line,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show one line, and where each of its values comes from."""
    item = Desk.of(context, config, data, as_json).ask_object("line.show", line=line)
    if as_json:
        show.json(item)
    else:
        show.pairs(item)


@app.command("suspend")
def suspend(
    context: typer.Context,
    line: Line,
    ground: Annotated[str, typer.Option("--ground", help="The clause, as in 2(k)(a).")] = "2(k)(a)",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Suspend a line. It still reaches emergency services and support."""
    desk = Desk.of(context, config, data, as_json)
    _print(desk, desk.ask_object("line.suspend", line=line, ground=ground, by=by or _user()))


@app.command("resume")
def resume(
    context: typer.Context,
    line: Line,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Make a suspended or unpaid line active again."""
    desk = Desk.of(context, config, data, as_json)
    _print(desk, desk.ask_object("line.resume", line=line, by=by or _user()))


@app.command("terminate")
def terminate(
    context: typer.Context,
    line: Line,
    ground: Annotated[str | None, typer.Option("--ground", help="The clause.")] = None,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """End a line's contract. It can't register any more."""
    desk = Desk.of(context, config, data, as_json)
    _print(desk, desk.ask_object("line.terminate", line=line, ground=ground, by=by or _user()))


def _print(desk: Desk, item: dict[str, object]) -> None:
    if desk.as_json:
        show.json(item)
    else:
        show.out().print(f"line {item.get('line')} is {item.get('state')}")


def _user() -> str:
    """Who runs the command; the number if the system has no name for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
