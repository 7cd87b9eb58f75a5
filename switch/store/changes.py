"""What other nodes of a shared database changed of lines, contracts, cases and others, as records.

Rows carry the database's clock (`written`). A look asks for those since the last one, and a minute more,
because a row becomes visible when its transaction ends: some come twice, also a node's own, and whoever
takes them knows them by their keys. In quiet times a look is one statement over their indexes.

Deliberately absent: what follows from a change (app/hearing.py), and a single node's SQLite, which no
other process writes.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from sqlalchemy import Table, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.store import device_tables, tables
from switch.store.database import FAILURES, open_for_gathering
from switch.store.read import StoreUnavailableError
from switch.store.rows import NODE, WRITTEN, Record, database_time
from switch.store.shared import OVERLAP_MS

HEARD: Final[Mapping[str, Table]] = {
    "line_state": tables.line_state,
    "location": tables.location,
    "line_secret": device_tables.line_secret,
    "contract": tables.contract_step,
    "case": tables.case_step,
    "disclosure": tables.disclosure_step,
    "outage": tables.outage,
}
# Records that are taken at once: what comes between two of these waits for no more than that.
PORTION: Final = 200


class Changes:
    """Reads them from the database at `url`, since `begin`; from the first one on if that failed."""

    def __init__(self, url: str) -> None:
        """Nothing is opened yet."""
        self._engine = open_for_gathering(url)
        self._since = 1  # rows that were there before there was this column have 0

    async def begin(self) -> None:
        """What is there now is known otherwise. Raises StoreUnavailableError."""
        try:
            async with self._engine.connect() as connection:
                self._since = await _clock(connection) - OVERLAP_MS
        except FAILURES as error:
            raise _unavailable(error) from error

    async def read(self) -> AsyncIterator[list[Record]]:
        """Yield what is new, in portions, as of one instant; raises StoreUnavailableError."""
        try:
            async with self._engine.connect() as connection:
                now = await _clock(connection)
                for kind in await self._kinds(connection):
                    async for portion in self._portions(connection, kind):
                        yield portion
                self._since = max(self._since, now - OVERLAP_MS)
        except FAILURES as error:
            raise _unavailable(error) from error

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()

    async def _kinds(self, connection: AsyncConnection) -> list[str]:
        """Of which kinds there is something."""
        counts = select(
            *(
                select(func.count()).where(table.c[WRITTEN] >= self._since).scalar_subquery()
                for table in HEARD.values()
            )
        )
        row = (await connection.execute(counts)).one()
        return [kind for kind, count in zip(HEARD, row, strict=True) if count]

    async def _portions(
        self, connection: AsyncConnection, kind: str
    ) -> AsyncIterator[list[Record]]:
        table = HEARD[kind]
        wanted = select(table).where(table.c[WRITTEN] >= self._since).order_by(table.c[WRITTEN])
        result = await connection.stream(wanted)
        async for rows in result.mappings().partitions(PORTION):
            yield [_record(kind, row) for row in rows]


def _record(kind: str, row: Mapping[Any, Any]) -> Record:
    own = (WRITTEN, NODE)
    return {"k": kind, **{str(name): value for name, value in row.items() if name not in own}}


async def _clock(connection: AsyncConnection) -> int:
    clock = select(database_time(connection.dialect.name))
    return int((await connection.execute(clock)).scalar_one())


def _unavailable(error: Exception) -> StoreUnavailableError:
    return StoreUnavailableError(str(error.orig if isinstance(error, DBAPIError) else error))
