"""What the database tells of fair-use cases: their steps, and the calls behind them."""

from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import func, select, tuple_

from switch.store import tables
from switch.store.read import Reader

PAGE: Final = 2_000


class CaseReader:
    """Queries by way of `reader`; all raise StoreUnavailableError. Times are UTC milliseconds."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def case_steps(self, case: str | None = None) -> list[dict[str, Any]]:
        """Return all steps, of a case if given, as records, oldest first."""
        table = tables.case_step
        wanted = select(table).order_by(table.c.at, table.c.n)
        if case is not None:
            wanted = wanted.where(table.c.case == case)
        return [{"k": "case", **row} for row in await self._reader.rows(wanted)]

    async def last_steps(self) -> list[dict[str, Any]]:
        """Return the last step of every case and ladder."""
        table = tables.case_step
        last = select(table.c.case, func.max(table.c.n).label("n")).group_by(table.c.case)
        newest = last.subquery()
        match = (table.c.case == newest.c.case) & (table.c.n == newest.c.n)
        rows = await self._reader.rows(select(table).join(newest, match))
        return [{"k": "case", **row} for row in rows]

    async def notices(self, line: str, since: int) -> list[dict[str, Any]]:
        """Return what was told about a line since then, oldest first."""
        table = tables.notice.c
        shown = (table.at, table.kind, table.percentage, table.audience, table.channel, table.state)
        wanted = select(*shown).where(table.line == line, table.at >= since).order_by(table.at)
        return await self._reader.rows(wanted)

    async def longest_calls(self, line: str, since: int, limit: int) -> list[dict[str, Any]]:
        """Return the calls of a line since then that counted most, most first."""
        cdr = tables.cdr.c
        shown = (cdr.call_id, cdr.start, cdr.direction, cdr.src, cdr.dst, cdr.counted_ms)
        wanted = (
            select(*shown)
            .where(cdr.line == line, cdr.start >= since, cdr.counted_ms > 0)
            .order_by(cdr.counted_ms.desc(), cdr.start)
            .limit(limit)
        )
        return await self._reader.rows(wanted)

    async def calls(self, since: int, most: int) -> AsyncIterator[dict[str, Any]]:
        """Yield what detectors read of the calls that began since then, the newest `most`, oldest first.

        Page by page: a month of calls is more than memory should hold.
        """
        cdr = tables.cdr.c
        names = (cdr.key, cdr.call_id, cdr.line, cdr.direction, cdr.src, cdr.dst, cdr.start, cdr.answer,
                 cdr.end, cdr.hangup_by, cdr.sip_status, cdr.forwarded_by, cdr.feature)  # fmt: skip
        newest = select(cdr.start).order_by(cdr.start.desc()).offset(most).limit(1)
        for row in await self._reader.rows(newest):
            since = max(since, row["start"] + 1)
        last = (since, "")
        while True:
            page = (
                select(*names)
                .where(tuple_(cdr.start, cdr.key) > last)
                .order_by(cdr.start, cdr.key)
                .limit(PAGE)
            )
            rows = await self._reader.rows(page)
            for row in rows:
                yield row
            if len(rows) < PAGE:
                return
            last = (rows[-1]["start"], rows[-1]["key"])

    async def counted_ms(self, line: str, since: int) -> int:
        """Return what a line's calls that ended since then counted."""
        cdr = tables.cdr.c
        counted = func.coalesce(func.sum(cdr.counted_ms), 0).label("ms")
        [row] = await self._reader.rows(select(counted).where(cdr.line == line, cdr.end >= since))
        return int(row["ms"])
