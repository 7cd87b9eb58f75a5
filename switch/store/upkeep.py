"""Keeps the journal short: a checkpoint when it has grown, and removal of what the database holds."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from switch.clock import boottime
from switch.store.alarm import Alarm, quiet
from switch.store.journal import Journal
from switch.store.writer import Writer

# How often to look, and how many segments a restart may have to read.
_LOOK_S: Final = 10.0
SEGMENTS_PER_CHECKPOINT: Final = 4
OLDEST_S: Final = 30 * 86_400.0


class Upkeep:
    """Ties a journal to the writer that fills the database from it.

    `live_records` restates all live state (bindings, calls, meters); it is called on the loop,
    between two wake-ups' records, so it sees exactly what the journal says so far.
    """

    def __init__(
        self,
        journal: Journal,
        writer: Writer,
        live_records: Callable[[], Iterable[bytes]],
        *,
        alarm: Alarm = quiet,
    ) -> None:
        """Nothing happens before `run`."""
        self._journal = journal
        self._writer = writer
        self._live_records = live_records
        self._alarm = alarm
        self._last = journal.replay_starts_at()
        self._last_at = boottime()

    async def run(self) -> None:
        """Look every ten seconds, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self.is_due:
                await self.checkpoint()

    @property
    def is_due(self) -> bool:
        """Whether a restart would have to read too many segments (each start begins one, too), or old
        ones: what they hold of people must not outlive its time by much (retention.py)."""
        return (
            self._journal.number - self._last >= SEGMENTS_PER_CHECKPOINT
            or boottime() - self._last_at >= OLDEST_S
        )

    async def checkpoint(self) -> None:
        """Restate live state in a new segment; once the database has caught up, drop old ones."""
        try:
            number = self._journal.checkpoint(self._live_records())
            self._last, self._last_at = number, boottime()
            await self._writer.settle()
            await asyncio.to_thread(self._journal.drop_before, number)
        except OSError as error:
            self._alarm("journal.checkpoint_failed", {"error": error.strerror})
