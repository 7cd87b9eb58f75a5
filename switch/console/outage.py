"""`vigie outage`: when lines were out of reach, and why."""

from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.explain import utc_ms
from switch.console.person import By, person

app = typer.Typer(help="Outages of lines, and what was behind them.", no_args_is_help=True)


@app.command("list")
def list_(
    context: typer.Context,
    line: Annotated[str | None, typer.Argument(help="Only this line.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="UTC ms or ISO 8601.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List outages, oldest first; one without an end lasts."""
    desk = Desk.of(context, config, data, as_json)
    try:
        begin = None if since is None else utc_ms(since)
    except ValueError as error:
        desk.refuse("bad_args", str(error))
    items = desk.ask_rows("outage.list", line=line, since=begin)
    if as_json:
        show.json(items)
        return
    columns = ("id", "line", "since", "until", "cause", "reason", "because", "told_at")
    show.table(items, columns, empty="No line was out of reach.")


@app.command("explain")
def explain(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="As `outage list` names it.")],
    reason: Annotated[
        str,
        typer.Option(
            "--reason", help="internet, power, hardware, maintenance, carrier, force_majeure."
        ),
    ],
    because: Annotated[str, typer.Option("--because", help="Why, for the record.")] = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Say what was behind an outage."""
    item = Desk.of(context, config, data, as_json).ask_object(
        "outage.explain", id=id_, reason=reason, because=because or None, by=by or person()
    )
    show.json(item) if as_json else show.pairs(item)
