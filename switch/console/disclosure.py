"""`vigie disclosure`: requests for a customer's data, their approvals, and the sealed export."""

from pathlib import Path
from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.explain import utc_ms
from switch.console.person import By, person

app = typer.Typer(help="Disclosure of a customer's data to who may have it.", no_args_is_help=True)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="The request, as `disclosure list` names it.")
]
Because = Annotated[str, typer.Option("--because", help="Why, for the record.")]


@app.command("list")
def list_(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List all requests and how far each is."""
    items = Desk.of(context, config, data, as_json).ask_rows("disclosure.list")
    if as_json:
        show.json(items)
        return
    columns = ("id", "at", "line", "classes", "ground", "reference", "stage", "approved_by", "seal")
    show.table(items, columns, empty="Nobody asked for anything.")


@app.command("request")
def request(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    line: Annotated[str, typer.Argument(help="The line's id.")],
    since: Annotated[str, typer.Option("--since", help="UTC ms or ISO 8601.")],
    until: Annotated[str, typer.Option("--until", help="UTC ms or ISO 8601.")],
    classes: Annotated[str, typer.Option("--classes", help="identity,traffic,location")],
    ground: Annotated[
        str, typer.Option("--ground", help="authority, imminent_harm or own_rights.")
    ],
    reference: Annotated[str, typer.Option("--reference", help="Of the authority's request.")],
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Ask for a line's data. Two other people must approve before anything leaves."""
    desk = Desk.of(context, config, data, as_json)
    try:
        span = utc_ms(since), utc_ms(until)
    except ValueError as error:
        desk.refuse("bad_args", str(error))
    item = desk.ask_object(
        "disclosure.request", line=line, since=span[0], until=span[1], classes=classes,
        ground=ground, reference=reference, by=by or person(),
    )  # fmt: skip
    show.json(item) if as_json else show.pairs(item)


@app.command("approve")
def approve(
    context: typer.Context,
    id_: Id,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Approve a request; its second approval lets it be exported."""
    _step(Desk.of(context, config, data, as_json), "disclosure.approve", id_, by, because)


@app.command("refuse")
def refuse(
    context: typer.Context,
    id_: Id,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Refuse a request for good."""
    _step(Desk.of(context, config, data, as_json), "disclosure.refuse", id_, by, because)


@app.command("export")
def export(
    context: typer.Context,
    id_: Id,
    to: Annotated[Path, typer.Option("--to", help="The file that is handed over.")],
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Write the data of an approved request, once; `sha256sum` of the file is its seal."""
    desk = Desk.of(context, config, data, as_json)
    try:
        file = to.open("x", encoding="utf-8")  # before the request is spent
    except OSError as error:
        desk.refuse("not_written", f"{to}: {error.strerror}")
    with file:
        item = desk.ask_object("disclosure.export", id=id_, by=by or person())
        file.write(str(item.pop("text")))
    show.json(item) if as_json else show.pairs(item)


def _step(desk: Desk, command: str, id_: str, by: str, because: str) -> None:
    item = desk.ask_object(command, id=id_, by=by or person(), because=because or None)
    show.json(item) if desk.as_json else show.pairs(item)
