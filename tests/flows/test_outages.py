"""When a line is out of reach it has an outage, with its begin, its end and how it was seen."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from switch.console.use_cases import UseCases
from switch.registrar.qualify import Qualifier
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.store.database import sqlite_url
from switch.store.read import Reader
from switch.terms.outages import Outages, Reason
from tests.flows.actors import SWITCH, Actor, World

DAY_S = 86_400
MINUTE_S = 60


class House:
    """A world whose operator keeps a list of outages; its clock is the world's."""

    def __init__(self, world: World, path: Path) -> None:
        self.world, self.path = world, path
        exchange = world.exchange
        cases = UseCases(
            exchange, world.found.snapshot, Reader(sqlite_url(path)), lambda: None,
            world.found.origins, [],
        )  # fmt: skip
        self.outages = Outages(
            exchange.outbox,
            cases._account_of,
            lambda line: any(
                not exchange.registrar.is_lost(each)
                for each in exchange.registrar.bindings(line, self.world.now)
            ),
            lambda: round(exchange.wall(self.world.now) * 1000),
            lambda: 30 * MINUTE_S * 1000,
        )
        self.heard = 0

    def look(self) -> None:
        """What was noted since is heard, and what is owed is said."""
        self.world.pump()
        while self.heard < len(self.world.events):
            events, self.heard = self.world.events[self.heard :], len(self.world.events)
            self.outages(events)
            self.world.pump()
        self.outages.tell()
        self.world.pump()

    def after(self, seconds: int) -> None:
        for _ in range(min(seconds, 900)):
            self.world.after(seconds / min(seconds, 900))
            self.look()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """As the database would hold them: the last record of each."""
        return list({row["id"]: row for row in self.world.records("outage")}.values())

    @property
    def told(self) -> list[tuple[object, object]]:
        due = [fields for name, fields in self.world.events if name == "notice.due"]
        return [(fields["kind"], fields["line"]) for fields in due]

    def lasted_s(self) -> list[float]:
        return [round((row["until"] - row["since"]) / 1000) for row in self.rows]


@pytest.fixture
def house(world: World, tmp_path: Path) -> House:
    return House(world, tmp_path / "none.db")


def tcp_phone(world: World, line: str, connection: int) -> Actor:
    actor = Actor(world, line, Flow("TCP", SWITCH, ("127.0.0.1", 41_000 + connection), connection),
                  f"demo-{line}")  # fmt: skip
    actor.contact = f"<sip:{line}@127.0.0.1:{41_000 + connection};transport=tcp>"
    assert actor.register().status == 200
    return actor


def test_a_registration_that_runs_out(house: House) -> None:
    phone = house.world.phone("101")
    phone.register(expires=600)
    house.after(599)
    assert house.rows == []
    house.after(2)
    [row] = house.rows
    assert (row["line"], row["account"], row["cause"], row["until"]) == (
        "101", "demo", "expired", None,
    )  # fmt: skip
    house.after(300)
    phone.register()
    house.look()
    assert house.lasted_s() == [301]
    assert house.outages.open() == []


def test_a_phone_that_logs_off_has_none(house: House) -> None:
    phone = house.world.phone("101")
    phone.register(expires=0)
    house.after(4 * 3600)
    assert house.rows == []


def test_a_connection_that_ends(house: House) -> None:
    phone = tcp_phone(house.world, "101", 1)
    house.look()
    house.world.core.on_flow_closed(phone.flow, house.world.now)
    house.look()
    house.after(9)
    [row] = house.rows
    assert (row["cause"], row["until"]) == ("connection", None)
    tcp_phone(house.world, "101", 2)
    house.look()
    assert house.lasted_s() == [9]


def test_a_line_with_another_phone_is_in_reach(house: House) -> None:
    phone = tcp_phone(house.world, "101", 1)
    house.world.phone("101", "127.0.0.1")
    house.world.core.on_flow_closed(phone.flow, house.world.now)
    house.after(60)
    assert house.rows == []


def test_a_phone_that_stops_answering_and_is_back(house: House) -> None:
    world = house.world
    phone = world.phone("101")
    exchange = world.exchange
    qualifier = Qualifier(exchange.registrar, exchange.transactions, exchange.wheel, 30)
    qualifier.start(world.now)
    house.after(200)
    [row] = house.rows
    assert row["cause"] == "keep_alive"
    phone.inbox.clear()
    house.after(40)
    asked = [each for each in phone.inbox if isinstance(each, Request)]
    phone.reply(asked[-1], 200)
    house.look()
    assert house.outages.open() == []


def test_a_device_whose_last_will_is_told(house: House) -> None:
    note = house.world.exchange.outbox.note
    note("device.offline", device="d1", line="109")
    house.look()
    note("device.offline", device="d2", line="")
    house.after(20)
    assert [(row["line"], row["cause"]) for row in house.rows] == [("109", "will")]
    note("device.online", device="d1", line="109")
    house.look()
    assert house.lasted_s() == [20]


@pytest.mark.parametrize("why", ["removed", "unregistered"])
def test_an_outage_ends_with_what_it_was_of(house: House, why: str) -> None:
    phone = tcp_phone(house.world, "101", 1)
    house.world.core.on_flow_closed(phone.flow, house.world.now)
    house.after(1)
    if why == "removed":
        house.world.exchange.registrar.remove("101")
    else:
        tcp_phone(house.world, "101", 2).register(expires=0)
    house.look()
    assert house.outages.open() == []


def test_a_customer_is_told_of_one_that_lasts_and_of_its_end_once_a_day(house: House) -> None:
    note = house.world.exchange.outbox.note

    def out(seconds: int) -> None:
        note("device.offline", device="d1", line="109")
        house.look()
        house.after(seconds)
        note("device.online", device="d1", line="109")
        house.look()

    out(29 * MINUTE_S)
    assert house.told == []
    out(31 * MINUTE_S)
    assert house.told == [("outage", "109"), ("outage_over", "109")]
    late_ms = house.rows[-1]["told_at"] - house.rows[-1]["since"] - 30 * MINUTE_S * 1000
    assert 0 <= late_ms < 5_000
    out(31 * MINUTE_S)
    assert len(house.told) == 2
    house.after(DAY_S)
    out(31 * MINUTE_S)
    assert len(house.told) == 4


def test_a_person_says_what_was_behind_it(house: House) -> None:
    note = house.world.exchange.outbox.note
    note("device.offline", device="d1", line="109")
    house.look()
    [outage] = house.outages.open()
    house.outages.explain(outage, Reason.FORCE_MAJEURE, "claire", "flood in the 8th")
    house.after(5)
    note("device.online", device="d1", line="109")
    house.look()
    [row] = house.rows
    assert (row["cause"], row["reason"], row["by"]) == ("will", "force_majeure", "claire")
    assert row["until"] is not None
    house.outages.explain(outage, Reason.POWER, "marc", "")
    house.look()
    assert house.outages.open()[:1] == [], "an old reading brings no outage back"


@pytest.mark.parametrize("from_checkpoint", [False, True])
def test_one_that_lasts_goes_on_over_a_restart(
    house: House, tmp_path: Path, *, from_checkpoint: bool
) -> None:
    world = house.world
    phone = world.phone("101")
    phone.register(expires=600)
    house.after(700)
    world.exchange.outbox.note("device.offline", device="d1", line="109")
    house.look()
    records = list(house.outages.records()) if from_checkpoint else world.journal
    began = {row["line"]: row["since"] for row in house.rows}
    again = House(world.restarted(after=10), tmp_path / "none.db")
    again.outages.restore([*map(orjson.loads, records), {"k": "outage", "line": "x"}])
    assert {each.line: each.since for each in again.outages.open()} == began
    phone.register()
    again.look()
    assert [each.line for each in again.outages.open()] == ["109"]
    assert [name for name, _ in again.world.events].count("outage.unreadable") == 1


# -- several nodes on one database -------------------------------------------------------------------


def test_a_phone_that_comes_back_on_another_node_ends_it_there(
    house: House, tmp_path: Path
) -> None:
    phone = house.world.phone("101")
    phone.register(expires=600)
    house.after(700)
    other = House(World(house.world.found, house.world.now + 5), tmp_path / "none.db")
    other.outages.hear(house.rows)
    other.look()
    assert [each.line for each in other.outages.open()] == ["101"]
    other.world.phone("101")
    other.look()
    [row] = other.rows
    assert row["until"] is not None
    house.outages.hear([row, row])
    assert house.outages.open() == []
    house.after(3600)
    assert house.told == [], "who is back on another node isn't out of reach"


def test_a_line_that_is_at_home_here_is_not_out_of_reach(house: House, tmp_path: Path) -> None:
    """Its other phone was lost there."""
    there = House(World(house.world.found, house.world.now), tmp_path / "none.db")
    there.world.exchange.outbox.note("binding.lost", aor="101")
    there.look()
    house.world.phone("101")
    house.outages.hear(there.rows)
    house.look()
    assert house.rows[0]["until"] is not None
    assert house.outages.open() == []


def test_two_nodes_that_lost_one_line_have_one_outage(house: House, tmp_path: Path) -> None:
    there = House(World(house.world.found, house.world.now + 1), tmp_path / "none.db")
    for each in (house, there):
        each.world.exchange.outbox.note("binding.lost", aor="101")
        each.look()
    ours, theirs = house.rows, there.rows
    house.outages.hear(theirs)
    there.outages.hear(ours)
    house.look()
    there.look()
    assert [each.id for each in house.outages.open()] == [ours[0]["id"]]
    assert [each.id for each in there.outages.open()] == [ours[0]["id"]]
    over = [row for row in (*house.rows, *there.rows) if row["id"] == theirs[0]["id"]]
    assert any(row["until"] == row["since"] for row in over)
