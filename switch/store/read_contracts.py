"""What the database tells of contracts, of disclosures, and of outages."""

from typing import Any

from sqlalchemy import select

from switch.store import tables
from switch.store.read import Reader


class ContractReader:
    """Queries by way of `reader`; all raise StoreUnavailableError. Times are UTC milliseconds."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def steps(self, line: str | None = None) -> list[dict[str, Any]]:
        """Return all steps, of a line if given, as records, oldest first."""
        table = tables.contract_step
        wanted = select(table).order_by(table.c.at)
        if line is not None:
            wanted = wanted.where(table.c.line == line)
        return [{"k": "contract", **row} for row in await self._reader.rows(wanted)]

    async def disclosures(self) -> list[dict[str, Any]]:
        """Return all steps of all requests, as records, oldest first."""
        table = tables.disclosure_step
        wanted = select(table).order_by(table.c.at, table.c.n)
        return [{"k": "disclosure", **row} for row in await self._reader.rows(wanted)]

    async def last_mail(self, account: str) -> dict[str, Any] | None:
        """Return how the last mail to an account's customer fared that has been decided; None if none was."""
        notice = tables.notice.c
        wanted = (
            select(notice.changed_at.label("at"), notice.state, notice.kind, notice.reason)
            .where(notice.account == account, notice.audience == "customer")
            .where(notice.channel == "mail", notice.state.in_(("sent", "failed")))
            .order_by(notice.changed_at.desc())
            .limit(1)
        )
        rows = await self._reader.rows(wanted)
        return rows[0] if rows else None

    async def outages(self, line: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """Return the outages that began since then, of a line if given, as records, oldest first."""
        table = tables.outage
        wanted = select(table).where(table.c.since >= since).order_by(table.c.since, table.c.id)
        if line is not None:
            wanted = wanted.where(table.c.line == line)
        return [{"k": "outage", **row} for row in await self._reader.rows(wanted)]

    async def outage(self, id_: str) -> dict[str, Any] | None:
        """Return one outage as a record."""
        table = tables.outage
        rows = await self._reader.rows(select(table).where(table.c.id == id_))
        return {"k": "outage", **rows[0]} if rows else None

    async def open_outages(self) -> list[dict[str, Any]]:
        """Return those that last, as records."""
        table = tables.outage
        wanted = select(table).where(table.c.until.is_(None))
        return [{"k": "outage", **row} for row in await self._reader.rows(wanted)]
