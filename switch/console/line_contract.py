"""The commands of `vigie line` that move a line through its contract."""

from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.person import By, person

Line = Annotated[str, typer.Argument(help="The line's id.")]
Because = Annotated[str, typer.Option("--because", help="Why, for the record.")]
AskedBy = Annotated[
    str | None, typer.Option("--asked-by", help="customer or billing, if not a person here.")
]
Warned = Annotated[
    str | None, typer.Option("--warned", help="Day of a warning on paper (YYYY-MM-DD).")
]
CureBy = Annotated[str | None, typer.Option("--cure-by", help="Day by which a breach is cured.")]


def activate(
    context: typer.Context,
    line: Line,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Let a line into service: terms accepted, location validated, mail address known."""
    desk = Desk.of(context, config, data, as_json)
    _tell(desk, "line.activate", line=line, because=because or None, by=by or person())


def suspend(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    line: Line,
    ground: Annotated[str, typer.Option("--ground", help="The clause, as in 2(k)(a).")] = "2(k)(a)",
    warned: Warned = None,
    asked_by: AskedBy = None,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Suspend a line. It still reaches emergency services and support."""
    desk = Desk.of(context, config, data, as_json)
    _tell(
        desk, "line.suspend", line=line, ground=ground, warned=warned, asked_by=asked_by,
        because=because or None, by=by or person(),
    )  # fmt: skip


def resume(
    context: typer.Context,
    line: Line,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Make a suspended or unpaid line active again, or a stolen one with new hardware."""
    desk = Desk.of(context, config, data, as_json)
    _tell(desk, "line.resume", line=line, because=because or None, by=by or person())


def terminate(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    line: Line,
    ground: Annotated[str | None, typer.Option("--ground", help="The clause.")] = None,
    way: Annotated[
        str | None,
        typer.Option("--way", help="by_customer, for_arrears, ...; else convenience, in 15 days."),
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Only if the way takes effect at once.")
    ] = False,
    noticed: Annotated[str | None, typer.Option("--noticed", help="Day of the notice.")] = None,
    warned: Warned = None,
    cure_by: CureBy = None,
    asked_by: AskedBy = None,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """End a line's contract, at once or on the day that its notice leads to."""
    desk = Desk.of(context, config, data, as_json)
    _tell(
        desk, "line.terminate", line=line, ground=ground, way=way, now=now or None, noticed=noticed,
        warned=warned, cure_by=cure_by, asked_by=asked_by, because=because or None, by=by or person(),
    )  # fmt: skip


def warn(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    line: Line,
    about: Annotated[str, typer.Option("--about", help="unpaid or breach.")],
    cure_by: CureBy = None,
    amount: Annotated[str | None, typer.Option("--amount", help="Euros that are unpaid.")] = None,
    due: Annotated[str | None, typer.Option("--due", help="Day on which they were due.")] = None,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Warn of arrears, or notice a breach: nothing is ended for either without this on file."""
    desk = Desk.of(context, config, data, as_json)
    _tell(
        desk, "line.warn", line=line, about=about, cure_by=cure_by, amount=amount, due=due,
        because=because or None, by=by or person(),
    )  # fmt: skip


def settle(
    context: typer.Context,
    line: Line,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Note that arrears are paid or a breach is cured: its warning serves no more."""
    desk = Desk.of(context, config, data, as_json)
    _tell(desk, "line.settle", line=line, because=because or None, by=by or person())


def withdraw(
    context: typer.Context,
    line: Line,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Take a termination back before its day."""
    desk = Desk.of(context, config, data, as_json)
    _tell(desk, "line.withdraw", line=line, because=because or None, by=by or person())


def limit(
    context: typer.Context,
    line: Line,
    channels: Annotated[
        int | None, typer.Option("--channels", help="Calls at once; without it, as configured.")
    ] = None,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Let a line make fewer calls at once, before anything harder; without --channels, end that."""
    desk = Desk.of(context, config, data, as_json)
    _tell(desk, "line.limit", line=line, channels=channels, because=because or None,
          by=by or person())  # fmt: skip


def block(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    line: Line,
    number: Annotated[str, typer.Argument(help="The number, as it is dialled.")],
    lift: Annotated[bool, typer.Option("--lift", help="Let the line call it again.")] = False,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Keep a line from calling one number."""
    desk = Desk.of(context, config, data, as_json)
    _tell(desk, "line.block", line=line, number=number, lift=lift or None,
          because=because or None, by=by or person())  # fmt: skip


def stolen(
    context: typer.Context,
    line: Line,
    asked_by: AskedBy = None,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """The line's hardware was stolen: it is shut out at once, and its calls end."""
    desk = Desk.of(context, config, data, as_json)
    _tell(
        desk,
        "line.stolen",
        line=line,
        asked_by=asked_by,
        because=because or None,
        by=by or person(),
    )


def history(
    context: typer.Context,
    line: Line,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List every step of a line's contract, oldest first."""
    items = Desk.of(context, config, data, as_json).ask_rows("line.history", line=line)
    if as_json:
        show.json(items)
        return
    columns = ("at", "name", "before", "to", "clause", "by", "actor", "because", "until")
    show.table(items, columns, empty="Nothing was done about this line yet.")


def rio(
    context: typer.Context,
    line: Line,
    check: Annotated[str | None, typer.Option("--check", help="A RIO to check.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show the RIO of a line's number, which its holder may have at any time; or check one."""
    item = Desk.of(context, config, data, as_json).ask_object("line.rio", line=line, check=check)
    if as_json:
        show.json(item)
        return
    verdict = "" if check is None else " fits" if item.get("fits") else " doesn't fit"
    show.out().print(f"{item.get('rio')}{verdict}")


def add_to(app: typer.Typer) -> None:
    """Add these commands to `vigie line`."""
    for command in (
        activate, suspend, resume, terminate, warn, settle, withdraw, limit, block, stolen, history, rio,
    ):  # fmt: skip
        app.command()(command)


def _tell(desk: Desk, command: str, **args: object) -> None:
    """Do it, and say where the line stands."""
    item = desk.ask_object(command, **args)
    if desk.as_json:
        show.json(item)
        return
    ends = item.get("ends")
    when = (
        f", ends {show.readable('effective_at', ends['effective_at'])}"
        if isinstance(ends, dict)
        else ""
    )
    show.out().print(f"line {item.get('line')} is {item.get('state')}{when}")
    show.warnings(item)
