"""What operators learn of emergency calls: success, failure and fail-over, as events, notices, alarm."""

from dataclasses import replace

import pytest

from policy.model import LineState
from switch.observe.alarms import Alarms
from switch.observe.metrics import Metrics
from switch.observe.observer import Observer
from tests.flows.actors import World, sdp
from tests.flows.ways_out import refuse, up


def told(world: World, name: str) -> list[dict[str, object]]:
    return [fields for event, fields in world.events if event == name]


def notices(world: World) -> list[str]:
    """Kinds of the notices that are due to the operator."""
    return [
        str(fields["kind"])
        for fields in told(world, "notice.due")
        if fields["audience"] == "operator" and str(fields["kind"]).startswith("emergency_")
    ]


def attempts(world: World) -> list[tuple[object, object]]:
    return [(each["trunk"], each["outcome"]) for each in told(world, "emergency.attempt")]


def answered_by_the_first(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    up(caller, callee)
    caller.send("BYE")


def failed_everywhere(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    world.speakers.free = 0
    caller = a.call("18")
    for carrier in (c1, c2, c1, c2):
        refuse(carrier, 503)
    caller.fails(480)


def test_an_answered_call_is_a_success_and_nobody_is_told(world: World) -> None:
    answered_by_the_first(world)
    assert attempts(world) == [("carrier-1", "answered")]
    assert [each["outcome"] for each in told(world, "emergency.outcome")] == ["answered"]
    assert notices(world) == []


def test_a_later_route_is_a_failover_and_the_operator_is_told_which(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    refuse(c1, 503)
    callee = c2.called()
    up(caller, callee)
    caller.send("BYE")
    assert attempts(world) == [("carrier-1", "refused"), ("carrier-2", "answered")]
    (failover,) = told(world, "emergency.failover")
    assert failover["trunk"] == "carrier-2"
    assert notices(world) == ["emergency_failover"]
    (due,) = [each for each in told(world, "notice.due") if each["kind"] == "emergency_failover"]
    assert due["fields"] == {"dialled": "18", "tried": "carrier-1 503, carrier-2 200"}


def test_a_silent_route_is_an_attempt_too(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    c1.called()
    world.after(1.6)
    callee = c2.called()
    up(caller, callee)
    caller.send("BYE")
    assert attempts(world) == [("carrier-1", "silent"), ("carrier-2", "answered")]
    (audit,) = world.records("audit")
    assert [(each["trunk"], each["status"]) for each in audit["attempts"]] == [
        ("carrier-1", 408),
        ("carrier-2", 200),
    ]


def test_a_failure_is_p1_and_the_next_success_clears_it(world: World) -> None:
    failed_everywhere(world)
    assert notices(world) == ["emergency_failed"]
    alarms = Alarms()
    for name, fields in world.events:
        alarms.take(name, fields)
    (alarm,) = [each for each in alarms.standing if each.startswith("P1")]
    assert "carrier-1 503, carrier-2 503" in alarm
    before = len(world.events)
    answered_by_the_first(world)
    for name, fields in world.events[before:]:
        alarms.take(name, fields)
    assert not [each for each in alarms.standing if each.startswith("P1")]


@pytest.mark.parametrize(("line", "host"), [("101", "127.0.3.1"), ("107", "127.0.0.1")])
def test_a_failure_is_recorded_as_one_whatever_was_known_of_the_place(
    world: World, line: str, host: str
) -> None:
    """No evidence, or no validated address: the word of the table would hide that nobody answered."""
    a, c1, c2 = world.phone(line, host), world.carrier(1), world.carrier(2)
    world.speakers.free = 0
    caller = a.call("18")
    for carrier in (c1, c2, c1, c2):
        refuse(carrier, 503)
    caller.fails(480)
    assert [each["verdict"] for each in world.records("audit")] == ["failed"]


def test_a_restart_in_the_middle_of_the_warning_is_no_failure(world: World) -> None:
    a = world.phone("101", "127.0.2.1")
    speaker = world.speaker()
    caller = a.call("18")
    speaker.called().answer(183, body=sdp("words"))
    caller.expect(183)
    after = world.restarted()
    assert [each["outcome"] for each in told(after, "emergency.outcome")] == ["blocked"]
    assert notices(after) == []
    assert after.records("audit")[-1]["verdict"] == "blocked_abroad"


def test_who_hangs_up_is_no_failure(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    callee.answer(180)
    caller.cancel()
    assert [each["outcome"] for each in told(world, "emergency.outcome")] == ["cancelled"]
    assert attempts(world) == [("carrier-1", "cancelled")]
    assert notices(world) == []


def test_a_stolen_device_is_refused_and_alarms_nobody(world: World) -> None:
    """Else a thief could have somebody paged each time, and who is paged too often looks no more."""
    a, c = world.phone("101"), world.carrier(1)
    stolen = replace(world.exchange.facts.lines["101"].life, state=LineState.STOLEN)
    world.exchange.facts = world.exchange.facts.renewed({"101": stolen})
    a.call("18").fails(403)
    c.silent()
    assert [each["verdict"] for each in world.records("audit")] == ["stolen"]
    assert told(world, "emergency.outcome") == []
    assert notices(world) == []


def test_they_are_counted(world: World) -> None:
    metrics = Metrics()
    failed_everywhere(world)
    answered_by_the_first(world)
    Observer(metrics)(world.events)
    assert metrics.counted("emergency_calls", "failed") == 1
    assert metrics.counted("emergency_calls", "answered") == 1
    assert metrics.counted("emergency_attempts", "carrier-1", "refused") == 2
    assert metrics.counted("emergency_attempts", "carrier-1", "answered") == 1
    assert metrics.counted("emergency_verdicts", "failed") == 1
    assert b"vigie_emergency_setup_seconds_count 1.0" in metrics.render()
