"""An INVITE to an emergency number that any other call would be refused for, and what goes out for it.

Each case is damage to a readable INVITE of a registered phone; the second column is what the same
damage does to an ordinary call, so that a case that does no harm can't stay here unnoticed.
"""

import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from policy.model import LineState
from switch import config
from switch.sip.errors import ParseError
from switch.sip.limits import MAX_DATAGRAM_BYTES
from switch.sip.message import Request, Response
from switch.sip.parser import StreamParser, parse
from tests.flows.actors import Actor, World, sdp

ORDINARY = "0145678901"
SDP_BODY = sdp("101")
KEPT_BODY = b"m=audio 40000"


@dataclass(frozen=True)
class Damage:
    """`old` is replaced by `new`, or `new` is added as a line of its own; `ordinary`: the status
    that another call gets, 0 for none at all."""

    name: str
    old: str
    new: str
    ordinary: int
    without_offer: bool = False


def line(name: str, text: str, ordinary: int = 400, *, without_offer: bool = False) -> Damage:
    return Damage(name, "", text, ordinary, without_offer)


DAMAGES = [
    # the parser (sip/head.py, sip/parser.py)
    line("a line without a colon", "no colon here"),
    line("a bad header name", "X(Unknown): x"),
    line("a header name that is too long", "X" * 600 + ": x"),
    line("a header line that is too long", "X-Long: " + "x" * 9000, 513),
    line("a header that is too large", "\r\n".join(["X-Long: " + "x" * 5000] * 4), 513),
    line("too many header lines", "\r\n".join(["A: b"] * 170), 513),
    line("a bare CR", "X-Bad: a\rInjected: b"),
    line("two different lengths", "l: 1"),
    Damage("a length that is no number", "Content-Length: ", "Content-Length: x", 400),
    Damage("a length beyond the end", "Content-Length: ", "Content-Length: 9", 400),
    Damage("another version", " SIP/2.0\r\nVia", " SIP/3.0\r\nVia", 505),
    Damage("spaces in the request line", "INVITE ", "INVITE  ", 400),
    Damage("brackets around the Request-URI", "INVITE sip:18@vigie", "INVITE <sip:18@vigie>", 400),
    Damage("headers in the Request-URI", "@vigie SIP", "@vigie?Subject=x SIP", 400),
    Damage("a Request-URI without end", "@vigie SIP", "@vigie;x=" + "y" * 2100 + " SIP", 414),
    Damage("a port that is none", "@vigie SIP", "@vigie:99999 SIP", 400),
    Damage("another method in CSeq", " INVITE\r\n", " REGISTER\r\n", 400),
    Damage("no To", "To: ", "X-To: ", 400),
    Damage("a To that can't be read", "To: <", "To: <<", 400),
    Damage("a To without end", "To: <", "To: <x" + "x" * 9000, 0),
    Damage("a From that can't be read", "From: <", "From: <<", 400),
    line("Max-Forwards twice", "Max-Forwards: 70"),
    line("From twice", "From: <sip:101@vigie>;tag=other"),
    line("a date twice", "Date: x\r\nDate: y"),
    # what is read before it is known whose it is (core.py)
    line("Expires that is no number", "Expires: soon"),
    line("Expires in the past", "Expires: -1"),
    line("a Route that can't be read", "Route: <sip:"),
    line("a Record-Route that can't be read", "Record-Route: <sip:"),
    line("a second Via that can't be read", "Via: nonsense"),
    line("Require that can't be read", 'Require: a, "b', 400),
    Damage("a tag of no dialog", "@vigie>\r\nCall-ID", "@vigie>;tag=x\r\nCall-ID", 481),
    # incoming.py
    Damage("no hops left", "Max-Forwards: 70", "Max-Forwards: 0", 483),
    Damage("hops that are no number", "Max-Forwards: 70", "Max-Forwards: many", 400),
    Damage("hops beyond counting", "Max-Forwards: 70", "Max-Forwards: 99999", 400),
    Damage("no Contact", "Contact: ", "X-Contact: ", 400),
    Damage("a Contact that can't be read", "Contact: <sip:", "Contact: <nonsense:", 0),
    Damage("a Contact for all", "Contact: ", "Contact: *\r\nX-Contact: ", 0),
    line("an extension that nobody has", "Require: none-of-ours", 420),
    line("preconditions", "Require: precondition, sec-agree", 420),
    Damage("a body of another kind", "/sdp", "/cbor", 415),
    Damage("a session of one second", "Max-F", "Session-Expires: 1\r\nSupported: timer\r\nMax-F", 422),
    line("an identity that can't be read", 'P-Preferred-Identity: a, "b', 0),
    Damage("a body that is no session", "v=0", "x=0", 0, without_offer=True),
    Damage("a compressed body", "/sdp", "/sdp\r\nContent-Encoding: gzip", 0, without_offer=True),
    Damage("a multipart without end", "application/sdp", "multipart/mixed;boundary=x", 0),
    line("a Geolocation that can't be read", 'Geolocation: <cid:a>, "b', 0),
    line("a foreign proxy's extension", "Proxy-Require: none-of-ours", 0),
    line("an interval beyond counting", "Session-Expires: " + "9" * 5000, 0),
    line("a dialog to replace", "Replaces: x;to-tag=a;from-tag=b", 0),
    line("credentials that can't be read", 'Authorization: Digest "', 0),
]  # fmt: skip


def datagram(phone: Actor, number: str, damage: Damage | None = None) -> bytes:
    """An INVITE as the phone would send it, and what is done to it."""
    invite = phone.request("INVITE", f"sip:{number}@vigie", body=SDP_BODY)
    text = phone.authorized(invite).to_bytes().decode()
    if damage is None:
        return text.encode()
    old, new = (each.replace("18@", f"{number}@") for each in (damage.old, damage.new))
    if not old:
        return text.replace("\r\n\r\n", f"\r\n{new}\r\n\r\n", 1).encode()
    assert old in text
    return text.replace(old, new, 1).encode()


def answers(phone: Actor) -> list[int]:
    return [m.status for m in phone.inbox if isinstance(m, Response)]


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


# -- hops ------------------------------------------------------------------------------------------


def test_a_loop_through_a_pbx_ends(world: World) -> None:
    """A PBX that is registered as 101 and is a trunk's far end sends each 18 back as its own call, with
    one hop less: the first leaves with all hops, the later ones count."""
    phone, carrier = world.phone("101"), world.carrier(1)
    phone.call("18")
    turns = 0
    while carrier.inbox:
        hops = carrier.called().invite.max_forwards
        turns += 1
        assert turns < 80, "an endless loop"
        phone.inbox.clear()
        phone.call("18", max_forwards=str(hops - 1))
    assert answers(phone) == [483]
    assert turns == 35


def test_a_second_call_for_help_has_the_hops_that_it_says(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    phone.call("18", max_forwards="0")
    phone.call("15", max_forwards="5")
    assert [i.max_forwards for i in (carrier.expect("INVITE"), carrier.expect("INVITE"))] == [69, 4]


def test_what_a_trunk_brings_without_hops_is_a_loop(world: World) -> None:
    carrier = world.carrier(1)
    carrier.call("18", max_forwards="0")
    carrier.expect(483)


def test_the_same_call_by_another_way_is_under_way_already(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    first = phone.call("18")
    again = parse(first.invite.to_bytes())
    again.set("Via", phone.via())
    phone.put(again)
    phone.expect(482)
    carrier.expect("INVITE")
    carrier.silent()


# -- whatever is written into it -------------------------------------------------------------------

NAMES = st.sampled_from(
    """Max-Forwards Expires Contact Route Record-Route Require Proxy-Require Supported Allow Date Event
    Session-Expires Min-SE Replaces Join Subject Priority Privacy P-Asserted-Identity RAck RSeq Reason
    P-Preferred-Identity P-Access-Network-Info Geolocation Geolocation-Routing Resource-Priority Identity
    Diversion History-Info Alert-Info Content-Disposition Content-Encoding Content-Language MIME-Version
    Content-Type Authorization Proxy-Authorization User-Agent Accept Path Timestamp Via To X-Any f t v l
    """.split()  # noqa: SIM905 (seventy quoted words are no easier to read)
)
NOISE = st.text(
    st.sampled_from([*"abc0189 \t<>@:;=,?%\"'\\()[]*+-_.~#", "é", "\x7f", "\x85", "\u2028"]),
    max_size=40,
)
VALUES = st.one_of(
    NOISE,
    st.sampled_from(["", "0", "-1", "9" * 25, "*", "<sip:", "sip:a@b:99999", '"', "100rel", "x/y"]),
    st.builds(str.__add__, st.sampled_from(["timer, ", "<sip:a@b>", "application/sdp;"]), NOISE),
    st.builds(str.__mul__, st.sampled_from(["x", ",", ";a", "<a:b>,", "9"]), st.integers(1, 9000)),
)
OPTIONAL = ("Max-Forwards", "To", "Contact", "Content-Type", "Content-Length", "Authorization")
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NAMES, VALUES),
        st.tuples(st.just("set"), st.sampled_from(OPTIONAL), VALUES),
        st.tuples(st.just("drop"), st.sampled_from(OPTIONAL), st.just("")),
        st.tuples(st.just("line"), st.just(""), NOISE),
    ),
    min_size=1,
    max_size=6,
)
BODIES = st.sampled_from([SDP_BODY, b"", b"\0\xff", SDP_BODY[:40], b"--x\r\n\r\nv=0\r\n--x--"])
PROFILE = {"database": None, "suppress_health_check": list(HealthCheck)}


def edited(data: bytes, edits: list[tuple[str, str, str]], body: bytes) -> bytes:
    lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    for what, name, value in edits:
        prefix = name.encode() + b":"
        text = value.encode("utf-8", "surrogatepass")
        place = next((n for n, each in enumerate(lines) if each.startswith(prefix)), len(lines))
        match what:
            case "add":
                lines.append(prefix + b" " + text)
            case "line":
                lines.append(text or b"x")
            case "set":
                lines[place : place + 1] = [prefix + b" " + text]
            case "drop":
                del lines[place : place + 1]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def leaves(
    found: config.Configuration, number: str, edits: list[tuple[str, str, str]], body: bytes
) -> None:
    world = World(found)
    phone = world.phone("101", port=21_000)
    carriers = [world.carrier(1), world.carrier(1, "TCP"), world.carrier(2)]
    data = edited(datagram(phone, number), edits, body)
    assume(len(data) <= MAX_DATAGRAM_BYTES)
    world.deliver(data, phone.flow)
    came = [m for each in carriers for m in each.inbox if isinstance(m, Request)]
    assert [m.method for m in came] == ["INVITE"], answers(phone)
    carrier = next(each for each in carriers if each.inbox)
    psap = carrier.called()
    psap.answer(200, body=sdp("psap"))
    assert answers(phone) == [200]
    world.restarted()  # what the journal has of it can be read


@settings(max_examples=400, **PROFILE)  # type: ignore[arg-type]
@given(number=st.sampled_from(["18", "112", "115"]), edits=EDITS, body=BODIES)
def test_no_header_field_stops_a_call_for_help(
    demo: config.Configuration, number: str, edits: list[tuple[str, str, str]], body: bytes
) -> None:
    leaves(demo, number, edits, body)


@pytest.mark.full
@settings(max_examples=10_000, **PROFILE)  # type: ignore[arg-type]
@given(number=st.sampled_from(["18", "112", "115"]), edits=EDITS, body=BODIES)
def test_no_header_field_stops_any_of_ten_thousand(
    demo: config.Configuration, number: str, edits: list[tuple[str, str, str]], body: bytes
) -> None:
    leaves(demo, number, edits, body)
