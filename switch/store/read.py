"""What the database tells: queries that return plain values, oldest first, times in UTC ms.

Each query opens the file anew and may run while the writer writes, also from another process. The
live part of usage is not here: the running switch knows it (switch/usage/meter.py).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from sqlalchemy import Select, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.store import audit, tables
from switch.store.database import open_for_reading, sqlite_path
from switch.usage.cdr import Cdr
from switch.usage.cycle import Cycle
from switch.usage.reading import Reading

# What a list shows unless asked for more; the newest are kept.
DEFAULT_LIMIT = 1_000


class StoreUnavailableError(Exception):
    """The database can't be read: missing, not yet made, or broken."""


@dataclass(frozen=True, slots=True)
class EmergencyEntry:
    """One emergency attempt of `emergency log`; `verdict` is the audit column of the decision table."""

    call_id: str
    at: int
    line: str | None
    dialled: str | None
    number_class: str | None
    level: str | None
    verdict: str | None
    insee: str | None
    address_version: int | None
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the entry as `emergency log --json` shows it."""
        shown = asdict(self)
        return {
            ("class" if name == "number_class" else name): value for name, value in shown.items()
        }


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of the ledger of notices."""

    id: str
    at: int
    line: str | None
    account: str | None
    kind: str
    percentage: int | None
    clause: str | None
    channel: str
    state: str
    changed_at: int

    def as_json(self) -> dict[str, Any]:
        """Return the notice as `notice list --json` shows it."""
        names = ("at", "line", "account", "kind", "percentage", "clause", "channel", "state")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class LineState:
    """The state that the store owns of a line, since when, and by which clause and whom."""

    line: str
    state: str
    clause: str | None
    by: str | None
    at: int


@dataclass(frozen=True, slots=True)
class Location:
    """One version of a line's registered location."""

    line: str
    version: int
    address: dict[str, Any]
    validated: bool
    confirmed_at: int | None
    at: int


class Reader:
    """The queries on the database at `url`. All raise StoreUnavailableError."""

    def __init__(self, url: str) -> None:
        """Nothing is opened yet."""
        self._engine = open_for_reading(url)
        self._path = sqlite_path(url)

    @property
    def exists(self) -> bool:
        """Whether there is a database to read; its file may still be broken."""
        return self._path is None or self._path.exists()

    async def cdrs(
        self, *, line: str | None = None, since: int | None = None, limit: int = DEFAULT_LIMIT
    ) -> list[Cdr]:
        """Return the newest records, of a line and of calls that ended at `since` or later if given."""
        wanted = select(tables.cdr)
        if line is not None:
            wanted = wanted.where(tables.cdr.c.line == line)
        if since is not None:
            wanted = wanted.where(tables.cdr.c.end >= since)
        wanted = wanted.order_by(tables.cdr.c.start.desc(), tables.cdr.c.key.desc()).limit(limit)
        return [Cdr.from_record(dict(row)) for row in reversed(await self._rows(wanted))]

    async def usage(self, line: str, cycle: Cycle, threshold_ms: int) -> Reading:
        """Return what a line's ended legs came to in a cycle."""
        used = tables.usage.c
        sums = select(
            used.direction,
            func.sum(used.ms).label("ms"),
            func.sum(used.ms).filter(used.counts).label("counted"),
        ).where(used.line == line, used.cycle == cycle.n)
        crossed = select(tables.thresholds.c.percentage).where(
            tables.thresholds.c.line == line, tables.thresholds.c.cycle == cycle.n
        )
        by_direction = {"inbound": 0, "outbound": 0}
        counted = 0
        for row in await self._rows(sums.group_by(used.direction)):
            by_direction[row["direction"]] = int(row["ms"])
            counted += int(row["counted"] or 0)
        percentages = sorted(row["percentage"] for row in await self._rows(crossed))
        return Reading(line, cycle, counted, 0, by_direction, threshold_ms, tuple(percentages))

    async def totals(self, since: int) -> list[tuple[str, int, dict[str, int], list[int]]]:
        """Return (line, cycle, counted ms by direction, percentages) of what ended since `since`.

        For loading the meters when the journal was lost; a cycle comes whole or, before `since`,
        not.
        """
        used, crossed = tables.usage.c, tables.thresholds.c
        recent = select(used.line, used.cycle).where(used.at >= since).distinct().subquery()
        match = (used.line == recent.c.line) & (used.cycle == recent.c.cycle)
        sums = (
            select(used.line, used.cycle, used.direction, func.sum(used.ms).label("ms"))
            .join(recent, match)
            .where(used.counts)
            .group_by(used.line, used.cycle, used.direction)
        )
        found: dict[tuple[str, int], tuple[dict[str, int], list[int]]] = {}
        for row in await self._rows(sums):
            by_direction, _ = found.setdefault((row["line"], row["cycle"]), ({}, []))
            by_direction[row["direction"]] = int(row["ms"])
        for row in await self._rows(select(tables.thresholds).order_by(crossed.percentage)):
            if (row["line"], row["cycle"]) in found:
                found[row["line"], row["cycle"]][1].append(row["percentage"])
        return [(line, n, sums_, seen) for (line, n), (sums_, seen) in sorted(found.items())]

    async def emergency_log(self, limit: int = DEFAULT_LIMIT) -> list[EmergencyEntry]:
        """Return the newest emergency attempts; several entries of a call are shown as one."""
        newest = select(tables.audit).order_by(tables.audit.c.seq.desc()).limit(limit)
        calls: dict[str, dict[str, Any]] = {}
        for row in reversed(await self._rows(newest)):
            shown = calls.setdefault(row["call_id"], {})
            body = orjson.loads(row["body"])
            first = shown.get("at", body["at"])
            shown.update({name: value for name, value in body.items() if value is not None})
            shown["at"] = first
        return [_emergency_entry(shown) for shown in calls.values()]

    async def verify_audit(self, expected: audit.Head | None = None) -> audit.Verification:
        """Walk the chain of the emergency audit (audit.verify)."""
        async with self._connection() as connection:
            return await audit.verify(connection, expected)

    async def notices(self, line: str | None = None, limit: int = DEFAULT_LIMIT) -> list[Notice]:
        """Return the newest notices, of a line if given."""
        wanted = select(tables.notice)
        if line is not None:
            wanted = wanted.where(tables.notice.c.line == line)
        wanted = wanted.order_by(tables.notice.c.at.desc(), tables.notice.c.id.desc()).limit(limit)
        return [Notice(**row) for row in reversed(await self._rows(wanted))]

    async def line_states(self) -> list[LineState]:
        """Return the states that the store owns."""
        return [LineState(**row) for row in await self._rows(select(tables.line_state))]

    async def locations(self) -> list[Location]:
        """Return all versions of all locations, ascending by line and version."""
        order = (tables.location.c.line, tables.location.c.version)
        return [
            Location(**row) for row in await self._rows(select(tables.location).order_by(*order))
        ]

    async def bindings(self, now: int) -> list[dict[str, Any]]:
        """Return the records of the bindings that may still be live at `now` (UTC ms)."""
        live = select(tables.bindings.c.record).where(tables.bindings.c.expires_at >= now)
        return [row["record"] for row in await self._rows(live)]

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()

    async def _rows(self, query: Select[Any]) -> list[dict[str, Any]]:
        async with self._connection() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        if self._path is not None and not self._path.exists():
            raise StoreUnavailableError(f"there is no database {self._path.name} yet")
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, OSError) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise StoreUnavailableError(str(reason)) from error


def _emergency_entry(shown: dict[str, Any]) -> EmergencyEntry:
    """Read an entry out of the audit's text; fields it lacks are None."""
    return EmergencyEntry(
        call_id=shown["call_id"],
        at=shown["at"],
        line=shown.get("line"),
        dialled=shown.get("dialled"),
        number_class=shown.get("class"),
        level=shown.get("level"),
        verdict=shown.get("verdict"),
        insee=shown.get("insee"),
        address_version=shown.get("address_version"),
        attempts=shown.get("attempts") or [],
    )
