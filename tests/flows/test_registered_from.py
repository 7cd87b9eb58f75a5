"""A registration tells where the phone is: networks are learnt, and abroad is told once an episode."""

from typing import Any

import pytest

from policy.model import EvidenceLevel
from switch.call.registered_from import declared, evidence_of, reported
from switch.facts.whereabouts import Declaration, Whereabouts
from tests.flows.actors import Actor, World

HOME, GERMANY, NO_DATA, REUNION, FRANCE = (
    "127.0.0.1", "127.0.2.7", "127.0.3.7", "127.0.4.7", "127.0.6.7",
)  # fmt: skip
DAY = 86_400.0


def told(world: World) -> list[tuple[str, str]]:
    """Kind and audience of the notices that are due since the last look."""
    events, world.events = world.events, []
    return [(str(f["kind"]), str(f["audience"])) for name, f in events if name == "notice.due"]


def seen(world: World, line: str = "101") -> Whereabouts:
    return world.exchange.sightings.of(line)


def level(world: World, source: str, line: str = "101") -> EvidenceLevel:
    known = world.exchange.facts.lines[line]
    return evidence_of(world.exchange, known, source, world.now).level


def both(kind: str) -> list[tuple[str, str]]:
    return [(kind, "customer"), (kind, "operator")]


def daily(world: World, phone: Actor, days: int) -> None:
    for _ in range(days):
        assert phone.register().status == 200
        world.after(DAY)


def test_abroad_is_told_at_once_and_not_again(world: World) -> None:
    phone = world.phone("101", GERMANY)
    (first, _) = [fields for name, fields in world.events if name == "notice.due"]
    assert first["account"] == "demo" and first["clause"] == "1(c)"
    assert first["fields"] == {"place": "DE", "source": GERMANY}
    assert told(world) == both("registered_abroad")
    daily(world, phone, 3)
    assert told(world) == []
    mark = seen(world).abroad
    assert mark is not None and (mark.level, mark.value) == ("E5", "DE")


def test_coming_home_clears_it_and_leaving_again_is_told_again(world: World) -> None:
    phone = world.phone("101", GERMANY)
    phone.register(expires=0)
    told(world)
    world.phone("101", HOME)
    assert told(world) == both("home_again")
    assert seen(world).abroad is None
    world.after(10)
    world.phone("101", GERMANY)
    assert told(world) == both("registered_abroad")


def test_a_desk_phone_at_home_does_not_end_the_journey_of_another_phone(world: World) -> None:
    away = world.phone("101", GERMANY)
    told(world)
    desk = world.phone("101", HOME)
    away.register()
    desk.register()
    assert told(world) == []
    assert seen(world).abroad is not None
    away.register(expires=0)
    desk.register()
    assert told(world) == both("home_again")


def test_no_evidence_neither_begins_nor_ends_an_episode(world: World) -> None:
    phone = world.phone("101", NO_DATA)
    assert told(world) == []
    phone.register(expires=0)
    away = world.phone("101", GERMANY)
    away.register(expires=0)
    told(world)
    world.phone("101", NO_DATA)
    assert told(world) == []
    assert seen(world).abroad is not None


def test_a_restart_tells_nothing_that_was_told(world: World) -> None:
    phone = world.phone("101", GERMANY)
    ids = {str(fields["id"]) for name, fields in world.events if name == "notice.due"}
    world = world.restarted(after=5.0)
    again = {str(fields["id"]) for name, fields in world.events if name == "notice.due"}
    assert again == ids, "the ledger knows them by their ids"
    told(world)
    phone.register()
    assert told(world) == []
    assert seen(world).abroad is not None
    world.after(2 * 3600)
    world = world.restarted()
    assert told(world) == [], "it began long ago"


def test_asking_and_leaving_are_no_arrival(world: World) -> None:
    phone = world.phone("101", HOME)
    elsewhere = Actor(world, "101", phone.flow._replace(remote=(GERMANY, 5999)), "demo-101")
    assert elsewhere.register(0, "*").status == 200
    assert told(world) == []


def test_a_new_network_in_france_is_marked_until_it_is_usual(world: World) -> None:
    phone = world.phone("101", REUNION)
    mark = seen(world).moved
    assert mark is not None and (mark.level, mark.value, mark.source) == ("E2", "RE", REUNION)
    assert told(world) == []
    daily(world, phone, 2)
    assert level(world, REUNION) is EvidenceLevel.E2
    daily(world, phone, 2)
    assert level(world, REUNION) is EvidenceLevel.E1
    assert seen(world).moved is None
    assert level(world, REUNION, "102") is EvidenceLevel.E2, "usual for that line alone"


def test_a_usual_network_survives_a_restart_and_ages(world: World) -> None:
    daily(world, world.phone("101", FRANCE), 4)
    world = world.restarted()
    assert level(world, FRANCE) is EvidenceLevel.E1
    world.after(91 * DAY)
    assert level(world, FRANCE) is EvidenceLevel.E2


@pytest.mark.parametrize("source", [GERMANY, HOME, "10.0.0.7"])
def test_nothing_is_learnt_from_abroad_from_the_site_and_from_private_networks(
    world: World, source: str
) -> None:
    daily(world, world.phone("101", source), 4)
    assert not seen(world).networks


def test_a_journey_that_was_declared_makes_no_network_usual(world: World) -> None:
    line = world.exchange.facts.lines["101"]
    phone = world.phone("101", NO_DATA)
    declared(world.exchange, line, Declaration("DE", world.now), world.now)
    world.pump()
    assert told(world) == both("registered_abroad")
    daily(world, phone, 4)
    assert [network.days for network in seen(world).networks.values()] == [1]
    declared(world.exchange, line, None, world.now)
    world.pump()
    assert level(world, NO_DATA) is EvidenceLevel.E3
    assert told(world) == both("home_again"), "the customer took it back"


def test_who_says_to_be_in_france_is_no_longer_marked_and_is_connected(world: World) -> None:
    phone, carrier = world.phone("101", GERMANY), world.carrier(1)
    told(world)
    line = world.exchange.facts.lines["101"]
    declared(world.exchange, line, Declaration("FR", world.now), world.now)
    world.pump()
    assert told(world) == both("home_again")
    assert seen(world).abroad is None
    phone.register()
    assert told(world) == []
    phone.call("18")
    carrier.expect("INVITE")


def report(
    world: World, country: str = "", address: str = "", mark: str = "", at: float = 0.0
) -> Any:
    world.after(1)  # of two reports of one moment, the wall clock's jitter would choose
    utc = world.exchange.wall(world.now) + at
    reported(world.exchange, "101", country, address, mark, utc, world.now)
    world.pump()


def test_a_device_report_counts_for_a_quarter_of_an_hour(world: World) -> None:
    world.phone("101", NO_DATA)
    report(world, "DE")
    assert told(world) == both("registered_abroad")
    assert level(world, NO_DATA) is EvidenceLevel.E5
    world.after(899)
    assert level(world, NO_DATA) is EvidenceLevel.E5
    world.after(2)
    assert level(world, NO_DATA) is EvidenceLevel.E3


def test_a_report_from_the_future_is_of_now(world: World) -> None:
    report(world, "FR", at=3600.0)
    assert level(world, GERMANY) is EvidenceLevel.E4
    world.after(901)
    assert level(world, GERMANY) is EvidenceLevel.E5


def test_a_devices_address_contradicts_or_confirms(world: World) -> None:
    report(world, address=FRANCE)
    assert level(world, GERMANY) is EvidenceLevel.E4
    report(world, address=GERMANY)
    assert level(world, FRANCE) is EvidenceLevel.E4
    assert level(world, NO_DATA) is EvidenceLevel.E5
    report(world, address=HOME)
    assert level(world, NO_DATA) is EvidenceLevel.E0


def test_a_local_network_that_the_device_knows_speaks_for_france(world: World) -> None:
    phone = world.phone("101", HOME)
    for _ in range(3):
        phone.register()
        report(world, mark="ab12")
        world.after(DAY)
    report(world, mark="ab12")
    assert level(world, GERMANY) is EvidenceLevel.E4
    report(world, mark="other")
    assert level(world, GERMANY) is EvidenceLevel.E5


def test_a_report_for_an_unknown_line_is_nothing(world: World) -> None:
    reported(world.exchange, "999", "DE", "", "", 0.0, world.now)
    assert not world.exchange.outbox.journal


def test_a_step_of_the_utc_clock_ages_nothing(world: World) -> None:
    report(world, "FR")
    honest = world.exchange.wall
    for step in (-86_400.0 * 365, 86_400.0 * 365):
        world.exchange.wall = lambda now, step=step: honest(now) + step  # type: ignore[misc]
        assert level(world, GERMANY) is EvidenceLevel.E4
    phone = world.phone("101", GERMANY)
    phone.call("18")
    assert world.speakers.asked == []


def test_a_call_from_abroad_with_a_declared_home_connects(world: World) -> None:
    line = world.exchange.facts.lines["101"]
    phone, carrier = world.phone("101", GERMANY), world.carrier(1)
    phone.call("18")
    carrier.silent()
    declared(world.exchange, line, Declaration("FR", world.now), world.now)
    phone.call("18")
    carrier.expect("INVITE")
