"""Queries: filters, order, limits, and what is said when there is nothing to read."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switch.store import read_cases
from switch.store.database import sqlite_url
from switch.store.read import Reader, StoreUnavailableError
from switch.store.read_cases import CaseReader

OpenStore = Callable[..., Any]
CallRecord = Callable[..., dict[str, Any]]


def test_cdrs_by_line_and_time_oldest_first(open_store: OpenStore, call_record: CallRecord) -> None:
    async def run() -> None:
        async with open_store() as store:
            for n in (3, 1, 2):
                store.put(call_record(f"c{n}", start=n * 1_000, end=n * 1_000 + 500))
            store.put(call_record("other", "102", start=1_500, end=1_600))
            store.put(call_record("nobody", None, start=5_000, end=5_000, account=None))
            await store.writer.settle()
            read = store.reader

            async def shown(**wanted: Any) -> list[str]:
                return [cdr.call_id for cdr in await read.cdrs(**wanted)]

            assert await shown() == ["c1", "other", "c2", "c3", "nobody"]
            assert await shown(line="101") == ["c1", "c2", "c3"]
            assert await shown(since=2_500) == ["c2", "c3", "nobody"]
            assert await shown(line="101", limit=2) == ["c2", "c3"]
            # The newest of those before a moment, not what of the newest was before it.
            assert await shown(line="101", until=2_500, limit=1) == ["c1"]
            for n in range(1_200):
                store.put(call_record(f"d{n}", start=9_000 + n, end=9_001 + n))
            await store.writer.settle()
            assert len(await shown()) == 1_000
            assert len(await shown(limit=0)) == 1_205

    asyncio.run(run())


def notice(state: str, changed_at: int, percentage: int = 80, id_: str = "n1") -> dict[str, Any]:
    return {
        "k": "notice",
        "id": id_,
        "at": 1,
        "line": "101",
        "account": "demo",
        "kind": "usage",
        "percentage": percentage,
        "clause": "3(a)",
        "channel": "mail",
        "state": state,
        "changed_at": changed_at,
    }


def test_notices_of_one_millisecond_are_ascending(open_store: OpenStore) -> None:
    """As `usage fair_use 101 10 100` sorts before `... 80`."""

    async def run() -> None:
        async with open_store() as store:
            for percentage in (80, 90, 100):
                store.put(notice("sent", 1, percentage, f"fair_use 101 10 {percentage}"))
            await store.writer.settle()
            found = await store.reader.notices("101")
            assert [each.percentage for each in found] == [80, 90, 100]
            (newest,) = await store.reader.notices("101", limit=1)
            assert newest.percentage == 100

    asyncio.run(run())


def test_notices_move_forward(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            for record in (notice("queued", 1), notice("sent", 2), notice("queued", 1)):
                store.put(record)
                await store.writer.settle()
            (found,) = await store.reader.notices("101")
            assert found.as_json() == {
                "at": 1,
                "line": "101",
                "account": "demo",
                "kind": "usage",
                "percentage": 80,
                "clause": "3(a)",
                "channel": "mail",
                "state": "sent",
            }
            assert await store.reader.notices("102") == []

    asyncio.run(run())


def test_totals_load_the_meters_of_recent_cycles(open_store: OpenStore) -> None:
    def used(leg: str, cycle: int, at: int, direction: str = "outbound") -> dict[str, Any]:
        return {
            "k": "usage",
            "leg": leg,
            "line": "101",
            "cycle": cycle,
            "direction": direction,
            "ms": 100,
            "counts": True,
            "estimated": False,
            "clock": "boot",
            "at": at,
        }

    async def run() -> None:
        async with open_store() as store:
            store.put(used("a", 1, 1_000), used("b", 2, 5_000), used("c", 2, 9_000))
            store.put(used("d", 2, 9_000, "inbound"))
            for percentage in (90, 80):
                store.put(
                    {
                        "k": "threshold",
                        "line": "101",
                        "cycle": 2,
                        "percentage": percentage,
                        "occurred_at": 1,
                    }
                )
            await store.writer.settle()
            assert await store.reader.totals(8_000) == [
                ("101", 2, {"inbound": 100, "outbound": 200}, [80, 90])
            ]

    asyncio.run(run())


def test_a_missing_database_is_an_error_and_stays_missing(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "none.db"
        reader = Reader(sqlite_url(path))
        with pytest.raises(StoreUnavailableError, match=str(path)):
            await reader.cdrs()
        await reader.close()
        assert not path.exists()

    asyncio.run(run())


def test_a_reader_cannot_write(open_store: OpenStore, call_record: CallRecord) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(call_record())
            await store.writer.settle()
            with pytest.raises(StoreUnavailableError, match="readonly"):
                async with store.reader.connection() as connection:
                    await connection.exec_driver_sql("DELETE FROM cdr")

    asyncio.run(run())


def test_calls_of_the_last_weeks_page_by_page(
    open_store: OpenStore, call_record: CallRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_cases, "PAGE", 3)

    async def run() -> None:
        async with open_store() as store:
            for n in range(8):  # pairs of one millisecond, over the ends of pages
                store.put(call_record(f"c{n}", start=1_000 + n // 2, end=9_000))
            await store.writer.settle()
            reader = CaseReader(store.reader)

            async def found(since: int, most: int) -> list[str]:
                return [row["call_id"] async for row in reader.calls(since, most)]

            assert await found(0, 100) == [f"c{n}" for n in range(8)]
            assert await found(1_001, 100) == [f"c{n}" for n in range(2, 8)]
            assert await found(0, 4) == ["c4", "c5", "c6", "c7"]
            assert await found(5_000, 100) == []

    asyncio.run(run())


def test_a_broken_database_is_one_error_in_one_line(tmp_path: Path) -> None:
    """Also in a process that ends with it, where a thread of the driver had much to say."""
    path = tmp_path / "vigie.sqlite"
    path.write_bytes(b"this is no database" * 100)
    command = [sys.executable, "-m", "switch", "cdr", "list", "--data", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert result.stderr == f"store_unavailable: {path}: file is not a database\n"
