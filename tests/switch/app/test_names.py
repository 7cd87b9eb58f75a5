"""Carriers' names are looked up beside each other, and a reload in between is noticed."""

import asyncio
from types import SimpleNamespace
from typing import Any

from switch.app.names import Names
from switch.sip.flow import Flow
from switch.sip.uri import Uri
from switch.transport.resolve import Hop, ResolveError

US = ("127.0.0.1", 5060)


class Told:
    """Trunks that note what they are told."""

    def __init__(self, **uris: str) -> None:
        self.by_id = {name: SimpleNamespace(uri=uri) for name, uri in uris.items()}
        self.heard: list[tuple[Any, ...]] = []

    def take_hops(self, trunk: str, ways: list[tuple[Flow, Flow | None]], now: float) -> None:
        self.heard.append((trunk, [(way.transport, way.remote, bool(tcp)) for way, tcp in ways]))

    def not_resolved(self, trunk: str, reason: str, now: float) -> None:
        self.heard.append((trunk, reason))


class Answers:
    """A resolver whose answers are given; `meanwhile` happens before it answers."""

    def __init__(self, *hops: Hop) -> None:
        self.hops = hops
        self.meanwhile = lambda: None

    async def resolve(self, uri: Uri, now: float) -> list[Hop]:
        await asyncio.sleep(0)
        self.meanwhile()
        if not self.hops:
            raise ResolveError(f"{uri.host} has no address")
        return list(self.hops)


def names(trunks: Told, answers: Answers) -> tuple[Names, SimpleNamespace]:
    exchange = SimpleNamespace(
        trunks=trunks, local_flow=lambda transport, remote: Flow(transport, US, remote)
    )
    return Names(exchange, answers, lambda: None), exchange  # type: ignore[arg-type]


def test_a_udp_hop_has_a_tcp_way_beside_it() -> None:
    trunks = Told(a="sip:a.test")
    hops = Hop("UDP", "192.0.2.1", 5060), Hop("TLS", "192.0.2.2", 5061)
    asyncio.run(names(trunks, Answers(*hops))[0].look_up("a", "sip:a.test"))
    ways = [("UDP", ("192.0.2.1", 5060), True), ("TLS", ("192.0.2.2", 5061), False)]
    assert trunks.heard == [("a", ways)]


def test_no_answer_is_told_with_its_reason() -> None:
    trunks = Told(a="sip:a.test")
    asyncio.run(names(trunks, Answers())[0].look_up("a", "sip:a.test"))
    assert trunks.heard == [("a", "a.test has no address")]


def test_a_carrier_that_was_removed_or_renamed_meanwhile_hears_nothing() -> None:
    for after in (Told(), Told(a="sip:other.test")):
        before, answers = Told(a="sip:a.test"), Answers(Hop("UDP", "192.0.2.1", 5060))
        looking, exchange = names(before, answers)
        answers.meanwhile = lambda: setattr(exchange, "trunks", after)  # noqa: B023
        asyncio.run(looking.look_up("a", "sip:a.test"))
        assert before.heard == after.heard == []
