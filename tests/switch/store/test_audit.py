"""The chain of emergency attempts: added to, never changed, and a change is found."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from switch.store.audit import GENESIS, Head, link

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


def tampered(path: Any, statement: str) -> None:
    """Change the audit as somebody with the file in hand would: without the triggers."""
    with sqlite3.connect(path) as connection:
        for verb in ("UPDATE", "DELETE"):
            connection.execute(f"DROP TRIGGER audit_no_{verb}")
        connection.execute(statement)
    connection.close()


def test_each_row_is_linked_to_the_one_before(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"), attempt("c2"))
            await store.writer.settle()
            store.put(attempt("c3"))
            await store.writer.settle()
            with sqlite3.connect(store.path) as connection:
                rows = connection.execute(
                    "SELECT seq, previous, hash, body FROM audit ORDER BY seq"
                ).fetchall()
            connection.close()
            assert [row[0] for row in rows] == [1, 2, 3]
            assert [row[1] for row in rows] == [GENESIS, rows[0][2], rows[1][2]]
            assert all(link(row[1], row[3]) == row[2] for row in rows)
            verification = await store.reader.verify_audit()
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
            assert (await store.reader.verify_audit()).broken_at == broken_at

    asyncio.run(run())


def test_a_cut_off_end_is_found_by_the_head_in_the_log(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"), attempt("c2"), attempt("c3"))
            await store.writer.settle()
            logged = dict(store.alarms)["audit.head"]
            expected = Head(int(str(logged["seq"])), str(logged["hash"]))
            assert (await store.reader.verify_audit(expected)).broken_at is None
            tampered(store.path, "DELETE FROM audit WHERE seq = 3")
            assert (await store.reader.verify_audit()).broken_at is None
            assert (await store.reader.verify_audit(expected)).broken_at == 3

    asyncio.run(run())


def test_a_rewritten_chain_is_found_by_the_head_in_the_log(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1"))
            await store.writer.settle()
            verification = await store.reader.verify_audit(Head(1, "f" * 64))
            assert verification.broken_at == 1

    asyncio.run(run())


def test_the_log_shows_the_contract_fields_and_one_entry_per_call(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("c1", id="c1:decision", attempts=[], verdict="connected"))
            store.put(attempt("c2"))
            store.put({"k": "audit", "id": "c1:end", "call_id": "c1", "at": 9, "verdict": "failed"})
            await store.writer.settle()
            first, second = [entry.as_json() for entry in await store.reader.emergency_log()]
        assert second == {key: value for key, value in attempt("c2").items() if key != "k"}
        assert (first["call_id"], first["at"], first["verdict"]) == ("c1", 1_000, "failed")

    asyncio.run(run())


def test_a_repeated_entry_is_not_added(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            for _ in range(3):
                store.put(attempt("c1"), attempt("c1"))
                await store.writer.settle()
            assert (await store.reader.verify_audit()).rows == 1

    asyncio.run(run())
