"""Checkpoints: the journal is cut only behind what the database holds."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switch.store.journal import Journal
from switch.store.segment import segment_numbers
from switch.store.upkeep import Upkeep
from switch.store.writer import Writer

OpenStore = Callable[..., Any]
CallRecord = Callable[..., dict[str, Any]]


def test_old_segments_go_once_the_database_holds_them(
    open_store: OpenStore, call_record: CallRecord
) -> None:
    async def run() -> None:
        async with open_store() as store:
            upkeep = Upkeep(store.journal, store.writer, lambda: [b'{"k":"total","line":"101"}'])
            for n in range(8):
                store.put(call_record(f"c{n}"))
                await upkeep.checkpoint()
            assert len(segment_numbers(store.journal.directory)) == 5
            assert [record["k"] for record in store.journal.replay()] == ["total"]
            assert len(await store.reader.cdrs()) == 8

    asyncio.run(run())


def test_nothing_goes_while_the_database_lags(
    open_store: OpenStore, call_record: CallRecord
) -> None:
    async def run() -> None:
        async with open_store(interval_s=5) as store:
            upkeep = Upkeep(store.journal, store.writer, list)
            await store.writer.settle()
            await asyncio.sleep(0.1)
            for n in range(8):
                store.put(call_record(f"c{n}"))
                store.journal.checkpoint([])
            waiting = asyncio.create_task(upkeep.checkpoint())
            await asyncio.sleep(0.1)
            assert not waiting.done()
            assert len(segment_numbers(store.journal.directory)) == 10
            waiting.cancel()

    asyncio.run(run())


def test_many_short_runs_are_due_for_a_checkpoint_too(tmp_path: Path) -> None:
    for n in range(6):
        journal = Journal(tmp_path)
        journal.write([b'{"k":"beat"}'])
        upkeep = Upkeep(journal, Writer("sqlite+aiosqlite:///unused", journal.replay), list)
        assert upkeep.is_due is (n >= 4)
        journal.close()
    journal = Journal(tmp_path)
    journal.checkpoint([])
    journal.close()
    journal = Journal(tmp_path)
    assert not Upkeep(journal, Writer("sqlite+aiosqlite:///unused", journal.replay), list).is_due
    journal.close()


def test_a_quiet_switch_checkpoints_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its only segment would hold who called whom for as long as it runs."""
    journal = Journal(tmp_path)
    now = 1_000.0
    monkeypatch.setattr("switch.store.upkeep.boottime", lambda: now)
    upkeep = Upkeep(journal, Writer("sqlite+aiosqlite:///unused", journal.replay), list)
    now += 29 * 86_400
    assert not upkeep.is_due
    now += 2 * 86_400
    assert upkeep.is_due
    journal.close()
