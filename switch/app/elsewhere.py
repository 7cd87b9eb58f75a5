"""What other nodes of a shared database decided of lines: read every two seconds, in force here as well.

States, locations and secrets: a line that was stolen at one node is shut out at all of them, an address that
was changed at one is the one that an emergency call leaves with at any. Each of two records about the same
thing carries its time; the later counts. Deliberately absent: minutes, which are `gather`'s, and writing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from policy.model import LineState
from switch.call.exchange import Exchange
from switch.clock import wall
from switch.console.line_life import LineLives
from switch.store.read import Reader, StoreUnavailableError
from switch.store.read_devices import DeviceReader

PERIOD_S: Final = 2.0
# A record is written some time after its own time, longer when the database was away.
OVERLAP_MS: Final = 600_000
WHOLE_S: Final = 300.0  # everything is read again, whatever its time


class LivesElsewhere:
    """Keeps the lives of lines told. `release(line, state)` ends calls, as it did at the other node."""

    def __init__(
        self,
        exchange: Exchange,
        reader: Reader,
        lives: LineLives,
        release: Callable[[str, LineState], None],
        perform: Callable[[], None],
    ) -> None:
        """Nothing is read before `run` or `look`."""
        self._exchange = exchange
        self._reader = reader
        self._lives = lives
        self._release = release
        self._perform = perform

    async def run(self) -> None:
        """Look every two seconds, until cancelled; a database that is away is told by `gather`."""
        loop, whole_at = asyncio.get_running_loop(), 0.0
        while True:
            is_whole = loop.time() >= whole_at
            if is_whole:
                whole_at = loop.time() + WHOLE_S
            try:
                await self.look(0 if is_whole else round(wall() * 1000) - OVERLAP_MS)
            except StoreUnavailableError:
                whole_at = 0.0
            await asyncio.sleep(PERIOD_S)

    async def look(self, since: int) -> None:
        """Take what was decided since then (UTC ms)."""
        reader = self._reader
        records: list[dict[str, Any]] = await DeviceReader(reader).secrets(since)
        records += [{"k": "line_state", **asdict(row)} for row in await reader.line_states(since)]
        records += [{"k": "location", **asdict(row)} for row in await reader.locations(since=since)]
        before = self._exchange.facts.lines
        for line in self._lives.learn(records):
            state = self._exchange.facts.lines[line].state
            if state is not before[line].state:
                if state in (LineState.TERMINATED, LineState.STOLEN):
                    self._exchange.registrar.remove(line)
                self._release(line, state)
        self._perform()
