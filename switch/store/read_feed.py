"""What the database tells of the feed of addresses; see `read`, whose Reader carries the queries out."""

from typing import Any

from sqlalchemy import select

from switch.store import tables
from switch.store.read import Reader


async def feed(reader: Reader) -> list[dict[str, Any]]:
    """Return the feed as records of the journal: versions, then what each changed, then answers.

    Raises StoreUnavailableError.
    """
    found: list[dict[str, Any]] = []
    for table in (tables.feed, tables.feed_row, tables.feed_ack):
        rows = await reader.rows(select(table).order_by(*table.primary_key.columns))
        found += [{"k": table.name, **row} for row in rows]
    return found
