"""A transaction layer without I/O, whose time is jumped, and messages to feed it."""

from collections.abc import Callable, Sequence

import pytest

from switch.clock import Wheel
from switch.sip.build import make_request, make_response
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.outbox import Outbox
from switch.sip.parser import parse
from switch.transaction import ClientTransaction, ServerTransaction, Transactions

LOCAL = ("127.0.0.1", 5060)
PEER = ("192.0.2.7", 5062)


class User:
    """A transaction user that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def on_response(self, tx: ClientTransaction, response: Response, now: float) -> None:
        if not (response.status == 200 and 200 in self.told):  # a repeated 2xx comes without it
            assert tx.request.method == tx.method
        self.told.append(response.status)

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        assert tx.request.method == tx.method
        self.told.append("timeout")

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        assert tx.request.method == tx.method
        self.told.append("transport error")

    def on_ack_timeout(self, tx: ServerTransaction, now: float) -> None:
        self.told.append("no ACK")


class Wire:
    """The layer, its outbox as a list of first words, and the current time."""

    def __init__(self) -> None:
        self.wheel = Wheel()
        self.outbox = Outbox()
        self.layer = Transactions(self.wheel, self.outbox)
        self.user = User()
        self._told_before = 0
        self.start = self.now = 1000.0
        self.udp = Flow("UDP", LOCAL, PEER)
        self.tcp = Flow("TCP", LOCAL, PEER, 3)

    def request(self, method: str, branch: str = "z9hG4bK1", **change: str) -> Request:
        to = change.get("to", "<sip:102@example.com>")
        via = change.get("via", f"SIP/2.0/UDP 192.0.2.7:5062;rport;branch={branch}")
        headers = [
            ("Via", via),
            ("Max-Forwards", "70"),
            ("From", f"<sip:101@example.com>;tag={change.get('from_tag', 'f')}"),
            ("To", to),
            ("Call-ID", change.get("call_id", "call@example.com")),
            ("CSeq", f"{change.get('cseq', '1')} {change.get('cseq_method', method)}"),
        ]
        return make_request(method, change.get("uri", "sip:102@example.com"), headers)

    def response(self, request: Request, status: int, tag: str = "t") -> Response:
        return make_response(request, status, to_tag=tag)

    def sent(self) -> list[str]:
        """What was sent since the last call: "INVITE", "180", …"""
        words = []
        for _, data in self.outbox.datagrams:
            message = parse(data)
            words.append(message.method if isinstance(message, Request) else str(message.status))
        self.outbox.clear()
        return words

    def sent_message(self) -> Request | Response:
        [(_, data)] = self.outbox.datagrams
        self.outbox.clear()
        return parse(data)

    def told(self) -> list[object]:
        told = self.user.told[self._told_before :]
        self._told_before = len(self.user.told)
        return told

    def fire(self, until: float) -> None:
        """Jump from timer to timer up to `until` seconds after the start."""
        end = self.start + until
        while (at := self.wheel.next_at()) is not None and at <= end:
            self.now = max(self.now, at)
            self.wheel.fire(self.now)
        self.now = end

    def times(self, until: float, what: Callable[[], Sequence[object]]) -> list[float]:
        """When, from the start, a timer led to something that `what` returns."""
        end, seen = self.start + until, []
        while (at := self.wheel.next_at()) is not None and at <= end:
            self.now = at
            self.wheel.fire(at)
            seen += [round(at - self.start, 6) for _ in what()]
        self.now = end
        return seen

    def is_clean(self) -> bool:
        """Whether no transaction and no timer is left."""
        layer = self.layer
        return not (len(layer) or len(self.wheel) or layer._streams)


@pytest.fixture
def wire() -> Wire:
    return Wire()
