"""Which header fields cross from one leg to the other: a table, and nothing beside it.

What isn't listed stays on its side: a B2BUA that copies unknown fields leaks topology, and lets a
phone speak to a carrier with the operator's voice (P-*, X-*, Geolocation).
"""

from switch.sip.message import Request, Response

ALLOW = (
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, MESSAGE, NOTIFY"  # ours, on each leg
)
MAX_HISTORY = 10  # entries of Diversion or History-Info that cross: a longer list is a forward loop

CROSSING_REQUEST: dict[str, frozenset[str]] = {
    # Privacy is not here: `identity` says it, once, and never in an emergency call.
    "INVITE": frozenset({"Diversion", "History-Info", "Alert-Info", "Subject", "Priority"}),
    "BYE": frozenset({"Reason"}),
    "CANCEL": frozenset({"Reason"}),
    "INFO": frozenset({"Info-Package", "Content-Disposition"}),
    "MESSAGE": frozenset({"Content-Disposition"}),
    "NOTIFY": frozenset({"Event", "Subscription-State"}),
}

# Identity (RFC 8224) is signed end to end and crosses unchanged, towards carriers only. Priority is
# a claim that only carriers may make (psap-callback, RFC 7090).
TOWARDS_TRUNK = frozenset({"Identity"})
FROM_TRUNK = frozenset({"Priority"})

# Of an emergency call's INVITE only a signature goes on, if it is of the size of one (RFC 8224, 1-2 KB):
# what a phone adds must not make the INVITE too large for the first path.
IN_EMERGENCY = frozenset({"Identity"})
MAX_IN_EMERGENCY = 2048

# Body types that may cross; the rest is answered 415.
CROSSING_BODIES = frozenset(
    {
        "application/sdp",
        "application/dtmf-relay",
        "application/dtmf",
        "application/media_control+xml",
        "application/vnd.3gpp.ussd+xml",
        "message/sipfrag",
        "text/plain",
        "multipart/mixed",
    }
)


def crossing(
    message: Request | Response, method: str, *, from_trunk: bool, to_trunk: bool
) -> list[tuple[str, str]]:
    """The fields of `message` that go on to the other leg, in their order."""
    allowed = CROSSING_REQUEST.get(method)
    if allowed is None:
        return []
    crossed: list[tuple[str, str]] = []
    history = 0
    for name, value in zip(message.names, message.values, strict=True):
        if name not in allowed and not (to_trunk and name in TOWARDS_TRUNK and method == "INVITE"):
            continue
        if name in FROM_TRUNK and not from_trunk:
            continue
        if name in ("Diversion", "History-Info"):
            history += 1
            if history > MAX_HISTORY:
                continue
        crossed.append((name, value))
    return crossed


def crossing_in_emergency(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of the fields that cross which a call for help takes along."""
    return [(n, v) for n, v in fields if n in IN_EMERGENCY and len(v) <= MAX_IN_EMERGENCY]
