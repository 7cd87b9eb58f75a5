"""`vigie line`: what the lines are, and their state in the contract."""

from typing import Annotated

import typer

from switch.console import line_contract, locate, show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.explain import utc_ms
from switch.console.person import By, person

app = typer.Typer(help="Lines, their state and their location.", no_args_is_help=True)
app.command("locate")(locate.locate)
app.command("confirm")(locate.confirm)
app.command("locations")(locate.locations)
line_contract.add_to(app)

Line = Annotated[str, typer.Argument(help="The line's id.")]


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
    columns = (
        "line",
        "number",
        "account",
        "state",
        "location",
        "registered",
        "used_ms",
        "threshold_ms",
    )
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


@app.command("declare")
def declare(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    line: Line,
    country: Annotated[str | None, typer.Option("--country", help="ISO code: DE, RE.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Until when: UTC ms or ISO 8601.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take back what was declared.")] = False,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Note where the customer says the phone is (it counts for 30 days at most)."""
    desk = Desk.of(context, config, data, as_json)
    if clear == (country is not None):
        desk.refuse("bad_args", "either --country or --clear")
    try:
        ends = utc_ms(until) if until is not None else None
    except ValueError as error:
        desk.refuse("bad_args", f"--until {error}")
    item = desk.ask_object(
        "line.declare",
        line=line,
        country=country,
        until=ends,
        clear=clear or None,
        by=by or person(),
    )
    if as_json:
        show.json(item)
    else:
        show.pairs(item)
