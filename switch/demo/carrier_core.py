"""The simulated carrier without its sockets: which call a message is for (RFC 3261 §12, §17). No I/O.

It trusts everybody, registers everybody, and answers numbers by `answers.status_for`. A port can be told
to refuse, as a carrier that fails.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from switch.clock import Wheel
from switch.demo import answers
from switch.demo.carrier_call import CarrierCall, State
from switch.dialog.dialog import contact_value, host_port, via_value
from switch.sip.build import make_request, make_response, stamp_source
from switch.sip.flow import Flow
from switch.sip.ids import new_call_id, new_tag
from switch.sip.message import Request, Response
from switch.sip.outbox import Outbox
from switch.sip.uri import Uri
from switch.transaction.server import ServerTransaction
from switch.transaction.transactions import Transactions

_ALLOW: Final = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, REGISTER"
_SIP_PORT: Final = 5060
_REMEMBERED: Final = 200
"""Ended calls that `demo call` and tests may still ask about."""

Recorder = Callable[[Request, Flow], None]


class CarrierCore:
    """All calls of the carrier. `record` gets every INVITE that is no retransmission."""

    def __init__(self, media_address: tuple[str, int], record: Recorder) -> None:
        self.wheel = Wheel()
        self.outbox = Outbox()
        self.transactions = Transactions(self.wheel, self.outbox)
        self.media_address = media_address
        self.refused: set[int] = set()
        self._record = record
        self._calls: dict[str, CarrierCall] = {}
        self._ended: dict[str, CarrierCall] = {}

    @property
    def calls(self) -> Sequence[CarrierCall]:
        """The calls alive, oldest first."""
        return tuple(self._calls.values())

    def find(self, call_id: str) -> CarrierCall | None:
        """A call alive or lately ended, by its Call-ID."""
        return self._calls.get(call_id) or self._ended.get(call_id)

    def over(self, call: CarrierCall) -> None:
        """The call has ended (Exchange)."""
        self._calls.pop(call.call_id, None)
        self._ended[call.call_id] = call
        while len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def receive(self, message: Request | Response, flow: Flow, now: float) -> None:
        """Take a message that was parsed."""
        if isinstance(message, Response):
            if not self.transactions.receive_response(message, flow, now):
                self._stray(message, now)
            return
        stamp_source(message, flow)
        if message.method == "ACK":
            call = self._calls.get(message.call_id)
            if not self.transactions.receive_ack(message, flow, now) and call is not None:
                call.acknowledged()
            return
        tx = self.transactions.receive_request(message, flow, now)
        if tx is not None:
            self._take(tx, now)

    def flow_closed(self, flow: Flow, now: float) -> None:
        """A connection has gone: its calls live on, and reach the switch by where it listens."""
        self.transactions.transport_failed(flow, now)
        for call in self._calls.values():
            if call.dialog is not None and call.dialog.flow == flow:
                target = Uri.parse(call.dialog.remote_target)
                address = (target.host, target.port or _SIP_PORT)
                call.dialog.flow = Flow(flow.transport, flow.local, address)

    def place(
        self,
        flow: Flow,
        caller: str,
        uri: str,
        headers: Mapping[str, str],
        now: float,
        seconds: float | None = None,
    ) -> CarrierCall:
        """Call `uri` over `flow` as the number `caller`; `headers` are added to the INVITE."""
        call_id = new_call_id()
        identity = f"<sip:{caller}@{host_port(flow.local)}>"
        invite = make_request(
            "INVITE",
            uri,
            [
                ("Via", via_value(flow)),
                ("Max-Forwards", "70"),
                ("From", f"{identity};tag={new_tag()}"),
                ("To", f"<{uri}>"),
                ("Call-ID", call_id),
                ("CSeq", "1 INVITE"),
                ("Contact", contact_value(flow)),
                ("Allow", _ALLOW),
                ("P-Asserted-Identity", identity),
                *headers.items(),
                ("Content-Type", "application/sdp"),
            ],
            answers.offer(self.media_address),
        )
        call = CarrierCall(self, call_id, flow.local[1], uri, "outbound", now)
        self._calls[call_id] = call
        call.place(invite, flow, now, seconds)
        return call

    def _take(self, tx: ServerTransaction, now: float) -> None:
        request = tx.request
        if request.method == "CANCEL":
            self._cancel(tx, now)
        elif request.to_tag is not None:
            self._in_dialog(tx, now)
        elif request.method == "INVITE":
            self._invite(tx, now)
        elif request.method in ("OPTIONS", "REGISTER"):
            status = 503 if tx.flow.local[1] in self.refused else 200
            headers = [
                ("Allow", _ALLOW),
                *(("Contact", value) for value in request.get_all("Contact")),
            ]
            tx.respond(make_response(request, status, to_tag=new_tag(), headers=headers), now)
        else:
            status = 481 if request.method == "BYE" else 405
            tx.respond(
                make_response(request, status, to_tag=new_tag(), headers=[("Allow", _ALLOW)]), now
            )

    def _invite(self, tx: ServerTransaction, now: float) -> None:
        request = tx.request
        self._record(request, tx.flow)
        if tx.flow.local[1] in self.refused:
            tx.respond(make_response(request, 503, to_tag=new_tag()), now)
            return
        if request.call_id in self._calls:  # a merged request (§8.2.2.2)
            tx.respond(make_response(request, 482, to_tag=new_tag()), now)
            return
        call = CarrierCall(self, request.call_id, tx.flow.local[1], request.uri, "inbound", now)
        self._calls[call.call_id] = call
        call.ring(tx, now)

    def _cancel(self, tx: ServerTransaction, now: float) -> None:
        invite = self.transactions.find_invite(tx.request)
        status = 200 if invite is not None else 481
        tx.respond(make_response(tx.request, status, to_tag=new_tag()), now)
        call = (
            self._calls.get(invite.request.call_id) if invite and not invite.is_answered else None
        )
        if call is not None:
            call.cancel(now)

    def _in_dialog(self, tx: ServerTransaction, now: float) -> None:
        request = tx.request
        if request.method == "INVITE":
            self._record(request, tx.flow)
        call = self._calls.get(request.call_id)
        if call is None or call.dialog is None or request.to_tag != call.dialog.local_tag:
            tx.respond(make_response(request, 481, to_tag=None), now)
            return
        call.receive(tx, now)

    def _stray(self, response: Response, now: float) -> None:
        """A 200 to our INVITE, again: its ACK was lost (§13.2.2.4)."""
        call = self._calls.get(response.call_id)
        if call is not None and response.status == 200 and response.cseq.method == "INVITE":
            call.acknowledge()


def describe(call: CarrierCall) -> dict[str, object]:
    """A call as the control socket tells it."""
    return {
        "call_id": call.call_id,
        "port": call.port,
        "direction": call.direction,
        "number": call.number,
        "state": call.state.value,
        "status": call.status,
        "ended": call.state in (State.ENDED, State.REFUSED, State.CANCELLED),
    }
