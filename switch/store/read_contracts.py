"""What the database tells of contracts and of disclosures: the steps that were taken, for good."""

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
