"""The location that a phone itself sends in an emergency call, and what becomes of it.

A phone may know its place better than the registry does (LLDP-MED, GPS), so what it says is not
thrown away; but nobody vouches for it. Where a trunk takes PIDF-LO it goes along in front of ours:
the location that an intermediary adds is the last one (RFC 6442 §4.1), and only ours names who
vouches. A value with `loc-src` is dropped: that parameter is an intermediary's word, which a phone
can't give (RFC 8787 §4). Where a trunk takes no PIDF-LO, the phone's is left out like ours.

Deliberately absent: looking into the phone's document; the evidence of where a phone is comes from
elsewhere (facts/snapshot.py).
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from switch.call.vocabulary import Body
from switch.routing.target import Place
from switch.sip.errors import ParseError
from switch.sip.message import Request
from switch.sip.multipart import split_parts

MAX_VALUES: Final = 2
MAX_PIDF: Final = 4096  # octets: a document of a phone is about 1,000
MAX_URI: Final = 256
_VALUE = re.compile(r"<(cid|https?|sips?|pres):([^<>\s]+)>(.*)", re.IGNORECASE | re.DOTALL)
_LOC_SRC = re.compile(r";\s*loc-src\b", re.IGNORECASE)


class Offered(NamedTuple):
    """What an emergency INVITE of a phone brings: the SDP, and documents that Geolocation points at."""

    body: Body | None
    places: tuple[Place, ...]


def claimed_values(invite: Request) -> list[tuple[str, str]]:
    """The Geolocation values that may go on, one field each; [] when there are none or they are broken."""
    try:
        values = invite.split("Geolocation")
    except ParseError:
        return []
    kept = []
    for value in values:
        found = _VALUE.fullmatch(value.strip())
        if found is None or _LOC_SRC.search(found[3]) or len(value) > MAX_URI:
            continue
        kept.append(("Geolocation", f"<{found[1]}:{found[2]}>"))
    return kept[:MAX_VALUES]


def take_apart(body: Body, claimed: Iterable[tuple[str, str]]) -> Offered:
    """The session description of a multipart body, and the documents that `claimed` values name.

    A body that is no multipart comes back as it is; a multipart without SDP is no offer.
    """
    if not body.content_type.lower().startswith("multipart/"):
        return Offered(body, ())
    parts = split_parts(*body)
    sdp = next((part for part in parts if part.content_type == "application/sdp"), None)
    wanted = {value[5:-1] for _, value in claimed if value[:5].lower() == "<cid:"}
    places = tuple(
        Place(part.content, part.content_id)
        for part in parts
        if part.content_type == "application/pidf+xml"
        and part.content_id in wanted
        and len(part.content) <= MAX_PIDF
    )
    return Offered(None if sdp is None else Body("application/sdp", sdp.content), places)
