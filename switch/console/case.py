"""`vigie case`: fair-use cases, and what people decide of them."""

from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.person import By, person

app = typer.Typer(help="Fair-use cases and their decisions.", no_args_is_help=True)

Case = Annotated[str, typer.Argument(help="The case, as `case list` names it.")]


@app.command("list")
def list_(
    context: typer.Context,
    line: Annotated[str | None, typer.Option("--line", help="Only this line.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List the cases that wait for a decision or a deadline."""
    items = Desk.of(context, config, data, as_json).ask_rows("case.list", line=line)
    if as_json:
        show.json(items)
        return
    columns = ("case", "line", "account", "rung", "since", "deadline", "next")
    show.table(items, columns, empty="No case is open.")


@app.command("show")
def show_(
    context: typer.Context,
    case: Case,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show how a case came about, the calls behind it, and what comes next."""
    item = Desk.of(context, config, data, as_json).ask_object("case.show", case=case)
    if as_json:
        show.json(item)
        return
    steps, calls = show.rows(item.pop("steps")), show.rows(item.pop("calls"))
    show.pairs(item)
    show.out().print("\n[bold]What happened[/]")
    show.table(steps, ("at", "rung", "by", "clause", "because"), empty="Nothing is on file.")
    show.out().print("\n[bold]The calls that counted most[/]")
    show.table(calls, ("start", "direction", "dst", "counted_ms", "call_id"), empty="None.")


@app.command("decide")
def decide(
    context: typer.Context,
    case: Case,
    decision: Annotated[
        str, typer.Argument(help="notify, contacted, dismiss, approve or terminate.")
    ],
    because: Annotated[str, typer.Option("--because", help="Why, for the record.")] = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Decide a case, or note that the customer answered."""
    desk = Desk.of(context, config, data, as_json)
    item = desk.ask_object(
        "case.decide", case=case, decision=decision, because=because, by=by or person()
    )
    if as_json:
        show.json(item)
    else:
        show.out().print(f"case {item.get('case')} is {item.get('rung')}; next: {item.get('next')}")
