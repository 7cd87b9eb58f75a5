"""Client transactions, INVITE and other (RFC 3261 §17.1, RFC 6026 §7.2, CANCEL of §9.1).

The tables are in machines.py; here is what their actions do. The request must carry a top Via with
a branch of its own when it arrives; ACK to 300-699 and CANCEL are built here, ACK to 2xx never
(§13.2.2.4).

Memory: the request, the bytes and the owner are let go as soon as the machine can't need them,
since a completed transaction lingers for up to 32 s. Deliberately absent: choosing a transport
(§18.1.1), DNS.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from switch.clock import Timer
from switch.sip.build import make_ack_non2xx, make_cancel
from switch.sip.errors import LocalProtocolError
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.transaction.machines import (
    INVITE_CLIENT,
    NON_INVITE_CLIENT,
    Action,
    Event,
    State,
    bind,
    response_event,
    timer_event,
)

if TYPE_CHECKING:
    from switch.transaction.transactions import Transactions


class ClientOwner(Protocol):
    """The transaction user of a client transaction. It is let go after the last of these calls."""

    def on_response(self, tx: "ClientTransaction", response: Response, now: float) -> None:
        """Each provisional response, then the final one; to an INVITE each 2xx, repeated or not."""

    def on_timeout(self, tx: "ClientTransaction", now: float) -> None:
        """No final response in time (§8.1.3.1: as a 408), or none in 64*T1 after CANCEL."""

    def on_transport_error(self, tx: "ClientTransaction", now: float) -> None:
        """The request can't be sent, or its connection is gone (§8.1.3.1 treats it as a 503)."""


class ClientTransaction:
    """One request that we sent. `state` is read-only for others; its owner may clear `owner`."""

    __slots__ = (
        "_cancel_waits",
        "_cancelled",
        "_interval",
        "_layer",
        "_limit",
        "_machine",
        "_reason",
        "_request",
        "_retry",
        "_wire",
        "flow",
        "key",
        "owner",
        "state",
    )

    def __init__(
        self,
        layer: "Transactions",
        key: tuple[str, str],
        request: Request,
        flow: Flow,
        owner: ClientOwner | None,
    ) -> None:
        """Belongs to Transactions.request, which calls start next."""
        self._layer = layer
        self.key = key
        self._request: Request | None = request
        self.flow = flow
        self.owner = owner
        self._wire: bytes | None = None
        self._retry: Timer | None = None
        self._limit: Timer | None = None
        self._interval = layer.timings.t1
        self._cancel_waits = False
        self._cancelled = False
        self._reason = ""
        if key[1] == "INVITE":
            self.state = State.Calling
            self._machine = _INVITE
        else:
            self.state = State.Trying
            self._machine = _NON_INVITE

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.key[1]

    @property
    def request(self) -> Request:
        """The request, until the owner was told the first final outcome (then LocalProtocolError).

        A repeated 2xx to an INVITE comes without it: the dialog has what ACK and BYE need.
        """
        if self._request is None:
            raise LocalProtocolError(f"{self.key[1]} was given back in {self.state.value}")
        return self._request

    def start(self, now: float) -> None:
        """Send the request and arm timers A and B, or E and F (§17.1.1.2, §17.1.2.2)."""
        layer = self._layer
        wire = self.request.to_bytes()
        layer.outbox.send(self.flow, wire)
        invite = self.key[1] == "INVITE"
        if not self.flow.is_reliable:
            self._wire = wire
            self._retry = layer.wheel.arm(now + self._interval, self, "A" if invite else "E")
        self._limit = layer.wheel.arm(now + layer.transaction_timeout, self, "B" if invite else "F")

    def cancel(self, now: float, reason: str = "") -> None:
        """Cancel an INVITE (§9.1): at once when it was answered provisionally, else when it is.

        `reason` is the CANCEL's Reason (RFC 3326), "" for none.
        Without effect after a final response, or the second time. LocalProtocolError for another
        method.
        """
        self._reason = reason
        if self.step(Event.CANCEL, now, None) is False:
            raise LocalProtocolError(f"{self.key[1]} can't be cancelled (RFC 3261 §9.1)")

    def receive(self, response: Response, now: float) -> bool:
        """Take a response that matches; False for a 2xx that only its dialog can deal with."""
        event = response_event(response.status)
        followed = self.step(event, now, response)
        if not followed:
            self._layer.ignored += 1
        if event is Event.RESPONSE_2XX and self._machine is _INVITE:
            # Without a row: a 2xx after a failure, from another branch of a forking proxy (§16.7).
            return followed and self.owner is not None
        return True

    def on_timer(self, name: str, now: float) -> None:
        """Act on a timer of this transaction (Timed)."""
        self.step(timer_event(name), now, None)

    def fail(self, now: float) -> None:
        """The transport can't send this request, or has lost its connection."""
        if not self.step(Event.TRANSPORT_ERROR, now, None):
            self._layer.ignored += 1

    def step(self, event: Event, now: float, response: Response | None) -> bool:
        """Follow the table; False when it has no row for `event`."""
        row = self._machine[self.state].get(event)
        if row is None:
            return False
        self.state = row[0]
        row[1](self, now, response)
        return True

    # Actions: what the rows of the tables do

    def _ignore(self, _now: float, _response: Response | None) -> None:
        """Nothing to do."""

    def _retransmit(self, now: float, name: str) -> None:
        if self._wire is not None:
            layer = self._layer
            layer.retransmitted += 1
            layer.outbox.send(self.flow, self._wire)
            self._retry = layer.wheel.arm(now + self._interval, self, name)

    def _retransmit_doubling(self, now: float, _response: Response | None) -> None:
        self._interval *= 2
        self._retransmit(now, "A")

    def _retransmit_capped(self, now: float, _response: Response | None) -> None:
        self._interval = min(2 * self._interval, self._layer.timings.t2)
        self._retransmit(now, "E")

    def _retransmit_at_t2(self, now: float, _response: Response | None) -> None:
        self._interval = self._layer.timings.t2
        self._retransmit(now, "E")

    def _deliver(self, now: float, response: Response | None) -> None:
        owner = self.owner
        if owner is not None and response is not None:
            owner.on_response(self, response, now)

    def _provisional(self, now: float, response: Response | None) -> None:
        self._stop_timers()
        self._wire = None
        self._deliver(now, response)
        if self._cancel_waits and self.state is State.Proceeding:
            self._send_cancel(now, None)

    def _accept(self, now: float, response: Response | None) -> None:
        self._stop_timers()
        self._wire = None
        self._limit = self._layer.wheel.arm(now + self._layer.transaction_timeout, self, "M")
        self._deliver(now, response)
        self._request = None

    def _acknowledge(self, now: float, response: Response | None) -> None:
        self._stop_timers()
        layer = self._layer
        if response is not None:
            self._wire = make_ack_non2xx(self.request, response).to_bytes()
            layer.outbox.send(self.flow, self._wire)
        wait = 0.0 if self.flow.is_reliable else layer.timings.wait_for_responses
        self._linger(now, response, wait, "D")

    def _acknowledge_again(self, _now: float, _response: Response | None) -> None:
        if self._wire is not None:
            self._layer.outbox.send(self.flow, self._wire)

    def _complete(self, now: float, response: Response | None) -> None:
        self._stop_timers()
        self._wire = None
        self._linger(now, response, 0.0 if self.flow.is_reliable else self._layer.timings.t4, "K")

    def _linger(self, now: float, response: Response | None, seconds: float, timer: str) -> None:
        """Stay to absorb repeated final responses, if there can be any; then pass this one up."""
        if seconds > 0.0:
            self._limit = self._layer.wheel.arm(now + seconds, self, timer)
        else:
            self.state = State.Terminated
            self._leave()
        self._deliver(now, response)
        self._request = None
        self.owner = None

    def _defer_cancel(self, _now: float, _response: Response | None) -> None:
        self._cancel_waits = True

    def _send_cancel(self, now: float, _response: Response | None) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        layer = self._layer
        self._limit = layer.wheel.arm(now + layer.transaction_timeout, self, "cancel")
        cancel = make_cancel(self.request)
        if self._reason:
            cancel.add("Reason", self._reason)
        layer.request(cancel, self.flow, None, now)

    def _time_out(self, now: float, _response: Response | None) -> None:
        self._leave()
        if self.owner is not None:
            self.owner.on_timeout(self, now)
        self._end(now, None)

    def _fail(self, now: float, _response: Response | None) -> None:
        self._leave()
        if self.owner is not None:
            self.owner.on_transport_error(self, now)
        self._end(now, None)

    def _end(self, _now: float, _response: Response | None) -> None:
        self._leave()
        self._request = None
        self.owner = None

    def _leave(self) -> None:
        """Out of the tables, timers and bytes dropped: nothing reaches it any more."""
        self._stop_timers()
        self._wire = None
        self._layer.forget_client(self)

    def _stop_timers(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


_Perform = Callable[[ClientTransaction, float, Response | None], None]
_ACTIONS: Final[dict[Action, _Perform]] = {
    Action.IGNORE: ClientTransaction._ignore,
    Action.END: ClientTransaction._end,
    Action.RETRANSMIT_DOUBLING: ClientTransaction._retransmit_doubling,
    Action.RETRANSMIT_CAPPED: ClientTransaction._retransmit_capped,
    Action.RETRANSMIT_AT_T2: ClientTransaction._retransmit_at_t2,
    Action.PROVISIONAL: ClientTransaction._provisional,
    Action.DELIVER: ClientTransaction._deliver,
    Action.ACCEPT: ClientTransaction._accept,
    Action.ACKNOWLEDGE: ClientTransaction._acknowledge,
    Action.ACKNOWLEDGE_AGAIN: ClientTransaction._acknowledge_again,
    Action.COMPLETE: ClientTransaction._complete,
    Action.DEFER_CANCEL: ClientTransaction._defer_cancel,
    Action.SEND_CANCEL: ClientTransaction._send_cancel,
    Action.TIME_OUT: ClientTransaction._time_out,
    Action.FAIL: ClientTransaction._fail,
}
_INVITE: Final = bind(INVITE_CLIENT, _ACTIONS)
_NON_INVITE: Final = bind(NON_INVITE_CLIENT, _ACTIONS)
