"""Carriers: serial fail-over, redirects, challenges, calls from them."""

from dataclasses import replace

import pytest

from switch.routing.target import Credentials
from switch.sip.digest import parse_credentials
from tests.flows.actors import World, hang_up, sdp

NUMBER = "0145678901"


@pytest.mark.parametrize("status", [408, 480, 500, 502, 503, 504])
def test_the_next_carrier_is_tried(world: World, status: int) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call(NUMBER)
    c1.called().answer(status)
    c1.expect("ACK")
    callee = c2.called()
    callee.answer(200, body=sdp("two"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, callee)
    attempts = world.cdrs[0]["attempts"]
    assert [attempt["status"] for attempt in attempts] == [status, 200]
    world.assert_idle()


@pytest.mark.parametrize("status", [404, 484, 486, 600, 603])
def test_the_callees_own_no_is_final(world: World, status: int) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call(NUMBER)
    c1.called().answer(status)
    c2.silent()
    caller.fails(status)
    world.assert_idle()


def test_both_refuse(world: World) -> None:
    """503 never reaches a phone (it would forbid it everything, 18 included)."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call(NUMBER)
    c1.called().answer(503)
    c2.called().answer(503)
    refusal = caller.fails(480)
    assert not refusal.has("Retry-After")
    world.assert_idle()


def test_a_carrier_that_can_not_be_reached(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call(NUMBER)
    c1.expect("INVITE")
    world.lose_flow(c1)
    c2.expect("INVITE")


def test_fail_over_after_early_media_is_a_new_early_dialog(world: World) -> None:
    """A second SDP answer in one dialog would be ignored: the later 18x has a new To-tag."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call(NUMBER)
    one = c1.called()
    one.answer(183, body=sdp("one"))
    first = caller.expect(183)
    one.answer(503)
    c1.expect("ACK")
    callee = c2.called()
    callee.answer(183, body=sdp("two"))
    second = caller.expect(183)
    assert second.body == sdp("two")
    assert first.to_tag != second.to_tag
    callee.answer(200, body=sdp("two"))
    assert caller.expect(200).to_tag == second.to_tag
    callee.expect("ACK")
    caller.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_a_carriers_redirect_is_followed(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call(NUMBER)
    c1.reply(c1.expect("INVITE"), 302, ("Contact", "<sip:+33999@127.0.1.1:5070>"))
    c1.expect("ACK")
    callee = c1.called()
    assert callee.invite.uri == "sip:+33999@127.0.1.1:5070"
    callee.answer(200, body=sdp("c"))
    caller.expect(200)
    c2.silent()


def test_a_phones_redirect_is_not_followed(world: World) -> None:
    a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
    caller = a.call("102")
    b.reply(b.expect("INVITE"), 302, ("Contact", "<sip:+3389999999@127.0.1.1:5070>"))
    b.expect("ACK")
    c.silent()
    (status,) = a.got
    assert status >= 400  # type: ignore[operator]
    assert caller


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [
        (401, "WWW-Authenticate", "Authorization"),
        (407, "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
def test_a_carriers_challenge_is_answered_once(
    world: World, status: int, asks: str, answers: str
) -> None:
    a, c = world.phone("101"), world.carrier(1)
    trunk = world.exchange.trunks.by_id["carrier-1"]
    trunk.hops[0].carrier = replace(
        trunk.hops[0].carrier, credentials=Credentials("vigie", "s3cret")
    )
    caller = a.call(NUMBER)
    first = c.called()
    challenge = (asks, 'Digest realm="c",nonce="abc",qop="auth"')
    first.answer(status, challenge)
    c.expect("ACK")
    second = c.called()
    assert parse_credentials(second.invite.get(answers) or "").username == "vigie"
    assert second.invite.cseq.number == first.invite.cseq.number + 1
    assert second.call_id == first.call_id
    second.answer(status, challenge)
    c.expect("ACK")
    world.carrier(2)
    refused = a.got
    assert status not in refused
    assert caller


def test_a_call_from_the_carrier(world: World) -> None:
    b, c = world.phone("101"), world.carrier(1)
    caller = c.call("+33199000101", from_="<sip:+33123456789@carrier>;tag=c1")
    callee = b.called()
    assert callee.invite.from_.uri.user == "+33123456789"
    callee.answer(200, body=sdp("101"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(callee, caller)
    (cdr,) = world.cdrs
    assert cdr["direction"] == "inbound"
    assert cdr["line"] == "101"
    world.assert_idle()


def test_a_carriers_channel_limit(world: World) -> None:
    world.phone("101")
    c = world.carrier(1)
    trunk = world.exchange.trunks.by_id["carrier-1"]
    trunk.carrier = replace(trunk.carrier, channels=1)
    c.call("+33199000101")
    c.call("+33199000101").fails(503)


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:a b@127.0.1.1>",
        '"x <sip:a@127.0.1.1>, <sip:b@127.0.1.1>',
        "<>",
        "*",
        "<http://x.test/>",
    ],
)
@pytest.mark.parametrize("number", ["0145678901", "18"])
def test_a_redirect_to_nowhere_is_a_refusal(world: World, number: str, contact: str) -> None:
    """The call goes on to the next carrier, and doesn't hang on what the first one wrote."""
    a, c, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call(number)
    c.called().answer(302, ("Contact", contact))
    c.expect("ACK")
    c2.called().answer(200, body=sdp("c"))
    caller.expect(200)


def test_a_redirect_loses_the_headers_of_its_uri(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("0145678901")
    c.called().answer(302, ("Contact", "<sip:+33145678902@127.0.1.1?Replaces=x>"))
    c.expect("ACK")
    assert c.expect("INVITE").uri == "sip:+33145678902@127.0.1.1"
