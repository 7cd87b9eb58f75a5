"""The batch writer when its database is removed, replaced, locked, full, or slower than calls."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from switch.store.batch import Batch
from tests.switch.store.test_writer import CYCLE, CallRecord, OpenStore, usage_record


def test_a_removed_database_is_filled_again(open_store: OpenStore, call_record: CallRecord) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(call_record("c1"), usage_record("a", 60_000))
            await store.writer.settle()
            store.path.unlink()
            store.put(call_record("c2"))
            await store.writer.settle()
            assert {cdr.call_id for cdr in await store.reader.cdrs()} == {"c1", "c2"}
            assert (await store.reader.usage("101", CYCLE, 1)).used_ms == 60_000
            assert "store.replaced" in store.alarm_names()

    asyncio.run(run())


def test_a_replaced_database_is_filled_again_when_idle(
    open_store: OpenStore, call_record: CallRecord, tmp_path: Path
) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(call_record("c1"))
            await store.writer.settle()
            (tmp_path / "empty.db").touch()
            (tmp_path / "empty.db").replace(store.path)
            while store.writer.replays < 2:
                await asyncio.sleep(0.02)
            store.put(call_record("c2"))
            await store.writer.settle()
            assert {cdr.call_id for cdr in await store.reader.cdrs()} == {"c1", "c2"}

    asyncio.run(run())


def test_a_locked_database_is_waited_for(
    open_store: OpenStore, call_record: CallRecord, monkeypatch: Any
) -> None:
    monkeypatch.setattr("switch.store.database._BUSY_TIMEOUT_MS", 20)

    async def run() -> None:
        async with open_store() as store:
            store.put(call_record("c1"))
            await store.writer.settle()
            other = sqlite3.connect(store.path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            store.put(call_record("c2"))
            while not store.writer.is_failing:
                await asyncio.sleep(0.01)
            assert len(store.writer) == 1
            other.execute("ROLLBACK")
            other.close()
            await store.writer.settle()
            assert len(await store.reader.cdrs()) == 2
            assert "store.failing" in store.alarm_names()
        assert store.writer.rejected == 0

    asyncio.run(run())


def test_a_full_disk_is_waited_for(open_store: OpenStore, call_record: CallRecord) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(call_record("c1"))
            await store.writer.settle()
            async with store.writer._engine.begin() as connection:
                pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar()
                await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            many = [call_record(f"m{n}", src="x" * 2_000) for n in range(50)]
            store.put(*many)
            while not store.writer.is_failing:
                await asyncio.sleep(0.01)
            assert any("full" in str(fields) for _, fields in store.alarms)
            async with store.writer._engine.begin() as connection:
                await connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
            await store.writer.settle()
            assert len(await store.reader.cdrs()) == 51
            assert store.alarm_names()[-1] == "store.recovered"

    asyncio.run(run())


def test_an_overflowing_queue_is_caught_up_from_the_journal(
    open_store: OpenStore, call_record: CallRecord
) -> None:
    async def run() -> None:
        async with open_store(capacity=10) as store:
            store.put(*[call_record(f"c{n:03}") for n in range(100)])
            assert len(store.writer) <= 10
            await store.writer.settle()
            assert len(await store.reader.cdrs()) == 100
            assert store.alarm_names().count("store.queue_full") == 1

    asyncio.run(run())


def during_first_write(monkeypatch: Any, happening: Callable[[], None]) -> None:
    """Let something happen while the writer waits for its first batch with a CDR."""
    write = Batch.write
    happenings = [happening]

    async def disturbed(self: Batch, engine: Any) -> Any:
        head = await write(self, engine)
        if self._rows["cdr"] and happenings:
            happenings.pop()()
        return head

    monkeypatch.setattr(Batch, "write", disturbed)


def test_a_database_removed_while_it_is_written_to(
    open_store: OpenStore, call_record: CallRecord, monkeypatch: Any
) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(usage_record("warm", 1))
            await store.writer.settle()
            during_first_write(monkeypatch, store.path.unlink)
            store.put(call_record("c1"))
            await store.writer.settle()
            assert [cdr.call_id for cdr in await store.reader.cdrs()] == ["c1"]

    asyncio.run(run())


def test_a_queue_that_overflows_while_it_is_written(
    open_store: OpenStore, call_record: CallRecord, monkeypatch: Any
) -> None:
    async def run() -> None:
        async with open_store(capacity=3) as store:
            store.put(usage_record("warm", 1))
            await store.writer.settle()
            late = [call_record(f"late{n}") for n in range(5)]
            during_first_write(monkeypatch, lambda: store.put(*late))
            store.put(call_record("c1"), call_record("c2"))
            await store.writer.settle()
            assert len(await store.reader.cdrs()) == 7
            assert not store.writer.is_failing

    asyncio.run(run())
