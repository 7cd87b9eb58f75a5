"""The INVITE to a target: what it says, and by which path it goes (RFC 3261 §13.2.1, §18.1.1)."""

from dataclasses import dataclass

from switch.call.exchange import CallSettings
from switch.call.headers import ALLOW
from switch.call.identity import Caller, from_value, identity_headers
from switch.call.repair import PLACE_FIELDS
from switch.call.vocabulary import Body
from switch.dialog.dialog import contact_value, via_value
from switch.routing.location import multipart
from switch.routing.target import Place, Target
from switch.sip.build import make_request
from switch.sip.flow import Flow
from switch.sip.ids import new_call_id
from switch.sip.message import Request

HEAD_SIZE = 800  # octets of an INVITE's head, rounded up: our own fields and a few that cross
MAX_UDP_REQUEST = 1300  # octets; above, the request goes by TCP where there is one (§18.1.1)
NO_BODY = Body("", b"")


@dataclass(slots=True)
class Wording:
    """What an INVITE is made of beside its target. `crossed` are the caller's fields that go on;
    `reliable` offers 100rel (RFC 3262); `places` are the documents that its Geolocation points at."""

    caller: Caller
    local_tag: str
    body: Body | None
    crossed: list[tuple[str, str]]
    max_forwards: int
    reliable: bool
    settings: CallSettings
    places: tuple[Place, ...] = ()


def write_invite(target: Target, wording: Wording) -> tuple[Flow, Request]:
    """The path by the size of the INVITE, and the INVITE for that path."""
    if target.is_emergency:
        return _write_emergency(target, wording)
    body = wording.body or NO_BODY
    flow = target.flow
    if flow.transport == "UDP" and target.stream_flow is not None:
        crossed = sum(len(name) + len(value) + 4 for name, value in wording.crossed)
        if len(body.content) + crossed + HEAD_SIZE > MAX_UDP_REQUEST:
            flow = target.stream_flow
    return flow, _written(target, wording, flow, list(target.headers), body)


def _write_emergency(target: Target, wording: Wording) -> tuple[Flow, Request]:
    """The same with the location, measured: by TCP when it is large, or by UDP without the location
    where there is no TCP. The network-provided INSEE code goes along always."""
    body = wording.body or NO_BODY
    plain = [field for field in target.headers if field[0] not in PLACE_FIELDS]
    if target.place is None:
        return _by_size(target, _written(target, wording, target.flow, plain, body))
    whole = _located(target, wording)
    flow, invite = _by_size(target, _written(target, wording, target.flow, *whole))
    if flow.transport == "UDP" and invite.size > MAX_UDP_REQUEST:
        invite = _written(target, wording, flow, plain, body)
    return flow, invite


def _by_size(target: Target, invite: Request) -> tuple[Flow, Request]:
    """The INVITE for the target's flow, readdressed to its TCP flow if it is too large for UDP."""
    stream = target.stream_flow
    if target.flow.transport != "UDP" or stream is None or invite.size <= MAX_UDP_REQUEST:
        return target.flow, invite
    invite.set("Via", via_value(stream))
    invite.set("Contact", contact_value(stream))
    return stream, invite


def _located(target: Target, wording: Wording) -> tuple[list[tuple[str, str]], Body]:
    """Header fields and body with the location: the phone's own first, ours last (RFC 6442 §4.1)."""
    assert target.place is not None
    documents = {place.content_id: place for place in wording.places}
    theirs = [
        value
        for name, value in wording.crossed
        if name == "Geolocation" and (value[:5].lower() != "<cid:" or value[5:-1] in documents)
    ]
    fields = [
        (name, ", ".join([*theirs, value]) if name == "Geolocation" else value)
        for name, value in target.headers
    ]
    sdp = None if wording.body is None else wording.body.content
    places = [(place.pidf, place.content_id) for place in (*wording.places, target.place)]
    return fields, Body(*multipart(sdp, places, wording.local_tag))


def _written(
    target: Target,
    wording: Wording,
    flow: Flow,
    fields: list[tuple[str, str]],
    body: Body,
) -> Request:
    """The INVITE with these fields of the target's and this body."""
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
        ("Supported", _supported(wording.reliable, body)),
        ("User-Agent", settings.user_agent),
        ("Session-Expires", str(settings.session_expires_s)),
        ("Min-SE", str(settings.min_se_s)),
        *identity_headers(wording.caller, target),
        *fields,
        *_crossing(target, wording.crossed),
    ]
    if body.content:
        headers.append(("Content-Type", body.content_type))
    return make_request("INVITE", target.request_uri, headers, body.content)


def _crossing(target: Target, crossed: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The caller's fields for this target; a location of theirs stands in Geolocation already."""
    if not crossed:
        return crossed
    return [
        field
        for field in crossed
        if field[0] != "Geolocation" and (target.passes_identity or field[0] != "Identity")
    ]


def _supported(reliable: bool, body: Body) -> str:
    """RFC 6442 §8 has the option tag `geolocation` where a location is conveyed."""
    tags = "timer, 100rel" if reliable else "timer"
    return f"{tags}, geolocation" if body.content_type.startswith("multipart/") else tags
