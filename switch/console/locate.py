"""`vigie line locate|confirm|locations`: where a line is registered, and that its customer says so."""

from pathlib import Path
from typing import Annotated

import typer

from switch import toml
from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.person import By, person

Line = Annotated[str, typer.Argument(help="The line's id.")]
Civic = Annotated[
    list[str] | None,
    typer.Option("--civic", help='An element of the address by its RFC 5139 name: RD="rue X".'),
]


def locate(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    line: Line,
    site: Annotated[str | None, typer.Option("--site", help="A [[site]]'s address.")] = None,
    insee: Annotated[str | None, typer.Option("--insee", help="The INSEE commune code.")] = None,
    civic: Civic = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from-file", help="TOML: insee, civic, as in the configuration."),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="No address is known any more.")] = False,
    why: Annotated[str, typer.Option("--why", help="The reason, kept with the version.")] = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Register a line somewhere else. Its customer is asked to confirm; calls go on meanwhile.

    What follows from the INSEE code (country, region, commune, an only postcode) need not be given.
    """
    desk = Desk.of(context, config, data, as_json)
    elements: dict[str, object] = {}
    if from_file is not None:
        insee, elements = _read(desk, from_file)
    elements |= _elements(desk, civic or [])
    item = desk.ask_object(
        "line.locate",
        line=line,
        site=site,
        insee=insee,
        civic=elements or None,
        none=none or None,
        why=why or None,
        by=by or person(),
    )
    _print(desk, item)


def confirm(
    context: typer.Context,
    line: Line,
    by: Annotated[str, typer.Option("--by", help="Who at the customer's said so.")] = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """The customer confirms a line's registered location. Reminders stop."""
    desk = Desk.of(context, config, data, as_json)
    _print(desk, desk.ask_object("line.confirm", line=line, by=by or None))


def locations(
    context: typer.Context,
    line: Line,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List every location that a line ever had: when, by whom, why, and who confirmed it."""
    items = Desk.of(context, config, data, as_json).ask_rows("line.locations", line=line)
    if as_json:
        show.json(items)
        return
    columns = (
        "version",
        "at",
        "state",
        "insee",
        "address",
        "by",
        "why",
        "confirmed_by",
        "reminded",
    )
    show.table(items, columns, empty="No location was ever registered.")


def _read(desk: Desk, path: Path) -> tuple[str, dict[str, object]]:
    try:
        content = toml.load(path).content
        insee, civic = str(content["insee"]), content.get("civic") or {}
    except toml.ConfigError as error:
        desk.refuse("bad_args", str(error))
    except KeyError:
        desk.refuse("bad_args", f"{path}: there is no insee")
    if not isinstance(civic, dict):
        desk.refuse("bad_args", f"{path}: civic is a table")
    return insee, dict(civic)


def _elements(desk: Desk, given: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for each in given:
        name, is_given, text = each.partition("=")
        if not is_given:
            desk.refuse("bad_args", f"--civic {each}: write NAME=text")
        found[name.strip()] = text
    return found


def _print(desk: Desk, item: dict[str, object]) -> None:
    if desk.as_json:
        show.json(item)
        return
    where = item.get("address") or "without an address"
    show.out().print(f"line {item.get('line')} is registered: {where} ({item.get('state')})")
    show.warnings(item)
