"""Personal data goes when its time is over: CDRs, outages, texts of the emergency audit, notices, ended
contracts, the log of disclosures.

Once an hour, on the writer's connection between two batches. What a legal hold names stays. The chain
of the audit holds without the texts (audit.purge), and the journal's old segments go as well, lest a
replay brings rows back. Deliberately absent: locations, which are kept in all their versions because a
purged audit row still names one, and counted minutes, which name no other party.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import CursorResult, Select, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.clock import wall
from switch.store import audit, tables
from switch.store.alarm import Alarm, quiet
from switch.store.database import FAILURES
from switch.store.journal import Journal
from switch.store.settings import Period, RetentionSettings
from switch.store.writer import Errand, Writer

# Not at once: a start has better things to do.
FIRST_S: Final = 60.0
INTERVAL_S: Final = 3_600.0
_DAY_MS: Final = 86_400_000

Forget = Callable[[Mapping[str, int], Collection[str]], None]
"""Lets go of what is kept in memory: told how far back each class is kept (UTC ms) and the lines that a
hold names. A checkpoint would bring back what it has in memory, on every node of a shared database."""

# Classes whose rows go one by one: the table, and when a row's time began.
_BY_ROW: Final = (
    ("traffic", tables.cdr, "end"),
    ("traffic", tables.outage, "changed_at"),
    ("notices", tables.notice, "at"),
)
# Rows of a table that go in one transaction; the writer's batches come between.
PORTION: Final = 2_000


class Retention:
    """The task (`run`) that purges. `settings` gives the periods in force."""

    def __init__(
        self,
        journal: Journal,
        writer: Writer,
        settings: Callable[[], RetentionSettings],
        *,
        alarm: Alarm = quiet,
        forget: Forget = lambda cutoffs, held: None,
    ) -> None:
        """Nothing happens before `run`."""
        self._forget = forget
        self._journal = journal
        self._writer = writer
        self._settings = settings
        self._alarm = alarm

    async def run(self) -> None:
        """Purge once an hour, until cancelled."""
        await asyncio.sleep(FIRST_S)
        while True:
            await self.purge(wall())
            await asyncio.sleep(INTERVAL_S)

    async def purge(self, utc: float) -> dict[str, int]:
        """Purge what is over at UTC seconds `utc`; return how many of each class went."""
        settings, now = self._settings(), round(utc * 1000)
        today = datetime.fromtimestamp(utc, UTC).date()
        held = held_lines(settings, today)
        cutoffs = cutoffs_of(settings, today, now)
        self._forget(cutoffs, held)
        gone: dict[str, int] = {}
        try:
            for name, table, at in _BY_ROW:
                gone[name] = gone.get(name, 0) + await self._delete(table, at, cutoffs[name], held)
            gone["disclosures"] = await self._purge_disclosures(cutoffs["disclosures"], held)
            gone["identity"] = await self._purge_contracts(cutoffs["identity"], held)
            gone["emergency"] = await self._purge_audit(settings, today, now, held)
            await asyncio.to_thread(self._journal.remove_older, min(cutoffs["traffic"], now) / 1000)
        except FAILURES as error:
            self._alarm("retention.failed", {"error": str(error).partition("\n")[0]})
            return gone
        if any(gone.values()):
            self._alarm("retention.purged", dict(gone))
        return gone

    async def _delete(self, table: Table, at: str, before: int, held: Collection[str]) -> int:
        """Delete a table's rows from before then, portion by portion."""
        key = next(iter(table.primary_key.columns))
        is_old = (table.c[at] < before) & (table.c.line.is_(None) | table.c.line.not_in(list(held)))
        portion = table.select().with_only_columns(key).where(is_old).limit(PORTION)

        async def errand(connection: AsyncConnection) -> int:
            result: CursorResult[tuple[()]] = await connection.execute(
                delete(table).where(key.in_(portion))
            )
            return result.rowcount

        return await self._in_portions(errand)

    async def _purge_contracts(self, before: int, held: Collection[str]) -> int:
        """Delete the steps of contracts that ended before then, and those of their cases."""
        steps = tables.contract_step.c
        ended = (
            select(steps.line)
            .where(steps.to == "terminated", steps.at < before, steps.line.not_in(list(held)))
            .distinct()
            .order_by(steps.line)
        )
        cases = await self._delete_by("line", tables.case_step, ended)
        return cases + await self._delete_by("line", tables.contract_step, ended)

    async def _purge_disclosures(self, before: int, held: Collection[str]) -> int:
        """Delete the steps of requests whose last step is older."""
        steps = tables.disclosure_step.c
        over = (
            select(steps.id)
            .where(steps.line.not_in(list(held)))
            .group_by(steps.id)
            .having(func.max(steps.at) < before)
        )
        return await self._delete_by("id", tables.disclosure_step, over)

    async def _delete_by(self, column: str, table: Table, names: Select[tuple[str]]) -> int:
        """Delete the rows whose `column` is one of `names`, as many names at once as a portion has."""
        key = table.c[column]

        async def errand(connection: AsyncConnection) -> int:
            found = (await connection.execute(names.limit(PORTION))).scalars().all()
            result: CursorResult[tuple[()]] = await connection.execute(
                delete(table).where(key.in_(found))
            )
            return result.rowcount

        return await self._writer.carry_out(errand)

    async def _purge_audit(
        self, settings: RetentionSettings, today: date, now: int, held: Collection[str]
    ) -> int:
        period = period_of(settings.emergency, today)
        before = _cutoff(settings.emergency, today, now)
        rule = f"emergency, {period.days} days since {period.since}" if period else ""

        async def errand(connection: AsyncConnection) -> int:
            return await audit.purge(connection, before, now, rule, held, PORTION)

        return await self._in_portions(errand)

    async def _in_portions(self, errand: Errand) -> int:
        total = 0
        while True:
            count = await self._writer.carry_out(errand)
            total += count
            if count < PORTION:
                return total


def period_of(periods: Iterable[Period], today: date) -> Period | None:
    """The latest period that has begun; None before the first, when nothing is purged."""
    begun = [period for period in periods if period.since <= today]
    return max(begun, key=lambda period: period.since, default=None)


def held_lines(settings: RetentionSettings, today: date) -> frozenset[str]:
    """The lines that a legal hold names."""
    return frozenset(
        hold.line for hold in settings.holds if hold.until is None or today <= hold.until
    )


def cutoffs_of(settings: RetentionSettings, today: date, now: int) -> dict[str, int]:
    """How far back each class is kept, UTC ms."""
    classes = ("traffic", "emergency", "notices", "identity", "disclosures")
    return {name: _cutoff(getattr(settings, name), today, now) for name in classes}


def _cutoff(periods: Iterable[Period], today: date, now: int) -> int:
    period = period_of(periods, today)
    return 0 if period is None else now - period.days * _DAY_MS
