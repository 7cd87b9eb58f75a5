"""Log lines: complete, readable by machines, without secrets."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from switch.observe import log


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    stream = io.BytesIO()
    log.configure(node="n1", stream=stream)
    yield stream
    structlog.reset_defaults()


def lines(stream: io.BytesIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_node_and_room(stream: io.BytesIO) -> None:
    log.logger("call").info("call.ended", call_id="c1", sip_status=200)
    (line,) = lines(stream)
    assert line["event"] == "call.ended"
    assert line["level"] == "info"
    assert line["node"] == "n1"
    assert line["room"] == "call"
    assert line["call_id"] == "c1"
    assert isinstance(line["ts"], int)
    assert line["ts"] > 1_700_000_000_000


@pytest.mark.parametrize("name", sorted(log.SECRET))
def test_secrets_are_struck_out(stream: io.BytesIO, name: str) -> None:
    log.logger("auth").warning("auth.failed", user="101", **{name: "demo-101"})
    assert b"demo-101" not in stream.getvalue()
    assert lines(stream)[0]["user"] == "101"


def test_what_json_does_not_know_becomes_text(stream: io.BytesIO) -> None:
    log.logger("x").info("y", raw=b"\xff\x41", some=frozenset({"b", "a"}), key={1: 2})
    (line,) = lines(stream)
    assert line["raw"] == "\\xffA"
    assert line["some"] == ["a", "b"]
    assert line["key"] == {"1": 2}


def test_an_exception_is_told_with_its_place(stream: io.BytesIO) -> None:
    try:
        {}["missing"]
    except KeyError:
        log.logger("x").exception("command.failed")
    text = str(lines(stream)[0]["exception"])
    assert "KeyError: 'missing'" in text
    assert "test_log.py" in text


def test_levels_below_are_silent() -> None:
    stream = io.BytesIO()
    log.configure(level=logging.WARNING, stream=stream)
    log.logger("x").info("quiet")
    log.logger("x").error("loud")
    structlog.reset_defaults()
    assert [line["event"] for line in lines(stream)] == ["loud"]
