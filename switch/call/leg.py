"""One side of a call inside its dialog (RFC 3261 §12.2, §15): what both legs share.

BYE, the ACK of a 2xx in either direction, and who answers what. How a dialog comes about is in
`caller_leg` and `callee_leg`; offers, repeated 2xx, session timer and relayed requests have files of
their own. The leg turns messages into the words of `vocabulary` for its call, and the call's words into
messages; it never sees the other leg.
"""

from collections.abc import Sequence
from typing import Protocol

from switch.call import challenge, media_told, offers, relay, silence, way
from switch.call.answered import Repeated2xx
from switch.call.ending import ending_headers
from switch.call.exchange import Exchange
from switch.call.headers import ALLOW
from switch.call.peer import is_peer
from switch.call.refresh import SessionClock
from switch.call.relay import RELAYED_METHODS, body_of
from switch.call.state import LegState
from switch.call.vocabulary import Acknowledge, Body, Disconnect, Event, Lost, Updated
from switch.dialog.dialog import Dialog, via_value
from switch.dialog.offer_answer import OfferState
from switch.sip.build import make_response
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.transaction.client import ClientOwner, ClientTransaction
from switch.transaction.server import ServerTransaction

BYE_RETRY_S = (
    1.0  # a phone whose connection is gone registers again within seconds, a carrier restarts
)


class CallOfLeg(Protocol):
    """What a leg needs of its call."""

    is_emergency: bool

    def receive(self, leg: "Leg", event: Event, now: float) -> None:
        """Take what happened on `leg`."""

    def other_leg(self, leg: "Leg") -> "Leg | None":
        """The leg across."""


class Leg:
    """The part of a leg that both sides share. `local_tag` is its key in the exchange."""

    __slots__ = (
        "ack",
        "ack_waits",
        "agreed_body",
        "aor",
        "asked",
        "bye_reason",
        "call",
        "dialog",
        "exchange",
        "flow",
        "has_acked",
        "heard_at",
        "in_body",
        "is_trunk",
        "is_unknown",
        "label",
        "local_tag",
        "offer",
        "ok",
        "out_body",
        "own_refresh",
        "peer_takes_update",
        "pending",
        "proofs",
        "session",
        "state",
    )

    def __init__(
        self, exchange: Exchange, call: CallOfLeg | None, flow: Flow, local_tag: str
    ) -> None:
        self.exchange = exchange
        self.call = call
        self.flow = flow
        self.local_tag = local_tag
        self.label = ""
        self.aor = ""  # the line whose phone this is, "" for a trunk: how a new flow is found
        self.is_trunk = False
        self.dialog: Dialog | None = None
        self.state = LegState.EARLY
        self.offer = OfferState.STABLE
        self.in_body: Body | None = None  # the peer's last session description
        self.out_body: Body | None = None  # ours, as sent
        self.agreed_body: Body | None = None  # what the open offer is to replace: stays if refused
        self.proofs: tuple[int, list[tuple[str, str]]] = (0, [])  # of our INVITE with this CSeq
        self.pending: ServerTransaction | None = None  # an offer whose answer we owe
        self.ok: Repeated2xx | None = None
        self.ack: tuple[int, bytes, Flow] | None = None  # our last ACK, to repeat it
        self.ack_waits: int | None = None  # CSeq of a 2xx whose ACK waits for the other's answer
        self.bye_reason: str | None = None  # a BYE that waits for the caller's ACK
        self.peer_takes_update = False
        self.own_refresh = False
        self.has_acked = False
        self.is_unknown = False  # the peer's last answer in the dialog was 481
        self.heard_at = 0.0  # boottime of the peer's last word in the dialog, 0 before the first
        self.asked: ClientTransaction | None = None  # our own re-INVITE or UPDATE that is open
        self.session = SessionClock(self, exchange.wheel)
        exchange.legs[local_tag] = self

    @property
    def is_ended(self) -> bool:
        """Whether the dialog is over."""
        return self.state is LegState.ENDED

    # -- requests from the peer ----------------------------------------------------------------

    def on_request(self, tx: ServerTransaction, request: Request, now: float, at: float) -> None:
        """Take an in-dialog request that opened `tx`; `at` is when it was received."""
        dialog = self.dialog
        if dialog is None or not dialog.matches(request):
            self.reply(tx, request, 481, now)
        elif tx.flow.remote[0] != self.flow.remote[0] and not is_peer(self, tx, request, now):
            pass  # it was answered
        elif not dialog.accept_cseq(request):
            self.reply(tx, request, 500, now, [("Retry-After", "1")])
        else:
            self.heard_at = at
            way.follow(self, tx.flow, request.via.has_rport)
            self._on_known_request(tx, request, now, at)

    def _on_known_request(
        self, tx: ServerTransaction, request: Request, now: float, at: float
    ) -> None:
        """Take a request of our dialog, in its order."""
        if request.method == "BYE":
            self.on_bye(tx, request, now, at)
        elif self.state is LegState.ENDED:
            self.reply(tx, request, 481, now)
        elif request.method in ("INVITE", "UPDATE"):
            offers.on_offer(self, tx, request, now)
        elif request.method in RELAYED_METHODS:
            relay.on_relay(self, tx, request, now)
        else:
            self.refuse_method(tx, request, now)

    def refuse_method(self, tx: ServerTransaction, request: Request, now: float) -> None:
        """Answer a method that has no place in a call (yet)."""
        match request.method:
            case "REFER" if self.call is not None and self.call.is_emergency:
                self.reply(tx, request, 403, now)
            case "SUBSCRIBE":
                self.reply(tx, request, 489, now, [("Allow-Events", "")])
            case "PRACK":
                self.reply(tx, request, 481, now)
            case _:
                self.reply(tx, request, 405, now, [("Allow", ALLOW)])

    def on_bye(self, tx: ServerTransaction, request: Request, now: float, at: float) -> None:
        """The peer hangs up; an offer that we still owe an answer ends with it (§15.1.2)."""
        self.reply(tx, request, 200, now)
        media_told.at_end(self, request)
        offers.refuse_pending(self, 487, now)
        if self.state is not LegState.ENDED:
            self.end(now)
            key = request.get("X-Vigie-Key") or ""
            self.report(Disconnect(request.get("Reason") or "", at, key), now)
            self.call = None

    def on_ack(self, request: Request, now: float) -> None:
        """The ACK of our 2xx; with a body it is the answer to the offer in it."""
        ok = self.ok
        if ok is None or request.cseq.number != ok.cseq:
            return
        ok.stop()
        self.ok = None
        self.has_acked = True
        self.heard_at = now
        body = body_of(request)
        if ok.had_offer:
            self.offer = OfferState.STABLE
            self.in_body = body or self.in_body
        if self.state is LegState.ANSWERED:
            self.state = LegState.CONFIRMED
        self.report(Acknowledge(body if ok.had_offer else None), now)
        if self.bye_reason is not None and self.state is LegState.CONFIRMED:
            self.send_bye(self.bye_reason, now)

    # -- words from the call -------------------------------------------------------------------

    def acknowledge(self, body: Body | None, now: float) -> None:
        """Send the ACK that waited for the other side's answer to a late offer."""
        if self.dialog is None or self.ack_waits is None:
            return
        cseq, self.ack_waits = self.ack_waits, None
        self.send_ack(self.dialog, cseq, body, now)
        self.offer = OfferState.STABLE

    def disconnect(self, slug: str, now: float, reason: str = "") -> None:
        """End the dialog with BYE; before the ACK of our 2xx it waits for it (§15)."""
        if self.state is LegState.ENDED:
            return
        offers.refuse_pending(self, 487, now)
        reason = reason or ending_headers(slug, self.exchange.settings.host)[0][1]
        if self.ok is not None and self.state is LegState.ANSWERED:
            self.bye_reason = reason
            self.call = None
            return
        self.send_bye(reason, now)

    def end(self, now: float) -> None:
        """Forget timers and the call; late messages of the dialog are still answered.

        An offer that waits is refused: nothing else would ever end its transaction.
        """
        offers.refuse_pending(self, 487, now)
        offers.withdraw(self, now)  # else one that was answered 100 and no more would stay for good
        self.state = LegState.ENDED
        if self.ok is not None:
            self.ok.stop()
            self.ok = None
        self.session.stop()
        self.exchange.wheel.arm(now + 64 * self.exchange.timings.t1, self, "forget")

    def forget(self) -> None:
        """Leave the exchange: from now on the dialog is unknown (481)."""
        self.exchange.legs.pop(self.local_tag, None)
        self.call = None
        self.pending = self.asked = None

    def report(self, event: Event, now: float) -> None:
        """Tell the call, if it is still there."""
        if self.call is not None:
            self.call.receive(self, event, now)

    def lose(self, slug: str, now: float) -> None:
        """The peer is gone: tell it so once more, and tell the call."""
        if self.state is LegState.ENDED:
            return
        call, self.call = self.call, None
        self.send_bye(ending_headers(slug, self.exchange.settings.host)[0][1], now)
        if call is not None:
            call.receive(self, Lost(slug), now)

    # -- responses and time --------------------------------------------------------------------

    def on_response(self, tx: ClientTransaction, response: Response, now: float) -> None:
        """A response to a request that this leg sent in its dialog."""
        status, method = response.status, response.cseq.method
        if status in challenge.CHALLENGES and challenge.asks_again(self, tx, response, now):
            return
        if status < 200 or method == "BYE":
            media_told.at_end(self, response)
            return
        if status not in (408, 481):
            self.heard_at = now
        self.is_unknown = status == 481
        if method == "INVITE" and status < 300 and self._repeat_ack(response):
            return
        if method in ("INVITE", "UPDATE"):
            if status < 300:
                offers.on_accepted(self, response, method, now)
            else:
                # Challenges and redirects are this hop's: to the other side it is a no.
                refusal = 488 if status < 400 or status in challenge.CHALLENGES else status
                offers.on_settled(self, Updated(refusal, None), now)
        if status in (408, 481):
            silence.dialog_gone(self, now)

    def on_cancel(self, reason: str, now: float) -> None:
        """CANCEL of a request in the dialog: only a re-INVITE can be."""
        offers.on_cancel(self, now)

    def on_stray_2xx(self, response: Response, now: float) -> None:
        """A 2xx whose transaction is gone: the same ACK again."""
        self._repeat_ack(response)

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """No answer to a request in the dialog counts as 408."""
        if self.state is not LegState.ENDED:
            self._unsettled(tx, 408, now)
            silence.dialog_gone(self, now)

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """A broken path: the offer fails, the call goes on (the phone may come back)."""
        if tx.method == "BYE" and (self.aor or self.is_trunk):
            self.exchange.wheel.arm(now + BYE_RETRY_S, self, "bye")
        elif self.state is not LegState.ENDED:
            self._unsettled(tx, 480, now)

    def _unsettled(self, tx: ClientTransaction, status: int, now: float) -> None:
        """Nothing came of a request of ours: if it was an offer, it counts as refused."""
        if tx is self.asked:
            offers.on_settled(self, Updated(status, None), now)

    def on_never_acknowledged(self, now: float) -> None:
        """No ACK came for our 2xx."""
        silence.never_acknowledged(self, now)

    def on_session_expired(self, now: float) -> None:
        """The peer stopped refreshing; an emergency call goes on all the same."""
        if self.call is not None and self.call.is_emergency:
            self.exchange.outbox.note("emergency.session_expired", leg=self.label)
            return
        self.lose("session_expired", now)

    def on_timer(self, name: str, now: float) -> None:
        """Late messages no longer come: forget the dialog. "bye": is there a new way to the peer?"""
        if name == "forget":
            self.forget()
        elif self.dialog is not None and self.local_tag in self.exchange.legs:
            # It is tried until the dialog is forgotten.
            self.send(self.dialog.request("BYE"), now)

    def probe(self, now: float) -> None:
        """Ask the peer whether it still knows the dialog; 481 or silence ends the call."""
        if self.dialog is not None and self.state is LegState.CONFIRMED:
            self.send(self.dialog.request("OPTIONS"), now)

    def refresh(self, now: float) -> bool:
        """Refresh the session; False when another offer is open."""
        return offers.refresh(self, now)

    # -- inside --------------------------------------------------------------------------------

    def reply(
        self,
        tx: ServerTransaction,
        request: Request,
        status: int,
        now: float,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer without a body."""
        tx.respond(make_response(request, status, headers=headers, to_tag=None), now)

    def send_ack(self, dialog: Dialog, cseq: int, body: Body | None, now: float) -> None:
        """ACK a 2xx outside any transaction and keep the bytes for its repetitions (§13.2.2.4)."""
        request = dialog.build("ACK", cseq)
        if self.proofs[0] == cseq:
            for name, value in self.proofs[1]:
                request.add(name, value)
        if body is not None:
            request.add("Content-Type", body.content_type)
            request.body = body.content
            self.out_body = body
        data = request.to_bytes()
        self.ack = (cseq, data, dialog.flow)
        self.exchange.outbox.send(dialog.flow, data)

    def start_2xx(self, tx: ServerTransaction, cseq: int, now: float) -> Repeated2xx:
        """Repeat the 2xx that `tx` has just sent until its ACK comes."""
        self.ok = ok = Repeated2xx(self, self.exchange, cseq, tx.wire, self.flow, now)
        ok.tx = tx
        return ok

    def send(
        self, request: Request, now: float, owner: ClientOwner | None = None
    ) -> ClientTransaction:
        """Send in the dialog, by the way that leads to the peer now; `owner` None is this leg."""
        assert self.dialog is not None
        dialog = self.dialog
        flow = way.present(self, dialog, now)
        if flow != dialog.flow:
            dialog.flow = flow
            request.set("Via", via_value(flow))
        return self.exchange.transactions.request(request, flow, owner or self, now)

    def _repeat_ack(self, response: Response) -> bool:
        """A repeated 2xx gets the same ACK again, also by the way it came: the other may lead nowhere."""
        if self.ack is None or self.ack[0] != response.cseq.number:
            return False
        for flow in dict.fromkeys((self.ack[2], self.flow)):
            self.exchange.outbox.send(flow, self.ack[1])
        return True

    def send_bye(self, reason: str, now: float) -> None:
        """End the dialog here and there, with a Reason unless that is "" (RFC 3326)."""
        dialog = self.dialog
        self.bye_reason = None
        self.end(now)
        if dialog is None:
            return
        request = dialog.request("BYE")
        if reason:
            request.add("Reason", reason)
        self.send(request, now)
