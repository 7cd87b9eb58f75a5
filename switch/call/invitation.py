"""The INVITE to a target: what it says, and by which path it goes (RFC 3261 §13.2.1, §18.1.1)."""

from dataclasses import dataclass

from switch.call.exchange import CallSettings
from switch.call.identity import Caller, from_value, identity_headers
from switch.call.offers import ALLOW
from switch.call.vocabulary import Body
from switch.dialog.dialog import contact_value, via_value
from switch.routing.location import multipart
from switch.routing.target import Target
from switch.sip import sdp
from switch.sip.build import make_request
from switch.sip.flow import Flow
from switch.sip.ids import new_call_id
from switch.sip.message import Request

HEAD_SIZE = 800  # octets of an INVITE's head, rounded up: our own fields and a few that cross
MAX_UDP_REQUEST = 1300  # octets; above, the request goes by TCP where there is one (§18.1.1)
PLACE_FIELDS = ("Geolocation", "Geolocation-Routing")


@dataclass(slots=True)
class Wording:
    """What an INVITE is made of beside its target. `crossed` are the caller's fields that go on;
    `reliable` offers 100rel (RFC 3262)."""

    caller: Caller
    local_tag: str
    body: Body | None
    crossed: list[tuple[str, str]]
    max_forwards: int
    reliable: bool
    settings: CallSettings


def write_invite(target: Target, wording: Wording) -> tuple[Flow, Request]:
    """The path by the size of the INVITE, and the INVITE for that path."""
    content_type, content = _described(target, wording)
    flow, has_place = choose_path(target, len(content))
    if target.place is not None and not has_place and wording.body is not None:
        content_type, content = wording.body
    settings = wording.settings
    headers = [
        ("Via", via_value(flow)),
        *[("Route", route) for route in target.routes],
        ("Max-Forwards", str(wording.max_forwards)),
        ("From", f"{from_value(wording.caller, target)};tag={wording.local_tag}"),
        ("To", f"<{target.to_uri}>"),
        ("Call-ID", new_call_id()),
        ("CSeq", "1 INVITE"),
        ("Contact", contact_value(flow)),
        ("Allow", ALLOW),
        ("Supported", "timer, 100rel" if wording.reliable else "timer"),
        ("User-Agent", settings.user_agent),
        ("Session-Expires", str(settings.session_expires_s)),
        ("Min-SE", str(settings.min_se_s)),
        *identity_headers(wording.caller, target),
        *(target.headers if has_place else _without_place(target.headers)),
        *wording.crossed,
    ]
    if content:
        headers.append(("Content-Type", content_type))
    return flow, make_request("INVITE", target.request_uri, headers, content)


def choose_path(target: Target, body_size: int) -> tuple[Flow, bool]:
    """The flow by the size of the INVITE, and whether the location goes along on it."""
    has_place = target.place is not None
    if target.flow.transport != "UDP" or body_size + HEAD_SIZE <= MAX_UDP_REQUEST:
        return target.flow, has_place
    if target.stream_flow is not None:
        return target.stream_flow, has_place
    return target.flow, False


def speech_only(body: Body) -> Body:
    """An offer for a PSAP: no comfort noise, which cuts background sounds, and G.711 A-law first
    if the phone has it (RFC 6881 SP-38 and ED-79). The last common codec is never removed."""
    if not body.content_type.lower().startswith("application/sdp"):
        return body
    return Body(
        body.content_type, sdp.reorder_codecs(sdp.remove_codec(body.content, "CN"), ["PCMA"])
    )


def strip_place(invite: Request, body: Body | None) -> None:
    """Take PIDF-LO out of an INVITE; the network-provided INSEE code stays."""
    for name in (*PLACE_FIELDS, "Content-Type"):
        invite.remove(name)
    invite.body = b""
    if body is not None:
        invite.add("Content-Type", body.content_type)
        invite.body = body.content


def copy_of(invite: Request) -> Request:
    """The INVITE for another try: the transaction before still holds the first."""
    return Request("INVITE", invite.uri, list(invite.names), list(invite.values), invite.body)


def _described(target: Target, wording: Wording) -> tuple[str, bytes]:
    """The body: SDP alone, or with the caller's location beside it (RFC 6442 §4)."""
    if wording.body is None:
        return "", b""
    place = target.place
    if place is None:
        return wording.body
    return multipart(wording.body.content, place.pidf, place.content_id, wording.local_tag)


def _without_place(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [field for field in headers if field[0] not in PLACE_FIELDS]
