"""Server transactions (RFC 3261 §17.2, RFC 6026 §7.1), and where responses go (§18.2.2).

The tables are in machines.py; here is what their actions do. The user answers with `respond`; a
2xx to an INVITE is retransmitted by the user (§13.3.1.4), for which `retransmit` keeps its bytes
until `acknowledged`.

Memory: the request is given back with the final response, the owner when nothing can be told to it
any more. Deliberately absent: multicast (`maddr`), and the choice of a new connection when a
stream has closed (the transport's).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from switch.clock import Timer
from switch.sip.build import make_response
from switch.sip.errors import LocalProtocolError
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.transaction.machines import (
    INVITE_SERVER,
    NON_INVITE_SERVER,
    Action,
    Event,
    State,
    bind,
    response_event,
    timer_event,
)

if TYPE_CHECKING:
    from switch.transaction.transactions import ServerKey, Transactions


class ServerOwner(Protocol):
    """The transaction user of an INVITE server transaction, as far as it is told anything."""

    def on_ack_timeout(self, tx: "ServerTransaction", now: float) -> None:
        """No ACK came for the 300-699 that was sent (timer H)."""


class ServerTransaction:
    """One request that we received. `state` is read-only for others; `owner` is theirs to set."""

    __slots__ = (
        "_interval",
        "_layer",
        "_limit",
        "_machine",
        "_reply_flow",
        "_request",
        "_retry",
        "_to_tag",
        "_wire",
        "flow",
        "key",
        "method",
        "owner",
        "state",
    )

    def __init__(
        self, layer: "Transactions", key: "ServerKey", request: Request, flow: Flow, now: float
    ) -> None:
        """Belongs to Transactions.receive_request."""
        method = request.method
        self.method = method
        self._layer = layer
        self.key = key
        self.flow = flow
        self._reply_flow = flow if flow.is_reliable else _reply_flow(request, flow)
        self.owner: ServerOwner | None = None
        self._request: Request | None = request
        self._wire: bytes | None = None
        self._to_tag: str | None = None
        self._interval = layer.timings.t1
        self._retry: Timer | None = None
        self._limit: Timer | None = None
        if method == "INVITE":
            self.state = State.Proceeding
            self._machine = _INVITE
            self._limit = layer.wheel.arm(now + layer.timings.trying, self, "trying")
        else:
            self.state = State.Trying
            self._machine = _NON_INVITE

    @property
    def request(self) -> Request:
        """The request; given back with the final response (LocalProtocolError then)."""
        if self._request is None:
            raise LocalProtocolError(f"{self.method} was given back in {self.state.value}")
        return self._request

    @property
    def is_answered(self) -> bool:
        """Whether a final response was sent, so that no other may be."""
        return self.state is not State.Proceeding and self.state is not State.Trying

    def respond(self, response: Response, now: float) -> None:
        """Send a response. LocalProtocolError when the machine forbids it: a second answer."""
        row = self._machine[self.state].get(response_event(response.status))
        if row is None:
            raise LocalProtocolError(f"{response.status} to {self.method} in {self.state.value}")
        self.state = row[0]
        self._layer.responses_sent[response.status] += 1
        row[1](self, now, response)

    def respond_and_forget(self, response: Response, now: float) -> None:
        """Send a final response as a stateless server does (§8.2.7): it isn't repeated, nothing waits for
        its ACK, and a repetition of the request is a new one."""
        if self.is_answered:
            raise LocalProtocolError(f"{response.status} to {self.method} in {self.state.value}")
        self._layer.responses_sent[response.status] += 1
        self._send(now, response)
        self._end(now, None)

    @property
    def wire(self) -> bytes:
        """The last response as it went out; empty before the first and once given back."""
        return self._wire or b""

    def retransmit(self) -> None:
        """Send the 2xx to an INVITE again, as its user must until the ACK (RFC 3261 §13.3.1.4)."""
        if self.state is State.Accepted and self._wire is not None:
            self._layer.retransmitted += 1
            self._layer.outbox.send(self._reply_flow, self._wire)

    def acknowledged(self) -> None:
        """The 2xx to an INVITE was acknowledged, or given up: give its bytes back."""
        if self.state is State.Accepted:
            self._wire = None

    def receive(self, now: float) -> None:
        """Take a retransmission of the request."""
        self._layer.absorbed += 1
        self._step(Event.REQUEST, now)

    def receive_ack(self, request: Request, now: float) -> bool:
        """Take an ACK that matches; False when it isn't for a 300-699 of ours."""
        if self.state is State.Accepted or self.state is State.Proceeding:
            return False
        if len(self.key) > 4 and request.to_tag != self._to_tag:
            return (
                False  # §17.2.3 without the magic cookie: the To tag must be that of our response
            )
        return self._step(Event.ACK, now)

    def on_timer(self, name: str, now: float) -> None:
        """Act on a timer of this transaction (Timed)."""
        self._step(timer_event(name), now)

    def _step(self, event: Event, now: float) -> bool:
        row = self._machine[self.state].get(event)
        if row is None:
            self._layer.ignored += 1
            return False
        self.state = row[0]
        row[1](self, now, None)
        return True

    # Actions: what the rows of the tables do

    def _ignore(self, _now: float, _response: Response | None) -> None:
        """Nothing to do."""

    def _send(self, _now: float, response: Response | None) -> None:
        if response is not None:
            if self._limit is not None and self.state is State.Proceeding:
                self._limit.cancel()
                self._limit = None
            self._wire = response.to_bytes()
            self._layer.outbox.send(self._reply_flow, self._wire)

    def _send_trying(self, now: float, _response: Response | None) -> None:
        self._limit = None
        self._send(now, make_response(self.request, 100, to_tag=None))

    def _resend(self, _now: float, _response: Response | None) -> None:
        if self._wire is not None:
            self._layer.retransmitted += 1
            self._layer.outbox.send(self._reply_flow, self._wire)

    def _resend_doubling(self, now: float, _response: Response | None) -> None:
        self._interval = min(2 * self._interval, self._layer.timings.t2)
        self._resend(now, None)
        self._retry = self._layer.wheel.arm(now + self._interval, self, "G")

    def _send_accepted(self, now: float, response: Response | None) -> None:
        self._answer(now, response)
        self.owner = (
            None  # RFC 6026 has nothing more to tell it: timer L ends the transaction silently
        )
        self._limit = self._layer.wheel.arm(now + self._layer.transaction_timeout, self, "L")

    def _send_rejected(self, now: float, response: Response | None) -> None:
        if len(self.key) > 4 and response is not None:
            self._to_tag = response.to_tag
        self._answer(now, response)
        layer = self._layer
        self._limit = layer.wheel.arm(now + layer.transaction_timeout, self, "H")
        if not self.flow.is_reliable:
            self._retry = layer.wheel.arm(now + self._interval, self, "G")

    def _send_final(self, now: float, response: Response | None) -> None:
        self._answer(now, response)
        self.owner = None
        if self.flow.is_reliable:
            self._end(now, None)
        else:
            self._limit = self._layer.wheel.arm(now + self._layer.transaction_timeout, self, "J")

    def _answer(self, now: float, response: Response | None) -> None:
        """Send the final response and give the request back."""
        self._stop_timers()
        self._send(now, response)
        self._request = None

    def _confirm(self, now: float, _response: Response | None) -> None:
        self._stop_timers()
        self.owner = None
        self._wire = None
        if self.flow.is_reliable:
            self._end(now, None)
        else:
            self._limit = self._layer.wheel.arm(now + self._layer.timings.t4, self, "I")

    def _give_up_ack(self, now: float, _response: Response | None) -> None:
        owner = self.owner
        self._end(now, None)
        if owner is not None:
            owner.on_ack_timeout(self, now)

    def _end(self, _now: float, _response: Response | None) -> None:
        self.state = State.Terminated
        self._stop_timers()
        self._wire = None
        self._request = None
        self.owner = None
        self._layer.forget_server(self)

    def _stop_timers(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


def _reply_flow(request: Request, flow: Flow) -> Flow:
    """Return where responses to a request over UDP go (§18.2.2, RFC 3581 §4).

    To its source when it has rport. Without, to the port of its sent-by, unless the address in the
    sent-by isn't the source's: a NAT is between us then, and only the source port passes it.
    """
    via = request.via
    if via.has_rport or via.host != flow.remote[0]:
        return flow
    port = via.port or 5060
    return flow if port == flow.remote[1] else flow._replace(remote=(flow.remote[0], port))


_Perform = Callable[[ServerTransaction, float, Response | None], None]
_ACTIONS: Final[dict[Action, _Perform]] = {
    Action.IGNORE: ServerTransaction._ignore,
    Action.END: ServerTransaction._end,
    Action.SEND: ServerTransaction._send,
    Action.SEND_ACCEPTED: ServerTransaction._send_accepted,
    Action.SEND_REJECTED: ServerTransaction._send_rejected,
    Action.SEND_FINAL: ServerTransaction._send_final,
    Action.SEND_TRYING: ServerTransaction._send_trying,
    Action.RESEND: ServerTransaction._resend,
    Action.RESEND_DOUBLING: ServerTransaction._resend_doubling,
    Action.CONFIRM: ServerTransaction._confirm,
    Action.GIVE_UP_ACK: ServerTransaction._give_up_ack,
}
_INVITE: Final = bind(INVITE_SERVER, _ACTIONS)
_NON_INVITE: Final = bind(NON_INVITE_SERVER, _ACTIONS)
