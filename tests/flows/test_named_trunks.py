"""A carrier with several next hops from the DNS: fail-over, and for how long a dead one is avoided."""

from dataclasses import replace

import pytest

from switch import config
from switch.sip.flow import Flow
from switch.trunk.next_hop import AVOIDED_S
from tests.flows.actors import SWITCH, Actor, World, hang_up, sdp

FIRST, SECOND = (Flow("UDP", SWITCH, ("127.0.1.9", port)) for port in (5060, 5062))


@pytest.fixture
def world(demo: config.Configuration) -> World:
    """carrier-1 is a name, not probed, and out of the way of emergency calls."""
    named = {"address": "carrier.test", "port": 0, "transport": "any", "ping_s": 0.0}
    trunks = tuple(
        trunk.model_copy(update=named) if trunk.id == "carrier-1" else trunk
        for trunk in demo.settings.trunks
    )
    hops = tuple(hop for hop in demo.routes["emergency"].hops if hop.trunk != "carrier-1")
    emergency = replace(demo.routes["emergency"], hops=hops)
    world = World(
        replace(
            demo,
            settings=demo.settings.model_copy(update={"trunks": trunks}),
            routes={**demo.routes, "emergency": emergency},
        )
    )
    ways = [(FIRST, None), (SECOND, None)]
    world.exchange.trunks.take_hops("carrier-1", ways, world.now)
    return world


def reached(world: World, phone: Actor, *carriers: Actor) -> list[str]:
    """Which next hops a call tries, the last of which takes it; those before are unreachable."""
    talk = phone.call("0145678901")
    tried = []
    for carrier in carriers:
        if not carrier.inbox:
            continue
        tried.append(carrier.name)
        if carrier.name == "dead":
            carrier.inbox.clear()
            world.lose_flow(carrier)
        else:
            there = carrier.called()
            there.answer(200, body=sdp(carrier.name))
            talk.expect(200)
            there.expect("ACK")
            talk.ack()
            hang_up(talk, there)
    return tried


def test_a_dead_next_hop_is_left_at_once_and_avoided_for_half_a_minute(world: World) -> None:
    phone = world.phone("101")
    dead, live = Actor(world, "dead", FIRST), Actor(world, "live", SECOND)
    assert reached(world, phone, dead, live) == ["dead", "live"]
    world.after(AVOIDED_S - 2)
    assert reached(world, phone, dead, live) == ["live"]
    world.after(3)
    assert reached(world, phone, dead, live) == ["dead", "live"]


def test_dns_that_fails_changes_nothing(world: World) -> None:
    phone = world.phone("101")
    live = Actor(world, "live", FIRST)
    world.exchange.trunks.not_resolved("carrier-1", "no DNS server answers", world.now)
    world.after(86_400)
    phone.register()
    assert reached(world, phone, live) == ["live"]
    assert ("trunk.unresolved", "carrier-1") in [(n, f.get("trunk")) for n, f in world.events]
