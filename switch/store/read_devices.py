"""What the database tells of devices and firmware; see `read`, whose Reader carries the queries out."""

from typing import Any

from sqlalchemy import func, select

from switch.store import device_tables as tables
from switch.store.read import Reader

Record = dict[str, Any]
_RECENT = 12  # happenings of each device that a start takes back


class DeviceReader:
    """Queries by way of `reader`; all raise StoreUnavailableError. Times are UTC milliseconds."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def records(self) -> list[Record]:
        """Return everything that a start needs, as records of the journal."""
        found: list[Record] = []
        for table in (tables.device, tables.rollout):
            found += [row["body"] for row in await self._reader.rows(select(table.c.body))]
        for table in (tables.device_desired, tables.device_reported, tables.rollout_device):
            rows = await self._reader.rows(select(table))
            found += [{"k": table.name, **row} for row in rows]
        event = tables.device_event.c
        newest = select(event.device, func.max(event.n).label("last")).group_by(event.device)
        last = newest.subquery()
        recent = select(tables.device_event).join(
            last, (event.device == last.c.device) & (event.n > last.c.last - _RECENT)
        )
        found += [{"k": "device_event", **row} for row in await self._reader.rows(recent)]
        return found

    async def secrets(self, since: int = 0) -> list[Record]:
        """Return the secrets of lines that were rotated, at `since` or later, as records of the journal."""
        wanted = select(tables.line_secret).where(tables.line_secret.c.at >= since)
        rows = await self._reader.rows(wanted)
        return [{"k": "line_secret", **row} for row in rows]

    async def story(self, device: str, limit: int = 1000) -> list[Record]:
        """Return what happened to a device, oldest first; the newest are kept."""
        event = tables.device_event.c
        wanted = (
            select(event.at, event.kind, event.state, event.version, event.detail)
            .where(event.device == device)
            .order_by(event.n.desc())
            .limit(limit)
        )
        return list(reversed(await self._reader.rows(wanted)))
