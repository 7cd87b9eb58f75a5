"""Who is told of an emergency call, and that nobody waits for it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.flows.actors import World, hang_up, sdp

ABROAD = "127.0.2.1"  # the demo's network in Germany
ELSEWHERE_IN_FRANCE = "127.0.6.1"


def due(world: World, kind: str = "") -> list[dict[str, Any]]:
    """The notices that are owed."""
    fields: list[dict[str, Any]] = [fields for name, fields in world.events if name == "notice.due"]
    return [each for each in fields if kind in ("", each["kind"])]


def answered(world: World, dialled: str = "18", line: str = "101", seconds: float = 60.0) -> None:
    a, c = world.phone(line), world.carrier(1)
    caller = a.call(dialled)
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    world.after(seconds)
    hang_up(caller, callee)


def test_the_site_learns_who_called_where_which_number_and_when(world: World) -> None:
    world.phone("101").call("18")
    world.carrier(1)
    (notice,) = due(world, "emergency_call")
    assert notice["audience"] == "site"
    assert notice["line"] == "101"
    assert set(notice["fields"]) == {"dialled", "place"}, "and no more"
    assert notice["fields"]["dialled"] == "18"
    assert "75008 Paris" in notice["fields"]["place"]
    assert notice["at"] == pytest.approx(world.exchange.wall(world.now) * 1000, abs=1000)


def test_floor_and_room_lead_there(world: World) -> None:
    facts = world.exchange.facts
    line = facts.lines["101"]
    place = line.policy.location
    assert place is not None
    inside = replace(place, civic={**place.civic, "FLR": "2", "ROOM": "204", "LOC": "porte B"})
    moved = replace(line, policy=replace(line.policy, location=inside))
    world.exchange.facts = replace(facts, lines={**facts.lines, "101": moved})
    world.phone("101").call("112")
    assert due(world, "emergency_call")[0]["fields"]["place"].endswith(
        "étage 2, bureau 204, porte B"
    )


def test_it_is_told_once_whatever_the_routes_do(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    c1.expect("INVITE")
    world.lose_flow(c1)
    c2.expect("INVITE")
    assert len(due(world, "emergency_call")) == 1


@pytest.mark.parametrize("dialled", ["119", "115", "933", "0145678901"])
def test_it_is_told_of_vital_numbers_only(world: World, dialled: str) -> None:
    world.phone("101").call(dialled)
    assert due(world, "emergency_call") == []


def test_a_new_network_asks_the_customer_to_confirm(world: World) -> None:
    a = world.phone("101", ELSEWHERE_IN_FRANCE)
    a.call("18")
    (notice,) = due(world, "confirm_address")
    assert (notice["audience"], notice["account"]) == ("customer", "demo")


def test_a_line_without_an_address_alarms_the_operator(world: World) -> None:
    world.phone("107").call("18")
    (notice,) = due(world, "default_location")
    assert notice["audience"] == "operator"


def test_a_block_is_told_when_it_is_final(world: World) -> None:
    a, worker = world.phone("101", ABROAD), world.speaker()
    caller = a.call("18")
    spoken = worker.called()
    spoken.answer(183, body=sdp("warning"))
    caller.expect(183)
    assert due(world, "blocked_abroad") == []
    spoken.answer(403)
    caller.fails(403)
    told = due(world, "blocked_abroad")
    assert [notice["audience"] for notice in told] == ["customer", "operator"]
    assert due(world, "emergency_call") == [], "nobody comes"


def test_an_override_is_told_as_such(world: World) -> None:
    a, worker, c = world.phone("101", ABROAD), world.speaker(), world.carrier(1)
    caller = a.call("18")
    spoken = worker.called()
    spoken.answer(183, body=sdp("warning"))
    caller.expect(183)
    spoken.answer(403, ("X-Vigie-Key", "1"))
    worker.expect("ACK")
    c.expect("INVITE")
    assert due(world, "blocked_abroad") == []
    assert [notice["audience"] for notice in due(world, "abroad_overridden")] == [
        "customer",
        "operator",
    ]
    assert len(due(world, "emergency_call")) == 1


def test_a_very_short_call_raises_an_event(world: World) -> None:
    answered(world, seconds=3)
    (event,) = [fields for name, fields in world.events if name == "emergency.short_call"]
    assert event["duration_ms"] == 3_000
    (notice,) = due(world, "short_emergency_call")
    assert (notice["audience"], notice["clause"]) == ("operator", "1(e)")


def test_a_call_that_was_given_up_while_it_rang_is_a_very_short_one(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    callee.answer(180)
    caller.expect(180)
    caller.cancel()
    assert due(world, "short_emergency_call")[0]["fields"]["duration_ms"] == 0


@pytest.mark.parametrize(("dialled", "seconds"), [("18", 11), ("933", 1), ("0145678901", 1)])
def test_other_calls_do_not(world: World, dialled: str, seconds: float) -> None:
    if dialled == "933":
        world.phone("101").call(dialled).cancel()
    else:
        answered(world, dialled, seconds=seconds)
    assert due(world, "short_emergency_call") == []


def test_the_line_is_not_held_after_a_hang_up(world: World) -> None:
    answered(world, seconds=3)
    assert not world.exchange.in_emergency
    b = world.phone("102")
    b.call("101")
    assert [leg for leg in world.exchange.legs.values() if leg.aor == "101"]


def test_a_notice_is_made_once_also_when_the_decision_is_taken_again(world: World) -> None:
    world.speakers.free = 0
    a, c = world.phone("101", ABROAD), world.carrier(1)
    a.call("18")
    c.expect("INVITE")
    kinds = [(notice["audience"], notice["kind"]) for notice in due(world)]
    assert len(kinds) == len(set(kinds))
    assert ("operator", "media_failed") in kinds
