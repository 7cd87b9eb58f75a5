"""What the commands say of phones and calls of this moment."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from switch.console import rehearsal, use_cases
from switch.console.commands import CommandRefused
from switch.console.use_cases import UseCases
from switch.store.database import sqlite_url
from switch.store.read import Reader
from tests.flows.actors import World, established, sdp


@pytest.fixture
def ask(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Carry a command out on the world's switch."""
    for module in (use_cases, rehearsal):
        monkeypatch.setattr(module, "boottime", lambda: world.now)
    found, reader = world.found, Reader(sqlite_url(tmp_path / "none"))
    cases = UseCases(world.exchange, found.snapshot, reader, lambda: None, found.origins, [])

    def carry_out(command: str, **args: object) -> Any:
        result = cases.table()[command](args)
        return asyncio.run(result) if asyncio.iscoroutine(result) else result  # type: ignore[arg-type]

    return carry_out


def test_a_call_between_two_lines(world: World, ask) -> None:
    established(world.phone("101"), world.phone("102"), "102")
    (call,) = ask("call.list", line="102")
    assert (call["src"], call["dst"], call["dst_raw"]) == ("101", "+33199000102", "102")
    caller, callee = ask("call.show", call_id=call["call_id"])["legs"]
    assert (caller["line"], callee["line"]) == ("101", "102")
    assert callee["contact"].startswith("sip:102@127.0.0.1:")


def test_a_call_that_hears_an_announcement(world: World, ask) -> None:
    """It isn't ringing anywhere, however early its media is."""
    phone, worker = world.phone("105"), world.speaker()
    caller = phone.call("0145678901")
    worker.called().answer(183, body=sdp("words"))
    caller.expect(183)
    assert [call["state"] for call in ask("call.list")] == ["announcement"]


def test_a_call_to_a_carrier(world: World, ask) -> None:
    established(world.phone("101"), world.carrier(), "0145678901")
    (call,) = ask("call.list")
    assert (call["dst"], call["dst_raw"]) == ("+33145678901", "0145678901")
    _, callee = ask("call.show", call_id=call["call_id"])["legs"]
    assert callee["trunk"] == "carrier-1" and "line" not in callee


def test_explained_ways_are_carriers_or_phones(world: World, ask) -> None:
    world.phone("102")
    (phone,) = ask("explain.call", line="101", dial="102")["targets"]
    assert phone["trunk"] is None and phone["request_uri"].startswith("sip:102@")
    ways = ask("explain.call", line="101", dial="0145678901")["targets"]
    assert [way["trunk"] for way in ways] == ["carrier-1", "carrier-2"]


@pytest.mark.parametrize("command", ["reg.list", "call.list"])
def test_nothing_of_a_line_and_no_such_line_are_two_answers(ask, command: str) -> None:
    assert ask(command, line="104") == []
    with pytest.raises(CommandRefused, match="there is no line 999"):
        ask(command, line="999")
