"""Requests that cross the call as they are: INFO, MESSAGE, NOTIFY (and their answers back)."""

from typing import TYPE_CHECKING

from switch.call import silence
from switch.call.headers import ALLOW, CROSSING_BODIES, crossing
from switch.call.vocabulary import Body, Relay, Relayed
from switch.sip.build import make_response
from switch.sip.message import Message, Request, Response
from switch.transaction.client import ClientTransaction
from switch.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from switch.call.leg import Leg

RELAYED_METHODS = frozenset({"INFO", "MESSAGE", "NOTIFY", "OPTIONS"})


def body_of(message: Message) -> Body | None:
    """The message's body with its type, None when it has none."""
    if not message.body:
        return None
    return Body(message.get("Content-Type") or "application/sdp", message.body)


def allows_update(message: Message) -> bool:
    """Whether the sender takes UPDATE (RFC 3311 §4); Allow may fill several lines."""
    return any("UPDATE" in value for value in message.get_all("Allow"))


def on_relay(leg: "Leg", tx: ServerTransaction, request: Request, now: float) -> None:
    """A request that crosses as it is; OPTIONS is answered here (it asks about this hop)."""
    if request.method == "OPTIONS":
        leg.reply(tx, request, 200, now, [("Allow", ALLOW)])
    elif leg.call is None:
        leg.reply(tx, request, 481, now)
    elif request.body and (request.content_type or "") not in CROSSING_BODIES:
        leg.reply(tx, request, 415, now)
    else:
        leg.report(Relay(tx, request), now)


def send_relay(leg: "Leg", relay: Relay, now: float) -> None:
    """Send the other side's request in this leg's dialog; `Relayed` comes back for it."""
    dialog = leg.dialog
    if dialog is None or leg.is_ended:
        leg.report(Relayed(relay.transaction, 481, None), now)
        return
    source = relay.request
    request = dialog.request(source.method)
    for name, value in crossing(source, source.method, from_trunk=False, to_trunk=False):
        request.add(name, value)
    if source.body:
        request.add("Content-Type", source.get("Content-Type") or "text/plain")
        request.body = source.body
    leg.send(request, now, _RelayOwner(leg, relay.transaction))


def say_as_relay(request: Request) -> None:
    """Write a key that an INFO says as `application/dtmf` as `application/dtmf-relay`: pjsip, which reads it
    in the media workers, knows no other form."""
    key = request.body.strip()
    if request.method == "INFO" and request.content_type == "application/dtmf" and len(key) == 1:
        request.set("Content-Type", "application/dtmf-relay")
        request.body = b"Signal=%b\r\nDuration=160\r\n" % key


def answer_relay(relayed: Relayed, now: float) -> None:
    """Answer the relayed request with the other side's status and body."""
    headers = [("Content-Type", relayed.body.content_type)] if relayed.body else []
    content = relayed.body.content if relayed.body else b""
    tx = relayed.transaction
    if tx.is_answered:
        return
    response = make_response(tx.request, relayed.status, headers=headers, body=content, to_tag=None)
    tx.respond(response, now)


class _RelayOwner:
    """Carries the answer of a relayed request back to the transaction it came from."""

    __slots__ = ("leg", "origin")

    def __init__(self, leg: "Leg", origin: ServerTransaction) -> None:
        self.leg = leg
        self.origin = origin

    def on_response(self, tx: ClientTransaction, response: Response, now: float) -> None:
        """The other phone answered."""
        if response.status < 200:
            return
        self._answer(Relayed(self.origin, response.status, body_of(response)), now)
        if response.status in (408, 481):
            silence.dialog_gone(self.leg, now)

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """It did not."""
        self._answer(Relayed(self.origin, 408, None), now)

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """It can't be reached."""
        self._answer(Relayed(self.origin, 480, None), now)

    def _answer(self, event: Relayed, now: float) -> None:
        answer_relay(event, now)
