"""What the database gives a start: what it knows, or nothing, and never an error."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from switch.store.database import sqlite_url
from switch.store.read import Reader
from switch.store.recall import Recalled, recall

OpenStore = Callable[..., Any]


def usage(leg: str, ms: int, counts: bool) -> dict[str, object]:
    rest = {"estimated": False, "clock": "boot", "at": 9_000}
    return {
        "k": "usage",
        "leg": leg,
        "line": "101",
        "cycle": 2,
        "direction": "outbound",
        "ms": ms,
        "counts": counts,
        **rest,
    }


def test_states_and_counted_minutes_come_back(open_store: OpenStore) -> None:
    state = {"line": "104", "state": "suspended", "clause": "2(k)(a)", "by": "ops", "at": 5}

    async def run() -> None:
        async with open_store() as store:
            store.put({"k": "line_state", **state})
            store.put(usage("a", 100, True), usage("emergency", 70, False))
            await store.writer.settle()
            known = await recall(store.reader, 0, 0)
            assert known.lives == [{"k": "line_state", **state}]
            assert known.totals == [("101", 2, {"outbound": 100}, [])]

    asyncio.run(run())


def found_in(path: Path) -> tuple[Recalled, list[str]]:
    alarms: list[str] = []

    async def run() -> Recalled:
        reader = Reader(sqlite_url(path))
        found = await recall(reader, 0, 0, alarm=lambda name, fields: alarms.append(name))
        await reader.close()
        return found

    return asyncio.run(run()), alarms


def test_a_broken_file_gives_nothing_and_an_alarm(tmp_path: Path) -> None:
    path = tmp_path / "vigie.sqlite"
    path.write_bytes(b"this is no database" * 1000)
    assert found_in(path) == (Recalled(), ["store.unreadable"])


def test_before_the_first_start_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert found_in(tmp_path / "none.sqlite") == (Recalled(), [])
