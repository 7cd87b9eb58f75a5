"""Whether a request in a dialog comes from its peer: tags alone prove too little.

The address of the leg's flow is the usual proof and is compared before this is asked. A phone may have
moved in the call: the address of its Contact or of a present registration will do, else it is
challenged. One in an emergency call is never asked, and carriers have many addresses.
"""

from typing import TYPE_CHECKING

from switch.auth.authenticator import Accepted, Challenge
from switch.sip.errors import ParseError
from switch.sip.message import Request
from switch.sip.uri import Uri
from switch.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from switch.call.leg import Leg


def is_peer(leg: "Leg", tx: ServerTransaction, request: Request, now: float) -> bool:
    """Whether the peer of `leg` sent this from an address that isn't its flow's; False when it was
    answered here, with 401 or 403."""
    if not leg.aor or (leg.call is not None and leg.call.is_emergency):
        return True
    exchange = leg.exchange
    origin = exchange.settings.origin(request, tx.flow)
    addresses = {tx.flow.remote[0], origin.remote[0]}
    known = {_host_of_contact(leg)}
    for binding in exchange.registrar.bindings(leg.aor, now):
        known |= {binding.source, binding.flow.remote[0]}
    if addresses & known:
        return True
    verdict = exchange.authenticator.verify(request, origin.remote[0], now)
    if isinstance(verdict, Accepted) and verdict.user == leg.aor:
        return True
    if isinstance(verdict, Challenge):
        leg.reply(tx, request, 401, now, list(verdict.headers))
    else:
        leg.reply(tx, request, 403, now)
    return False


def _host_of_contact(leg: "Leg") -> str:
    try:
        return Uri.parse(leg.dialog.remote_target).host if leg.dialog is not None else ""
    except ParseError:
        return ""
