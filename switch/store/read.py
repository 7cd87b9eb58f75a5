"""What the database tells: queries that return plain values, oldest first, times in UTC ms.

Each query opens the file anew and may run while the writer writes, also from another process. The
live part of usage is not here: the running switch knows it (switch/usage/meter.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.store import tables
from switch.store.database import FAILURES, open_for_reading, sqlite_path
from switch.store.rows import WRITTEN
from switch.usage.adjustment import Adjustment
from switch.usage.cdr import Cdr
from switch.usage.cycle import Cycle
from switch.usage.reading import Reading

# What a list shows unless asked for more; the newest are kept.
DEFAULT_LIMIT = 1_000

# aiosqlite's thread reports the end of a connection that failed to the loop once more, and prints a
# traceback if that has ended first, as it has in a command that needs no switch.
_LAST_WORD_S = 0.05


class StoreUnavailableError(Exception):
    """The database can't be read: missing, not yet made, or broken."""


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
    notice: str
    audience: str | None
    recipients: str | None
    attempts: int
    reason: str | None
    hash: str | None
    call_id: str | None

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
    """One version of a line's registered location, as it was recorded."""

    line: str
    version: int
    at: int
    address: dict[str, Any]
    validated: bool
    source: str
    by: str
    why: str
    site: str | None
    filed_site: str | None
    number: str | None
    confirmed_at: int | None
    confirmed_by: str | None
    reminded: list[int]
    changed_at: int


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
        self,
        *,
        line: str | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> list[Cdr]:
        """Return the newest records; of a line, and of calls that ended in [since, until), if given.

        `limit` is how many of them; 0 = all.
        """
        wanted = select(tables.cdr)
        if line is not None:
            wanted = wanted.where(tables.cdr.c.line == line)
        if since is not None:
            wanted = wanted.where(tables.cdr.c.end >= since)
        if until is not None:
            wanted = wanted.where(tables.cdr.c.end < until)
        wanted = wanted.order_by(tables.cdr.c.start.desc(), tables.cdr.c.key.desc())
        if limit:
            wanted = wanted.limit(limit)
        return [Cdr.from_record(dict(row)) for row in reversed(await self.rows(wanted))]

    async def usage(self, line: str, cycle: Cycle, threshold_ms: int) -> Reading:
        """Return what a line's ended legs came to in a cycle."""
        used = tables.usage.c
        sums = select(
            used.direction,
            func.sum(used.ms).label("ms"),
            func.sum(used.ms).filter(used.counts).label("counted"),
        ).where(used.line == line, used.cycle == cycle.n, used.exempt_reason.is_(None))
        made = tables.adjustments.c
        corrections = select(func.sum(made.ms).label("ms")).where(
            made.line == line, made.cycle == cycle.n
        )
        crossed = select(tables.thresholds.c.percentage).where(
            tables.thresholds.c.line == line, tables.thresholds.c.cycle == cycle.n
        )
        by_direction = {"inbound": 0, "outbound": 0}
        counted = 0
        for row in await self.rows(sums.group_by(used.direction)):
            by_direction[row["direction"]] = int(row["ms"])
            counted += int(row["counted"] or 0)
        percentages = sorted(row["percentage"] for row in await self.rows(crossed))
        (correction,) = await self.rows(corrections)
        adjusted = int(correction["ms"] or 0)
        return Reading(
            line,
            cycle,
            counted + adjusted,
            0,
            by_direction,
            threshold_ms,
            tuple(percentages),
            adjusted,
        )

    async def adjustments(
        self, since: int = 0, line: str | None = None
    ) -> list[tuple[Adjustment, int]]:
        """Return corrections made since `since` (UTC ms), each with its cycle, oldest first."""
        made = tables.adjustments
        wanted = select(made).where(made.c.at >= since).order_by(made.c.at, made.c.id)
        if line is not None:
            wanted = wanted.where(made.c.line == line)
        return [(Adjustment.of(row), int(row["cycle"])) for row in await self.rows(wanted)]

    async def totals(
        self, since: int, node: str = ""
    ) -> list[tuple[str, int, dict[str, int], list[int]]]:
        """Return (line, cycle, counted ms by direction, percentages) of what ended since `since`.

        For loading the meters when the journal was lost; a cycle comes whole or, before `since`,
        not. Of what `node` counted: the others' is in `shared`.
        """
        used, crossed = tables.usage.c, tables.thresholds.c
        own = used.node == node
        recent = select(used.line, used.cycle).where(used.at >= since, own).distinct().subquery()
        match = (used.line == recent.c.line) & (used.cycle == recent.c.cycle)
        sums = (
            select(used.line, used.cycle, used.direction, func.sum(used.ms).label("ms"))
            .join(recent, match)
            .where(used.counts, own)
            .group_by(used.line, used.cycle, used.direction)
        )
        found: dict[tuple[str, int], tuple[dict[str, int], list[int]]] = {}
        for row in await self.rows(sums):
            by_direction, _ = found.setdefault((row["line"], row["cycle"]), ({}, []))
            by_direction[row["direction"]] = int(row["ms"])
        for row in await self.rows(select(tables.thresholds).order_by(crossed.percentage)):
            if (row["line"], row["cycle"]) in found:
                found[row["line"], row["cycle"]][1].append(row["percentage"])
        return [(line, n, sums_, seen) for (line, n), (sums_, seen) in sorted(found.items())]

    async def notices(self, line: str | None = None, limit: int = DEFAULT_LIMIT) -> list[Notice]:
        """Return the newest notices, of a line if given."""
        wanted = select(tables.notice)
        if line is not None:
            wanted = wanted.where(tables.notice.c.line == line)
        told = tables.notice.c  # 80, 90 and 100 % may be of one millisecond
        newest = told.at.desc(), told.percentage.desc(), told.id.desc()
        wanted = wanted.order_by(*newest).limit(limit)
        return [Notice(**row) for row in reversed(await self.rows(wanted))]

    async def notice_ids(self, limit: int = 100_000) -> list[str]:
        """Return the ids of the newest notices, without their channels, oldest first."""
        row = tables.notice.c
        wanted = select(row.notice).order_by(row.at.desc()).limit(limit)
        return [each["notice"] for each in reversed(await self.rows(wanted))]

    async def line_states(self) -> list[LineState]:
        """Return the states that the store owns."""
        return [LineState(**row) for row in await self.rows(select(tables.line_state))]

    async def locations(self, line: str | None = None) -> list[Location]:
        """Return all versions of all locations, or of a line's, ascending by line and version."""
        row = tables.location.c
        wanted = select(tables.location).order_by(row.line, row.version, row.at)
        if line is not None:
            wanted = wanted.where(row.line == line)
        return [Location(**found) for found in await self.rows(wanted)]

    async def bindings(self, now: int) -> list[dict[str, Any]]:
        """Return the records of the bindings that may still be live at `now` (UTC ms)."""
        live = select(tables.bindings.c.record).where(tables.bindings.c.expires_at >= now)
        return [row["record"] for row in await self.rows(live)]

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()

    async def rows(self, query: Select[Any]) -> list[dict[str, Any]]:
        """Return what a query of the caller's own selects, by column name; `written` is nobody's."""
        async with self.connection() as connection:
            found = (await connection.execute(query)).mappings()
            # Names come as SQLAlchemy's own kind of str, which the control socket's JSON refuses.
            return [
                {str(name): value for name, value in row.items() if name != WRITTEN}
                for row in found
            ]

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection for one reader's queries; StoreUnavailableError where there is none."""
        if self._path is not None and not self._path.exists():
            raise StoreUnavailableError(f"there is no database {self._path} yet")
        try:
            async with self._engine.connect() as connection:
                yield connection
        except FAILURES as error:
            await asyncio.sleep(_LAST_WORD_S)
            reason = error.orig if isinstance(error, DBAPIError) else error
            where = "" if self._path is None else f"{self._path}: "
            raise StoreUnavailableError(f"{where}{reason}") from error
