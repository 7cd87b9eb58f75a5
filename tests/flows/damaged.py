"""INVITEs to an emergency number that any other call would be refused for: each damage, and what it costs."""

from dataclasses import dataclass

from switch.sip.message import Response
from tests.flows.actors import Actor, sdp

SDP_BODY = sdp("101")
KEPT_BODY = b"m=audio 40000"
"""What is left of it in what goes out."""


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
