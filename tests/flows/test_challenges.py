"""Carriers that want proof, not only of the first INVITE (RFC 3261 §22)."""

from dataclasses import replace

import pytest

from switch.routing.target import Credentials
from switch.sip.digest import parse_credentials
from tests.flows.actors import Actor, Talk, World, established, sdp

NUMBER = "0145678901"
CHALLENGE = ("Proxy-Authenticate", 'Digest realm="c",nonce="abc",qop="auth"')


def strict(world: World) -> Actor:
    """The first carrier, which we have a password for."""
    trunk = world.exchange.trunks.by_id["carrier-1"]
    known = replace(trunk.carrier, credentials=Credentials("vigie", "s3cret"))
    trunk.carrier = trunk.hops[0].carrier = known
    return world.carrier(1)


def proved(talk: Talk, method: str) -> None:
    """The request is challenged, and comes again as a new one with its proof."""
    c = talk.actor
    first = talk.expect(method)
    c.reply(first, 407, CHALLENGE)
    if method == "INVITE":
        talk.expect("ACK")
    again = talk.expect(method)
    answer = parse_credentials(again.get("Proxy-Authorization") or "")
    assert (answer.username, answer.uri) == ("vigie", again.uri)
    assert again.cseq.number == first.cseq.number + 1
    assert again.via.branch != first.via.branch
    assert again.body == first.body
    c.reply(again, 200, body=sdp("c", 2) if method == "INVITE" else b"")


def test_the_ack_repeats_the_credentials_of_its_invite(world: World) -> None:
    a, c = world.phone("101"), strict(world)
    caller = a.call(NUMBER)
    c.called().answer(407, CHALLENGE)
    c.expect("ACK")
    callee = c.called()
    callee.answer(200, body=sdp("c"))
    ack = callee.expect("ACK")
    assert ack.get("Proxy-Authorization") == callee.invite.get("Proxy-Authorization")
    caller.expect(200)


@pytest.mark.parametrize("way", ["out", "in"])
def test_a_bye_is_proved(world: World, way: str) -> None:
    a, c = world.phone("101"), strict(world)
    if way == "out":
        phone, carrier = established(a, c, NUMBER)
    else:
        carrier, phone = established(c, a, "+33199000101")
    phone.send("BYE")
    phone.expect(200)
    proved(carrier, "BYE")
    world.assert_idle()


def test_a_hold_is_proved(world: World) -> None:
    a, c = world.phone("101"), strict(world)
    caller, callee = established(a, c, NUMBER)
    caller.reinvite(body=sdp("101", 2, "sendonly"))
    proved(callee, "INVITE")
    assert callee.expect("ACK").has("Proxy-Authorization")
    assert caller.expect(200).body == sdp("c", 2)
    caller.ack()
    caller.send("BYE")
    caller.expect(200)
    c.reply(callee.expect("BYE"), 200)
    world.assert_idle()


def test_a_prack_is_proved(world: World) -> None:
    a, c = world.phone("101"), strict(world)
    a.call(NUMBER, ("Supported", "100rel"))
    callee = c.called()
    callee.ring_reliably()
    proved(callee, "PRACK")


def test_a_carrier_that_is_never_content(world: World) -> None:
    """It is asked twice; the phone hears a refusal and no challenge, and the call goes on."""
    a, c = world.phone("101"), strict(world)
    caller, callee = established(a, c, NUMBER)
    caller.reinvite(body=sdp("101", 2, "sendonly"))
    for _ in range(2):
        c.reply(callee.expect("INVITE"), 407, CHALLENGE)
        callee.expect("ACK")
    caller.fails(488)
    c.silent()
    assert world.exchange.calls


@pytest.mark.parametrize("status", [401, 407, 302])
def test_a_hops_own_words_do_not_cross(world: World, status: int) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    b.reply(callee.expect("INVITE"), status, CHALLENGE)
    callee.expect("ACK")
    caller.fails(488)
