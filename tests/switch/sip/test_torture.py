"""The situations of RFC 4475 (torture.toml) and what becomes of each; docs/torture.md is the table.

After a deliberate change: `python tests/switch/sip/test_torture.py > docs/torture.md`.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from switch.sip.build import make_response
from switch.sip.errors import ParseError
from switch.sip.parser import StreamParser, check_values, parse

CASES: list[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("torture.toml").read_text(encoding="utf-8")
)["case"]
TABLE = Path(__file__).parents[3] / "docs" / "torture.md"
CASES_OF_THE_RFC = 49


def wire(case: dict[str, Any]) -> bytes:
    text: str = case["message"].lstrip("\n").replace("LONG", "long" * 50).replace("\n", "\r\n")
    head, _, body = text.partition("\r\n\r\n")
    encoding = "latin-1" if case["name"] == "mpart01" else "utf-8"
    octets = body.encode(encoding)
    return head.replace("auto", str(len(octets))).encode() + b"\r\n\r\n" + octets


def fault(datagram: bytes) -> ParseError | None:
    try:
        check_values(parse(datagram))
    except ParseError as error:
        return error
    return None


def outcome(datagram: bytes) -> str:
    error = fault(datagram)
    if error is None:
        return "accepted"
    return "dropped" if error.request is None else f"{error.status} {error.reason}"


def table() -> str:
    rows = [
        "# RFC 4475, case by case",
        "",
        "What becomes of each situation of `tests/switch/sip/torture.toml`, where the messages are: what",
        "the parser makes of it, and what the whole switch answers to a stranger who sends it by UDP.",
        "Dropped messages are counted under the reason that stands there. A request from a stranger",
        "that is well in itself is challenged (401).",
        "",
        "| case | section | situation | parser | switch |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {case['name']} | {case['section']} | {case['about']} | {outcome(wire(case))} "
        f"| {case['switch']} |"
        for case in CASES
    ]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_case_has_its_outcome(case: dict[str, Any]) -> None:
    assert outcome(wire(case)) == case["outcome"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_is_accepted_is_written_so_that_it_reads_the_same(case: dict[str, Any]) -> None:
    if case["outcome"] != "accepted":
        return
    message = parse(wire(case))
    again = parse(message.to_bytes())
    assert (again.names, again.values, again.body) == (message.names, message.values, message.body)
    assert again.start_line() == message.start_line()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_can_be_answered_gets_a_response_that_can_be_read(case: dict[str, Any]) -> None:
    error = fault(wire(case))
    if error is not None and error.request is not None:
        response = make_response(error.request, error.status, error.reason, to_tag="t")
        assert response.to_bytes().startswith(f"SIP/2.0 {error.status} ".encode())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_stream_agrees_with_a_datagram(case: dict[str, Any]) -> None:
    if case["name"] == "dblreq":  # on a stream, what follows is the next message
        return
    stream = StreamParser()
    try:
        items = stream.feed(wire(case))
    except ParseError:
        assert case["name"] in {"ncl", "mcl01"}
        return
    if case["name"] == "clerr":
        assert items == []  # the rest may still come
    else:
        assert len(items) == 1
        assert isinstance(items[0], ParseError) == isinstance(_read(wire(case)), ParseError)


def _read(datagram: bytes) -> object:
    try:
        return parse(datagram)
    except ParseError as error:
        return error


def test_every_situation_of_the_rfc_is_here() -> None:
    assert len({case["name"] for case in CASES}) == CASES_OF_THE_RFC
    assert len({case["section"] for case in CASES}) == CASES_OF_THE_RFC


def test_the_table_in_the_docs_is_this_one() -> None:
    sys.stdout.write("\n" + table())
    assert TABLE.read_text(encoding="utf-8") == table()


if __name__ == "__main__":
    sys.stdout.write(table())
