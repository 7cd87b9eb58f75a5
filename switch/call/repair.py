"""What a trunk's refusal of an emergency INVITE asks us to leave out: the same trunk is asked again, once.

    424, 415, 488, 513   the location as a body (RFC 6442 §4.4); P-Access-Network-Info stays
    420                  extensions: Supported, Require, session timer
    428, 436, 437, 438   the signature (RFC 8224 §6.2.2): a call for help never waits for one

Deliberately absent: signing anew, since carriers sign for us (`stir`); every other refusal but these
goes to the next route (steps.py).
"""

from collections.abc import Callable
from typing import Final

from switch.call.vocabulary import Body
from switch.sip.message import Request

PLACE_FIELDS: Final = ("Geolocation", "Geolocation-Routing")
EXTENSION_FIELDS: Final = ("Supported", "Require", "Proxy-Require", "Session-Expires", "Min-SE")
SIGNATURE_FIELDS: Final = ("Identity", "Identity-Info")


def repaired(invite: Request, status: int, offer: Body | None) -> Request | None:
    """A copy of `invite` without what the refusal `status` is about; None if it has nothing of it.

    `offer` is the session description without the location.
    """
    repair = _REPAIRS.get(status)
    if repair is None:
        return None
    again = copy_of(invite)
    return again if repair(again, offer) else None


def strip_place(invite: Request, offer: Body | None) -> bool:
    """Take PIDF-LO out of an INVITE; the network-provided INSEE code stays. False if it has none."""
    if not invite.has("Geolocation"):
        return False
    for name in (*PLACE_FIELDS, "Content-Type"):
        invite.remove(name)
    if "geolocation" in (invite.get("Supported") or ""):
        kept = [tag for tag in invite.split("Supported") if tag != "geolocation"]
        invite.set("Supported", ", ".join(kept))
    invite.body = b""
    if offer is not None:
        invite.add("Content-Type", offer.content_type)
        invite.body = offer.content
    return True


def copy_of(invite: Request) -> Request:
    """The INVITE for another try: the transaction before still holds the first."""
    return Request("INVITE", invite.uri, list(invite.names), list(invite.values), invite.body)


def _strip(invite: Request, fields: tuple[str, ...]) -> bool:
    present = [name for name in fields if invite.has(name)]
    for name in present:
        invite.remove(name)
    return bool(present)


def _strip_extensions(invite: Request, offer: Body | None) -> bool:
    return _strip(invite, EXTENSION_FIELDS)


def _strip_signature(invite: Request, offer: Body | None) -> bool:
    return _strip(invite, SIGNATURE_FIELDS)


_REPAIRS: Final[dict[int, Callable[[Request, Body | None], bool]]] = {
    **dict.fromkeys((415, 424, 488, 513), strip_place),
    420: _strip_extensions,
    **dict.fromkeys((428, 436, 437, 438), _strip_signature),
}
