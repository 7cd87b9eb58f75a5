"""What the database tells of emergency attempts: the log, one call in full, the chain and an export.

An attempt is a record of the chain; what followed it (a PSAP's call-back) is one of its own, with an
`event` and the call_id of the attempt. A record whose text was purged is not shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import select

from switch.store import audit, tables
from switch.store.read import DEFAULT_LIMIT, Reader

# The fields of `emergency log`, with the names of the records.
LOG_FIELDS: Final = (
    "call_id",
    "at",
    "line",
    "dialled",
    "class",
    "level",
    "verdict",
    "insee",
    "address_version",
)
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Attempt:
    """One emergency call: its record, what followed it, the notices of it, and its place in the
    chain."""

    record: dict[str, Any]
    seq: int
    hash: str
    events: list[dict[str, Any]] = field(default_factory=list)
    notices: list[dict[str, Any]] = field(default_factory=list)


class AuditReader:
    """Queries by way of `reader`; all raise StoreUnavailableError. Times are UTC milliseconds."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def log(
        self,
        *,
        line: str | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> list[dict[str, Any]]:
        """Return the newest attempts as `emergency log` shows them, oldest first."""
        found = await self._attempts(line, since, until, limit)
        return [
            {name: record.get(name) for name in LOG_FIELDS}
            | {"attempts": record.get("attempts") or []}
            for record in reversed(found)
        ]

    async def show(self, call_id: str) -> Attempt | None:
        """Return all that is known of a call's attempt; None when there is none, or no more."""
        row = tables.audit.c
        wanted = select(tables.audit).where(row.call_id == call_id, row.body != "")
        rows = await self._reader.rows(wanted.order_by(row.seq))
        bodies = [(orjson.loads(each["body"]), each) for each in rows]
        attempt = next(((body, each) for body, each in bodies if "event" not in body), None)
        if attempt is None:
            return None
        told = tables.notice.c
        notices = await self._reader.rows(
            select(told.kind, told.audience, told.channel, told.state, told.at, told.changed_at)
            .where(told.call_id == call_id)
            .order_by(told.at, told.id)
        )
        events = [body for body, _ in bodies if "event" in body]
        return Attempt(attempt[0], attempt[1]["seq"], attempt[1]["hash"], events, notices)

    async def verify(self, expected: audit.Head | None = None) -> audit.Verification:
        """Walk the chain (audit.verify)."""
        async with self._reader.connection() as connection:
            return await audit.verify(connection, expected)

    async def rows(
        self, *, line: str | None = None, since: int | None = None, until: int | None = None
    ) -> tuple[list[dict[str, Any]], audit.Head]:
        """Return the chain's rows as they are kept, oldest first, and its head: an export."""
        async with self._reader.connection() as connection:
            head = await audit.read_head(connection)
        row = tables.audit.c
        wanted = select(tables.audit).order_by(row.seq)
        if since is not None:
            wanted = wanted.where(row.at >= since)
        if until is not None:
            wanted = wanted.where(row.at < until)
        rows = await self._reader.rows(wanted)
        return [each for each in rows if line is None or _line_of(each) == line], head

    async def _attempts(
        self, line: str | None, since: int | None, until: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """The newest attempts first, read page by page: the line stands in the text alone."""
        row = tables.audit.c
        found: list[dict[str, Any]] = []
        before: int | None = None
        while len(found) < limit:
            wanted = select(row.seq, row.body).where(row.body != "")
            if since is not None:
                wanted = wanted.where(row.at >= since)
            if until is not None:
                wanted = wanted.where(row.at < until)
            if before is not None:
                wanted = wanted.where(row.seq < before)
            page = await self._reader.rows(wanted.order_by(row.seq.desc()).limit(_PAGE))
            found += _fitting((orjson.loads(each["body"]) for each in page), line)
            if len(page) < _PAGE:
                break
            before = page[-1]["seq"]
        return found[:limit]


def _fitting(records: Iterable[dict[str, Any]], line: str | None) -> list[dict[str, Any]]:
    return [
        record for record in records if "event" not in record and line in (None, record.get("line"))
    ]


def _line_of(row: dict[str, Any]) -> str | None:
    """The line that a row is about; None once its text is purged."""
    line = orjson.loads(row["body"]).get("line") if row["body"] else None
    return None if line is None else str(line)
