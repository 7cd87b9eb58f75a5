"""An INVITE to an emergency number that any other call would be refused for, and what goes out for it.

Each case is damage to a readable INVITE of a registered phone; the second column is what the same
damage does to an ordinary call, so that a case that does no harm can't stay here unnoticed.
"""

import re
from dataclasses import replace

import pytest

from policy.model import LineState
from switch.sip.errors import ParseError
from switch.sip.parser import StreamParser, parse
from tests.flows.actors import World, sdp
from tests.flows.damaged import DAMAGES, KEPT_BODY, SDP_BODY, Damage, answers, datagram

ORDINARY = "0145678901"


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_18_connects_all_the_same(world: World, damage: Damage) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    world.deliver(datagram(phone, "18", damage), phone.flow)
    psap = carrier.called()
    assert psap.invite.request_uri.user == "18"
    assert "75108" in psap.invite.get("P-Access-Network-Info")
    assert "+33199000101" in psap.invite.get("P-Asserted-Identity")
    assert psap.invite.max_forwards == 69
    assert psap.invite.content_type == (None if damage.without_offer else "application/sdp")
    assert (KEPT_BODY in psap.invite.body) is not damage.without_offer
    psap.answer(200, body=sdp("psap"))
    if not damage.without_offer:
        psap.expect("ACK")
    assert answers(phone) == [200]
    ok = phone.expect(200)
    bye = phone.request("BYE", "sip:127.0.0.1:5060", call_id=ok.call_id)
    for name in ("From", "To"):
        bye.set(name, ok.get(name) or "")
    bye.set("CSeq", f"{ok.cseq.number + 1} BYE")
    phone.put(bye)
    phone.expect(200)
    assert "BYE" in carrier.got


@pytest.mark.parametrize("damage", [d for d in DAMAGES if d.ordinary], ids=lambda d: d.name)
def test_another_call_is_refused(world: World, damage: Damage) -> None:
    """The counter-proof: each damage would cost a call."""
    phone, carrier = world.phone("101"), world.carrier(1)
    world.deliver(datagram(phone, ORDINARY, damage), phone.flow)
    assert answers(phone) == [damage.ordinary]
    carrier.silent()


UNREADABLE = {
    "Via": "no top Via",
    "Call-ID": "no Call-ID",
    "From": "no From",
    "CSeq": "no CSeq",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_no_answer_finds_its_way_for_is_no_call(world: World, name: str) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    damage = Damage(name, f"{name}: ", f"X-{name}: ", 0)
    world.deliver(datagram(phone, "18", damage), phone.flow)
    assert answers(phone) == []
    assert world.core.dropped == {UNREADABLE[name].replace("top ", ""): 1}
    carrier.silent()


@pytest.mark.parametrize("uri", ["sip:vigie", "18", "im:18@vigie", "sip:1 8@vigie"])
def test_a_request_uri_without_a_number_is_no_call(world: World, uri: str) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    data = datagram(phone, "18").replace(b"sip:18@vigie SIP", uri.encode() + b" SIP")
    world.deliver(data, phone.flow)
    assert answers(phone)[0] in (400, 404, 416)
    carrier.silent()


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:%31%38@vigie", "18"),
        ("sip:18:secret@vigie?Subject=x", "18"),
        ("sip:18;phone-context=+33@vigie;user=phone?a=b", "18"),
        ("SIPS:18@vigie?Subject=x", "18"),
        ("tel:18?Subject=x", "18"),
        ("tel:1-8;phone-context=+33;x=", "18"),
        ("<urn:service:sos.fire>", "18"),
        ("urn:service:sos.fire?Subject=x", "18"),
        ("URN:SERVICE:SOS.FIRE", "18"),
        ("urn:service:sos?a", "112"),
    ],
)
def test_the_number_is_found_in_any_spelling(world: World, uri: str, number: str) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    data = datagram(phone, "18").replace(b"sip:18@vigie SIP", uri.encode() + b" SIP")
    world.deliver(data, phone.flow)
    assert carrier.expect("INVITE").request_uri.user == number


def test_a_stranger_is_challenged_not_served(world: World) -> None:
    """Mending is about how something is said, never about who says it."""
    phone, carrier = world.phone("101"), world.carrier(1)
    data = datagram(phone, "18", DAMAGES[0]).replace(b"\r\nAuthorization", b"\r\nX-Was", 1)
    stranger = phone.flow._replace(remote=("192.0.2.7", 5060))
    world.deliver(data.replace(b"Contact: <sip:101", b"Contact: <sip:zz"), stranger)
    ((_, answer),) = world.strays
    assert answer.startswith(b"SIP/2.0 401 ")
    assert "emergency.mended" not in [name for name, _ in world.events]
    carrier.silent()


@pytest.mark.parametrize("state", [LineState.TERMINATED, LineState.STOLEN])
def test_a_dead_line_is_refused_however_it_says_it(world: World, state: LineState) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    facts = world.exchange.facts
    known = facts.lines["101"]
    dead = replace(known, policy=replace(known.policy, state=state))
    world.exchange.facts = replace(facts, lines={**facts.lines, "101": dead})
    world.deliver(datagram(phone, "18", DAMAGES[0]), phone.flow)
    assert answers(phone) == [403]
    carrier.silent()


def test_a_re_invite_that_cannot_be_read_is_no_new_call(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    caller = phone.call("18")
    psap = carrier.called()
    psap.answer(200, body=sdp("psap"))
    psap.expect("ACK")
    caller.expect(200)
    caller.ack()
    again = caller.request("INVITE", body=sdp("101", 2))
    again.uri = "sip:18@vigie"  # some phones never learn the remote target
    again.add("Require", 'a, "b')
    phone.put(again)
    phone.expect(400)
    carrier.silent()
    assert len(world.exchange.calls) == 1


def test_the_session_is_found_in_any_multipart(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    part = b"--x\r\nContent-Type: application/sdp\r\n\r\n" + SDP_BODY + b"\r\n--x--\r\n"
    invite = phone.request(
        "INVITE", "sip:18@vigie", body=part, content_type="multipart/related;boundary=x"
    )
    phone.put(invite)
    sent = carrier.expect("INVITE")
    assert (sent.content_type, KEPT_BODY in sent.body) == ("application/sdp", True)


def test_a_datagram_that_was_cut_off_still_rings(world: World) -> None:
    """Without its end and its body: the PSAP makes the offer."""
    phone, carrier = world.phone("101"), world.carrier(1)
    world.deliver(datagram(phone, "18").partition(b"\r\n\r\n")[0], phone.flow)
    psap = carrier.called()
    assert psap.invite.body == b""
    psap.answer(200, body=sdp("psap"))
    assert phone.expect(200).body == sdp("psap")


def test_what_follows_the_body_is_not_its_part(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    world.deliver(datagram(phone, "18", DAMAGES[0]) + b"GARBAGE", phone.flow)
    assert b"GARBAGE" not in carrier.expect("INVITE").body


def test_the_operator_reads_what_the_phone_did_wrong(world: World) -> None:
    phone = world.phone("101")
    world.deliver(datagram(phone, "18", DAMAGES[0]), phone.flow)
    (told,) = [fields for name, fields in world.events if name == "emergency.mended"]
    assert told["why"] == "header line without a colon"
    assert str(phone.flow.remote[1]) in str(told["peer"])


def test_a_damaged_repetition_is_absorbed(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    data = datagram(phone, "18", DAMAGES[0])
    world.deliver(data, phone.flow)
    world.deliver(data, phone.flow)
    carrier.expect("INVITE")
    carrier.silent()
    assert len(world.exchange.calls) == 1


def test_it_can_be_cancelled(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    data = datagram(phone, "18", DAMAGES[0])
    world.deliver(data, phone.flow)
    carrier.called().answer(180)
    phone.expect(180)
    head = data.partition(b"\r\n\r\n")[0].replace(b"INVITE", b"CANCEL")
    world.deliver(
        re.sub(rb"\r\n(no colon here|Content-[^\r]*)", b"", head) + b"\r\n\r\n", phone.flow
    )
    assert answers(phone) == [200, 487]
    carrier.expect("CANCEL")


def test_by_a_stream_too(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    data = datagram(phone, "18", DAMAGES[0])
    with pytest.raises(ParseError) as caught:
        parse(data)
    world.core.on_unreadable(caught.value, phone.flow, world.now)
    world.pump()
    carrier.expect("INVITE")


def test_a_stream_that_lost_its_framing_carries_no_call(world: World) -> None:
    """The answer could not reach the phone: the connection closes."""
    phone, carrier = world.phone("101"), world.carrier(1)
    data = datagram(phone, "18").replace(b"Content-Length: ", b"Content-Length: x")
    with pytest.raises(ParseError) as caught:
        StreamParser().feed(data)
    world.core.on_unreadable(caught.value, phone.flow, world.now)
    world.pump()
    assert answers(phone) == [400]
    carrier.silent()
