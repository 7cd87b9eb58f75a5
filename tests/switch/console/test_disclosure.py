"""A customer's data leave sealed, once, and only when two others than who asked agreed."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.console.commands import CommandRefused
from switch.console.disclosure_desk import DisclosureDesk
from switch.terms.disclosures import Disclosures
from switch.usage.cdr import Cdr
from tests.switch.console.contract_desk import DEMO

ASKED = {
    "line": "101",
    "since": 1_000,
    "until": 2_000,
    "classes": "traffic,identity",
    "ground": "authority",
    "reference": "PV 2026/12",
    "by": "ana",
}


@dataclass
class Place:
    line: str
    version: int
    at: int
    address: dict[str, str]
    validated: bool = True
    source: str = "store"


class Rows:
    """Two calls, one of them after the span; two places, one of another line."""

    async def cdrs(self, *, line: str, since: int, limit: int) -> list[Cdr]:
        assert (line, since, limit) == ("101", 1_000, 0)
        return [
            Cdr("c1", "101", "demo", "outbound", "+33199000101", "+33145678901", "0145678901",
                1_500, 1_510, 1_900, 390, None, "answered", "ok", rule="route", plan="unlimited"),
            Cdr("c2", "101", "demo", "outbound", "+33199000101", "+33145678902", "0145678902",
                2_000, 2_010, 2_900, 890, None, "answered", "ok"),
        ]  # fmt: skip

    async def locations(self) -> list[Place]:
        return [Place("101", 1, 500, {"insee": "75108"}), Place("102", 1, 500, {"insee": "2A004"})]


class House:
    def __init__(self) -> None:
        found = config.load(DEMO)
        self.exchange = build_exchange(found, {}, NoAnnouncer(), {}, b"a key of 16 bytes")
        self.disclosures = Disclosures(self.exchange.outbox)
        self.desk = DisclosureDesk(self.exchange, self.disclosures, Rows(), lambda: None)

    def do(self, command: str, **args: Any) -> Any:
        done = self.desk.table()[f"disclosure.{command}"](args)
        return asyncio.run(done) if asyncio.iscoroutine(done) else done

    def refused(self, command: str, **args: Any) -> str:
        before = len(self.exchange.outbox.journal)
        with pytest.raises(CommandRefused) as refusal:
            self.do(command, **args)
        assert len(self.exchange.outbox.journal) == before
        return f"{refusal.value.slug}: {refusal.value.message}"

    def approved(self, **changed: Any) -> str:
        id_ = str(self.do("request", **{**ASKED, **changed})["id"])
        for by in ("bob", "claire"):
            self.do("approve", id=id_, by=by)
        return id_


def test_what_leaves_is_what_was_asked_for_and_sealed() -> None:
    house = House()
    id_ = house.approved()
    done = house.do("export", id=id_, by="dora")
    assert done["seal"] == hashlib.sha256(done["text"].encode()).hexdigest()
    content = orjson.loads(done["text"])
    assert content["traffic"] == [
        {"call_id": "c1", "line": "101", "direction": "outbound", "src": "+33199000101",
         "dst": "+33145678901", "start": 1_500, "answer": 1_510, "end": 1_900,
         "disposition": "answered"}
    ]  # fmt: skip
    assert content["identity"]["number"] == "+33199000101"
    assert "location" not in content, "nobody asked for it"
    assert content["approved_by"] == ["bob", "claire"]
    assert house.refused("export", id=id_, by="dora").startswith("not_allowed: ")
    [listed] = house.do("list")
    assert (listed["stage"], listed["seal"]) == ("exported", done["seal"])


def test_a_location_is_that_of_the_line_only() -> None:
    house = House()
    done = house.do("export", id=house.approved(classes="location"), by="dora")
    assert [place["address"] for place in orjson.loads(done["text"])["location"]] == [
        {"insee": "75108"}
    ]


def test_every_step_is_on_file_and_outlives_a_restart() -> None:
    house = House()
    id_ = house.approved()
    records = [orjson.loads(record) for record in house.exchange.outbox.journal]
    assert [(each["did"], each["by"], each["n"]) for each in records] == [
        ("request", "ana", 1), ("approve", "bob", 2), ("approve", "claire", 3),
    ]  # fmt: skip
    logged = [fields for name, fields in house.exchange.outbox.events if name == "disclosure.step"]
    assert len(logged) == 3
    assert not any("101" in str(fields.values()) for fields in logged), "not whose data it is"
    later = House()
    later.disclosures.restore([*reversed(records), *records])
    assert later.do("export", id=id_, by="dora")["seal"]


def test_what_is_refused() -> None:
    house = House()
    assert house.refused("request", **{**ASKED, "line": "999"}).startswith("unknown_line")
    assert "bad_args" in house.refused("request", **{**ASKED, "ground": "curiosity"})
    assert "bad_args" in house.refused("request", **{**ASKED, "classes": "content"})
    assert "ends before it begins" in house.refused("request", **{**ASKED, "until": 1_000})
    assert house.refused("approve", id="disclosure-9", by="bob").startswith("unknown_disclosure")
    id_ = house.do("request", **ASKED)["id"]
    assert "ana asked" in house.refused("approve", id=id_, by="ana")
    assert "2 approvals are missing" in house.refused("export", id=id_, by="bob")
    house.do("refuse", id=id_, by="bob", because="no legal ground")
    assert "refused already" in house.refused("approve", id=id_, by="claire")
