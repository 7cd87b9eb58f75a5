"""The record of an emergency attempt: every fact that decided, and what became of it."""

from typing import Any

import pytest

from switch.sip.flow import Flow
from tests.flows.actors import SWITCH, Actor, World, hang_up, sdp

ABROAD = "127.0.2.1"


def audit(world: World) -> dict[str, Any]:
    (record,) = world.records("audit")
    return record


def answered(world: World, dialled: str = "18", host: str = "127.0.0.1") -> None:
    a, c = world.phone("101", host), world.carrier(1)
    caller = a.call(dialled)
    callee = c.called()
    world.after(0.04)
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    world.after(30)
    hang_up(caller, callee)


def test_it_says_who_where_why_and_how(world: World) -> None:
    answered(world)
    record = audit(world)
    line = world.exchange.facts.lines["101"]
    assert line.policy.location is not None
    expected = {
        "line": "101",
        "number": "+33199000101",
        "account": "demo",
        "state": "active",
        "source_ip": "127.0.0.1",
        "dialled": "18",
        "class": "emergency_vital",
        "level": "E0",
        "verdict": "connected",
        "insee": "75108",
        "address_version": line.policy.location.version,
        "address_state": "confirmed",
        "rules_version": world.exchange.rules.version,
        "routes_version": world.exchange.psap.version,
        "contradictions": [],
        "announcement": "",
        "heard": [],
        "override": False,
        "answered": True,
        "ending": "ok",
        "hangup_by": "caller",
        "notices": [{"audience": "site", "kind": "emergency_call"}],
    }
    assert {name: record[name] for name in expected} == expected
    assert len(record["rules_version"]) == 12
    assert record["attempts"] == [{"trunk": "carrier-1", "profile": "A", "status": 200, "ms": 40}]
    assert record["sip_call_ids"]["caller"] != record["sip_call_ids"]["callee"]
    assert all(record["sip_call_ids"].values())


def test_every_signal_is_there_with_its_age_and_source(world: World) -> None:
    answered(world, host="127.0.6.1")
    signals = {signal["kind"]: signal for signal in audit(world)["signals"]}
    assert signals["source_country"]["says"] == "france"
    for signal in signals.values():
        assert {"value", "says", "age_s", "max_age_s", "counts", "source"} <= set(signal)
    assert "networks.csv" in signals["source_country"]["source"]


@pytest.mark.parametrize("status", [486, 503])
def test_each_attempt_is_there(world: World, status: int) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    first = c1.called()
    world.after(0.2)
    first.answer(status)
    second = c2.called()
    world.after(0.3)
    second.answer(200, body=sdp("psap"))
    second.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, second)
    assert audit(world)["attempts"] == [
        {"trunk": "carrier-1", "profile": "A", "status": status, "ms": 200},
        {"trunk": "carrier-2", "profile": "C", "status": 200, "ms": 300},
    ]


def test_what_was_heard_and_how_far(world: World) -> None:
    a, worker = world.phone("101", ABROAD), world.speaker()
    caller = a.call("18")
    spoken = worker.called()
    spoken.answer(183, body=sdp("warning"))
    caller.expect(183)
    world.after(7.5)
    caller.cancel()
    record = audit(world)
    assert (record["verdict"], record["level"]) == ("blocked_abroad", "E5")
    assert record["announcement"] == "abroad"
    assert record["heard"] == [{"announcement": "abroad", "ms": 7_500, "key": ""}]
    assert {(told["audience"], told["kind"]) for told in record["notices"]} == {
        ("customer", "blocked_abroad"),
        ("operator", "blocked_abroad"),
    }
    assert record["attempts"] == []


def test_a_warning_that_was_played_to_its_end(world: World) -> None:
    a, worker = world.phone("101", ABROAD), world.speaker()
    caller = a.call("18")
    spoken = worker.called()
    spoken.answer(183, body=sdp("warning"))
    caller.expect(183)
    world.after(40)
    spoken.answer(403)
    caller.fails(403)
    record = audit(world)
    assert record["heard"] == [{"announcement": "abroad", "ms": 40_000, "key": ""}]
    assert record["ending"] == "abroad"


def test_the_key_that_overrode_it(world: World) -> None:
    a, worker, c = world.phone("101", ABROAD), world.speaker(), world.carrier(1)
    caller = a.call("18")
    spoken = worker.called()
    spoken.answer(183, body=sdp("warning"))
    caller.expect(183)
    world.after(3)
    spoken.answer(403, ("X-Vigie-Key", "1"))
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, callee)
    record = audit(world)
    assert (record["verdict"], record["override"]) == ("override_connected", True)
    assert record["heard"] == [{"announcement": "abroad", "ms": 3_000, "key": "1"}]
    assert {told["kind"] for told in record["notices"]} == {
        "abroad_overridden",
        "emergency_call",
        "short_emergency_call",
    }


def test_it_outlives_a_kill_with_all_its_facts(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    version = world.exchange.rules.version
    world = world.restarted()
    hang_up(caller, callee)
    record = audit(world)
    assert (record["verdict"], record["level"], record["state"]) == ("connected", "E0", "active")
    assert record["signals"]
    assert record["rules_version"] == version


def test_a_call_in_set_up_is_recorded_too_when_the_switch_dies(world: World) -> None:
    world.phone("101").call("18")
    world.carrier(1)
    world = world.restarted()
    record = audit(world)
    assert record["ending"] == "switch_restarted"
    assert record["signals"]


def test_the_test_number_leaves_a_record_and_reaches_nobody(world: World) -> None:
    worker = world.speaker()
    caller = world.phone("101").call("933")
    worker.called().answer(486)
    caller.expect(480)
    assert audit(world)["verdict"] == "test"


def test_a_terminated_line_leaves_a_record(world: World) -> None:
    a = world.phone("106")
    a.call("18").fails(403)
    assert audit(world)["verdict"] == "unauthenticated"


def test_wrong_credentials_leave_a_record_until_they_are_locked_out(world: World) -> None:
    stranger = Flow("UDP", SWITCH, ("127.0.0.44", 20_000))
    a = Actor(world, "101", stranger, "a wrong guess")
    a.call("18").fails(403)
    record = audit(world)
    assert (record["verdict"], record["line"], record["claimed"]) == (
        "unauthenticated",
        None,
        "101",
    )
    assert (record["dialled"], record["source_ip"]) == ("18", "127.0.0.44")
    for _ in range(40):
        a.challenge = None
        a.call("18").fails(403)
    assert len(world.records("audit")) < 30


def test_a_call_back_is_added_to_the_call_that_it_answers(world: World) -> None:
    answered(world)
    emergency = audit(world)
    phone = next(actor for actor in world.actors.values() if actor.name == "101")
    caller = world.carrier(1).call("+33199000101", from_="<sip:+33800112112@psap>;tag=1")
    callee = phone.called()
    callee.answer(200, body=sdp("101"))
    caller.expect(200)
    callee.expect("ACK")
    caller.ack()
    hang_up(caller, callee)
    _, back = world.records("audit")
    assert back["event"] == "callback"
    assert back["call_id"] == emergency["call_id"] != back["id"]
    assert (back["line"], back["trunk"], back["answered"]) == ("101", "carrier-1", True)
    assert [attempt["status"] for attempt in back["attempts"]] == [200]


def test_no_address_and_no_secret_is_in_it(world: World) -> None:
    answered(world)
    text = str(audit(world))
    assert "La Boétie" not in text, "the record names the version of the address, which is kept"
    assert "demo-101" not in text
