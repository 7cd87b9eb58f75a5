"""What several nodes on one database tell each other about minutes: who counts what, up to when.

Each node writes, with its rows, its sums per line and cycle (`usage_total`), its live legs
(`live_leg`) and its heartbeat (`node_beat`). The heartbeat passes through the same queue as all else,
so a reader that sees it sees everything that the node did before it. `Gazette` reads what the others
wrote since it last looked.

Deliberately absent: what follows from it (app/gather.py), and locks: each row has one writer.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import delete, func, literal, select, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from switch.store.database import FAILURES, open_for_gathering
from switch.store.read import StoreUnavailableError
from switch.store.rows import Record, Row, database_time, upsert
from switch.store.tables import (
    adjustments,
    live_leg,
    node_beat,
    thresholds,
    usage,
    usage_total,
)
from switch.usage.adjustment import Adjustment

# A transaction that takes longer to commit than this is seen late: rows are stamped when written.
OVERLAP_MS: Final = 60_000
# At the first look: sums of cycles that may still run or have just ended.
RECENT_MS: Final = 62 * 86_400_000


class SharedRows:
    """A batch's part in it. `take` sees every record in order; `write` belongs in its transaction."""

    KINDS: Final = frozenset({"start", "confirm", "beat"})

    def __init__(self, node: str) -> None:
        """Nothing to write."""
        self._node = node
        self._legs: dict[str, Row | None] = {}
        self._sums: set[tuple[str, int]] = set()
        self._beat = 0

    def take(self, record: Record) -> None:
        """Note what a record says of live legs, sums and life."""
        match record["k"]:
            case "start" if record["confirmed"]:
                self._live(record, record["wall"])
            case "confirm":
                self._live(record, record["since"])
            case "usage":
                if record["final"]:
                    self._legs[record["leg"]] = None
                if record["ms"] and record.get("exempt_reason") is None:
                    self._sums.add((record["line"], record["cycle"]))
            case "beat":
                self._beat = max(self._beat, record["wall"])

    async def write(self, connection: AsyncConnection) -> None:
        """Bring the tables up to date."""
        gone = [leg for leg, row in self._legs.items() if row is None]
        there = [row for row in self._legs.values() if row is not None]
        name = connection.dialect.name
        if gone:
            await connection.execute(delete(live_leg).where(live_leg.c.leg.in_(gone)))
        if there:
            await connection.execute(upsert(live_leg, name).on_conflict_do_nothing(), there)
        if self._sums:
            await self._write_sums(connection)
        if self._beat:
            statement = upsert(node_beat, name).values(node=self._node, at=self._beat)
            greatest = func.greatest(node_beat.c.at, statement.excluded["at"])
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["node"], set_={"at": greatest})
            )

    def _live(self, record: Record, since: int) -> None:
        if record["exempt_reason"] is not None:
            return
        self._legs[record["leg"]] = {
            "leg": record["leg"],
            "node": self._node,
            "line": record["line"],
            "direction": record["direction"],
            "counts": record["counts"],
            "since": since,
        }

    async def _write_sums(self, connection: AsyncConnection) -> None:
        """Sum this node's legs anew, for the lines and cycles that changed."""
        used, name = usage.c, connection.dialect.name
        sums = (
            select(
                used.line,
                used.cycle,
                used.node,
                used.direction,
                func.sum(used.ms),
                func.coalesce(func.sum(used.ms).filter(used.counts), 0),
                database_time(name),
            )
            .where(
                used.node == literal(self._node),
                used.exempt_reason.is_(None),
                tuple_(used.line, used.cycle).in_(sorted(self._sums)),
            )
            .group_by(used.line, used.cycle, used.node, used.direction)
        )
        columns = [column.name for column in usage_total.columns]
        statement = upsert(usage_total, name).from_select(columns, sums)
        changed = {column: statement.excluded[column] for column in columns[4:]}
        key = list(usage_total.primary_key.columns)
        await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))


async def forget_live_legs(engine: AsyncEngine, node: str) -> None:
    """Take back what a node said of its live legs: it is about to say it anew."""
    async with engine.begin() as connection:
        await connection.execute(delete(live_leg).where(live_leg.c.node == node))


@dataclass(frozen=True, slots=True)
class LiveLeg:
    """A live leg of another node, answered at `since` (UTC ms)."""

    node: str
    line: str
    direction: str
    counts: bool
    since: int


@dataclass(frozen=True, slots=True)
class Crossing:
    """A percentage that a line reached, and the node that wrote it first."""

    line: str
    cycle: int
    percentage: int
    occurred_at: int
    node: str


@dataclass(frozen=True, slots=True)
class Issue:
    """What one look brought. `beats` are the last heartbeats of all nodes (UTC ms).

    `sums` maps (line, cycle, node, direction) to (ms, counted ms), of other nodes, changed ones only;
    `legs` are all live legs of other nodes; `crossings` those of all nodes.
    """

    beats: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[tuple[str, int, str, str], tuple[int, int]] = field(default_factory=dict)
    legs: Collection[LiveLeg] = ()
    crossings: Collection[Crossing] = ()
    adjustments: Collection[tuple[Adjustment, int]] = ()


class Gazette:
    """Reads what the other nodes wrote, as `node`, from the database at `url`."""

    def __init__(self, url: str, node: str) -> None:
        """Nothing is opened yet."""
        self._engine = open_for_gathering(url)
        self.node = node
        self._since = 0

    async def read(self) -> Issue:
        """Return what is new, as of one instant; raises StoreUnavailableError."""
        try:
            async with self._engine.connect() as connection:
                return await self._read(connection)
        except FAILURES as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise StoreUnavailableError(str(reason)) from error

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()

    async def _read(self, connection: AsyncConnection) -> Issue:
        clock = select(database_time(connection.dialect.name))
        now = int((await connection.execute(clock)).scalar_one())
        since = self._since or now - RECENT_MS
        beats = {row.node: row.at for row in await connection.execute(select(node_beat))}
        others = select(usage_total).where(
            usage_total.c.node != self.node, usage_total.c.written >= since
        )
        sums = {
            (row.line, row.cycle, row.node, row.direction): (int(row.ms), int(row.counted_ms))
            for row in await connection.execute(others)
        }
        live = select(*(live_leg.c[name] for name in LiveLeg.__slots__)).where(
            live_leg.c.node != self.node
        )
        legs = [LiveLeg(*row) for row in await connection.execute(live)]
        reached = select(*(thresholds.c[name] for name in Crossing.__slots__)).where(
            thresholds.c.written >= since
        )
        crossings = [Crossing(*row) for row in await connection.execute(reached)]
        made = select(adjustments).where(adjustments.c.written >= since)
        corrections = [
            (Adjustment.of(dict(row)), int(row["cycle"]))
            for row in (await connection.execute(made)).mappings()
        ]
        self._since = now - OVERLAP_MS
        return Issue(beats, sums, legs, crossings, corrections)
