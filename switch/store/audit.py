"""The audit of emergency attempts: a chain of rows in which none can be changed or taken out unseen.

Each row's hash is SHA-256 over the previous row's hash, the row's own columns and the SHA-256 of its
text. The database refuses updates and deletes (triggers), and `verify` finds what was done behind its
back. The newest hash goes to the log with each addition, so that cutting off the end of the chain is
found too. Personal data doesn't stay for ever: `purge` empties the texts of old rows. The chain holds
without them, and a row of its own says which were emptied and by which rule; a text that is missing
without such a row is tampering.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import Text, bindparam, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.store.database import CHAINING
from switch.store.tables import audit

GENESIS: Final = "0" * 64
PURGE: Final = "purge"

# Made once: building a statement costs more than writing a row.
_NEWEST: Final = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
# Which of some ids (a JSON array: one value, however many) the chain has, and last its newest row.
_KNOWN: Final = {
    dialect: select(audit.c.id, audit.c.seq, audit.c.hash)
    .where(
        or_(
            audit.c.id.in_(text(f"SELECT {elements}").bindparams(bindparam("ids", type_=Text))),
            audit.c.seq == select(func.max(audit.c.seq)).scalar_subquery(),
        )
    )
    .order_by(audit.c.seq)
    for dialect, elements in (
        ("sqlite", "value FROM json_each(:ids)"),
        ("postgresql", "jsonb_array_elements_text(CAST(:ids AS jsonb))"),
    )
}
_ADD: Final = insert(audit)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of the chain; (0, GENESIS) before the first."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Verification:
    """`rows` that were checked, `purged` of them without their text; `broken_at` is the seq of the
    first that doesn't fit, None if all do."""

    rows: int
    head: Head
    broken_at: int | None
    purged: int = 0


def link(previous: str, row_id: str, call_id: str, at: int, digest: str) -> str:
    """Return the hash of a row whose text has this digest, after the row with the hash `previous`."""
    return hashlib.sha256(
        "\n".join((previous, row_id, call_id, str(at), digest)).encode()
    ).hexdigest()


def digest_of(body: str) -> str:
    """Return the SHA-256 of a row's text."""
    return hashlib.sha256(body.encode()).hexdigest()


def entry_id(record: dict[str, Any]) -> str:
    """Return what an entry is known by: its own id, else the call's (one entry a call)."""
    return str(record.get("id") or record["call_id"])


async def append(connection: AsyncConnection, records: Iterable[dict[str, Any]]) -> Head:
    """Add records that aren't in the chain yet, in order; return the new head.

    Belongs in a transaction. Two writers at once would fork the chain, which the key on `seq`
    refuses: nodes that share a database take turns, by a lock that ends with the transaction.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(CHAINING)))
    fresh = {entry_id(record): record for record in records}
    ids = orjson.dumps(list(fresh)).decode()
    there = (await connection.execute(_KNOWN[connection.dialect.name], {"ids": ids})).all()
    head = Head(there[-1].seq, there[-1].hash) if there else Head()
    for row in there:
        fresh.pop(row.id, None)
    rows = []
    for name, record in fresh.items():
        body = orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()
        call_id, at, digest = str(record["call_id"]), int(record["at"]), digest_of(body)
        following = Head(head.seq + 1, link(head.hash, name, call_id, at, digest))
        rows.append(
            {
                "seq": following.seq,
                "id": name,
                "call_id": call_id,
                "at": at,
                "body": body,
                "digest": digest,
                "previous": head.hash,
                "hash": following.hash,
            }
        )
        head = following
    if rows:
        await connection.execute(_ADD, rows)
    return head


async def read_head(connection: AsyncConnection) -> Head:
    """Return the newest row's place and hash."""
    row = (await connection.execute(_NEWEST)).first()
    return Head(row.seq, row.hash) if row else Head()


@dataclass(slots=True)
class _Walk:
    """What a walk over the chain has seen: the texts that are missing, and what purges say of them."""

    head: Head = field(default_factory=Head)
    rows: int = 0
    empty: set[int] = field(default_factory=set)
    purged: set[int] = field(default_factory=set)

    def takes(self, row: Any) -> bool:
        """Go on to the next row; False when it doesn't fit."""
        linked = link(self.head.hash, row.id, row.call_id, row.at, row.digest)
        if row.seq != self.head.seq + 1 or (row.previous, row.hash) != (self.head.hash, linked):
            return False
        if not row.body:
            self.empty.add(row.seq)
        elif digest_of(row.body) != row.digest:
            return False
        else:
            record = orjson.loads(row.body)
            if (row.id, row.call_id, row.at) != (entry_id(record), record["call_id"], record["at"]):
                return False
            if record.get("event") == PURGE:
                self.purged.update(record["seqs"])
        self.head, self.rows = Head(row.seq, row.hash), self.rows + 1
        return True


async def verify(connection: AsyncConnection, expected: Head | None = None) -> Verification:
    """Walk the chain from its first row; `expected` is a head from elsewhere that must be in it."""
    walk = _Walk()
    result = await connection.stream(select(audit).order_by(audit.c.seq))
    async for row in result:
        fits = walk.takes(row)
        if not fits or (
            expected is not None and expected.seq == row.seq and expected.hash != row.hash
        ):
            await result.close()
            return Verification(walk.rows, walk.head, row.seq, len(walk.empty))
    broken_at = min(walk.empty - walk.purged, default=None)
    if broken_at is None and expected is not None and expected.seq > walk.head.seq:
        broken_at = walk.head.seq + 1
    return Verification(walk.rows, walk.head, broken_at, len(walk.empty))


async def purge(
    connection: AsyncConnection,
    before: int,
    at: int,
    rule: str,
    is_held: Collection[str] = (),
    limit: int = 10_000,
) -> int:
    """Empty the texts of rows from before `before` (UTC ms), but of those of the lines in `is_held`;
    return how many. The chain gets a row that names them, `rule` and the time `at`. Belongs in a
    transaction of the only writer. At most `limit` at once: the caller comes again.
    """
    old = (
        select(audit.c.seq, audit.c.body)
        .where(audit.c.at < before, audit.c.body != "")
        .order_by(audit.c.seq)
    )
    seqs: list[int] = []
    result = await connection.stream(old)
    async for seq, body in result:
        record = orjson.loads(body)
        # What a purge did stays: `verify` needs it, and it is about no person.
        if record.get("event") != PURGE and record.get("line") not in is_held:
            seqs.append(seq)
            if len(seqs) >= limit:
                break
    await result.close()
    if not seqs:
        return 0
    said = {
        "event": PURGE,
        "id": f"{PURGE} {at} {seqs[0]}",
        "call_id": "",
        "at": at,
        "before": before,
        "rule": rule,
        "seqs": seqs,
    }
    await append(connection, [said])
    for start in range(0, len(seqs), 500):
        chunk = seqs[start : start + 500]
        await connection.execute(update(audit).where(audit.c.seq.in_(chunk)).values(body=""))
    return len(seqs)
