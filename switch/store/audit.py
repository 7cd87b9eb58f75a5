"""The audit of emergency attempts: a chain of rows in which none can be changed or taken out unseen.

Each row's hash is SHA-256 over the previous row's hash and the exact text of the row. The database
refuses updates and deletes (triggers), and `verify` finds what was done behind its back. The newest
hash goes to the log with each addition, so that cutting off the end of the chain is found too.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.store.tables import audit

GENESIS: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of the chain; (0, GENESIS) before the first."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Verification:
    """`rows` that were checked; `broken_at` is the seq of the first that doesn't fit, None if all do."""

    rows: int
    head: Head
    broken_at: int | None


def link(previous: str, body: str) -> str:
    """Return the hash of a row with the text `body` after the row with the hash `previous`."""
    return hashlib.sha256(previous.encode() + body.encode()).hexdigest()


def entry_id(record: dict[str, Any]) -> str:
    """Return what an entry is known by: its own id, else the call's (one entry a call)."""
    return str(record.get("id") or record["call_id"])


async def append(connection: AsyncConnection, records: Iterable[dict[str, Any]]) -> Head:
    """Add records that aren't in the chain yet, in order; return the new head.

    Belongs in a transaction of the only writer: two writers at once would fork the chain, which the
    key on `seq` refuses.
    """
    fresh = {entry_id(record): record for record in records}
    known = await connection.execute(select(audit.c.id).where(audit.c.id.in_(list(fresh))))
    for (there,) in known.all():
        del fresh[there]
    head = await read_head(connection)
    rows = []
    for name, record in fresh.items():
        body = orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()
        following = Head(head.seq + 1, link(head.hash, body))
        rows.append(
            {
                "seq": following.seq,
                "id": name,
                "call_id": record["call_id"],
                "at": record["at"],
                "body": body,
                "previous": head.hash,
                "hash": following.hash,
            }
        )
        head = following
    if rows:
        await connection.execute(insert(audit), rows)
    return head


async def read_head(connection: AsyncConnection) -> Head:
    """Return the newest row's place and hash."""
    newest = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    row = (await connection.execute(newest)).first()
    return Head(row.seq, row.hash) if row else Head()


async def verify(connection: AsyncConnection, expected: Head | None = None) -> Verification:
    """Walk the chain from its first row; `expected` is a head from elsewhere that must be in it."""
    head, rows = Head(), 0
    result = await connection.stream(select(audit).order_by(audit.c.seq))
    async for row in result:
        fits = row.seq == head.seq + 1 and row.previous == head.hash
        if not fits or row.hash != link(head.hash, row.body) or not _agrees(row):
            await result.close()
            return Verification(rows, head, row.seq)
        head, rows = Head(row.seq, row.hash), rows + 1
        if expected is not None and expected.seq == row.seq and expected.hash != row.hash:
            await result.close()
            return Verification(rows, head, row.seq)
    missing = expected is not None and expected.seq > head.seq
    return Verification(rows, head, head.seq + 1 if missing else None)


def _agrees(row: Any) -> bool:
    """Say whether the columns that queries use are those of the hashed text."""
    record = orjson.loads(row.body)
    shown = (row.id, row.call_id, row.at)
    return shown == (entry_id(record), record["call_id"], record["at"])
