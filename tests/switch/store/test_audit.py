"""The chain of emergency attempts: added to, never changed, and a change is found."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.store.audit import GENESIS, Head, append, digest_of, link, purge

OpenStore = Callable[..., Any]


def attempt(call_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "k": "audit",
        "call_id": call_id,
        "at": 1_000,
        "line": "101",
        "dialled": "18",
        "class": "emergency_vital",
        "level": "E0",
        "verdict": "connected",
        "insee": "75108",
        "address_version": 1,
        "attempts": [{"trunk": "emergency-1", "profile": "A", "status": 200, "ms": 40}],
        **fields,
    }


def callback(call_id: str, of: str) -> dict[str, Any]:
    return {
        "k": "audit",
        "id": call_id,
        "call_id": of,
        "event": "callback",
        "at": 2_000,
        "line": "101",
    }


def tampered(path: Any, statement: str) -> None:
    """Change the audit as somebody with the file in hand would: without the triggers."""
    with sqlite3.connect(path) as connection:
        for verb in ("UPDATE", "DELETE"):
            connection.execute(f"DROP TRIGGER audit_no_{verb}")
        connection.execute(statement)
    connection.close()


def test_a_batch_adds_only_what_the_chain_lacks(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(*(attempt(f"c{n}") for n in range(4)))
            await store.writer.settle()

            async def again(connection: AsyncConnection) -> int:
                repeated = [attempt(f"c{n}") for n in range(1, 7)]  # as a replay does
                return (await append(connection, repeated)).seq

            assert await store.writer.carry_out(again) == 7
            with sqlite3.connect(store.path) as connection:
                rows = connection.execute("SELECT id FROM audit ORDER BY seq").fetchall()
            connection.close()
            assert [name for (name,) in rows] == [f"c{n}" for n in range(7)]
            assert (await store.audit.verify()).broken_at is None

    asyncio.run(run())


def test_each_row_is_linked_to_the_one_before(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"), attempt("c2"))
            await store.writer.settle()
            store.put(attempt("c3"))
            await store.writer.settle()
            with sqlite3.connect(store.path) as connection:
                rows = connection.execute(
                    "SELECT seq, previous, hash, body, id, call_id, at FROM audit ORDER BY seq"
                ).fetchall()
            connection.close()
            assert [row[0] for row in rows] == [1, 2, 3]
            assert [row[1] for row in rows] == [GENESIS, rows[0][2], rows[1][2]]
            for _, previous, linked, body, *columns in rows:
                assert link(previous, *columns, digest_of(body)) == linked
            verification = await store.audit.verify()
            assert (verification.rows, verification.broken_at) == (3, None)
            heads = [fields for name, fields in store.alarms if name == "audit.head"]
            assert heads[-1] == {"seq": 3, "hash": rows[2][2]}

    asyncio.run(run())


def test_the_database_refuses_changes(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"))
            await store.writer.settle()
            connection = sqlite3.connect(store.path)
            for statement in ("DELETE FROM audit", "UPDATE audit SET at = 0"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    connection.execute(statement)
            connection.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit SET body = replace(body, 'connected', 'blocked_abroad') WHERE seq = 2", 2),
        ("UPDATE audit SET at = 999 WHERE seq = 2", 2),
        ("UPDATE audit SET call_id = 'other' WHERE seq = 3", 3),
        ("UPDATE audit SET previous = hash WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 2", 3),
        ("DELETE FROM audit WHERE seq = 1", 2),
    ],
)
def test_tampering_is_found(open_store: OpenStore, statement: str, broken_at: int) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"), attempt("c2"), attempt("c3"))
            await store.writer.settle()
            tampered(store.path, statement)
            assert (await store.audit.verify()).broken_at == broken_at

    asyncio.run(run())


def test_a_cut_off_end_is_found_by_the_head_in_the_log(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"), attempt("c2"), attempt("c3"))
            await store.writer.settle()
            logged = dict(store.alarms)["audit.head"]
            expected = Head(int(str(logged["seq"])), str(logged["hash"]))
            assert (await store.audit.verify(expected)).broken_at is None
            tampered(store.path, "DELETE FROM audit WHERE seq = 3")
            assert (await store.audit.verify()).broken_at is None
            assert (await store.audit.verify(expected)).broken_at == 3

    asyncio.run(run())


def test_a_rewritten_chain_is_found_by_the_head_in_the_log(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"))
            await store.writer.settle()
            verification = await store.audit.verify(Head(1, "f" * 64))
            assert verification.broken_at == 1

    asyncio.run(run())


def test_the_log_shows_the_contract_fields_and_one_entry_per_call(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1", signals=[], verdict="failed"), attempt("c2", line="102"))
            store.put(callback("b1", of="c1"))
            await store.writer.settle()
            first, second = await store.audit.log()
            assert second == {k: v for k, v in attempt("c2", line="102").items() if k != "k"}
            assert (first["call_id"], first["at"], first["verdict"]) == ("c1", 1_000, "failed")
            assert await store.audit.log(line="102") == [second]
            assert await store.audit.log(since=1_001) == []
            assert await store.audit.log(until=1_000) == []
            assert [entry["call_id"] for entry in await store.audit.log(limit=1)] == ["c2"]

    asyncio.run(run())


def test_one_call_is_shown_with_what_followed(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            notice = {"k": "notice", "id": "n@mail", "notice": "n", "at": 1_500, "kind": "x"}
            notice |= {"channel": "mail", "state": "sent", "call_id": "c1", "audience": "site"}
            store.put(attempt("c1"), attempt("c2"), callback("b1", of="c1"), notice)
            await store.writer.settle()
            shown = await store.audit.show("c1")
            assert shown.record["verdict"] == "connected"
            assert [event["event"] for event in shown.events] == ["callback"]
            assert [(told["channel"], told["state"]) for told in shown.notices] == [
                ("mail", "sent")
            ]
            assert shown.seq == 1
            assert await store.audit.show("nobody") is None

    asyncio.run(run())


def test_more_than_a_page_is_searched_for_a_line(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("first", line="999"), *(attempt(f"c{n}") for n in range(1_100)))
            await store.writer.settle()
            assert [entry["call_id"] for entry in await store.audit.log(line="999")] == ["first"]
            rows, head = await store.audit.rows(line="999")
            assert [row["call_id"] for row in rows] == ["first"]
            assert head.seq == 1_101

    asyncio.run(run())


def test_a_repeated_entry_is_not_added(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            for _ in range(3):
                store.put(attempt("c1"), attempt("c1"))
                await store.writer.settle()
            assert (await store.audit.verify()).rows == 1

    asyncio.run(run())


async def purged(store: Any, before: int, held: tuple[str, ...] = (), limit: int = 10_000) -> int:
    return int(
        await store.writer.carry_out(
            lambda connection: purge(connection, before, 5_000, "emergency 365 d", held, limit)
        )
    )


def test_a_purge_takes_the_texts_and_leaves_a_chain_that_holds(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"), attempt("c2", line="102"), attempt("c3", at=9_000))
            await store.writer.settle()
            noted = (await store.audit.verify()).head
            assert await purged(store, 2_000) == 2
            assert await purged(store, 2_000) == 0, "and not twice"
            found = await store.audit.verify(noted)
            assert (found.rows, found.purged, found.broken_at) == (4, 2, None)
            assert [entry["call_id"] for entry in await store.audit.log()] == ["c3"]
            assert await store.audit.show("c1") is None
            store.put(attempt("c1"), attempt("c4"))  # a journal that still has it is replayed
            await store.writer.settle()
            assert await store.audit.show("c1") is None
            assert (await store.audit.verify()).rows == 5

    asyncio.run(run())


def test_what_is_held_stays(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"), attempt("c2", line="102"))
            await store.writer.settle()
            assert await purged(store, 2_000, held=("101",)) == 1
            assert [entry["call_id"] for entry in await store.audit.log()] == ["c1"]

    asyncio.run(run())


def test_a_purge_goes_by_portions(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(*(attempt(f"c{n}") for n in range(7)))
            await store.writer.settle()
            assert [await purged(store, 2_000, limit=3) for _ in range(4)] == [3, 3, 1, 0]
            assert (await store.audit.verify()).broken_at is None

    asyncio.run(run())


def test_a_text_that_vanished_without_a_purge_is_tampering(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"), attempt("c2"), attempt("c3"))
            await store.writer.settle()
            with sqlite3.connect(store.path) as connection:  # the trigger lets a purge pass
                connection.execute("UPDATE audit SET body = '' WHERE seq = 2")
            connection.close()
            assert (await store.audit.verify()).broken_at == 2

    asyncio.run(run())


@pytest.mark.parametrize("column", ["at = 9", "call_id = 'x'", "digest = 'x'", "body = 'other'"])
def test_a_purge_can_change_nothing_else(open_store: OpenStore, column: str) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"))
            await store.writer.settle()
            connection = sqlite3.connect(store.path)
            for statement in (
                f"UPDATE audit SET {column}",
                f"UPDATE audit SET body = '', {column}",
            ):
                if statement.count("body") < 2:
                    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                        connection.execute(statement)
            connection.close()

    asyncio.run(run())
