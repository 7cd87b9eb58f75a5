"""Frozen dataclasses <-> canonical JSON, strictly: every refusal names the path of the bad key.

The types of a dataclass's fields are its schema: str, int, float, bool, bytes (base64 on the wire),
StrEnum, a dataclass, `tuple[X, ...]`, `Mapping[str, X]`, `X | None` (absent when None), each with
limits by `Annotated`. Readers are built once per type. Canonical here: UTF-8, keys sorted, no space,
None left out; so equal documents are equal bytes and have one hash.
Deliberately absent: coercion (a number as a string is refused), versions, references.
"""

import base64
import binascii
import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar

import orjson

MAX_DOCUMENT = 64 * 1024
"""Bytes; more is refused unread."""

T = TypeVar("T")
Reader = Callable[[Any], Any]
"""A JSON value -> a field's value, or MessageError with a path below that field."""


class MessageError(ValueError):
    """A document that breaks the contract. `path` names the key ("lines[0].sip.user"), "" the whole."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'document'}: {reason}")
        self.path = path
        self.reason = reason

    def below(self, key: str) -> "MessageError":
        """The same, told by who knows that the value is that of `key`."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        return MessageError(f"{key}{joint}{self.path}", self.reason)


@dataclass(frozen=True, slots=True)
class Match:
    """A limit on str: the whole of it matches `pattern`."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Within:
    """A limit on a number, or on the length of str, bytes, tuple or mapping; both ends belong."""

    low: float
    high: float


_REQUIRED = object()

Text = Annotated[str, Within(0, 256)]
Name = Annotated[str, Match(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")]
Count = Annotated[int, Within(0, 2**53 - 1)]


def encode(document: object) -> bytes:
    """The canonical JSON of a dataclass instance. TypeError for an int of more than 64 bits."""
    return orjson.dumps(document, _writable, _CANONICAL)


def parse(
    kind: type[T],
    raw: bytes | bytearray | memoryview,
    *,
    ignore_unknown: bool = False,
    limit: int = MAX_DOCUMENT,
) -> T:
    """Read a document of `kind`. Raises MessageError; keys that `kind` lacks are refused too, unless
    `ignore_unknown` (reports of a firmware newer than the reader). `limit`: in bytes."""
    if len(raw) > limit:
        raise MessageError("", f"{len(raw)} bytes, at most {limit}")
    try:
        value = _DECODER.decode(bytes(raw).decode())
    except RecursionError:
        raise MessageError("", "nested too deeply") from None
    except MessageError:
        raise
    except ValueError as error:
        raise MessageError("", f"not JSON: {error}") from None
    return read(kind, value, ignore_unknown=ignore_unknown)


def read(kind: type[T], value: object, *, ignore_unknown: bool = False) -> T:
    """The same of JSON that was read already: dict, list, str, int, float, bool, None."""
    schema: Any = kind
    found: T = _reader(schema, ignore_unknown)(value)
    return found


# -- writing -----------------------------------------------------------------------------------

_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def _writable(value: object) -> Any:
    schema: Any = type(value)
    return _writer(schema)(value)


@cache
def _writer(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of this very type one that JSON knows, or nearer to it."""
    if issubclass(kind, bytes):
        return lambda value: base64.b64encode(value).decode()
    if issubclass(kind, Mapping):
        return dict
    assert dataclasses.is_dataclass(kind), kind
    names = tuple(each.name for each in dataclasses.fields(kind))
    return lambda value: {
        name: each for name in names if (each := getattr(value, name)) is not None
    }


# -- reading -----------------------------------------------------------------------------------


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two readers may choose differently between equal keys: neither gets the chance."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MessageError(twice, "given twice")
    return found


def _no_constant(name: str) -> object:
    raise MessageError("", f"{name} is no JSON")


# Not orjson: it takes the last of two equal keys without a word.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


@cache
def _reader(kind: Any, loose: bool) -> Reader:
    """The reader of a type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _limited(arguments[0], arguments[1:], loose)
    if origin in (types.UnionType, typing.Union):
        options = [each for each in arguments if each is not type(None)]
        return _reader(options[0], loose) if len(options) == 1 else _scalar_of(tuple(options))
    if origin is tuple:
        return _tuple(_reader(arguments[0], loose))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_reader(arguments[1], loose))
    if dataclasses.is_dataclass(kind):
        return _document(kind, loose)
    if kind is bytes:
        return _base64
    if issubclass(kind, StrEnum):
        return _choice(kind)
    return _scalar_of((kind,))


def _refusal(wanted: str, value: object) -> MessageError:
    return MessageError("", f"{wanted} wanted, got {type(value).__name__}")


def _scalar_of(kinds: tuple[type, ...]) -> Reader:
    """Types are exact: True is no int here. An int passes for a float."""
    accepted = set(kinds) | ({int} if float in kinds else set())
    wanted = " or ".join(sorted(each.__name__ for each in kinds))

    def read_scalar(value: Any) -> Any:
        if type(value) not in accepted:
            raise _refusal(wanted, value)
        return value

    def read_float(value: Any) -> float:
        return float(read_scalar(value))

    return read_float if kinds == (float,) else read_scalar


def _base64(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _refusal("base64", value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise MessageError("", "not base64") from None


def _choice(kind: type[StrEnum]) -> Reader:
    known = {each.value: each for each in kind}

    def read_choice(value: Any) -> StrEnum:
        found = known.get(value) if type(value) is str else None
        if found is None:
            reason = f"one of {', '.join(known)} wanted, got {str(value)[:40]!r}"
            raise MessageError("", reason)
        return found

    return read_choice


def _limited(kind: Any, limits: tuple[object, ...], loose: bool) -> Reader:
    """The two that most fields are, in one step each; all others by a reader and its checks."""
    only = limits[0] if len(limits) == 1 else None
    if kind is str and isinstance(only, Match):
        return _matching(only)
    if kind is int and isinstance(only, Within):
        return _counted(only)
    read_any, checks = _reader(kind, loose), [_check(each) for each in limits]

    def read_limited(value: Any) -> Any:
        found = read_any(value)
        for check in checks:
            check(found)
        return found

    return read_limited


def _matching(limit: Match) -> Reader:
    matches, check = re.compile(limit.pattern).fullmatch, _check(limit)

    def read_matching(value: Any) -> Any:
        if type(value) is not str:
            raise _refusal("str", value)
        if not matches(value):
            check(value)
        return value

    return read_matching


def _counted(limit: Within) -> Reader:
    low, high, check = limit.low, limit.high, _check(limit)

    def read_counted(value: Any) -> Any:
        if type(value) is not int:
            raise _refusal("int", value)
        if not low <= value <= high:
            check(value)
        return value

    return read_counted


def _check(limit: object) -> Callable[[Any], None]:
    """What raises unless a value is within a limit."""
    if isinstance(limit, Match):
        matches = re.compile(limit.pattern).fullmatch

        def check_match(value: Any) -> None:
            if not matches(value):
                raise MessageError("", f"{str(value)[:64]!r} is not of the form {limit.pattern}")

        return check_match
    assert isinstance(limit, Within), limit
    low, high = limit.low, limit.high

    def check_within(value: Any) -> None:
        is_number = isinstance(value, (int, float))
        if not low <= (value if is_number else len(value)) <= high:
            what = f"{value}" if is_number else f"length {len(value)}"
            raise MessageError("", f"{what} is not within {low:g} and {high:g}")

    return check_within


def _tuple(read_one: Reader) -> Reader:
    def read_tuple(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _refusal("array", value)
        found: list[Any] = []
        try:
            for each in value:
                found.append(read_one(each))  # noqa: PERF401 -- its length is the index of the bad one
        except MessageError as error:
            raise error.below(f"[{len(found)}]") from None
        return tuple(found)

    return read_tuple


def _mapping(read_one: Reader) -> Reader:
    def read_mapping(value: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise _refusal("object", value)
        found: dict[str, Any] = {}
        for key, each in value.items():
            try:
                found[key] = read_one(each)
            except MessageError as error:
                raise error.below(key) from None
        return found

    return read_mapping


def _document(kind: Any, loose: bool) -> Reader:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = [
        (each.name, _reader(hints[each.name], loose), *_absent(each, hints[each.name]))
        for each in dataclasses.fields(kind)
    ]
    known = {name for name, *_ in fields}

    def read_document(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _refusal("object", value)
        if not loose and not known.issuperset(value):
            raise MessageError(min(value.keys() - known), "unknown key")
        found = []
        for name, read_field, absent, make in fields:
            if name in value:
                try:
                    found.append(read_field(value[name]))
                except MessageError as error:
                    raise error.below(name) from None
            elif absent is _REQUIRED:
                raise MessageError(name, "missing")
            else:
                found.append(absent if make is None else make())
        return kind(*found)

    return read_document


def _absent(field: Any, hint: Any) -> tuple[object, Callable[[], object] | None]:
    """What a field is when its key is absent, or what makes it."""
    missing = dataclasses.MISSING
    if field.default is not missing:
        return field.default, None
    if field.default_factory is not missing:
        return None, field.default_factory
    inner = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    return (None if type(None) in typing.get_args(inner) else _REQUIRED), None
