"""How the store tells that something is wrong, or right again: a name and fields, for log and metrics."""

from collections.abc import Callable

Alarm = Callable[[str, dict[str, object]], None]


def quiet(name: str, fields: dict[str, object]) -> None:
    """Tell nobody."""
