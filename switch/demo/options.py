"""Options that every command of the demo takes, as every other command of `vigie` does."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import typer

DEFAULT_CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo"
DEFAULT_DATA = Path("var")

Config = Annotated[
    Path, typer.Option("--config", envvar="VIGIE_CONFIG", help="Directory of the configuration.")
]
Data = Annotated[
    Path, typer.Option("--data", envvar="VIGIE_DATA", help="Directory that holds all state.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON value instead of text.")]


def print_json(value: object) -> None:
    """Print one JSON value."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")
    sys.stdout.flush()


def fail(slug: str, message: str, *, as_json: bool, code: int = 1) -> NoReturn:
    """Say why not on stderr and end."""
    text = orjson.dumps({"error": message, "slug": slug}).decode() if as_json else message
    typer.echo(text, err=True)
    raise typer.Exit(code)
