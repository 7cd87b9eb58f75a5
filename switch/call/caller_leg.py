"""The caller's side before and at the answer: the UAS of the INVITE (RFC 3261 §13.3, §16.7).

Ringing, reliable provisionals towards a caller that wants them, early dialogs with several To-tags,
the answer, the refusal, CANCEL. After the answer everything is `Leg`'s.
"""

from switch.call.ending import ending_headers
from switch.call.exchange import Exchange
from switch.call.headers import ALLOW
from switch.call.leg import CallOfLeg, Leg
from switch.call.relay import allows_update, body_of
from switch.call.state import LegState
from switch.call.vocabulary import Body, Cancel, Lost, Prack, Ring, Update
from switch.clock import Timer
from switch.dialog.dialog import Dialog, contact_value
from switch.dialog.offer_answer import OfferState
from switch.dialog.reliable import ReliableSender, Unacknowledged
from switch.dialog.session_timer import (
    SessionTimer,
    TooBrief,
    answer_headers,
    answer_timer,
    supports,
)
from switch.sip.build import make_response
from switch.sip.flow import Flow
from switch.sip.ids import new_tag
from switch.sip.message import Request, Response
from switch.transaction.server import ServerTransaction


class CallerLeg(Leg):
    """The leg towards who calls. `invite` is kept until the final response."""

    __slots__ = (
        "agreed",
        "early_tags",
        "invite",
        "invite_tx",
        "media_are_sure",
        "merge_key",
        "queued_rings",
        "relayed_media",
        "reliable",
        "reliable_timer",
        "requires_reliable",
        "takes_reliable",
    )

    def __init__(
        self,
        exchange: Exchange,
        call: CallOfLeg,
        tx: ServerTransaction,
        invite: Request,
        flow: Flow,
    ) -> None:
        super().__init__(exchange, call, flow, new_tag())
        self.invite: Request | None = invite
        self.invite_tx: ServerTransaction | None = tx
        self.dialog = Dialog.from_invite(invite, self.local_tag, flow)
        self.in_body = body_of(invite)
        self.offer = OfferState.REMOTE_OFFER if self.in_body else OfferState.STABLE
        self.peer_takes_update = allows_update(invite)
        self.session.peer_supports = supports(invite, "timer")
        self.requires_reliable = any("100rel" in value for value in invite.get_all("Require"))
        self.takes_reliable = self.requires_reliable or supports(invite, "100rel")
        self.reliable: ReliableSender | None = None
        self.reliable_timer: Timer | None = None
        self.queued_rings: list[Ring] = []
        self.relayed_media = (
            False  # an answer went out in a provisional of the present early dialog
        )
        self.media_are_sure = False  # and it was acknowledged
        self.early_tags: list[str] = []
        self.agreed: SessionTimer | None = None
        self.merge_key = (invite.call_id, invite.from_tag, invite.cseq.number)
        exchange.invites.add(self.merge_key)

    def agree_on_timer(self) -> TooBrief | None:
        """Settle the session timer from the INVITE; `TooBrief` asks for a 422."""
        assert self.invite is not None
        settings = self.exchange.settings
        agreed = answer_timer(self.invite, settings.session_expires_s, settings.min_se_s)
        if isinstance(agreed, TooBrief):
            return agreed
        self.agreed = agreed
        return None

    def open_new_early_dialog(self) -> None:
        """Go on under a new To-tag: a phone ignores a second answer in the same dialog."""
        if not self.relayed_media or self.dialog is None or self.invite is None:
            return
        self.stop_reliable()
        self.early_tags.append(self.local_tag)
        self.local_tag = new_tag()
        self.exchange.legs[self.local_tag] = self
        self.dialog = Dialog.from_invite(self.invite, self.local_tag, self.dialog.flow)
        self.offer = OfferState.REMOTE_OFFER if self.in_body else OfferState.STABLE
        self.relayed_media = False

    def ring(self, ring: Ring, now: float) -> None:
        """Send a provisional; one that must be reliable waits for the PRACK of the one before."""
        if self.invite_tx is None or self.invite is None:
            return
        reliable = self.requires_reliable or (ring.is_reliable and self.takes_reliable)
        if reliable and self.reliable is not None and self.reliable.waiting is not None:
            self.queued_rings.append(ring)
            return
        headers = [("Contact", contact_value(self.flow)), ("Allow", ALLOW)]
        body = ring.body
        if body is not None:
            headers.append(("Content-Type", body.content_type))
            self.relayed_media, self.media_are_sure = True, ring.is_offer
            self.out_body = body
        if reliable:
            self._send_reliable(ring, headers, now)
        else:
            self.invite_tx.respond(self._provisional(ring, headers), now)

    def connect(self, body: Body | None, is_offer: bool, now: float) -> None:
        """200: the call is answered; it is repeated until the ACK."""
        invite, tx = self.invite, self.invite_tx
        if invite is None or tx is None:
            return
        if body is None and self.relayed_media and not self.media_are_sure:
            body = self.out_body  # the answer in a provisional may be lost (RFC 6337 §3.1.1)
        self.stop_reliable()
        headers = [
            ("Contact", contact_value(self.flow)),
            ("Allow", ALLOW),
            ("Supported", "timer, 100rel"),
            *answer_headers(self.agreed, self.session.peer_supports),
        ]
        if body is not None:
            headers.append(("Content-Type", body.content_type))
            self.out_body = body
        response = make_response(
            invite,
            200,
            to_tag=self.local_tag,
            headers=headers,
            body=body.content if body else b"",
        )
        self.state = LegState.ANSWERED
        self.offer = OfferState.LOCAL_OFFER if is_offer else OfferState.STABLE
        self._forget_invite()
        self.session.start(self.agreed, now)
        tx.respond(response, now)
        self.start_2xx(tx, invite.cseq.number, now).had_offer = is_offer

    def fail(
        self, status: int, slug: str, now: float, headers: list[tuple[str, str]] | None = None
    ) -> None:
        """The final refusal, with the reason where a person and a program find it."""
        invite, tx = self.invite, self.invite_tx
        if invite is None or tx is None:
            return
        self.stop_reliable()
        fields = ending_headers(slug, self.exchange.settings.host) + (headers or [])
        self._forget_invite()
        tx.respond(make_response(invite, status, to_tag=self.local_tag, headers=fields), now)
        self.call = None
        self.end(now)

    def on_cancel(self, reason: str, now: float) -> None:
        """CANCEL before the final response; after it, nothing happens (§9.2)."""
        if self.invite_tx is not None:
            self.report(Cancel(reason), now)
        else:
            super().on_cancel(reason, now)

    def on_bye(self, tx: ServerTransaction, request: Request, now: float, at: float) -> None:
        """A BYE in an early dialog gives up like CANCEL (§15); else it ends the call."""
        if self.invite_tx is not None:
            self.reply(tx, request, 200, now)
            self.report(Cancel(request.get("Reason") or ""), now)
            return
        super().on_bye(tx, request, now, at)

    def refuse_method(self, tx: ServerTransaction, request: Request, now: float) -> None:
        """PRACK is this side's own; the rest is refused as in any leg."""
        if request.method == "PRACK" and self.reliable is not None:
            self._on_prack(tx, request, now)
        else:
            super().refuse_method(tx, request, now)

    def on_timer(self, name: str, now: float) -> None:
        """Repeat a reliable provisional; the rest is every leg's."""
        if name == "reliable":
            self._repeat_reliable(now)
        else:
            super().on_timer(name, now)

    def on_ack_timeout(self, tx: ServerTransaction, now: float) -> None:
        """Nobody acknowledged our refusal (Timer H): there is nobody left to tell."""

    def forget(self) -> None:
        """Leave the exchange with every To-tag that was used."""
        for tag in self.early_tags:
            self.exchange.legs.pop(tag, None)
        super().forget()

    def stop_reliable(self) -> None:
        """Give up on provisionals: a final response overtakes them (RFC 3262 §3)."""
        if self.reliable_timer is not None:
            self.reliable_timer.cancel()
            self.reliable_timer = None
        if self.reliable is not None:
            self.reliable.give_up()
        self.queued_rings.clear()

    def _forget_invite(self) -> None:
        self.exchange.invites.discard(self.merge_key)
        self.invite = None
        self.invite_tx = None

    def _provisional(self, ring: Ring, headers: list[tuple[str, str]]) -> Response:
        assert self.invite is not None
        body = ring.body.content if ring.body else b""
        return make_response(
            self.invite, ring.status, to_tag=self.local_tag, headers=headers, body=body
        )

    def _send_reliable(self, ring: Ring, headers: list[tuple[str, str]], now: float) -> None:
        assert self.invite_tx is not None
        sender = self.reliable = self.reliable or ReliableSender()
        rseq = sender.take_rseq()
        headers += [("Require", "100rel"), ("RSeq", str(rseq))]
        response = self._provisional(ring, headers)
        carries_offer = ring.is_offer
        if carries_offer:
            self.offer = OfferState.LOCAL_OFFER
        elif ring.body is not None:
            self.offer = OfferState.STABLE
        sender.waiting = Unacknowledged(
            rseq,
            self.flow,
            response.to_bytes(),
            self.exchange.timings.t1,
            carries_offer,
            ring.body is not None and not carries_offer,
        )
        self.invite_tx.respond(response, now)
        at = now + sender.waiting.interval_s
        self.reliable_timer = self.exchange.wheel.arm(at, self, "reliable")

    def _repeat_reliable(self, now: float) -> None:
        waiting = self.reliable.waiting if self.reliable else None
        if waiting is None:
            return
        waiting.interval_s *= 2
        t1 = self.exchange.timings.t1
        left = 64 * t1 - (waiting.interval_s - t1)  # the intervals so far add up to the difference
        if left <= 0:
            # RFC 3262 §3: after 64*T1 without PRACK the INVITE is rejected with 5xx; not a call for help
            # that lacks nothing but the acknowledgement.
            if self.call is not None and self.call.is_emergency and not waiting.carries_offer:
                self.stop_reliable()
            else:
                self.report(Lost("not_acknowledged"), now)
            return
        self.exchange.outbox.send(waiting.flow, waiting.data)
        at = now + min(waiting.interval_s, left)
        self.reliable_timer = self.exchange.wheel.arm(at, self, "reliable")

    def _on_prack(self, tx: ServerTransaction, request: Request, now: float) -> None:
        assert self.reliable is not None
        rack, cseq = request.get("RAck"), self.merge_key[2]
        taken = self.reliable.acknowledge(rack, cseq)
        if taken is None:
            is_late = self.reliable.was_overtaken(rack, cseq)
            self.reply(tx, request, 200 if is_late else 481, now)
            return
        self.media_are_sure = self.media_are_sure or taken.carries_answer
        if self.reliable_timer is not None:
            self.reliable_timer.cancel()
        body = body_of(request)
        if taken.carries_offer:
            self.offer = OfferState.STABLE
            self.in_body = body or self.in_body
            self.reply(tx, request, 200, now)
            self.report(Prack(body), now)
        elif body is not None:
            # A new offer in PRACK crosses as UPDATE; the PRACK's 200 carries the answer.
            self.pending, self.offer = tx, OfferState.REMOTE_OFFER
            self.agreed_body, self.in_body = self.in_body, body
            self.report(Update(body, by_update=True), now)
        else:
            self.reply(tx, request, 200, now)
            self.report(Prack(None), now)
        if self.queued_rings:
            self.ring(self.queued_rings.pop(0), now)
