"""The codec: what it refuses and the path that it names; equal documents are equal bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_agent.messages.codec import (
    MAX_DOCUMENT,
    Match,
    MessageError,
    Within,
    encode,
    parse,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    name: Annotated[str, Match("[a-z]+")]
    size: Annotated[int, Within(0, 9)] = 1


@dataclass(frozen=True, slots=True)
class Outer:
    colour: Colour
    ratio: float
    raw: bytes
    maybe: Inner | None
    many: Annotated[tuple[Inner, ...], Within(0, 2)] = ()
    table: Mapping[str, str | int] = field(default_factory=dict)


GOOD = b'{"colour":"red","many":[{"name":"a","size":2}],"ratio":1.5,"raw":"AAE=","table":{"k":1}}'


def test_good_document_is_read_and_written_as_it_was() -> None:
    found = parse(Outer, GOOD)
    assert found == Outer(Colour.RED, 1.5, b"\0\1", None, (Inner("a", 2),), {"k": 1})
    assert encode(found) == GOOD


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (GOOD.replace(b'"red"', b'"green"'), "colour"),
        (GOOD.replace(b'"red"', b"1"), "colour"),
        (GOOD.replace(b'"red",', b'"red","colour":"blue",'), "colour"),
        (GOOD.replace(b"1.5", b'"1.5"'), "ratio"),
        (GOOD.replace(b"1.5", b"true"), "ratio"),
        (GOOD.replace(b"1.5", b"NaN"), ""),
        (GOOD.replace(b"AAE=", b"A!E="), "raw"),
        (GOOD.replace(b'"a"', b'"A"'), "many[0].name"),
        (GOOD.replace(b'"size":2', b'"size":10'), "many[0].size"),
        (GOOD.replace(b'"size":2', b'"size":true'), "many[0].size"),
        (GOOD.replace(b'"size":2', b'"size":2,"more":1'), "many[0].more"),
        (GOOD.replace(b'"name":"a",', b""), "many[0].name"),
        (GOOD.replace(b'[{"name":"a","size":2}]', b"{}"), "many"),
        (GOOD.replace(b'{"name":"a","size":2}', b'{"name":"a"},{"name":"a"},{"name":"a"}'), "many"),
        (GOOD.replace(b'{"name":"a","size":2}', b"7"), "many[0]"),
        (GOOD.replace(b'{"k":1}', b'{"k":1.5}'), "table.k"),
        (GOOD.replace(b'{"k":1}', b"[]"), "table"),
        (GOOD.replace(b'"colour":"red",', b""), "colour"),
        (GOOD[:-1], ""),
        (b"\xff", ""),
        (b"[]", ""),
        (b"null", ""),
        (b" " * (MAX_DOCUMENT + 1), ""),
        (b'{"a":' * 20_000, ""),
    ],
)
def test_bad_document_is_refused_by_the_path_of_the_key(raw: bytes, path: str) -> None:
    with pytest.raises(MessageError) as refusal:
        parse(Outer, raw)
    assert refusal.value.path == path
    assert str(refusal.value).startswith(f"{path or 'document'}: ")


def test_unknown_keys_pass_where_the_writer_may_be_newer() -> None:
    raw = GOOD.replace(b'"size":2', b'"size":2,"more":1').replace(b'"red"', b'"red","new":[]')
    assert parse(Outer, raw, ignore_unknown=True) == parse(Outer, GOOD)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_do_any_harm(raw: bytes) -> None:
    with pytest.raises(MessageError):
        parse(Outer, raw)


WHOLE = st.integers(-(2**63), 2**64 - 1)  # what 64 bits hold

inner = st.builds(Inner, st.from_regex("[a-z]+", fullmatch=True), st.integers(0, 9))
outer = st.builds(
    Outer,
    st.sampled_from(Colour),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(max_size=50),
    st.none() | inner,
    st.lists(inner, max_size=2).map(tuple),
    st.dictionaries(st.text(max_size=9), WHOLE | st.text(max_size=9), max_size=3),
)


@given(outer)
def test_round_trip(document: Outer) -> None:
    raw = encode(document)
    assert parse(Outer, raw) == document
    assert encode(parse(Outer, raw)) == raw
