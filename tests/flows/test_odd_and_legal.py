"""Requests and answers that are rare and right, or wrong where nothing hangs on it."""

import pytest

from tests.flows.actors import World, established, hang_up, sdp


def test_line_ends_before_a_request(world: World) -> None:
    """§7.5; a keep-alive may be sent in one datagram with what follows."""
    a = world.phone("101")
    for start in (b"\r\n", b"\r\n\r\n", b"\n"):
        world.deliver(start + a.request("OPTIONS", "sip:vigie").to_bytes(), a.flow)
    assert a.got == [200, 200, 200]


def test_an_escaped_user_registers(world: World) -> None:
    """§19.1.4: it is the same address."""
    a = world.phone("101")
    a.put(a.authorized(a.request("REGISTER", "sip:vigie", to="<sip:%31%301@vigie>")))
    assert a.got == [200]


@pytest.mark.parametrize("name", ["P-Asserted-Identity", "P-Preferred-Identity"])
def test_an_identity_that_can_not_be_read(world: World, name: str) -> None:
    """From is there all the same."""
    b, c = world.phone("102"), world.carrier(1)
    broken = (name, '"no end <sip:+33611111111@x>, <tel:+33>')
    c.call("+33199000102", broken, from_="<sip:+33123456789@carrier>;tag=c1")
    assert "+33123456789" in (b.called().invite.get("From") or "")
    b.call("0145678901", broken)
    assert "+33199000102" in (c.expect("INVITE").get("From") or "")


def test_brackets_in_the_display_name_of_a_contact(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    contacts = {}
    for phone in (a, b):
        contacts[phone.name] = phone.contact
        phone.contact = f'"Reception <2nd>, left" {phone.contact}'
    caller, callee = established(a, b, "102")
    for version, leaving, left, name in ((2, caller, callee, "102"), (3, callee, caller, "101")):
        leaving.reinvite(body=sdp(leaving.actor.name, version))
        asked = left.expect("INVITE")
        assert f"<{asked.uri}>" == contacts[name]
        left.actor.reply(asked, 200, body=sdp(left.actor.name, version))
        left.expect("ACK")
        leaving.expect(200)
        leaving.ack()


def test_requirements_in_two_lines(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Require", "timer"), ("Require", "100rel"), ("Supported", "timer"))
    b.called().answer(180)
    assert caller.expect(180).get("RSeq")


def test_no_reliable_answer_is_asked_of_a_reinvite(world: World) -> None:
    """Nobody would acknowledge it."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    assert "100rel" not in (callee.expect("INVITE").get("Supported") or "")


def test_several_phones_are_asked_for_an_offer(world: World) -> None:
    """None of them makes it in an 18x, whose PRACK would have no answer to carry."""
    a, b, b2 = world.phone("101"), world.phone("102"), world.phone("102")
    caller = a.call("102", ("Supported", "100rel"), body=b"")
    callee = b.called()
    assert "100rel" not in (callee.invite.get("Supported") or "")
    assert "100rel" not in (b2.expect("INVITE").get("Supported") or "")
    callee.answer(200, body=sdp("102"))
    assert caller.expect(200).body == sdp("102")
    caller.ack(sdp("101"))
    assert callee.expect("ACK").body == sdp("101")
    hang_up(caller, callee)
