from collections import Counter
from itertools import pairwise

import pytest

from switch.clock import Wheel
from switch.registrar.qualify import LOST_AFTER, TICK_S, Qualifier
from switch.registrar.registrar import Registrar
from switch.registrar.wanted import Limits
from switch.sip.build import make_request, make_response
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.outbox import Outbox
from switch.sip.parser import parse
from switch.transaction.transactions import Transactions

SWITCH = ("192.0.2.1", 5060)
INTERVAL_S = 30.0


class Room:
    """A registrar with bindings, asked while time is jumped."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self.now = 1000.0
        self.wheel, self.outbox = Wheel(), Outbox()
        self.transactions = Transactions(self.wheel, self.outbox)
        self.registrar = Registrar(Limits(), self.wheel, self.outbox)
        self.qualifier = Qualifier(self.registrar, self.transactions, self.wheel, interval_s)
        self.sent: list[tuple[Flow, Request]] = []
        self.events: list[tuple[str, object]] = []
        self.mute: set[str] = set()
        self.cseq = 0

    def bind(self, aor: str, transport: str = "UDP", host: str = "10.0.0.5", q: str = "1") -> None:
        """A phone behind NAT: its contact is another address than its packets'."""
        self.cseq += 1
        flow = Flow(transport, SWITCH, ("198.51.100.7", 1024), 7 if transport != "UDP" else 0)
        fields = [
            ("Via", f"SIP/2.0/{transport} {host};branch=z9hG4bK{self.cseq};rport"),
            ("From", f"<sip:{aor}@v>;tag=1"),
            ("To", f"<sip:{aor}@v>"),
            ("Call-ID", f"{aor}{host}"),
            ("CSeq", f"{self.cseq} REGISTER"),
            ("Contact", f"<sip:{aor}@{host}:5062;x=y>;q={q}"),
        ]
        request = make_request("REGISTER", "sip:v", fields)
        assert self.registrar.register(request, flow, aor, self.now, 0.0).status == 200

    def after(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.wheel.next_at()) is not None and at <= end:
            self.now = max(self.now, at)
            self.wheel.fire(self.now)
            self.perform()
        self.now = end

    def perform(self) -> None:
        self.events += [(name, fields.get("aor")) for name, fields in self.outbox.events]
        datagrams = list(self.outbox.datagrams)
        self.outbox.clear()
        for flow, data in datagrams:
            request = parse(data)
            assert isinstance(request, Request)
            self.sent.append((flow, request))
            if request.request_uri.host not in self.mute:
                answer = parse(make_response(request, 404, to_tag="t").to_bytes())
                assert isinstance(answer, Response)
                self.transactions.receive_response(answer, flow, self.now)

    def order(self, aor: str) -> list[str]:
        return [binding.contact.host for binding in self.registrar.bindings(aor, self.now)]


def test_options_go_the_way_of_the_binding_once_an_interval() -> None:
    room = Room()
    room.bind("101")
    room.qualifier.start(room.now)
    room.after(10 * INTERVAL_S)
    assert len(room.sent) == pytest.approx(10, abs=1)
    flow, request = room.sent[0]
    assert (request.method, request.uri) == ("OPTIONS", "sip:101@10.0.0.5:5062;x=y")
    assert flow == Flow("UDP", SWITCH, ("198.51.100.7", 1024))
    assert [name for name, _ in room.events if name in ("binding.lost", "binding.back")] == []
    assert len(room.qualifier) == 0


def test_only_udp_is_asked() -> None:
    room = Room()
    room.bind("101", "TCP")
    room.qualifier.start(room.now)
    room.after(2 * INTERVAL_S)
    assert room.sent == []


def test_off_means_off() -> None:
    room = Room(interval_s=0)
    room.bind("101")
    room.qualifier.start(room.now)
    assert len(room.wheel) == 1  # the binding's own end
    room = Room()
    room.qualifier.start(room.now)
    room.qualifier.stop()
    assert room.wheel.due(room.now + 60) == []


def test_ten_thousand_phones_make_an_even_stream_from_the_start() -> None:
    room = Room()
    for number in range(10_000):
        room.bind(f"{number}")
    room.outbox.clear()
    room.qualifier.start(room.now)
    ticks: Counter[float] = Counter()
    for _ in range(int(INTERVAL_S / TICK_S)):
        room.after(TICK_S)
        ticks[room.now] = len(room.sent)
    assert len(room.sent) == pytest.approx(10_000, rel=0.02)
    counts = [0, *ticks.values()]
    steps = [later - earlier for earlier, later in pairwise(counts)]
    assert max(steps) <= 10_000 * TICK_S / INTERVAL_S + 1
    asked = Counter(request.request_uri.user for _, request in room.sent)
    assert max(asked.values()) == 1


def test_a_silent_phone_is_lost_called_last_and_back() -> None:
    room = Room()
    room.bind("101", host="10.0.0.5")
    room.bind("101", host="10.0.0.6", q="0.5")
    assert room.order("101") == ["10.0.0.5", "10.0.0.6"]
    room.qualifier.start(room.now)
    room.mute = {"10.0.0.5"}
    room.after(LOST_AFTER * 2 * 32 + INTERVAL_S)
    assert room.events.count(("binding.lost", "101")) == 1
    assert room.order("101") == ["10.0.0.6", "10.0.0.5"]  # last, but not removed
    room.mute = set()
    room.after(2 * 32)
    assert room.events.count(("binding.back", "101")) == 1
    assert room.order("101") == ["10.0.0.5", "10.0.0.6"]


def test_one_lost_probe_is_no_lost_phone() -> None:
    room = Room()
    room.bind("101")
    room.qualifier.start(room.now)
    room.mute = {"10.0.0.5"}
    room.after(INTERVAL_S + 33)
    room.mute = set()
    room.after(3 * INTERVAL_S)
    assert ("binding.lost", "101") not in room.events


def test_a_phone_that_registers_again_is_back_at_once() -> None:
    room = Room()
    room.bind("101")
    room.qualifier.start(room.now)
    room.mute = {"10.0.0.5"}
    room.after(LOST_AFTER * 2 * 32 + INTERVAL_S)
    assert ("binding.lost", "101") in room.events
    room.bind("101")
    room.perform()
    assert room.events[-1] == ("binding.back", "101")


def test_the_end_of_a_lost_binding_leaves_nothing() -> None:
    room = Room()
    room.bind("101")
    room.qualifier.start(room.now)
    room.mute = {"10.0.0.5"}
    room.after(3600 + 2 * INTERVAL_S + 64)
    assert len(room.registrar) == 0
    assert (room.registrar._lost, room.qualifier._misses, room.qualifier._pending) == (
        set(),
        {},
        set(),
    )
