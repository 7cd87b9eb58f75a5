"""Reads a TOML file and remembers on which line each key stands, so that an error can say so.

`tomllib` keeps no positions. This locator follows the text's tables, keys and brackets only as far
as finding a line needs; `tomllib` alone decides what the file means.
Deliberately absent: writing TOML, and positions inside a one-line array or inline table (the line
of the key that holds it is answered).
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails  # questions to a running switch don't load pydantic

Key = tuple[str | int, ...]

ENCODING = "utf-8-sig"  # UTF-8; a byte order mark, which some editors write, is no part of the text

_TABLE = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_PART = r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'"
_ASSIGNMENT = re.compile(rf"\s*((?:{_PART})(?:\s*\.\s*(?:{_PART}))*)\s*=(.*)$")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')
_LINE_OF_ERROR = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a file; `line` counts from 1, 0 = the whole file."""

    file: Path
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """As compilers write it: file:line: key: message."""
        return told(str(self.file), self.line, self.key, self.message)


class ConfigError(Exception):
    """A configuration that can't be used, with everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its content, and the line of each key that the text spells out."""

    path: Path
    content: Mapping[str, object] = field(repr=False)  # it may hold passwords
    lines: Mapping[Key, int] = field(repr=False)

    def line_of(self, key: Key) -> int:
        """The line of a key path, ("line", 3, "password"), or of the nearest part of it that the
        file spells out; 1 when there is none."""
        for length in range(len(key), 0, -1):
            if (line := self.lines.get(key[:length])) is not None:
                return line
        return 1

    def problem(self, key: Key, message: str) -> Problem:
        """What is wrong with a key, at its line."""
        return Problem(self.path, self.line_of(key), key_text(key), message)


def told(file: str, line: int, key: str, message: str) -> str:
    """A problem in one line, without what is not known of it."""
    where = f"{file}:{line}" if line else file
    return ": ".join(part for part in (where, key, message) if part)


def words(error: "ErrorDetails") -> str:
    """What pydantic says of a value, in the words of who wrote the file."""
    match error["type"]:
        case "extra_forbidden":
            return "unknown key"
        case "missing":
            return "missing"
        case "tuple_type" | "list_type" | "frozen_set_type":
            return "expected a list, [...]"
    return error["msg"].removeprefix("Value error, ")


def unreadable(path: Path, error: OSError | UnicodeDecodeError) -> Problem:
    """A file that is not there, may not be read, or is no text."""
    if isinstance(error, UnicodeDecodeError):
        return Problem(path, 0, "", "not UTF-8 text")
    return Problem(path, 0, "", error.strerror or str(error))


def key_text(key: Key) -> str:
    """A key path as an operator reads it: line[3].password (the fourth [[line]])."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".")


def load(path: Path, kept: Path | None = None) -> Document:
    """Read a TOML file; `kept` is where its content is, if not there. Raises ConfigError."""
    try:
        text = (kept or path).read_text(encoding=ENCODING)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([unreadable(path, error)]) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE_OF_ERROR.search(str(error))
        line = int(found[1]) if found else 0
        raise ConfigError([Problem(path, line, "", str(error))]) from error
    return Document(path, content, locate(text))


def locate(text: str) -> dict[Key, int]:
    """The line, from 1, of every table and key of a TOML text."""
    lines: dict[Key, int] = {}
    elements: dict[Key, int] = {}
    table: Key = ()
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            closing = _still_open(line, closing)
        elif match := _TABLE.match(line):
            table = _enter(_split(match[2]), match[1] == "[[", elements)
            lines.setdefault(table, number)
        elif match := _ASSIGNMENT.match(line):
            key = table + _split(match[1])
            for length in range(len(table) + 1, len(key) + 1):
                lines.setdefault(key[:length], number)
            closing = _opened_by(match[2])
    return lines


def _split(dotted: str) -> Key:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _enter(name: Key, is_array: bool, elements: dict[Key, int]) -> Key:
    """The key path of a table header: a name that stands for an array means its last element."""
    path: Key = ()
    for position, part in enumerate(name, 1):
        path += (part,)
        if position == len(name) and is_array:
            elements[path] = elements.get(path, -1) + 1
        if path in elements:
            path += (elements[path],)
    return path


def _opened_by(value: str) -> str:
    """What ends a value that goes on over the next lines: a triple quote, so many brackets, or ""."""
    stripped = value.strip()
    for quote in ('"""', "'''"):
        if stripped.startswith(quote):
            return "" if quote in stripped[3:] else quote
    return "]" * max(0, _depth(value))


def _still_open(line: str, closing: str) -> str:
    if closing[0] in "\"'":
        return "" if closing in line else closing
    return "]" * max(0, len(closing) + _depth(line))


def _depth(text: str) -> int:
    bare = _STRING.sub("", text).partition("#")[0]
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
