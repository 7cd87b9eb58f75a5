"""Carriers without sockets: registration, health, several next hops, recognition. Time is jumped."""

from dataclasses import replace

import pytest

from switch.clock import Wheel
from switch.routing.carrier import Carrier
from switch.routing.target import Credentials
from switch.sip.build import make_request, make_response
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.outbox import Outbox
from switch.sip.parser import parse
from switch.transaction.transactions import Transactions
from switch.trunk.build import probing_s
from switch.trunk.next_hop import AVOIDED_S
from switch.trunk.registration import Account, contact_token
from switch.trunk.registration_machine import TABLE, Event, State, step
from switch.trunk.settings import TrunkSettings
from switch.trunk.trunk import Reach, Trunk
from switch.trunk.trunks import Trunks

LOCAL = ("127.0.0.1", 5060)
A, B = Flow("UDP", LOCAL, ("192.0.2.1", 5060)), Flow("UDP", LOCAL, ("192.0.2.2", 5060))
TOKEN = contact_token(b"key", "t")
ACCOUNT = Account("t", "sip:0199@carrier.example", Credentials("u", "secret"), 600, TOKEN)
CHALLENGE = ("WWW-Authenticate", 'Digest realm="c", nonce="n1", algorithm=SHA-256, qop="auth"')
CARRIER = Carrier("t", "carrier.example", A)


class Bench:
    """One trunk, and the carrier's part played by the test."""

    def __init__(self, *, ping_s: float = 0, reach: Reach = Reach()) -> None:  # noqa: B008 (frozen)
        self.now = 1000.0
        self.wheel, self.outbox = Wheel(), Outbox()
        self.layer = Transactions(self.wheel, self.outbox)
        self.trunk = Trunk(
            CARRIER, ping_s, self.wheel, self.layer, self.outbox, reach, draw=lambda: 0.0
        )
        self.trunks = Trunks([self.trunk])

    def sent(self) -> list[tuple[Flow, Request]]:
        """What was sent since the last call, without retransmissions."""
        found = []
        for flow, data in dict.fromkeys(self.outbox.datagrams):
            message = parse(data)
            assert isinstance(message, Request)
            found.append((flow, message))
        self.outbox.datagrams.clear()
        return found

    def one(self, method: str) -> tuple[Flow, Request]:
        [(flow, request)] = self.sent()
        assert request.method == method
        return flow, request

    def answer(self, sent: tuple[Flow, Request], status: int, *headers: tuple[str, str]) -> None:
        response = make_response(sent[1], status, to_tag="t", headers=headers)
        self.layer.receive_response(response, sent[0], self.now)

    def jump(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.wheel.next_at()) is not None and at <= end:
            self.now = max(self.now, at)
            self.wheel.fire(self.now)
        self.now = end

    def notes(self) -> list[str]:
        names = [name for name, _ in self.outbox.events]
        self.outbox.events.clear()
        return names

    def registered(self) -> "Bench":
        self.trunk.start(self.now)
        self.answer(self.one("REGISTER"), 200, ("Expires", "600"))
        self.notes()
        return self


@pytest.fixture
def bench() -> Bench:
    return Bench(reach=Reach(account=ACCOUNT))


def state(bench: Bench) -> str:
    return bench.trunk.reading(bench.now).registration


def test_register_is_challenged_answered_and_refreshed_before_expiry(bench: Bench) -> None:
    bench.trunk.start(bench.now)
    first = bench.one("REGISTER")
    assert first[1].uri == "sip:carrier.example"
    assert first[1].get("Contact") == f"<sip:{TOKEN}@127.0.0.1:5060>"
    assert not first[1].has("Authorization")
    bench.answer(first, 401, CHALLENGE)
    second = bench.one("REGISTER")
    assert "secret" not in (second[1].get("Authorization") or "")
    assert second[1].call_id == first[1].call_id
    assert second[1].cseq.number == first[1].cseq.number + 1
    bench.answer(second, 200, ("Contact", f"<sip:{TOKEN}@127.0.0.1>;expires=300"))
    assert state(bench) == "registered"
    assert bench.notes() == ["trunk.registered"]
    bench.jump(254)
    assert bench.sent() == []
    bench.jump(2)
    refresh = bench.one("REGISTER")  # with the nonce it knows, counted on
    assert "nc=00000002" in (refresh[1].get("Authorization") or "")
    bench.answer(refresh, 200, ("Expires", "300"))
    assert state(bench) == "registered"
    assert bench.notes() == []


def test_wrong_password_fails_with_its_reason_and_backs_off(bench: Bench) -> None:
    bench.trunk.start(bench.now)
    for _ in range(2):
        bench.answer(bench.one("REGISTER"), 401, CHALLENGE)
    assert (state(bench), bench.trunk.is_up) == ("failed", False)
    assert bench.trunk.reason == "registration: bad_credentials"
    assert bench.notes() == ["trunk.registration_failed", "trunk.down"]
    bench.jump(14)
    assert bench.sent() == []
    bench.jump(2)
    bench.answer(bench.one("REGISTER"), 403)
    bench.jump(29)
    assert bench.sent() == []  # twice as long
    bench.jump(2)
    bench.answer(bench.one("REGISTER"), 200, ("Expires", "600"))
    assert bench.trunk.is_up
    assert bench.notes()[-2:] == ["trunk.registered", "trunk.up"]


def test_a_stale_nonce_is_no_wrong_password(bench: Bench) -> None:
    bench.trunk.start(bench.now)
    bench.answer(bench.one("REGISTER"), 401, CHALLENGE)
    stale = ("WWW-Authenticate", CHALLENGE[1].replace("n1", "n2") + ", stale=true")
    bench.answer(bench.one("REGISTER"), 401, stale)
    assert 'nonce="n2"' in (bench.one("REGISTER")[1].get("Authorization") or "")


def test_423_lengthens_once(bench: Bench) -> None:
    bench.trunk.start(bench.now)
    bench.answer(bench.one("REGISTER"), 423, ("Min-Expires", "1800"))
    again = bench.one("REGISTER")
    assert again[1].get("Expires") == "1800"
    bench.answer(again, 423, ("Min-Expires", "3600"))
    assert state(bench) == "failed"


def test_retry_after_is_respected(bench: Bench) -> None:
    bench.trunk.start(bench.now)
    bench.answer(bench.one("REGISTER"), 503, ("Retry-After", "120 (busy)"))
    bench.jump(119)
    assert bench.sent() == []
    bench.jump(2)
    bench.one("REGISTER")


def test_a_failed_refresh_keeps_the_binding_until_it_expires(bench: Bench) -> None:
    bench.registered()
    bench.jump(511)
    bench.answer(bench.one("REGISTER"), 500)
    assert bench.trunk.is_up
    bench.jump(95)
    assert (state(bench), bench.trunk.is_up) in [("failed", False), ("registering", False)]
    assert "trunk.down" in bench.notes()


def test_the_next_hop_is_tried_when_the_first_is_silent() -> None:
    bench = Bench(reach=Reach("sip:carrier.example", account=ACCOUNT))
    bench.trunk.start(bench.now)
    assert (bench.sent(), bench.trunk.is_up) == ([], False)
    bench.trunks.take_hops("t", [(A, None), (B, None)], bench.now)
    assert bench.sent()[0][0] == A
    bench.jump(33)
    assert bench.sent()[-1][0] == B


def test_a_lost_connection_registers_anew() -> None:
    tcp = Flow("TCP", LOCAL, ("192.0.2.1", 5060))
    bench = Bench(reach=Reach("sip:carrier.example", account=ACCOUNT))
    bench.trunks.take_hops("t", [(tcp, None)], bench.now)
    bench.registered()
    bench.trunks.on_flow_closed(tcp._replace(connection=7), bench.now)
    bench.jump(3)
    bench.one("REGISTER")


@pytest.mark.parametrize(("at", "event"), TABLE)
def test_every_row(at: State, event: Event) -> None:
    assert step(at, event) == TABLE[at, event]


@pytest.mark.parametrize(
    ("at", "event"),
    [
        (State.UNREGISTERED, Event.ACCEPTED),
        (State.REGISTERING, Event.DUE),
        (State.REGISTERED, Event.REFUSED),
        (State.REFRESHING, Event.DUE),
        (State.FAILED, Event.EXPIRED),
    ],
)
def test_what_can_not_happen_is_our_bug(at: State, event: Event) -> None:
    with pytest.raises(Exception, match="a registration that is"):
        step(at, event)


def test_a_silent_trunk_is_noticed_left_out_and_comes_back() -> None:
    bench = Bench(ping_s=30)
    bench.trunks.start(bench.now)
    bench.one("OPTIONS")
    bench.jump(6)
    assert bench.trunk.is_up  # one loss
    bench.jump(7)
    assert bench.notes() == ["trunk.down"]
    assert bench.trunks.able(["t"]) == []
    assert bench.trunks.for_emergency(["t"]) == [CARRIER]
    bench.sent()
    bench.jump(30)
    bench.answer(bench.sent()[-1], 404)
    assert bench.notes() == ["trunk.up"]
    assert bench.trunks.able(["t"]) == [CARRIER]


def test_probes_more_frequent_than_patience_notice_silence_too() -> None:
    bench = Bench(ping_s=1)
    bench.trunks.start(bench.now)
    bench.jump(13)
    assert not bench.trunk.is_up


def test_next_hops_fail_over_and_the_last_good_answer_is_kept() -> None:
    bench = Bench(reach=Reach("sip:carrier.example"))
    trunks = bench.trunks
    assert trunks.to_resolve(bench.now) == [("t", "sip:carrier.example")]
    trunks.take_hops("t", [(A, None), (B, None)], bench.now)
    assert [c.flow for c in trunks.able(["t"])] == [A, B]
    bench.trunk.failed(A, bench.now)
    assert [c.flow for c in trunks.able(["t"])] == [B, A]
    assert trunks.to_resolve(bench.now) == []
    bench.jump(AVOIDED_S + 1)
    assert [c.flow for c in trunks.able(["t"])] == [A, B]
    trunks.not_resolved("t", "no DNS server", bench.now)
    assert [c.flow for c in trunks.able(["t"])] == [A, B]
    assert trunks.of_flow(B) is bench.trunk
    trunks.take_hops("t", [(A, None)], bench.now)
    assert trunks.of_flow(B) is None
    assert len(bench.wheel) == 0


def test_recognition_is_never_by_address_alone() -> None:
    bench = Bench(reach=Reach("", "sbc.carrier.example", ACCOUNT))
    trunks = bench.trunks
    assert trunks.of_flow(A) is bench.trunk
    assert trunks.of_flow(A._replace(remote=("192.0.2.1", 5061))) is None
    assert trunks.of_flow(A._replace(transport="TCP")) is None
    tls = Flow("TLS", LOCAL, ("203.0.113.9", 40000), 3)
    assert trunks.of_flow(tls) is None
    trunks.peer_names = lambda flow: ["SBC.carrier.example"]
    assert trunks.of_flow(tls) is bench.trunk
    assert trunks.of_flow(tls._replace(transport="TCP")) is None


def test_calls_to_our_contact_are_recognised_and_their_number_is_in_to() -> None:
    bench = Bench(reach=Reach(account=ACCOUNT))
    elsewhere = replace(CARRIER, flow=B).flow
    fields = [("To", "<sip:+33199000101@carrier.example>")]
    call = make_request("INVITE", f"sip:{TOKEN}@127.0.0.1", fields)
    assert bench.trunks.of_request(call, elsewhere) is bench.trunk
    assert bench.trunk.called_number(call) == "+33199000101"
    stranger = make_request("INVITE", "sip:101@127.0.0.1", fields)
    assert bench.trunks.of_request(stranger, elsewhere) is None
    assert bench.trunk.called_number(stranger) is None
    assert contact_token(b"other key", "t") != TOKEN == contact_token(b"key", "t")


def test_operators_hear_of_a_silent_emergency_trunk_once_and_of_its_return() -> None:
    bench = Bench(ping_s=2)
    bench.trunk.serves_emergency = True
    bench.trunks.start(bench.now)
    bench.jump(60)
    events = list(bench.outbox.events)
    assert [name for name, _ in events] == ["trunk.down", "emergency.trunk_silent", "notice.due"]
    due = events[-1][1]
    assert (due["kind"], due["audience"]) == ("trunk_silent", "operator")
    assert due["fields"] == {"trunk": "t", "reason": "no answer to OPTIONS"}
    bench.outbox.events.clear()
    bench.answer(bench.sent()[-1], 200)
    back = list(bench.outbox.events)
    assert [name for name, _ in back] == ["trunk.up", "emergency.trunk_answers", "notice.due"]
    assert back[-1][1]["kind"] == "trunk_answers"
    assert back[-1][1]["id"] != due["id"]


def test_others_are_no_matter_of_life() -> None:
    bench = Bench(ping_s=2)
    bench.trunks.start(bench.now)
    bench.jump(60)
    assert bench.notes() == ["trunk.down"]


@pytest.mark.parametrize(
    ("own", "emergency", "expected"),
    [(30, None, 30), (0, None, 0), (30, 15, 15), (5, 15, 5), (0, 15, 15)],
)
def test_an_emergency_trunk_is_always_probed(
    own: float, emergency: float | None, expected: float
) -> None:
    entry = TrunkSettings(id="t", address="192.0.2.1", ping_s=own)
    assert probing_s(entry, emergency) == expected


def test_probing_orders_emergency_routes_and_leaves_none_out() -> None:
    """The rank moves a trunk back; a trunk that is down is still asked, last."""
    one, two = Bench(), Bench()
    second = replace(CARRIER, id="u", flow=B)
    two.trunk.carrier = second
    two.trunk.hops[0].carrier = second
    trunks = Trunks([one.trunk, two.trunk])
    assert [c.id for c in trunks.for_emergency(["t", "u"])] == ["t", "u"]
    one.trunk.failed(A, one.now)
    assert [c.id for c in trunks.for_emergency(["t", "u"])] == ["u", "t"]
    one.trunk.hops[0].is_up = False
    two.trunk.failed(B, two.now)
    assert [c.id for c in trunks.for_emergency(["t", "u"])] == ["u", "t"], "down is behind failed"
    two.trunk.hops[0].is_up = False
    assert [c.id for c in trunks.for_emergency(["t", "u"])] == ["t", "u"], "all down: their order"


def test_a_trunk_that_falls_silent_is_down_within_27_seconds() -> None:
    """15 s to the next probe, 5 s of patience, 2 s, 5 s: what docs/emergency.md promises."""
    bench = Bench(ping_s=15)
    bench.trunks.start(bench.now)
    bench.answer(bench.one("OPTIONS"), 200)
    bench.jump(26.9)
    assert bench.trunk.is_up
    bench.jump(0.2)
    assert not bench.trunk.is_up


def test_a_refused_path_is_known_within_17_seconds() -> None:
    bench = Bench(ping_s=15)
    bench.trunks.start(bench.now)
    bench.answer(bench.one("OPTIONS"), 200)
    bench.jump(15)
    bench.layer.transport_failed(A, bench.now)
    assert bench.trunk.is_up, "one loss is the network's daily business"
    bench.jump(2)
    bench.layer.transport_failed(A, bench.now)
    assert bench.trunk.reason == "unreachable" and not bench.trunk.is_up


def test_a_trunk_whose_registration_fails_comes_last_for_emergencies_too(bench: Bench) -> None:
    """Its next hop answers, but it doesn't know us."""
    other = Bench()
    second = replace(CARRIER, id="u", flow=B)
    other.trunk.carrier = second
    other.trunk.hops[0].carrier = second
    trunks = Trunks([bench.trunk, other.trunk])
    assert [c.id for c in trunks.for_emergency(["t", "u"])] == ["t", "u"]
    bench.trunk.start(bench.now)
    for _ in range(2):
        bench.answer(bench.one("REGISTER"), 401, CHALLENGE)
    assert [c.id for c in trunks.for_emergency(["t", "u"])] == ["u", "t"]
