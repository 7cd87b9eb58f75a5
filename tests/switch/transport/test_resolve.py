"""RFC 3263 with a DNS in a dictionary."""

import asyncio
import random
from collections import Counter

import pytest

from switch.sip.uri import Uri
from switch.transport.lookup import Naptr, Srv
from switch.transport.resolve import Hop, ResolveError, Resolver, order_srv


class Zone:
    """A Lookup whose records are given, and which notes what it is asked."""

    def __init__(self, ttl: float = 60.0, **_: object) -> None:
        self.records: dict[tuple[str, str], list[object]] = {}
        self.asked: list[str] = []
        self.ttl = ttl
        self.down = False
        self.is_silent = False

    def add(self, kind: str, name: str, *records: object) -> "Zone":
        self.records[kind, name] = list(records)
        return self

    def _answer(self, kind: str, name: str):
        if self.is_silent and kind in ("NAPTR", "SRV"):
            raise TimeoutError("nobody answers")
        self.asked.append(f"{kind} {name}")
        return self.records.get((kind, name), []), self.ttl

    async def naptr(self, name: str):
        return self._answer("NAPTR", name)

    async def srv(self, name: str):
        return self._answer("SRV", name)

    async def addresses(self, name: str, *, ipv6: bool):
        if self.down:
            raise OSError("no DNS server tells")
        return self._answer("AAAA" if ipv6 else "A", name)


def resolve(resolver: Resolver, uri: str, now: float = 0.0) -> list[str]:
    hops = asyncio.run(resolver.resolve(Uri.parse(uri), now))
    return [f"{hop.transport} {hop.ip} {hop.port}" for hop in hops]


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
def resolver(zone: Zone) -> Resolver:
    return Resolver(zone, ipv6=True, rng=random.Random(1))


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:101@192.0.2.1", "UDP 192.0.2.1 5060"),
        ("sip:101@192.0.2.1:5070", "UDP 192.0.2.1 5070"),
        ("sip:101@192.0.2.1;transport=tcp", "TCP 192.0.2.1 5060"),
        ("sip:101@192.0.2.1;transport=TLS", "TLS 192.0.2.1 5061"),
        ("sips:101@192.0.2.1", "TLS 192.0.2.1 5061"),
        ("sips:101@192.0.2.1:5071;transport=tcp", "TLS 192.0.2.1 5071"),
        ("sip:101@[2001:db8::1]:5070", "UDP 2001:db8::1 5070"),
        ("sip:101@[2001:DB8:0:0::1]", "UDP 2001:db8::1 5060"),
        ("sip:101@example.com;maddr=192.0.2.9", "UDP 192.0.2.9 5060"),
    ],
)
def test_a_literal_needs_no_question(zone: Zone, resolver: Resolver, uri: str, hop: str) -> None:
    [known] = resolver.known(Uri.parse(uri), 0.0) or []
    assert f"{known.transport} {known.ip} {known.port}" == hop
    assert resolve(resolver, uri) == [hop]
    assert zone.asked == []


def test_a_port_means_no_naptr_and_no_srv(zone: Zone, resolver: Resolver) -> None:
    zone.add("A", "example.com", "192.0.2.1").add("AAAA", "example.com", "2001:db8::1")
    assert resolve(resolver, "sip:example.com:5070") == [
        "UDP 192.0.2.1 5070",
        "UDP 2001:db8::1 5070",
    ]
    assert resolve(resolver, "sips:example.com:5071") == [
        "TLS 192.0.2.1 5071",
        "TLS 2001:db8::1 5071",
    ]
    assert {question.split()[0] for question in zone.asked} == {"A", "AAAA"}


def test_naptr_decides_the_transports_in_its_order(zone: Zone, resolver: Resolver) -> None:
    zone.add(
        "NAPTR",
        "example.com",
        Naptr(50, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
        Naptr(10, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        Naptr(20, 50, "s", "SIP+D2W", "_sip._ws.example.com"),
        Naptr(30, 50, "u", "E2U+SIP", "nobody.example.com"),
    )
    zone.add("SRV", "_sips._tcp.example.com", Srv(1, 0, 5061, "one.example.com"))
    zone.add("SRV", "_sip._udp.example.com", Srv(1, 0, 5060, "two.example.com"))
    zone.add("A", "one.example.com", "192.0.2.1").add("A", "two.example.com", "192.0.2.2")
    assert resolve(resolver, "sip:example.com") == ["TLS 192.0.2.1 5061", "UDP 192.0.2.2 5060"]
    assert resolve(resolver, "sips:example.com") == ["TLS 192.0.2.1 5061"]


def test_the_name_for_the_certificate_is_that_of_the_uri(zone: Zone, resolver: Resolver) -> None:
    zone.add("SRV", "_sips._tcp.example.com", Srv(1, 0, 5061, "one.example.net"))
    zone.add("A", "one.example.net", "192.0.2.1")
    hops = asyncio.run(resolver.resolve(Uri.parse("sips:Example.COM."), 0.0))
    assert hops == [Hop("TLS", "192.0.2.1", 5061, "example.com")]
    assert hops[0].remote == ("192.0.2.1", 5061)


def test_without_naptr_the_srv_of_each_transport_is_tried(zone: Zone, resolver: Resolver) -> None:
    zone.add(
        "SRV",
        "_sip._tcp.example.com",
        Srv(20, 0, 5080, "backup.example.com"),
        Srv(10, 0, 5070, "first.example.com"),
        Srv(5, 0, 0, ""),  # "." : no service here
    )
    zone.add("A", "first.example.com", "192.0.2.1").add("A", "backup.example.com", "192.0.2.2")
    assert resolve(resolver, "sip:example.com") == ["TCP 192.0.2.1 5070", "TCP 192.0.2.2 5080"]
    assert zone.asked[:2] == ["NAPTR example.com", "SRV _sip._udp.example.com"]


def test_a_transport_parameter_skips_naptr(zone: Zone, resolver: Resolver) -> None:
    zone.add("SRV", "_sip._tcp.example.com", Srv(1, 0, 5070, "one.example.com"))
    zone.add("A", "one.example.com", "192.0.2.1")
    assert resolve(resolver, "sip:example.com;transport=tcp") == ["TCP 192.0.2.1 5070"]
    assert zone.asked[0] == "SRV _sip._tcp.example.com"


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:example.com", "UDP 192.0.2.1 5060"),
        ("sip:example.com;transport=tcp", "TCP 192.0.2.1 5060"),
        ("sips:example.com", "TLS 192.0.2.1 5061"),
    ],
)
def test_without_any_srv_plain_addresses_and_default_ports(zone, resolver, uri, hop) -> None:
    zone.add("A", "example.com", "192.0.2.1")
    assert resolve(resolver, uri) == [hop]


def test_ipv6_is_asked_for_only_when_it_can_be_used(zone: Zone) -> None:
    zone.add("A", "example.com", "192.0.2.1").add("AAAA", "example.com", "2001:db8::1")
    assert resolve(Resolver(zone), "sip:example.com:5060") == ["UDP 192.0.2.1 5060"]
    assert zone.asked == ["A example.com"]


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("tel:+33140000000", "tel"),
        ("sip:192.0.2.1;transport=ws", "WS"),
        ("sip:example.com;transport=sctp", "SCTP"),
        ("sip:example.com", "example.com has no address"),
    ],
)
def test_what_leads_nowhere(resolver: Resolver, uri: str, reason: str) -> None:
    with pytest.raises(ResolveError, match=reason):
        resolve(resolver, uri)


def test_a_transport_that_we_do_not_speak_is_not_offered(zone: Zone) -> None:
    resolver = Resolver(zone, transports=("UDP",))
    with pytest.raises(ResolveError, match="no transport TLS"):
        resolver.known(Uri.parse("sips:192.0.2.1"), 0.0)
    with pytest.raises(ResolveError, match="no transport TLS"):
        resolve(resolver, "sips:example.com")


def test_answers_are_known_for_their_time_to_live(zone: Zone, resolver: Resolver) -> None:
    uri = Uri.parse("sip:example.com:5060")
    zone.add("A", "example.com", "192.0.2.1")
    assert resolver.known(uri, 0.0) is None
    resolve(resolver, str(uri), now=0.0)
    zone.add("A", "example.com", "192.0.2.2")
    assert [hop.ip for hop in resolver.known(uri, 59.9) or []] == ["192.0.2.1"]
    assert resolver.known(uri, 60.0) is None
    assert resolve(resolver, str(uri), now=60.0) == ["UDP 192.0.2.2 5060"]


@pytest.mark.parametrize(("ttl", "held"), [(0.0, 5.0), (1e9, 3600.0)])
def test_times_to_live_are_bounded(ttl: float, held: float) -> None:
    zone = Zone(ttl).add("A", "example.com", "192.0.2.1")
    resolver, uri = Resolver(zone), Uri.parse("sip:example.com:5060")
    resolve(resolver, str(uri))
    assert resolver.known(uri, held - 0.1) is not None
    assert resolver.known(uri, held) is None


def test_failures_are_known_for_five_seconds(zone: Zone, resolver: Resolver) -> None:
    zone.down = True
    uri = Uri.parse("sip:example.com")
    with pytest.raises(ResolveError, match="no DNS server"):
        resolve(resolver, str(uri))
    asked = len(zone.asked)
    with pytest.raises(ResolveError, match="no DNS server"):
        resolver.known(uri, 4.9)
    assert len(zone.asked) == asked
    zone.down = False
    zone.add("A", "example.com", "192.0.2.1")
    assert resolve(resolver, str(uri), now=5.0) == ["UDP 192.0.2.1 5060"]


def test_silence_keeps_the_last_answer_and_does_not_fall_back_to_addresses(
    zone: Zone, resolver: Resolver
) -> None:
    zone.add("SRV", "_sip._udp.example.com", Srv(1, 1, 5070, "one.example.com"))
    zone.add("A", "one.example.com", "192.0.2.1").add("A", "example.com", "192.0.2.99")
    first = resolve(resolver, "sip:example.com;transport=udp")
    assert first == ["UDP 192.0.2.1 5070"]
    zone.is_silent = True
    for now in (61.0, 66.0):
        with pytest.raises(ResolveError, match="nobody answers"):
            resolve(resolver, "sip:example.com;transport=udp", now=now)
    zone.is_silent = False
    assert resolve(resolver, "sip:example.com;transport=udp", now=70.0) == first


def test_who_swallows_questions_for_srv_is_asked_for_addresses(
    zone: Zone, resolver: Resolver
) -> None:
    zone.is_silent = True
    zone.add("A", "example.com", "192.0.2.99")
    assert resolve(resolver, "sip:example.com") == ["UDP 192.0.2.99 5060"]


def test_tables_are_bounded(zone: Zone, resolver: Resolver, monkeypatch) -> None:
    monkeypatch.setattr("switch.transport.resolve._MAX_KNOWN", 10)
    for number in range(30):
        with pytest.raises(ResolveError):
            resolve(resolver, f"sip:host{number}.example.com")
    assert len(resolver._known) <= 10


def test_srv_weights_share_the_load_and_priorities_come_first() -> None:
    records = [
        Srv(10, 80, 5060, "big"),
        Srv(10, 20, 5060, "small"),
        Srv(10, 0, 5060, "spare"),
        Srv(5, 0, 5060, "first"),
    ]
    rng = random.Random(7)
    second = Counter(order_srv(records, rng)[1].target for _ in range(2000))
    assert all(order_srv(records, rng)[0].target == "first" for _ in range(50))
    assert 0.75 < second["big"] / 2000 < 0.85
    assert 0.15 < second["small"] / 2000 < 0.25
    assert second["spare"] < 60
    assert sorted(order_srv(records, rng)) == sorted(records)
