"""Locations and the feed in both databases: repeated, late and out of order, and read back for a start."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from switch.facts.feed import Answer, Feed, answer_record
from switch.facts.locations import Locations
from switch.facts.registered import Address, Registered, Source, registered_of
from switch.store.database import sqlite_url
from switch.store.read import Reader
from switch.store.read_feed import feed
from switch.store.recall import recall
from switch.store.writer import Writer
from tests.switch.store.postgresql import Server

FIRST = Registered(
    line="101",
    version=1,
    at=5,
    address=Address("2A004", {"country": "FR", "RD": "cours Napoléon"}),
    validated=True,
    source=Source.FILE,
    why="line added",
    changed_at=5,
)
TOLD = [
    FIRST.reminded_on(0, 6).confirmed("customer", 9).record(),
    FIRST.record(),  # late: it changes nothing
    Registered("101", 1, 7, None, False, Source.STORE, changed_at=7).record(),  # counted anew
]


def exported() -> list[dict[str, Any]]:
    known = Feed()
    table = {"+33199000101": {"number": "+33199000101", "line": "101", "street": "cours Napoléon"}}
    records = list(known.changes(table))
    for record in records:
        known.take(record)
    answer = answer_record(Answer("+33199000101", 1, 9, accepted=False, reason="no number"))
    return [*records, known.header(8, "ops"), answer]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "vigie.db")
    server: Server = request.getfixturevalue("postgresql")
    return server.url("places")


def written(url: str, records: list[dict[str, Any]], ask: Callable[[Reader], Any]) -> Any:
    async def run() -> Any:
        writer = Writer(url, lambda: iter(()), interval_s=0.005)
        task = asyncio.create_task(writer.run())
        for record in (*records, *records):
            writer.feed([orjson.dumps(record)])
        async with asyncio.timeout(20):
            await writer.settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        reader = Reader(url)
        try:
            return await ask(reader)
        finally:
            await reader.close()

    return asyncio.run(run())


def test_both_come_back(url: str) -> None:
    async def ask(reader: Reader) -> tuple[Any, Any, Any]:
        return await reader.locations("101"), await feed(reader), await recall(reader, 0, 0)

    rows, told, recalled = written(url, [*TOLD, *exported()], ask)
    assert [(row.version, row.at, row.confirmed_by) for row in rows] == [
        (1, 5, "customer"),
        (1, 7, ""),
    ], "no version is ever overwritten, not even by one of the same number"
    assert [record["k"] for record in told] == ["feed", "feed_row", "feed_ack"]
    locations, known = Locations(), Feed()
    for record in recalled.lives:
        if record["k"] == "location":
            locations.keep(registered_of(record))
        else:
            known.take(record)
    assert [each.reminded for each in locations.of("101")] == [(0,), ()]
    assert locations.of("101")[0].address == FIRST.address
    assert known.version == 1
    assert known.lack("+33199000101", None) == "refused in version 1: no number"
