"""A carrier's digest challenge (RFC 3261 §22.2, §22.3), to an INVITE and to what follows in its dialog.

A BYE that isn't proved ends nothing, and the carrier goes on counting. Deliberately absent: phones, whose
challenges are never answered; proving before being asked.
"""

from typing import TYPE_CHECKING

from switch.dialog.dialog import via_value
from switch.routing.target import Credentials
from switch.sip.digest import authorize, choose_challenge
from switch.sip.ids import new_tag
from switch.sip.message import Request, Response

if TYPE_CHECKING:
    from switch.call.leg import Leg
    from switch.transaction.client import ClientTransaction

CHALLENGES = (401, 407)


def proved(request: Request, response: Response, credentials: Credentials) -> bool:
    """Write the answer to a challenge into `request`; False when it is answered already, or asks for
    what we can't do."""
    ask, tell = "WWW-Authenticate", "Authorization"
    if response.status == 407:
        ask, tell = "Proxy-Authenticate", "Proxy-Authorization"
    challenge = choose_challenge(response.get_all(ask))
    if challenge is None or request.has(tell):
        return False
    user, password = credentials.username, credentials.password
    request.set(
        tell, authorize(challenge, user, password, request.method, request.uri, 1, new_tag())
    )
    return True


def proofs(request: Request) -> list[tuple[str, str]]:
    """The credentials of an INVITE, which the ACK to its 2xx repeats (§13.2.2.4)."""
    names = ("Authorization", "Proxy-Authorization")
    return [(name, value) for name in names for value in request.get_all(name)]


def asks_again(leg: "Leg", tx: "ClientTransaction", response: Response, now: float) -> bool:
    """Send a request of a trunk's dialog once more, with the answer to its challenge; False if that
    can't be."""
    dialog, trunk = leg.dialog, leg.exchange.trunks.by_id.get(leg.label)
    credentials = trunk.carrier.credentials if leg.is_trunk and trunk is not None else None
    if credentials is None or dialog is None:
        return False
    old = tx.request
    again = Request(old.method, old.uri, list(old.names), list(old.values), old.body)
    if not proved(again, response, credentials):
        return False
    dialog.local_cseq += 1
    again.set("CSeq", f"{dialog.local_cseq} {again.method}")
    again.set("Via", via_value(dialog.flow))
    sent = leg.send(again, now)
    if again.method == "INVITE":
        leg.proofs = (dialog.local_cseq, proofs(again))
    if tx is leg.asked:
        leg.asked = sent
    return True
