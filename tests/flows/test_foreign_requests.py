"""Requests in a dialog from where its peer isn't: known tags alone end no call (CORE: tags and address)."""

from switch.sip.flow import Flow
from tests.flows.actors import SWITCH, Actor, World, established, hang_up, sdp

ELSEWHERE = Flow("UDP", SWITCH, ("127.0.9.9", 5060))


def test_a_stranger_with_the_right_tags_is_challenged(world: World) -> None:
    caller, callee = established(world.phone("101"), world.phone("102"), "102")
    thief = Actor(world, "101", ELSEWHERE)
    for method in ("BYE", "INFO", "UPDATE"):
        thief.put(caller.request(method))
        thief.expect(401)
    callee.actor.silent()
    assert len(world.exchange.calls) == 1
    hang_up(caller, callee)
    world.assert_idle()


def test_the_phone_itself_proves_who_it_is_and_goes_on(world: World) -> None:
    """Its network changed in the call, and it hasn't registered from there yet."""
    caller, callee = established(world.phone("101"), world.phone("102"), "102")
    moved = Actor(world, "101", ELSEWHERE, "demo-101")
    caller.actor = moved
    caller.send("BYE")
    moved.take_challenge(moved.expect(401))
    moved.put(moved.authorized(caller.request("BYE")))
    moved.expect(200)
    callee.expect("BYE")


def test_another_lines_password_is_no_key(world: World) -> None:
    caller, callee = established(world.phone("101"), world.phone("102"), "102")
    other = Actor(world, "103", ELSEWHERE, "demo-103")
    other.put(caller.request("BYE"))
    other.take_challenge(other.expect(401))
    other.put(other.authorized(caller.request("BYE")))
    other.expect(403)
    callee.actor.silent()


def test_a_phone_that_registered_from_its_new_address_is_known(world: World) -> None:
    caller, callee = established(world.phone("101"), world.phone("102"), "102")
    moved = Actor(world, "101", ELSEWHERE, "demo-101")
    assert moved.register().status == 200
    caller.actor = moved
    hang_up(caller, callee)


def test_an_emergency_call_and_a_carrier_are_never_challenged(world: World) -> None:
    caller, callee = established(world.phone("101"), world.carrier(1), "18")
    moved = Actor(world, "101", ELSEWHERE)
    caller.actor = moved
    caller.reinvite(body=sdp("101", 2))
    callee.actor.reply(callee.expect("INVITE"), 200, body=sdp("c", 2))
    caller.expect(200)
    caller.ack()
    callee.expect("ACK")
    callee.actor = Actor(world, "carrier-1", ELSEWHERE._replace(remote=("127.0.9.8", 5070)))
    callee.send("BYE")
    callee.actor.expect(200)
