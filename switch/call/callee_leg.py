"""The callee's side before the answer: the UAC of the INVITE (RFC 3261 §13.2, RFC 3262, RFC 8760).

Sends the INVITE to one target, follows its early dialogs, answers challenges and 422, acknowledges,
and cleans up what it did not want: a 200 that crossed our CANCEL, a second 200 from a forking proxy.
After the answer everything is `Leg`'s.
"""

from enum import Enum

from switch.call import way
from switch.call.challenge import CHALLENGES, proofs, proved
from switch.call.emergency_media import speech_only
from switch.call.ending import slug_of
from switch.call.exchange import Exchange
from switch.call.hunt import contacts_of
from switch.call.identity import Caller
from switch.call.invitation import Wording, write_invite
from switch.call.leg import CallOfLeg, Leg
from switch.call.offers import refuse_pending
from switch.call.phone_location import take_apart
from switch.call.relay import allows_update, body_of
from switch.call.repair import copy_of, repaired, strip_place
from switch.call.state import LegState
from switch.call.vocabulary import Body, Connect, Fail, Ring
from switch.dialog.dialog import Dialog, contact_value, via_value
from switch.dialog.offer_answer import OfferState
from switch.dialog.reliable import ReliableReceiver
from switch.dialog.session_timer import raised_interval, read_answer
from switch.routing.target import Place, Target
from switch.sip.flow import Flow
from switch.sip.ids import new_tag
from switch.sip.message import Request, Response
from switch.transaction.client import ClientTransaction


class Branch(Enum):
    """Where the outgoing INVITE stands."""

    CALLING = "Calling"
    PROCEEDING = "Proceeding"  # a 100 came
    RINGING = "Ringing"  # an 18x came
    CANCELLED = "Cancelled"  # we gave it up; its final response is still to come
    ANSWERED = "Answered"
    FAILED = "Failed"


class CalleeLeg(Leg):
    """The leg towards one target."""

    __slots__ = (
        "branch",
        "challenged",
        "cseq",
        "forks",
        "holds_channel",
        "invite",
        "invite_tx",
        "is_repaired",
        "late_offer",
        "media_tag",
        "prack_waits",
        "received",
        "sent_at",
        "started_at",
        "target",
    )

    def __init__(self, exchange: Exchange, call: CallOfLeg | None, target: Target) -> None:
        super().__init__(exchange, call, target.flow, new_tag())
        self.target = target
        self.label = target.label
        self.is_trunk = target.is_trunk
        self.aor = target.aor
        self.branch = Branch.CALLING
        self.invite: Request | None = None
        self.invite_tx: ClientTransaction | None = None
        self.cseq = 1
        self.challenged = False
        self.late_offer = False
        self.received: ReliableReceiver | None = None
        self.prack_waits: str | None = None  # RAck of an 18x whose offer the caller still answers
        self.media_tag = ""  # To-tag of who last sent a session description
        self.forks: set[str] | None = None  # To-tags of second 200s, already hung up
        self.started_at = 0.0
        self.sent_at = 0.0  # when the INVITE went out last
        self.is_repaired = False
        self.holds_channel = target.is_trunk
        if target.is_trunk:
            exchange.count_trunk(target.label, +1)

    def start(
        self,
        caller: Caller,
        body: Body | None,
        crossed: list[tuple[str, str]],
        max_forwards: int,
        reliable: bool,
        now: float,
    ) -> None:
        """Send the INVITE. `crossed` are the caller's fields that go on; `reliable` offers 100rel."""
        places: tuple[Place, ...] = ()
        if self.target.is_emergency and body is not None:
            body, places = take_apart(body, crossed)
            body = body and speech_only(body)
        settings = self.exchange.settings
        wording = Wording(
            caller, self.local_tag, body, crossed, max_forwards, reliable, settings, places
        )
        self.flow, self.invite = write_invite(self.target, wording)
        self.late_offer = body is None
        self.out_body = body
        self.offer = OfferState.LOCAL_OFFER if body else OfferState.STABLE
        self.started_at = self.sent_at = now
        self.invite_tx = self.exchange.transactions.request(self.invite, self.flow, self, now)

    def cancel(self, now: float, reason: str = "", *, keep_answer: bool = False) -> None:
        """Give the target up, with the CANCEL's Reason. A 200 that still comes is acknowledged and
        hung up, or, with `keep_answer`, reported: the call may have nothing better."""
        if self.branch in (Branch.ANSWERED, Branch.FAILED):
            return
        if not keep_answer:
            self.call = None
        if self.branch is Branch.CANCELLED:
            return
        self.branch = Branch.CANCELLED
        if self.invite_tx is not None:
            self.invite_tx.cancel(now, reason)

    @property
    def is_open(self) -> bool:
        """Whether the target may still answer."""
        return self.branch in (Branch.CALLING, Branch.PROCEEDING, Branch.RINGING)

    @property
    def is_silent(self) -> bool:
        """Whether not even a 100 came."""
        return self.branch is Branch.CALLING

    def answer_prack(self, body: Body | None, now: float) -> None:
        """Send the PRACK that waited for the caller's answer to an offer in an 18x."""
        if self.prack_waits is not None and self.dialog is not None:
            rack, self.prack_waits = self.prack_waits, None
            self._prack(rack, body, now)
            self.offer = OfferState.STABLE

    def end(self, now: float) -> None:
        """The dialog is over: its trunk has a channel more."""
        self._release_channel()
        super().end(now)

    # -- transaction events --------------------------------------------------------------------

    def on_response(self, tx: ClientTransaction, response: Response, now: float) -> None:
        """A response to our INVITE, or to a later request of this leg."""
        if tx is not self.invite_tx:
            if response.cseq.method != "PRACK" or response.status in CHALLENGES:
                super().on_response(tx, response, now)
            return
        status = response.status
        if self.is_trunk and self.branch is Branch.CALLING:
            self.exchange.trunks.answered(self.label, self.flow)
        if status == 100:
            if self.branch is Branch.CALLING:
                self.branch = Branch.PROCEEDING
        elif status < 200:
            self._on_provisional(response, now)
        elif status < 300:
            self.on_2xx(response, now)
        else:
            self._on_refusal(response, now)

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """No final response (Timer B) counts as 408."""
        if tx is self.invite_tx:
            self.exchange.trunks.failed(self.label, self.flow, now)
            self.fail(Fail(408, "unreachable"), now)
        elif (
            tx.method != "PRACK"
        ):  # whose loss ends nothing: the callee minds it, or answers anyway
            super().on_timeout(tx, now)

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """The path is broken: as 503 (§8.1.3.1), or by UDP if only size made us take TCP.

        Not once something came by TCP: the target knows the call already.
        """
        if tx is not self.invite_tx:
            super().on_transport_error(tx, now)
            return
        other_way = self.flow.transport != self.target.flow.transport
        if other_way and self.branch is Branch.CALLING and self.invite is not None:
            self.flow = self.target.flow
            if self.target.place is not None:
                strip_place(self.invite, self.out_body)
            self._send_on(self.flow, now)
            return
        self.exchange.trunks.failed(self.label, self.flow, now)
        self.fail(Fail(503, "unreachable"), now)

    def on_2xx(self, response: Response, now: float) -> None:
        """The first 200 answers; a repeated one gets its ACK again; any other is hung up."""
        tag = response.to_tag or ""
        if self.branch is Branch.ANSWERED:
            assert self.dialog is not None
            if tag != self.dialog.remote_tag:
                self._hang_up_fork(response, tag, now)
            else:
                self._repeat_ack(response)
            return
        invite = self.invite
        if invite is None:
            return
        wanted = self.call is not None
        self.branch = Branch.ANSWERED
        early = self.dialog
        self.dialog = self._dialog_of(invite, response)
        if early is not None:
            self.dialog.local_cseq = max(early.local_cseq, self.dialog.local_cseq)
        self.peer_takes_update = allows_update(response)
        self.state = LegState.CONFIRMED
        body = body_of(response)
        self.in_body = body or self.in_body
        if not wanted:
            self.send_ack(self.dialog, invite.cseq.number, None, now)
            self.disconnect("cancelled", now)
            return
        is_offer = self.late_offer and body is not None and self.offer is OfferState.STABLE
        self.offer = OfferState.REMOTE_OFFER if is_offer else OfferState.STABLE
        if is_offer:
            self.ack_waits = invite.cseq.number
        else:
            self.send_ack(self.dialog, invite.cseq.number, None, now)
        self.session.start(read_answer(response, self.exchange.settings.session_expires_s), now)
        self.invite = None
        self.report(Connect(body, is_offer, self._is_other(tag, body)), now)

    # -- inside --------------------------------------------------------------------------------

    def _dialog_of(self, invite: Request, response: Response) -> Dialog:
        dialog = Dialog.from_response(invite, response, self.local_tag, self.flow)
        if self.is_trunk:
            way.of_carrier(dialog)
        return dialog

    def _send_on(self, flow: Flow, now: float) -> None:
        assert self.invite is not None
        invite = self.invite
        invite.set("Via", via_value(flow))
        invite.set("Contact", contact_value(flow))
        invite.set("CSeq", f"{self.cseq} INVITE")
        self.sent_at = now
        self.invite_tx = self.exchange.transactions.request(invite, flow, self, now)

    def _repair(self, status: int, now: float) -> bool:
        """Ask the same trunk for help once more, without what it refused; a second no is its last."""
        if self.is_repaired or self.invite is None:
            return False
        again = repaired(self.invite, status, self.out_body)
        if again is None:
            return False
        self.is_repaired = True
        self.invite = again
        self._again(now)
        return True

    def _again(self, now: float) -> None:
        """Send the INVITE again as a new transaction with the next CSeq (§8.1.3.5)."""
        self.cseq += 1
        assert self.invite is not None
        self.invite = copy_of(self.invite)
        self.branch = Branch.CALLING
        self.dialog, self.media_tag = None, ""
        self._send_on(self.flow, now)

    def _on_provisional(self, response: Response, now: float) -> None:
        if not self.is_open:
            return
        assert self.invite is not None
        self.branch = Branch.RINGING
        tag = response.to_tag
        if tag and (self.dialog is None or self.dialog.remote_tag != tag):
            self.dialog = self._dialog_of(self.invite, response)
            self.received = None
        self.peer_takes_update = allows_update(response)
        body = body_of(response)
        required = any("100rel" in value for value in response.get_all("Require"))
        is_reliable = required and self.dialog is not None
        is_offer = self._take_reliable(response, body, now) if is_reliable else False
        if is_offer is None:
            return
        self.in_body = body or self.in_body
        is_other = self._is_other(tag or "", body)
        self.report(Ring(response.status, body, is_reliable, is_offer, is_other), now)

    def _is_other(self, tag: str, body: Body | None) -> bool:
        """Whether a body comes from another fork behind the target than the one before."""
        if body is None:
            return False
        before, self.media_tag = self.media_tag, tag
        return before not in ("", tag)

    def _take_reliable(self, response: Response, body: Body | None, now: float) -> bool | None:
        """PRACK a reliable provisional; None when it is a repeated one, else whether it offers."""
        rseq = response.get("RSeq") or ""
        self.received = self.received or ReliableReceiver()
        if not self.received.accept(rseq):
            return None
        rack = f"{rseq} {self.cseq} INVITE"
        if body is not None and self.late_offer and self.offer is OfferState.STABLE:
            self.prack_waits, self.offer = rack, OfferState.REMOTE_OFFER
            return True
        if body is not None:
            self.offer = OfferState.STABLE
        self._prack(rack, None, now)
        return False

    def _prack(self, rack: str, body: Body | None, now: float) -> None:
        assert self.dialog is not None
        request = self.dialog.request("PRACK")
        request.add("RAck", rack)
        if body is not None:
            request.add("Content-Type", body.content_type)
            request.body = body.content
        self.exchange.transactions.request(request, self.dialog.flow, self, now)

    def _on_refusal(self, response: Response, now: float) -> None:
        status = response.status
        if self.branch is Branch.CANCELLED:
            self.fail(Fail(status, "cancelled"), now)
        elif not self._tries_again(response, now):
            contacts = contacts_of(response) if status < 400 else ()
            if status == 503:
                self.exchange.trunks.failed(self.label, self.flow, now)
            key = response.get("X-Vigie-Key") or ""
            self.fail(Fail(status, slug_of(status), contacts, key), now)

    def _tries_again(self, response: Response, now: float) -> bool:
        """Whether the refusal asked for something that we can give, and the INVITE went out again."""
        status = response.status
        if self.target.is_emergency and self._repair(status, now):
            return True
        if status in (401, 407):
            return self._answer_challenge(response, now)
        return status == 422 and self._raise_interval(response, now)

    def _answer_challenge(self, response: Response, now: float) -> bool:
        """Answer a trunk's digest challenge once (§22.2); a phone's is never answered."""
        credentials = self.target.credentials
        if credentials is None or self.challenged or self.invite is None:
            return False
        invite = copy_of(self.invite)
        if not proved(invite, response, credentials):
            return False
        self.challenged, self.invite = True, invite
        self.proofs = (self.cseq + 1, proofs(invite))
        self._again(now)
        return True

    def _raise_interval(self, response: Response, now: float) -> bool:
        assert self.invite is not None
        asked = int((self.invite.get("Session-Expires") or "0").partition(";")[0])
        interval = raised_interval(response, asked)
        if interval is None:
            return False
        self.invite.set("Session-Expires", str(interval))
        self.invite.set("Min-SE", str(interval))
        self._again(now)
        return True

    def _hang_up_fork(self, response: Response, tag: str, now: float) -> None:
        """A proxy behind the target forked: a second answer is acknowledged and ended (§13.2.2.4)."""
        assert self.dialog is not None
        self.forks = self.forks or set()
        fork = Dialog.from_fork(self.dialog, response, self.cseq)
        self.exchange.outbox.send(fork.flow, fork.build("ACK", self.cseq).to_bytes())
        if tag not in self.forks:
            self.forks.add(tag)
            # Nobody's: what becomes of it says nothing about the dialog that goes on.
            self.exchange.transactions.request(fork.request("BYE"), fork.flow, None, now)

    def fail(self, event: Fail, now: float) -> None:
        """The branch is over: tell the call why."""
        if self.branch is Branch.FAILED:
            return
        self.branch = Branch.FAILED
        self._release_channel()
        call, self.call = self.call, None
        self.invite = None
        refuse_pending(self, 487, now)  # an UPDATE in its early dialog
        self.forget()
        if call is not None:
            call.receive(self, event, now)

    def _release_channel(self) -> None:
        if self.holds_channel:
            self.holds_channel = False
            self.exchange.count_trunk(self.target.label, -1)
