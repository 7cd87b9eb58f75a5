"""`vigie emergency routes`: the table that says which centre answers for a commune."""

from pathlib import Path
from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json

app = typer.Typer(help="The emergency routing table (PDAAU).", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="CSV: number,insee,long_number[,name].")]
MaxShrink = Annotated[
    float | None,
    typer.Option(
        "--max-shrink",
        min=0,
        max=1,
        help="Share that may be lost, instead of the setting; 1 = all.",
    ),
]


@app.command("check")
def check(
    context: typer.Context,
    file: File,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Read a table without taking it over. Exit code 1 if it has errors."""
    desk = Desk.of(context, config, data, as_json)
    found = desk.ask_object("emergency.routes.check", path=str(file.absolute()))
    _print(found, as_json=as_json)
    if found["errors"]:
        raise typer.Exit(1)


@app.command("diff")
def diff(
    context: typer.Context,
    file: File,
    max_shrink: MaxShrink = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Compare a table with the one in force. Exit code 1 if an import would be refused."""
    desk = Desk.of(context, config, data, as_json)
    path = str(file.absolute())
    found = desk.ask_object("emergency.routes.diff", path=path, max_shrink=max_shrink)
    _print(found, as_json=as_json)
    if found["refusal"]:
        raise typer.Exit(1)


@app.command("import")
def take_over(
    context: typer.Context,
    file: File,
    max_shrink: MaxShrink = None,
    by: Annotated[str | None, typer.Option("--by", help="Who imports it.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Put a table in force: at once in a running switch, else from its next start on."""
    desk = Desk.of(context, config, data, as_json)
    path = str(file.absolute())
    found = desk.ask_object("emergency.routes.import", path=path, max_shrink=max_shrink, by=by)
    _print(found, as_json=as_json)


@app.command("show")
def shown(
    context: typer.Context,
    number: Annotated[str | None, typer.Option("--number", help="An emergency number.")] = None,
    insee: Annotated[str | None, typer.Option("--insee", help="And a commune.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show what the table in force covers, or the long number of one commune."""
    desk = Desk.of(context, config, data, as_json)
    found = desk.ask_object("emergency.routes.show", number=number, insee=insee)
    _print(found, as_json=as_json)
    if number is not None and not found["long_number"]:
        raise typer.Exit(1)


def _print(found: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        show.json(found)
    else:
        show.pairs(found)
