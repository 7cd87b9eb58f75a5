"""One batch of journal records, written in one transaction.

A record that doesn't make a row (a field is missing, of another type) is given back as rejected and
never stops the others.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import delete
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    StatementError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from switch.store import audit
from switch.store.rows import SINKS, Record, Row, Sink, insert_into, key_of, upsert
from switch.store.shared import SharedRows
from switch.store.tables import bindings

# What the database holds of the journal; other records (calls, heartbeats) only serve a restart.
KINDS: Final = frozenset({*SINKS, "audit", "bind", "unbind"})

# A binding is refreshed every few minutes; a row is written when its expiry enters another hour.
_EXPIRY_STEP_MS: Final = 3_600_000


def blames_record(error: Exception) -> bool:
    """Say whether a failure is the record's fault, and would be again, or the database's."""
    if isinstance(error, DBAPIError):
        theirs = (DataError, IntegrityError, InterfaceError, ProgrammingError)
        return isinstance(error, theirs) and not error.connection_invalidated
    # A value that the driver or the JSON encoder can't take (an integer of more than 64 bits).
    return isinstance(error, StatementError | OverflowError | ValueError)


class Batch:
    """Rows by table, made from records once; `write` may be called again after a failure."""

    def __init__(
        self,
        records: Iterable[Record],
        bound: dict[str, int],
        node: str = "",
        *,
        is_shared: bool = False,
    ) -> None:
        """Sort records into rows. `bound` maps "AOR contact" to the expiry that the table holds, coarsely;
        `node` signs what other nodes of a shared database read.
        """
        self.rejected: list[tuple[Record, str]] = []
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._places: dict[tuple[object, ...], int] = {}  # of states in their list of rows
        self._audit: list[Record] = []
        self._bindings: dict[tuple[str, str], Record | None] = {}
        self._bound = bound
        self._node = node
        self._shared = SharedRows(node) if is_shared else None
        for record in records:
            try:
                self._sort(record)
            except (KeyError, TypeError, ValueError) as error:
                self.rejected.append((record, repr(error)))

    async def write(self, engine: AsyncEngine) -> audit.Head | None:
        """Write all rows in one transaction; return the audit's new head if it has one.

        Raises SQLAlchemyError; nothing is written then.
        """
        head = None
        async with engine.begin() as connection:
            for kind, rows in self._rows.items():
                await _add(connection, SINKS[kind], rows)
            if self._bindings:
                await self._write_bindings(connection)
            if self._shared is not None:
                await self._shared.write(connection)
            if self._audit:
                head = await audit.append(connection, self._audit)
        for key, record in self._bindings.items():
            if record is None:
                self._bound.pop(" ".join(key), None)
            else:
                self._bound[" ".join(key)] = _coarse_expiry(record)
        return head

    def _sort(self, record: Record) -> None:
        """Put one record where it belongs."""
        kind = record["k"]
        if self._shared is not None:
            self._shared.take(record)
        if kind == "audit":
            self._audit.append({**record, "id": audit.entry_id(record), "at": int(record["at"])})
        elif kind in ("bind", "unbind"):
            self._sort_binding(record)
        elif kind in SINKS:
            sink = SINKS[kind]
            row = sink.row(record)
            if row is not None:
                if "node" in sink.table.columns:
                    row["node"] = self._node
                self._add_row(kind, sink, row)

    def _add_row(self, kind: str, sink: Sink, row: Row) -> None:
        """Keep a row; of two states of one thing in a batch the later is enough."""
        rows = self._rows[kind]
        if sink.newest is not None:
            key = (kind, *(row[name] for name in key_of(sink)))
            place = self._places.setdefault(key, len(rows))
            if place < len(rows):
                if row[sink.newest] >= rows[place][sink.newest]:
                    rows[place] = row
                return
        rows.append(row)

    def _sort_binding(self, record: Record) -> None:
        """Keep a binding's last change, unless it only refreshes what the table holds."""
        key = (record["aor"], record["contact"])
        if record["k"] == "unbind":
            self._bindings[key] = None
        elif self._bound.get(" ".join(key)) != _coarse_expiry(record):
            self._bindings[key] = record
        else:
            self._bindings.pop(key, None)

    async def _write_bindings(self, connection: AsyncConnection) -> None:
        """Replace changed bindings."""
        gone = [key for key, record in self._bindings.items() if record is None]
        for aor, contact in gone:
            await connection.execute(
                delete(bindings).where(bindings.c.aor == aor, bindings.c.contact == contact)
            )
        rows = [
            {
                "aor": aor,
                "contact": contact,
                "expires_at": _coarse_expiry(record),
                "record": record,
            }
            for (aor, contact), record in self._bindings.items()
            if record is not None
        ]
        if rows:
            statement = upsert(bindings, connection.dialect.name)
            changed = {name: statement.excluded[name] for name in ("expires_at", "record")}
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["aor", "contact"], set_=changed),
                rows,
            )


async def _add(connection: AsyncConnection, sink: Sink, rows: list[Row]) -> None:
    await connection.execute(insert_into(sink, connection.dialect.name), rows)


def _coarse_expiry(record: dict[str, Any]) -> int:
    """Return a binding's expiry (UTC s in the record), rounded up to the hour, in UTC ms."""
    return -(round(float(record["expires"]) * 1000) // -_EXPIRY_STEP_MS) * _EXPIRY_STEP_MS
