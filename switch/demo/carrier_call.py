"""One call at the simulated carrier, coming from the switch or placed towards it. No I/O.

A plain UAS and UAC (RFC 3261 §13, §15): it rings, answers, retransmits its 200 until the ACK, takes
re-INVITEs and ends on BYE. It depends on nothing that the switch remembers, so a switch that restarts
finds its calls as they were.

Deliberately absent: 100rel, session timers and everything else that isn't needed to be called.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from switch.clock import Timer, Wheel
from switch.demo import answers
from switch.dialog.dialog import Dialog, contact_value
from switch.sip.build import make_response
from switch.sip.flow import Flow
from switch.sip.ids import new_tag
from switch.sip.message import Request, Response
from switch.sip.outbox import Outbox
from switch.transaction.client import ClientTransaction
from switch.transaction.server import ServerTransaction
from switch.transaction.transactions import Transactions

RING_S: Final = 0.2
"""From 180 to 200: long enough to be seen in a ladder, short enough for a test."""
LONGEST_S: Final = 4 * 3600.0
"""A call whose switch never came back ends by itself."""


class State(Enum):
    """Where a call stands; the last three are final."""

    RINGING = "ringing"
    ANSWERED = "answered"
    CONNECTED = "connected"
    ENDED = "ended"
    REFUSED = "refused"
    CANCELLED = "cancelled"


_FINAL: Final = frozenset({State.ENDED, State.REFUSED, State.CANCELLED})


class Exchange(Protocol):
    """What a call needs of the carrier."""

    @property
    def transactions(self) -> Transactions:
        """The transaction layer."""

    @property
    def wheel(self) -> Wheel:
        """Where timers are armed."""

    @property
    def outbox(self) -> Outbox:
        """Where datagrams go."""

    @property
    def media_address(self) -> tuple[str, int]:
        """Where audio is sent back from."""

    def over(self, call: "CarrierCall") -> None:
        """The call has ended and can be let go."""


@dataclass(slots=True, eq=False)
class CarrierCall:
    """One call. `number` is the other party as written in the Request-URI; `status` the final status."""

    exchange: Exchange
    call_id: str
    port: int
    number: str
    direction: str
    started: float
    state: State = State.RINGING
    status: int = 0
    dialog: Dialog | None = None
    _tag: str = ""
    _invite: ServerTransaction | None = None
    _sent: ClientTransaction | None = None
    _timer: Timer | None = None
    _limit: Timer | None = None
    _interval: float = 0.0
    _sdp_version: int = 0
    _answered_at: float = 0.0

    # -- called by the switch ---------------------------------------------------------------------

    def ring(self, tx: ServerTransaction, now: float) -> None:
        """Take a new INVITE: refuse it, or ring and answer a little later."""
        request = tx.request
        self._tag = new_tag()
        self._invite = tx
        status = answers.status_for(request.uri)
        if status is not None and status != 200:
            self._refuse(status, now)
            return
        # A caller that requires 100rel gets no provisional response: ours are never reliable.
        if "100rel" not in (request.get("Require") or ""):
            tx.respond(
                make_response(request, 180, to_tag=self._tag, headers=self._contact(tx)), now
            )
        if status == 200:
            self._timer = self.exchange.wheel.arm(now + RING_S, self, "answer")

    def _answer(self, now: float) -> None:
        tx = self._invite
        if tx is None or tx.is_answered:
            return
        request = tx.request
        body = self._local_sdp(request.body)
        if body is None:
            self._refuse(488, now)
            return
        self.dialog = Dialog.from_invite(request, self._tag, tx.flow)
        self.state, self.status, self._answered_at = State.ANSWERED, 200, now
        headers = [*self._contact(tx), ("Content-Type", "application/sdp")]
        tx.respond(make_response(request, 200, to_tag=self._tag, headers=headers, body=body), now)
        self._interval = self.exchange.transactions.timings.t1
        self._timer = self.exchange.wheel.arm(now + self._interval, self, "retransmit")
        self._limit = self.exchange.wheel.arm(now + LONGEST_S, self, "limit")

    def cancel(self, now: float) -> None:
        """The CANCEL of the INVITE came (§9.2)."""
        tx = self._invite
        if tx is not None and not tx.is_answered:
            self._refuse(487, now)
            self.state = State.CANCELLED

    def _refuse(self, status: int, now: float) -> None:
        if self._invite is not None:
            response = make_response(self._invite.request, status, to_tag=self._tag)
            self._invite.respond(response, now)
        self.status = status
        self._finish(State.REFUSED)

    # -- placed by the carrier --------------------------------------------------------------------

    def place(self, invite: Request, flow: Flow, now: float, seconds: float | None) -> None:
        """Send `invite`; hang up by ourselves `seconds` after the answer, None = never."""
        self._tag = invite.from_tag or ""
        self._interval = seconds if seconds is not None else LONGEST_S
        self._sent = self.exchange.transactions.request(invite, flow, self, now)

    def on_response(self, tx: ClientTransaction, response: Response, now: float) -> None:
        """A response to our INVITE (ClientOwner)."""
        if response.status < 200:
            return
        if response.status >= 300:
            self.status = response.status
            self._finish(State.CANCELLED if response.status == 487 else State.REFUSED)
            return
        if self.dialog is None:
            self.dialog = Dialog.from_response(tx.request, response, self._tag, tx.flow)
            self.status, self._answered_at = 200, now
            self._limit = self.exchange.wheel.arm(now + self._interval, self, "limit")
        self.acknowledge()
        if self.state is State.RINGING:
            self.state = State.CONNECTED
        elif self.state in _FINAL:
            self._send_bye(now)

    def on_timeout(self, _: ClientTransaction, now: float) -> None:
        """No answer to our INVITE (ClientOwner)."""
        self.status = 408
        self._finish(State.REFUSED)

    def on_transport_error(self, _: ClientTransaction, now: float) -> None:
        """The switch is not there (ClientOwner)."""
        self.status = 503
        self._finish(State.REFUSED)

    def acknowledge(self) -> None:
        """ACK to a 2xx: outside any transaction (§13.2.2.4)."""
        if self.dialog is not None:
            ack = self.dialog.build("ACK", 1)
            self.exchange.outbox.send(self.dialog.flow, ack.to_bytes())

    # -- in the dialog ----------------------------------------------------------------------------

    def acknowledged(self) -> None:
        """The ACK to our 200 came."""
        if self._invite is not None:
            self._invite.acknowledged()
        self._stop_timer()
        if self.state is State.ANSWERED:
            self.state = State.CONNECTED

    def receive(self, tx: ServerTransaction, now: float) -> None:
        """Take a request in the dialog."""
        dialog, request = self.dialog, tx.request
        if dialog is None or not dialog.accept_cseq(request):
            tx.respond(
                make_response(request, 481 if dialog is None else 500, to_tag=self._tag), now
            )
            return
        match request.method:
            case "BYE":
                tx.respond(make_response(request, 200, to_tag=self._tag), now)
                self._finish(State.ENDED)
            case "INVITE" | "UPDATE":
                self._renegotiate(dialog, tx, now)
            case "INFO" | "OPTIONS" | "MESSAGE" | "NOTIFY" | "PRACK":
                tx.respond(make_response(request, 200, to_tag=self._tag), now)
            case _:
                allow = [("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO")]
                tx.respond(make_response(request, 405, to_tag=self._tag, headers=allow), now)

    def _renegotiate(self, dialog: Dialog, tx: ServerTransaction, now: float) -> None:
        request = tx.request
        dialog.flow = tx.flow  # a switch that restarted comes by a new connection
        dialog.refresh_target(request)
        headers = self._contact(tx)
        body: bytes | None = b""
        if request.body or request.method == "INVITE":
            body = self._local_sdp(request.body)
            headers.append(("Content-Type", "application/sdp"))
        if body is None:
            tx.respond(make_response(request, 488, to_tag=self._tag), now)
            return
        tx.respond(make_response(request, 200, to_tag=self._tag, headers=headers, body=body), now)
        if request.method == "INVITE":
            self._stop_timer()
            self._invite = tx
            self._interval = self.exchange.transactions.timings.t1
            self._answered_at = now
            self._timer = self.exchange.wheel.arm(now + self._interval, self, "retransmit")

    def hang_up(self, now: float) -> None:
        """End the call from our side, wherever it stands."""
        if self._sent is not None and self.dialog is None:
            self._sent.cancel(now)
        elif self.dialog is not None:
            self._send_bye(now)
            self._finish(State.ENDED)
        else:
            self._refuse(480, now)

    def _send_bye(self, now: float) -> None:
        if self.dialog is not None:
            bye = self.dialog.request("BYE")
            self.exchange.transactions.request(bye, self.dialog.flow, None, now)

    # -- time -------------------------------------------------------------------------------------

    def on_timer(self, name: str, now: float) -> None:
        """Act on a timer of this call (Timed)."""
        match name:
            case "answer":
                self._answer(now)
            case "retransmit":
                self._retransmit(now)
            case _:
                self.hang_up(now)

    def _retransmit(self, now: float) -> None:
        """The 200 again, until 64*T1 without ACK (§13.3.1.4)."""
        timings = self.exchange.transactions.timings
        if self._invite is None or now - self._answered_at >= timings.transaction_timeout:
            self.hang_up(now)
            return
        self._invite.retransmit()
        self._interval = min(2 * self._interval, timings.t2)
        self._timer = self.exchange.wheel.arm(now + self._interval, self, "retransmit")

    def _finish(self, state: State) -> None:
        if self.state in _FINAL:
            return
        self.state = state
        self._stop_timer()
        if self._limit is not None:
            self._limit.cancel()
        self._invite = None
        self._sent = None
        self.exchange.over(self)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _contact(self, tx: ServerTransaction) -> list[tuple[str, str]]:
        return [("Contact", contact_value(tx.flow)), ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS")]

    def _local_sdp(self, offered: bytes) -> bytes | None:
        """Our answer, or our offer if there was none; None when nothing fits."""
        self._sdp_version += 1
        if not offered:
            return answers.offer(self.exchange.media_address, self._sdp_version)
        return answers.answer(offered, self.exchange.media_address, self._sdp_version)
