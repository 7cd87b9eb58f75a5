"""What one node wrote is read by another, once the row is there, and only one has the turn."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.store.changes import Changes
from switch.store.journal import Journal
from switch.store.read import StoreUnavailableError
from switch.store.turn import Turn
from switch.store.writer import Writer
from tests.switch.store.postgresql import Server

Record = dict[str, Any]


def state(line: str, word: str, at: int) -> Record:
    return {
        "k": "line_state",
        "line": line,
        "state": word,
        "clause": "2(k)(a)",
        "by": "x",
        "at": at,
    }


def contract(line: str, at: int) -> Record:
    words = dict.fromkeys(
        ("actor", "by", "clause", "because", "before", "before_ground", "to", "number", "way",
         "notice"), "",
    )  # fmt: skip
    return {"k": "contract", "line": line, "account": "demo", "at": at, "name": "warned",
            "until": None, **words}  # fmt: skip


@asynccontextmanager
async def writing(url: str, home: Path) -> AsyncIterator[Writer]:
    journal = Journal(home / "journal", segment_bytes=1 << 20)
    writer = Writer(url, lambda: journal.replay(whole=True), node="a", interval_s=0.005)
    task = asyncio.create_task(writer.run())
    try:
        async with asyncio.timeout(30):
            await writer.carry_out(_nothing)  # the tables are there
            yield writer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        journal.close()


async def _nothing(connection: AsyncConnection) -> int:
    return 0


async def put(writer: Writer, *records: Record) -> None:
    for record in records:
        writer.submit(record)
    await writer.settle()


async def read(changes: Changes) -> list[Record]:
    return [record async for portion in changes.read() for record in portion]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_rows_come_as_the_records_that_they_were(postgresql: Server, tmp_path: Path) -> None:
    async def go() -> None:
        url = postgresql.url("changes")
        async with writing(url, tmp_path) as writer:
            changes = Changes(url)
            suspended, warned = state("101", "suspended", 5), contract("102", 6)
            await put(writer, suspended, warned, {**state("103", "active", 1), "k": "unheard"})
            assert await read(changes) == [suspended, warned]
            again = await read(changes)
            assert again == [suspended, warned], "within the minute they come again"
            await changes.close()

    run(go())


def test_old_rows_and_a_replay_are_no_news(postgresql: Server, tmp_path: Path) -> None:
    async def go() -> None:
        url = postgresql.url("replayed")
        async with writing(url, tmp_path) as writer:
            suspended, warned = state("101", "suspended", 5), contract("102", 6)
            await put(writer, suspended, warned)
            await writer.carry_out(_age)
            changes = Changes(url)
            await changes.begin()
            await put(writer, suspended, warned, state("101", "active", 4))
            assert await read(changes) == []
            resumed = state("101", "active", 9)
            await put(writer, resumed)
            assert await read(changes) == [resumed]
            await changes.close()

    run(go())


async def _age(connection: AsyncConnection) -> int:
    """As if all had been written an hour ago."""
    for table in ("line_state", "contract_step"):
        await connection.execute(text(f"UPDATE {table} SET written = written - 3600000"))
    return 0


def test_nothing_is_missed_while_the_database_is_away(postgresql: Server, tmp_path: Path) -> None:
    async def go() -> None:
        nowhere = Changes("postgresql+asyncpg://postgres@/x?host=/nonexistent")
        for ask in (nowhere.begin, lambda: read(nowhere)):
            try:
                await ask()
            except StoreUnavailableError:
                continue
            raise AssertionError("a database that isn't there was read")
        url = postgresql.url("away")
        async with writing(url, tmp_path) as writer:
            await put(writer, state("101", "suspended", 5))
            changes = Changes(url)  # its `begin` failed, or never was
            assert len(await read(changes)) == 1
            await changes.close()

    run(go())


def test_one_node_has_the_turn_and_the_next_follows(postgresql: Server) -> None:
    async def go() -> None:
        url = postgresql.url("turn")
        first, second = Turn(url), Turn(url)
        assert await first.is_ours()
        assert not await second.is_ours()
        assert await first.is_ours(), "as long as its connection lives"
        await first.give_up()
        await _until(second.is_ours)
        assert not await first.is_ours()
        await second.give_up()
        away = Turn("postgresql+asyncpg://postgres@/x?host=/nonexistent")
        assert not await away.is_ours(), "nobody's turn while the database is away"

    run(go())


def test_a_turn_is_lost_with_its_connection(postgresql: Server) -> None:
    async def go() -> None:
        url = postgresql.url("lost")
        turn, next_ = Turn(url), Turn(url)
        assert await turn.is_ours()
        changes = Changes(url)
        async with changes._engine.connect() as other:
            await other.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
            )
        await changes.close()
        await _until(next_.is_ours)
        assert not await turn.is_ours()
        await next_.give_up()

    run(go())


async def _until(test: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    async with asyncio.timeout(10):
        while not await test():
            await asyncio.sleep(0.02)
