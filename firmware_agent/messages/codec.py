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

MAX_DOCUMENT = 64 * 1024
"""Bytes; more is refused unread."""

T = TypeVar("T")
Reader = Callable[[object, str], Any]


class MessageError(ValueError):
    """A document that breaks the contract. `path` names the key ("lines[0].sip.user"), "" the whole."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'document'}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Match:
    """A limit on str: the whole of it matches `pattern`."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Within:
    """A limit on a number, or on the length of str, bytes, tuple or mapping; both ends belong."""

    low: float
    high: float


_REQUIRED, _BY_DEFAULT = object(), object()

Text = Annotated[str, Within(0, 256)]
Name = Annotated[str, Match(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")]
Count = Annotated[int, Within(0, 2**53 - 1)]


def encode(document: object) -> bytes:
    """The canonical JSON of a dataclass instance."""
    return encode_plain(_plain(document))


def encode_plain(value: object) -> bytes:
    """The canonical JSON of what `json` reads: dict, list, str, int, float, bool, None."""
    return _ENCODER.encode(value).encode()


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
    schema: Any = kind
    found: T = _reader(schema, ignore_unknown)(value, "")
    return found


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


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _plain(value: object) -> Any:
    schema: Any = type(value)
    return _writer(schema)(value)


@cache
def _writer(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of this very type plain."""
    if kind is type(None) or issubclass(kind, (str, int, float)):  # a StrEnum is a str
        return lambda value: value
    if issubclass(kind, bytes):
        return lambda value: base64.b64encode(value).decode()
    if issubclass(kind, tuple):
        return lambda value: [_plain(each) for each in value]
    if issubclass(kind, Mapping):
        return lambda value: {str(key): _plain(each) for key, each in value.items()}
    assert dataclasses.is_dataclass(kind), kind
    names = tuple(each.name for each in dataclasses.fields(kind))

    def write(value: Any) -> dict[str, Any]:
        found = {}
        for name in names:
            each = getattr(value, name)
            if each is not None:
                found[name] = _plain(each)
        return found

    return write


@cache
def _reader(kind: Any, loose: bool) -> Reader:
    """The reader of a type: (JSON value, path) -> value, or MessageError."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _limited(_reader(arguments[0], loose), arguments[1:])
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


def _scalar_of(kinds: tuple[type, ...]) -> Reader:
    accepted = set(kinds) | ({int} if float in kinds else set())
    wanted = " or ".join(sorted(each.__name__ for each in kinds))

    def read(value: object, path: str) -> object:
        if type(value) not in accepted:  # exact: True is no int here
            raise MessageError(path, f"{wanted} wanted, got {type(value).__name__}")
        return float(value) if kinds == (float,) else value  # type: ignore[arg-type]

    return read


def _base64(value: object, path: str) -> bytes:
    if not isinstance(value, str):
        raise MessageError(path, f"base64 wanted, got {type(value).__name__}")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise MessageError(path, "not base64") from None


def _choice(kind: type[StrEnum]) -> Reader:
    known = {each.value: each for each in kind}

    def read(value: object, path: str) -> StrEnum:
        found = known.get(value) if isinstance(value, str) else None
        if found is None:
            raise MessageError(path, f"one of {', '.join(known)} wanted, got {str(value)[:40]!r}")
        return found

    return read


def _limited(read: Reader, limits: tuple[object, ...]) -> Reader:
    checks = [_check(each) for each in limits]

    def read_limited(value: object, path: str) -> object:
        found = read(value, path)
        for check in checks:
            check(found, path)
        return found

    return read_limited


def _check(limit: object) -> Callable[[Any, str], None]:
    if isinstance(limit, Match):
        matches = re.compile(limit.pattern).fullmatch

        def check_match(value: Any, path: str) -> None:
            if not matches(value):
                raise MessageError(path, f"{str(value)[:64]!r} is not of the form {limit.pattern}")

        return check_match
    assert isinstance(limit, Within), limit
    low, high = limit.low, limit.high

    def check_within(value: Any, path: str) -> None:
        is_number = isinstance(value, (int, float))
        if not low <= (value if is_number else len(value)) <= high:
            what = f"{value}" if is_number else f"length {len(value)}"
            raise MessageError(path, f"{what} is not within {low:g} and {high:g}")

    return check_within


def _tuple(read: Reader) -> Reader:
    def read_tuple(value: object, path: str) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise MessageError(path, f"array wanted, got {type(value).__name__}")
        return tuple([read(each, f"{path}[{index}]") for index, each in enumerate(value)])

    return read_tuple


def _mapping(read: Reader) -> Reader:
    def read_mapping(value: object, path: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise MessageError(path, f"object wanted, got {type(value).__name__}")
        return {key: read(each, f"{path}.{key}") for key, each in value.items()}

    return read_mapping


def _document(kind: Any, loose: bool) -> Reader:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = [
        (each.name, _reader(hints[each.name], loose), _absent(each, hints[each.name]))
        for each in dataclasses.fields(kind)
    ]
    known = {name for name, _, _ in fields}

    def read(value: object, path: str) -> object:
        if not isinstance(value, dict):
            raise MessageError(path, f"object wanted, got {type(value).__name__}")
        prefix = f"{path}." if path else ""
        if not loose and not known.issuperset(value):
            raise MessageError(prefix + min(value.keys() - known), "unknown key")
        found = {}
        for name, read_field, absent in fields:
            if name in value:
                found[name] = read_field(value[name], prefix + name)
            elif absent is _REQUIRED:
                raise MessageError(prefix + name, "missing")
            elif absent is not _BY_DEFAULT:
                found[name] = absent
        return kind(**found)

    return read


def _absent(field: Any, hint: Any) -> object:
    """What a field is when its key is absent."""
    missing = dataclasses.MISSING
    if field.default is not missing or field.default_factory is not missing:
        return _BY_DEFAULT
    inner = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    return None if type(None) in typing.get_args(inner) else _REQUIRED
