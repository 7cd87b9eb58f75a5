"""A call for help is taken with what it has: an INVITE that would be refused, made usable.

Who dials 18 on a phone with a fault must not hear "400 Bad Request". So an INVITE to an emergency
number loses whatever can't be read and no call needs, and gets what is missing from where it came.
What is asked of any other INVITE (RFC 3261 §8.1.1, §8.2) isn't asked here: hops, Contact, extensions,
a readable body, header fields that are well formed and not said twice, a To without a tag, a bearable
length. Impossible remains what no answer would find its way for: no top Via, Call-ID, CSeq or From, no
number in the Request-URI; and a stream that doesn't say where its messages end, which its phone could
not have registered by either.

Deliberately absent: who calls, and whether the call may leave (call/incoming.py); hops that run out
because a call came back (hops_left there); the same INVITE a second time, which is under way already.
"""

import re
from collections.abc import Callable
from typing import Final

from switch.dialog.dialog import host_port
from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.head import check_call_id
from switch.sip.limits import MAX_LINE_CHARS
from switch.sip.message import Request
from switch.sip.multipart import split_parts

# What a call is made of, the first of several counts; what isn't read below is taken as any text.
_KEPT: Final = frozenset(
    {"Via", "From", "To", "Call-ID", "CSeq", "Contact", "Record-Route", "Max-Forwards"}
    | {"Authorization", "Allow", "Supported", "Require", "Session-Expires", "Min-SE"}
    | {"User-Agent", "Geolocation", "Content-Type", "Content-Encoding"}
)
_READERS: Final[dict[str, Callable[[Request], object]]] = {
    "Contact": lambda invite: invite.contacts,
    "Max-Forwards": lambda invite: invite.max_forwards,
}
_SDP: Final = "application/sdp"
_SIP: Final = re.compile(r'\s*<?\s*(sips?):([^\s<>"@:]+)(?::[^\s<>"@]*)?@', re.IGNORECASE)
_OTHER: Final = re.compile(r'\s*<?\s*((?:tel|urn):[^\s<>"?]+)', re.IGNORECASE)


def usable(invite: Request, flow: Flow, host: str) -> Request:
    """A readable INVITE to an emergency number that came by `flow`, as it is if nothing hinders a call;
    `host` is our own name. Raises ParseError when no call can be made of it."""
    if invite.contacts and _is_readable(invite):
        return invite
    return mended(invite, flow, host)


def mended(invite: Request, flow: Flow, host: str) -> Request:
    """A new INVITE with what can be read of this one. Raises ParseError when that is too little."""
    names, values = [], []
    for name, value in zip(invite.names, invite.values, strict=True):
        if name in _KEPT and len(value) <= MAX_LINE_CHARS:
            names.append(name)
            values.append(value)
    uri = _request_uri(invite.uri, host)
    fresh = Request("INVITE", uri, names, values, invite.body, invite.encoding)
    _ = fresh.via, fresh.from_tag
    check_call_id(fresh.call_id)
    fresh.set("CSeq", f"{fresh.cseq.number} INVITE")
    for name, read in _READERS.items():
        if not _can(read, fresh):
            fresh.remove(name)
    _set_addresses(fresh, flow)
    _set_body(fresh, invite.get("Content-Length") or "")
    return fresh


def _can(read: Callable[[Request], object], invite: Request) -> bool:
    try:
        read(invite)
    except ParseError:
        return False
    return True


def _request_uri(text: str, host: str) -> str:
    """The part of a Request-URI that says what was dialled."""
    if (sip := _SIP.match(text)) is not None:
        return f"{sip[1]}:{sip[2]}@{host}"
    if (other := _OTHER.match(text)) is not None:
        return other[1]
    raise ParseError("no number in the Request-URI")


def _set_addresses(invite: Request, flow: Flow) -> None:
    """From and To that can be read, To without a tag: its dialog isn't known here, so this is a new one
    (§12.2.2); and a Contact, where there is none the address that the INVITE came from."""
    if not _can(lambda it: it.from_, invite):
        tag = invite.from_tag
        nobody = "<sip:anonymous@anonymous.invalid>"
        invite.set("From", nobody if tag is None else f"{nobody};tag={tag}")
    if not _can(lambda it: it.to, invite) or invite.to_tag is not None:
        invite.set("To", f"<{invite.uri}>")
    if not invite.contacts:
        user = invite.from_.uri.user or "unknown"
        transport = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        invite.set("Contact", f"<sip:{user}@{host_port(flow.remote)}{transport}>")


def _set_body(invite: Request, length: str) -> None:
    """The session description, under its own name; no body without one, so that the PSAP offers."""
    if length.isdigit() and len(length) < 6:
        invite.body = invite.body[: int(length)]
    if _is_readable(invite):
        return
    described = b"" if _is_encoded(invite) else _session(invite)
    invite.remove("Content-Type")
    invite.remove("Content-Encoding")
    invite.body = described
    if described:
        invite.add("Content-Type", _SDP)


def _session(invite: Request) -> bytes:
    """The session description in a body, whatever it is called, or in one of its parts; else nothing."""
    parts = split_parts(invite.get("Content-Type") or "", invite.body)
    found = [part.content for part in parts if part.content_type == _SDP] or [invite.body]
    return found[0] if _begins_as_sdp(found[0]) else b""


def _is_readable(invite: Request) -> bool:
    """Whether the body is absent, a session description, or a multipart with one."""
    body, kind = invite.body, invite.content_type
    if not body:
        return True
    if _is_encoded(invite):
        return False
    if kind == "multipart/mixed":
        parts = split_parts(invite.get("Content-Type") or "", body)
        return any(p.content_type == _SDP and _begins_as_sdp(p.content) for p in parts)
    return kind in (None, _SDP) and _begins_as_sdp(body)


def _begins_as_sdp(body: bytes) -> bool:
    return body.lstrip()[:2] == b"v="


def _is_encoded(invite: Request) -> bool:
    """Whether the body is compressed (§20.12), which we don't undo."""
    return (invite.get("Content-Encoding") or "identity").strip().lower() != "identity"
