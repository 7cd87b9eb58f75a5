"""A line is located elsewhere: the next emergency call says so, one that is up keeps what it began with."""

from pathlib import Path

import pytest

from switch.console.line_life import LineLives
from switch.console.places import Places
from switch.store.database import sqlite_url
from switch.store.read import Reader
from tests.flows.actors import Talk, World, hang_up
from tests.flows.ways_out import up

LYON = {"insee": "69383", "civic": {"HNO": "12", "RD": "rue Paul Bert"}}


@pytest.fixture
def places(world: World, tmp_path: Path) -> Places:
    lives = LineLives(world.exchange, world.found.snapshot)
    reader = Reader(sqlite_url(tmp_path / "vigie.db"))
    places = Places(world.exchange, lives, reader, world.pump)
    places.see()
    world.pump()
    return places


def pani(talk: Talk) -> str:
    return talk.invite.get("P-Access-Network-Info") or ""


def test_the_next_call_carries_the_new_location(world: World, places: Places) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    assert "VG7510800" in pani(callee)
    up(caller, callee)
    hang_up(caller, callee)
    places.locate({"line": "101", **LYON})
    a.call("18")
    assert "VG6938300" in pani(c.called())


def test_the_body_says_the_same_as_the_header(world: World, places: Places) -> None:
    places.locate({"line": "101", **LYON})
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    c1.called()
    world.after(1.6)  # no 100: the second carrier, which takes PIDF-LO
    body = c2.called().invite.body
    assert b"<ca:A3>Lyon</ca:A3>" in body and b"<ca:RD>rue Paul Bert</ca:RD>" in body
    assert b"INSEE:69383" in body
    assert b"Paris" not in body


def test_a_call_that_was_set_up_keeps_its_location_on_every_route(
    world: World, places: Places
) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    assert "75108" in pani(c1.called())
    places.locate({"line": "101", **LYON})
    world.after(1.6)
    body = c2.called().invite.body
    assert b"INSEE:75108" in body and b"Lyon" not in body


def test_the_audit_keeps_which_version_was_sent(world: World, places: Places) -> None:
    places.locate({"line": "101", **LYON})
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    up(caller, callee)
    hang_up(caller, callee)
    audit = world.records("audit")[-1]
    assert (audit["insee"], audit["address_version"]) == ("69383", 2)


@pytest.mark.parametrize("what", [{}, {"none": True}])
def test_an_unconfirmed_or_lost_address_stops_no_call(
    world: World, places: Places, what: dict[str, object]
) -> None:
    """Without an address of its own the line sends its site's, with an alarm."""
    places.locate({"line": "101", **(what or LYON)})
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    assert ("75108" if what else "69383") in pani(callee)
    up(caller, callee)
    hang_up(caller, callee)
    verdict = "default_location" if what else "connected"
    assert world.records("audit")[-1]["verdict"] == verdict


def test_the_phone_keeps_its_registration_and_its_password(world: World, places: Places) -> None:
    a = world.phone("101")
    places.locate({"line": "101", **LYON})
    assert world.exchange.registrar.bindings("101", world.now)
    a.register()
