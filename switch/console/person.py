"""Who runs a command: what the records keep as `by`."""

import getpass
from typing import Annotated

import typer

By = Annotated[str, typer.Option("--by", help="Who decided (kept in the audit).")]


def person() -> str:
    """The user's name on this system; "unknown" if it has none for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
