"""A database, a journal and a writer between them, in a directory of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from switch.store.database import sqlite_url
from switch.store.journal import Journal
from switch.store.read import Reader
from switch.store.read_audit import AuditReader
from switch.store.writer import Writer
from tests.switch.store.postgresql import Server, running


class Store:
    """What the driver holds: records go to the journal, then to the writer."""

    def __init__(self, directory: Path, **writer_options: Any) -> None:
        self.path = directory / "vigie.db"
        self.alarms: list[tuple[str, dict[str, object]]] = []
        self.journal = Journal(directory / "journal", segment_bytes=1 << 20)
        self.writer = Writer(
            sqlite_url(self.path),
            lambda: self.journal.replay(whole=True),
            alarm=lambda name, fields: self.alarms.append((name, fields)),
            **{"interval_s": 0.005, **writer_options},
        )
        self.reader = Reader(sqlite_url(self.path))
        self.audit = AuditReader(self.reader)

    def put(self, *records: dict[str, Any]) -> None:
        lines = [orjson.dumps(record) for record in records]
        self.journal.write(lines)
        self.writer.feed(lines)

    def alarm_names(self) -> list[str]:
        return [name for name, _ in self.alarms]


@asynccontextmanager
async def opened(directory: Path, **writer_options: Any) -> AsyncIterator[Store]:
    store = Store(directory, **writer_options)
    task = asyncio.create_task(store.writer.run())
    try:
        async with asyncio.timeout(30):
            yield store
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.reader.close()
        store.journal.close()


@pytest.fixture
def open_store(tmp_path: Path) -> Callable[..., Any]:
    return lambda **options: opened(tmp_path, **options)


@pytest.fixture
def call_record() -> Callable[..., dict[str, Any]]:
    def build(call_id: str = "c1", line: str | None = "101", **fields: Any) -> dict[str, Any]:
        return {
            "k": "cdr",
            "call_id": call_id,
            "line": line,
            "account": "demo",
            "direction": "outbound",
            "src": "+33199000101",
            "dst": "+33145678901",
            "dst_raw": "0145678901",
            "start": 1_000,
            "answer": 3_000,
            "end": 63_000,
            "counted_ms": 60_000,
            "exempt_reason": None,
            "disposition": "answered",
            "ending": "ok",
            "hangup_by": "caller",
            "sip_status": 200,
            "rule": "national",
            "clause": None,
            "emergency": False,
            "forwarded_by": None,
            "estimated": False,
            "plan": "unlimited",
            "feature": None,
            "legs": [{"leg": "a", "line": line, "counted_ms": 60_000}],
            "attempts": [{"trunk": "carrier", "status": 200, "ms": 2_000}],
            **fields,
        }

    return build


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL of the tests' own; each test asks it for a database by a name of its own."""
    with running() as server:
        yield server
