"""Locating, confirming, reminding: the use cases around a line's registered location."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from policy.model import LineState
from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.clock import boottime
from switch.console.commands import CommandRefused
from switch.console.configuration import differences
from switch.console.line_life import LineLives
from switch.console.places import Places
from switch.facts.registered import DAY_MS
from switch.facts.settings import LineSettings
from switch.facts.whereabouts import Mark
from switch.store.database import sqlite_url
from switch.store.read import Reader
from switch.store.writer import Writer

DEMO = Path(__file__).parents[3] / "configs" / "demo"
LYON = {"insee": "69383", "civic": {"HNO": "12", "RD": "rue Paul Bert"}}


@cache
def demo() -> config.Configuration:
    return config.load(DEMO)


class House:
    """A switch without I/O, its journal, and the places of its lines."""

    def __init__(self, database: Path, found: config.Configuration | None = None) -> None:
        self.found = found or demo()
        self.exchange = build_exchange(self.found, {}, NoAnnouncer(), {}, b"a key of 16 bytes")
        self.lives = LineLives(self.exchange, self.found.snapshot)
        self.performed = 0
        self.reader = Reader(sqlite_url(database))
        self.places = Places(self.exchange, self.lives, self.reader, self._perform)
        self.now_ms = round(self.exchange.wall(boottime()) * 1000)

    def _perform(self) -> None:
        self.performed += 1

    @property
    def records(self) -> list[dict[str, Any]]:
        return [orjson.loads(record) for record in self.exchange.outbox.journal]

    @property
    def notices(self) -> list[dict[str, Any]]:
        events = self.exchange.outbox.events
        return [fields for name, fields in events if name == "notice.due"]

    def ask(self, command: str, **args: Any) -> Any:
        result = self.places.table()[command](args)
        return asyncio.run(result) if asyncio.iscoroutine(result) else result

    def look_after(self, days: float) -> list[str]:
        """The ids of what is owed when the slow task looks; each is told once, so it looks twice."""
        self.exchange.outbox.events.clear()
        for _ in range(3):
            now = self.now_ms + 1000 + round(days * DAY_MS)
            self.places.reopen(now)
            self.places.remind(now)
        return [notice["id"] for notice in self.notices]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "vigie.db")
    house.places.see()
    house.exchange.outbox.clear()
    yield house
    asyncio.run(house.reader.close())


def with_lines(found: config.Configuration, **changes: Any) -> config.Configuration:
    """The demo with line 101 changed."""
    lines = [
        LineSettings.model_validate(line.model_dump(by_alias=True) | changes)
        if line.id == "101"
        else line
        for line in found.settings.lines
    ]
    return replace(found, settings=found.settings.model_copy(update={"lines": tuple(lines)}))


def test_a_line_is_located_at_an_address_that_its_code_completes(house: House) -> None:
    told = house.ask("line.locate", line="103", why="moved", by="ops", **LYON)
    assert (told["state"], told["version"], told["insee"]) == ("unconfirmed", 2, "69383")
    assert told["civic"]["A3"] == "Lyon" and told["civic"]["PC"] == "69003"
    assert (told["by"], told["why"], told["source"], told["warnings"]) == (
        "ops",
        "moved",
        "store",
        [],
    )
    place = house.exchange.facts.lines["103"].policy.location
    assert place is not None
    assert (place.insee, place.version, place.validated, place.confirmed) == (
        *("69383", 2),
        *(True, False),
    )
    (record,) = [record for record in house.records if record["k"] == "location"]
    assert (record["line"], record["version"], record["number"]) == ("103", 2, "+33199000103")
    assert house.performed == 1


def test_the_first_reminder_is_owed_at_once_and_says_where(house: House) -> None:
    house.ask("line.locate", line="103", **LYON)
    (notice,) = house.notices
    assert notice["id"] == "location_reminder 103 2 0"
    assert (notice["kind"], notice["audience"], notice["clause"]) == (
        *("location_reminder", "customer"),
        "1(d)",
    )
    assert notice["fields"]["address"] == "12 rue Paul Bert, 69003 Lyon"


def test_a_line_is_moved_to_another_site(tmp_path: Path) -> None:
    found = config.load(DEMO)
    lyon = found.settings.sites[0].model_copy(
        update={
            "id": "lyon",
            "insee": "69383",
            "civic": {"country": "FR", "A3": "Lyon", "PC": "69003", "RD": "rue Paul Bert"},
            "networks": ("127.0.6.0/24",),
        }
    )
    sites = (*found.settings.sites, lyon)
    found = replace(found, settings=found.settings.model_copy(update={"sites": sites}))
    house = House(tmp_path / "vigie.db", found)
    house.places.see()
    told = house.ask("line.locate", line="101", site="lyon", civic={"FLR": "2"})
    assert (told["site"], told["insee"], told["civic"]["FLR"]) == ("lyon", "69383", "2")
    line = house.exchange.facts.lines["101"]
    assert (line.site, line.filed_site) == ("lyon", "paris-8")
    assert line.policy.site_location is not None
    assert line.policy.site_location.insee == "69383"
    kinds = [signal.kind for signal in house.exchange.facts.signals(line, "127.0.6.1", 0.0)]
    assert kinds[0] == "enrolled_network", "phones of the new building are in it"


@pytest.mark.parametrize(
    ("args", "slug", "says"),
    [
        ({"line": "999", "insee": "69383"}, "unknown_line", "no line 999"),
        ({}, "bad_args", "one of"),
        ({"insee": "69383", "site": "paris-8"}, "bad_args", "one of"),
        ({"none": True, "civic": {"RD": "x"}}, "bad_args", "no civic elements"),
        ({"site": "rome"}, "unknown_site", "no site rome"),
        ({**LYON, "insee": "69123"}, "invalid_address", "69381 to 69389"),
        ({**LYON, "civic": {"RD": "x", "PC": "75008"}}, "invalid_address", "75008 is not of 69383"),
        ({"insee": "69383"}, "invalid_address", "where in the commune"),
        ({"insee": "97411", "civic": {"RD": "x"}}, "invalid_address", "no postcode"),
        ({"insee": "98818", "civic": {"RD": "x", "PC": "98800"}}, "invalid_address", "don't cover"),
        ({**LYON, "civic": {"STREET": "x"}}, "bad_args", "RFC 5139: STREET"),
        ({**LYON, "civic": "x"}, "bad_args", "an object"),
    ],
)
def test_what_is_refused_changes_nothing(
    house: House, args: dict[str, Any], slug: str, says: str
) -> None:
    facts = house.exchange.facts
    with pytest.raises(CommandRefused) as refused:
        house.ask("line.locate", **({"line": "103"} | args))
    assert refused.value.slug == slug
    assert says in refused.value.message
    assert house.exchange.facts is facts
    assert house.records == []


def test_the_same_place_again_is_no_version(house: House) -> None:
    house.ask("line.locate", line="103", **LYON)
    with pytest.raises(CommandRefused, match="registered there already"):
        house.ask("line.locate", line="103", **LYON)


def test_an_address_that_the_file_does_not_vouch_for_can_be_registered_as_it_is(
    house: House,
) -> None:
    sites = tuple(
        site.model_copy(update={"validated": False}) for site in house.found.settings.sites
    )
    settings = house.found.settings.model_copy(update={"sites": sites})
    doubted = House(house.reader._path or Path(), replace(house.found, settings=settings))
    doubted.places.see()
    assert doubted.places.shown("101")["state"] == "unvalidated"
    assert doubted.ask("line.locate", line="101", site="paris-8")["state"] == "unconfirmed"


def test_a_commune_by_another_name_is_doubted_and_registered(house: House) -> None:
    civic = {"RD": "rue Paul Bert", "A3": "Villeurbanne"}
    told = house.ask("line.locate", line="103", insee="69383", civic=civic)
    assert told["warnings"] == ["69383 is Lyon 3e Arrondissement, and A3 says Villeurbanne"]


def test_an_address_that_is_lost(house: House) -> None:
    told = house.ask("line.locate", line="103", none=True)
    assert (told["state"], told["insee"]) == ("unvalidated", None)
    assert house.exchange.facts.lines["103"].policy.location is None
    assert house.look_after(3) == [], "there is nothing to confirm"
    with pytest.raises(CommandRefused) as refused:
        house.ask("line.confirm", line="103")
    assert refused.value.slug == "unvalidated"


def test_confirming_stops_the_reminders(house: House) -> None:
    house.ask("line.locate", line="103", **LYON)
    assert house.look_after(3) == ["location_reminder 103 2 3"], "day 0 was told before"
    told = house.ask("line.confirm", line="103", by="Mme Dupont")
    assert (told["state"], told["version"], told["confirmed_by"]) == ("confirmed", 2, "Mme Dupont")
    place = house.exchange.facts.lines["103"].policy.location
    assert place is not None and place.confirmed
    assert house.look_after(7) == []
    with pytest.raises(CommandRefused) as refused:
        house.ask("line.confirm", line="103")
    assert refused.value.slug == "unchanged"


def test_the_file_s_location_can_be_confirmed_too(house: House) -> None:
    house = House(house.reader._path or Path(), with_lines(house.found, location_confirmed=None))
    house.places.see()
    assert house.places.shown("101")["state"] == "unconfirmed"
    told = house.ask("line.confirm", line="101", by="M. Martin")
    assert (told["state"], told["version"], told["source"]) == ("confirmed", 1, "file")
    place = house.exchange.facts.lines["101"].policy.location
    assert place is not None and place.confirmed
    house.places.see()
    assert house.look_after(0) == []


def test_reminders_on_day_0_3_and_7_and_never_again(house: House) -> None:
    house.ask("line.locate", line="103", **LYON)
    house.exchange.outbox.events.clear()
    told = [house.look_after(day / 2) for day in range(40)]
    assert [notice for day in told for notice in day] == [
        "location_reminder 103 2 3",
        "location_reminder 103 2 7",
    ]
    assert told[6] and told[14], "on the third and the seventh day"
    assert house.places.shown("103")["reminded"] == [0, 3, 7]


def test_a_terminated_line_s_customer_is_left_alone(house: House) -> None:
    house.ask("line.locate", line="103", **LYON)
    house.lives.change("103", LineState.TERMINATED, "2(l)", "ops", house.now_ms)
    assert house.look_after(3) == []


def seen_on_another_network(house: House, line: str, after_days: float) -> None:
    since = house.now_ms + round(after_days * DAY_MS)
    house.exchange.sightings.mark(line, None, Mark(since, "E2", "FR", "127.0.6.1"), boottime())


def test_a_phone_that_moved_has_its_customer_asked_again_once(house: House) -> None:
    seen_on_another_network(house, "101", 2)
    assert house.look_after(2.9) == [], "a journey"
    assert house.look_after(3.1) == ["location_reminder 101 2 0"]
    shown = house.places.shown("101")
    assert (shown["state"], shown["version"], shown["insee"]) == ("unconfirmed", 2, "75108")
    assert (shown["by"], shown["source"]) == ("switch", "file")
    kept = json.dumps([record for record in house.records if record["k"] == "location"])
    assert "127.0.6.1" not in kept, "a network address is not kept for ever"
    house.places.see()
    assert house.places.shown("101")["version"] == 2
    house.ask("line.confirm", line="101")
    assert house.look_after(9) == [], "the customer has answered this move"


def test_a_phone_that_never_had_a_place_did_not_move(house: House) -> None:
    site = house.exchange.facts.sites["paris-8"].model_copy(update={"networks": ()})
    house.exchange.facts = replace(house.exchange.facts, sites={"paris-8": site})
    seen_on_another_network(house, "101", 2)
    assert house.look_after(9) == []


# -- restarts and reloads ------------------------------------------------------------------------


def restarted(house: House, records: list[dict[str, Any]], **changes: Any) -> House:
    found = with_lines(house.found, **changes) if changes else house.found
    again = House(house.reader._path or Path(), found)
    again.lives.restore(records)
    again.places.see()
    return again


def test_a_restart_goes_on_from_the_journal(house: House) -> None:
    first = House(house.reader._path or Path())
    first.places.see()
    first.ask("line.locate", line="103", by="ops", **LYON)
    first.look_after(0)
    again = restarted(house, first.records)
    assert again.places.shown("103") == first.places.shown("103")
    assert again.records == [], "nothing is new to it"
    assert again.look_after(1) == [], "day 0 was told by the one before"
    assert again.look_after(3) == ["location_reminder 103 2 3"]
    restated = [orjson.loads(record) for record in again.lives.records()]
    assert restarted(house, restated).places.shown("103")["version"] == 2
    assert len(asyncio.run(again.places.versions({"line": "103"}))) == 2  # type: ignore[arg-type]


def test_what_was_owed_when_the_switch_died_is_owed_again_under_the_same_id(house: House) -> None:
    first = House(house.reader._path or Path())
    first.places.see()
    first.ask("line.locate", line="103", **LYON)  # owed, and then the power fails
    (told,) = first.notices
    again = restarted(house, first.records)
    assert [notice["id"] for notice in again.notices] == [told["id"]]


def test_a_reload_never_changes_what_the_store_owns(house: House) -> None:
    house.ask("line.locate", line="101", **LYON)
    place = {"HNO": "1", "RD": "rue de Rome", "PC": "75008", "country": "FR"}
    other = with_lines(house.found, location={"insee": "75108", "civic": place})
    again = House(house.reader._path or Path(), other)
    again.lives.restore(house.records)
    again.places.see()
    shown = again.places.shown("101")
    assert (shown["insee"], shown["version"], shown["source"]) == ("69383", 2, "store")
    listed = [
        row for row in differences(other, other, again.lives.lives) if row["owner"] == "store"
    ]
    assert [(row["key"], row["running"], row["file"]) for row in listed] == [
        ("line.101.location", "69383, version 2", "75108")
    ]


def test_another_number_asks_the_customer_again_and_keeps_the_address(house: House) -> None:
    house.ask("line.locate", line="101", **LYON)
    house.ask("line.confirm", line="101")
    again = restarted(house, house.records, number="+33199000199")
    shown = again.places.shown("101")
    assert (shown["insee"], shown["version"], shown["state"]) == ("69383", 3, "unconfirmed")
    assert shown["why"] == "number changed from +33199000101 to +33199000199"
    assert [notice["id"] for notice in again.notices] == ["location_reminder 101 3 0"]


def test_versions_come_from_the_database_when_the_journal_is_gone(
    house: House, tmp_path: Path
) -> None:
    house.ask("line.locate", line="103", by="ops", why="moved", **LYON)
    house.ask("line.confirm", line="103", by="Mme Dupont")
    house.ask("line.locate", line="103", site="paris-8")

    async def write() -> None:
        writer = Writer(sqlite_url(tmp_path / "vigie.db"), lambda: iter(()), interval_s=0.005)
        task = asyncio.create_task(writer.run())
        writer.feed(list(house.exchange.outbox.journal))
        await writer.settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(write())
    blank = House(tmp_path / "vigie.db")
    found = blank.ask("line.locations", line="103")
    asyncio.run(blank.reader.close())
    assert [(row["version"], row["state"], row["insee"], row["by"]) for row in found] == [
        (2, "confirmed", "69383", "ops"),
        (3, "unconfirmed", "75108", "operator"),
    ]
    assert (found[0]["why"], found[0]["confirmed_by"]) == ("moved", "Mme Dupont")


def test_files_with_an_address_that_contradicts_its_code(tmp_path: Path) -> None:
    """`check` and `apply` refuse them; a start doesn't, and takes the address for unvalidated."""
    home = tmp_path / "config"
    shutil.copytree(DEMO, home)
    text = (home / "vigie.toml").read_text("utf-8")
    text = text.replace("../../dialplans", str(DEMO.parents[1] / "dialplans"))
    (home / "vigie.toml").write_text(text.replace('insee = "75108"', 'insee = "75107"'), "utf-8")
    found = config.load(home)
    (problem,) = found.misplaced()
    assert problem.key == "site[0].civic"
    assert "75008 is not of 75107" in problem.message
    assert (
        problem.line
        == text[: text.index("civic = { country", text.index("[[site]]"))].count("\n") + 1
    )
    place = found.snapshot({}).lines["101"].policy.location
    assert place is not None and not place.validated
