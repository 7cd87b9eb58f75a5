"""What an emergency call allows and bars while it lives: moves, transfers, calls beside (RFC 6881 SP-38)."""

from dataclasses import replace

import pytest

from tests.flows.actors import World, hang_up, sdp
from tests.flows.emergency_talk import still_up, up

# -- refreshes, moves, transfers -------------------------------------------------------------------


def test_a_refresh_passes(world: World) -> None:
    _, caller, callee = up(world)
    for method in ("INVITE", "UPDATE"):
        if method == "INVITE":
            caller.reinvite(body=sdp("101"))
            caller.expect(200)
            caller.ack()
        else:
            caller.send("UPDATE")
            caller.expect(200)
    still_up(world, caller, callee)


def test_a_change_of_address_passes(world: World) -> None:
    """A phone that moved from Wi-Fi to the mobile network."""
    _, caller, callee = up(world)
    moved = sdp("101", 2).replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 127.0.6.9")
    caller.reinvite(body=moved)
    asked = callee.expect("INVITE")
    assert b"c=IN IP4 127.0.6.9" in asked.body
    callee.actor.reply(asked, 200, body=sdp("psap", 2))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    still_up(world, caller, callee)


@pytest.mark.parametrize("by", ["caller", "psap"])
def test_a_transfer_is_403(world: World, by: str) -> None:
    _, caller, callee = up(world)
    who = caller if by == "caller" else callee
    who.send("REFER", ("Refer-To", "<sip:102@vigie>"))
    who.expect(403)
    still_up(world, caller, callee)


def test_a_call_that_replaces_it_is_refused(world: World) -> None:
    _, caller, callee = up(world)
    b = world.phone("102")
    replaces = f"{caller.call_id};to-tag=x;from-tag=y"
    b.call("101", ("Require", "replaces"), ("Replaces", replaces)).fails(420)
    still_up(world, caller, callee)


# -- no second call --------------------------------------------------------------------------------


def test_a_phone_in_an_emergency_call_gets_no_second_call(world: World) -> None:
    a, caller, callee = up(world)
    b = world.phone("102")
    b.call("101").fails(486)
    a.silent()
    hang_up(caller, callee)
    b.call("101")
    a.called()


def test_another_phone_of_the_line_takes_the_call(world: World) -> None:
    a, _, _ = up(world)
    other, b = world.phone("101"), world.phone("102")
    b.call("101")
    other.called()
    a.silent()


def test_which_phone_it_is_is_known_after_a_kill(world: World) -> None:
    a, caller, _ = up(world)
    other, b = world.phone("101"), world.phone("102")
    world = world.restarted()
    b.call("101")
    other.called()
    assert "INVITE" not in a.got
    assert caller.call_id


def test_a_second_emergency_call_is_never_refused(world: World) -> None:
    a, _, _ = up(world, "17")
    c = world.carrier(1)
    a.call("15")
    assert c.called().invite.request_uri.user == "15"


# -- the location is the one of the moment when it was dialled -------------------------------------


def test_the_location_is_frozen_when_the_call_begins(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    c1.expect("INVITE")
    facts = world.exchange.facts
    line = facts.lines["101"]
    assert line.policy.location is not None
    elsewhere = replace(line.policy.location, insee="13201", version=9)
    moved = replace(line, policy=replace(line.policy, location=elsewhere))
    world.exchange.facts = replace(facts, lines={**facts.lines, "101": moved})
    world.lose_flow(c1)
    callee = c2.called()
    assert b"75108" in callee.invite.body
    assert b"13201" not in callee.invite.body
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, callee)
    (record,) = world.records("audit")
    assert record["insee"] == "75108"
    assert record["address_version"] == line.policy.location.version
