"""How results are printed: rich tables for people, one JSON value for programs."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

Row = Mapping[str, object]

_INDENTED = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS

#: Columns of output that is no terminal.
_WIDTH_OF_FILES = 240

#: Keys that hold UTC milliseconds or durations in milliseconds wherever they occur, as those do that end
#: in _at and _ms.
_DURATIONS = frozenset({"ms", "inbound", "outbound"})
_TIMES = frozenset(
    {
        "at",
        "start",
        "end",
        "answer",
        "since",
        "until",
        "t",
        "deadline",
        "cure_by",
        "certificate_until",
    }
)


def out() -> Console:
    """The terminal; made anew so that it follows a redirected stdout. A file or pipe gets wide lines,
    which `grep` can use, instead of folded ones."""
    is_terminal = sys.stdout.isatty()
    width = None if is_terminal else _WIDTH_OF_FILES
    return Console(highlight=False, soft_wrap=not is_terminal, width=width)


def as_json_value(value: object) -> object:
    """What `value` is after a trip through JSON: dicts, lists, text and numbers only."""
    parsed: object = orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
    return parsed


def rows(value: object) -> list[dict[str, object]]:
    """A result that must be a list of objects; TypeError if the other side sent something else."""
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return [mapping(item) for item in value]


def mapping(value: object) -> dict[str, object]:
    """A result that must be an object; TypeError otherwise."""
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value


def warnings(item: Row) -> None:
    """Print what a result has to say against what was done."""
    found = item.get("warnings")
    for warning in found if isinstance(found, list) else ():
        out().print(f"[yellow]but[/] {escape(str(warning))}")


def json(value: object) -> None:
    """Print one JSON value."""
    sys.stdout.buffer.write(json_text(value).encode())
    sys.stdout.buffer.flush()


def json_text(value: object) -> str:
    """One JSON value for people, with a line end."""
    return orjson.dumps(value, default=str, option=_INDENTED).decode() + "\n"


def error(slug: str, message: str, *, as_json: bool) -> None:
    """Print a refusal on stderr."""
    if as_json:
        line = orjson.dumps({"error": message, "slug": slug}).decode()
        print(line, file=sys.stderr)  # noqa: T201
    else:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"[red]{escape(slug)}[/]: {escape(message)}"
        )


def table(items: Sequence[Row], columns: Sequence[str], *, empty: str) -> None:
    """Print rows; `columns` are keys, in order. `empty` is the sentence for no rows."""
    console = out()
    if not items:
        console.print(f"[dim]{escape(empty)}[/]")
        return
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        grid.add_column(name.removesuffix("_ms").replace("_", " "), overflow="fold")
    for item in items:
        grid.add_row(*(escape(readable(name, item.get(name))) for name in columns))
    console.print(grid)


def pairs(item: Row, *, indent: int = 0) -> None:
    """Print one object as "key value" lines, nested objects and lists indented."""
    console = out()
    width = max((len(key) for key in item), default=0) + 2
    for key, value in item.items():
        name = " " * indent + f"[dim]{escape(key.removesuffix('_ms').ljust(width))}[/]"
        match value:
            case dict() if value:
                console.print(name)
                pairs(value, indent=indent + 2)
            case list() if value and isinstance(value[0], dict):
                console.print(name)
                for element in value:
                    console.print(" " * (indent + 2) + escape(_one_line(element)))
            case _:
                console.print(f"{name}{escape(readable(key, value))}")


def readable(key: str, value: object) -> str:
    """A value as people read it: times in local time, durations as minutes and seconds."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if (key in _TIMES or key.endswith("_at")) and value > 10**11:
            return moment(int(value))
        if key in _DURATIONS or key.endswith("_ms"):
            return span(int(value))
    if isinstance(value, list):
        return ", ".join(readable("", element) for element in value) or "-"
    if isinstance(value, dict):
        return _one_line(value)
    return str(value)


def moment(ms: int) -> str:
    """UTC milliseconds as local date and time."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(ms: int) -> str:
    """Milliseconds as "4 ms", "1.234 s", "83 min 20.5 s" or "5000 min"."""
    if ms < 0:
        return f"-{span(-ms)}"
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.3f} s"
    if ms % 60_000 == 0:
        return f"{ms // 60_000} min"
    return f"{ms // 60_000} min {ms % 60_000 // 100 / 10:.1f} s"  # floored: 59.99 s are no minute


def _one_line(item: object) -> str:
    if not isinstance(item, dict):
        return readable("", item)
    return "  ".join(f"{key}={readable(key, value)}" for key, value in item.items())
