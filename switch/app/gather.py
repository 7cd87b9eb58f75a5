"""Minutes that other nodes of a shared database count: read every two seconds, given to the meters.

A line whose calls run on several nodes is counted by each for its own legs. Here the others' sums and
live legs join them, so that each node sees the whole and can say when a threshold is crossed. Who
wrote a crossing first tells the customer; the others take it as announced.

When the database is out of reach, calls and meters go on with what is known; the others' live legs
stand still after `STALE_S`, and catch up when it is back. Deliberately absent: a single node's SQLite,
where nobody else counts.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from switch.call.exchange import Exchange
from switch.call.record import calendar_of
from switch.clock import boottime
from switch.sip.outbox import Event
from switch.store.alarm import Alarm
from switch.store.read import StoreUnavailableError
from switch.store.shared import Crossing, Gazette, Issue, LiveLeg
from switch.usage.cycle import Cycle
from switch.usage.elsewhere import Elsewhere

PERIOD_S: Final = 2.0
# A node whose heartbeat is older than this is not there; a live leg of it is frozen where it was.
STALE_S: Final = 6.0

CROSSED: Final = "usage.threshold"


class Gather:
    """Keeps the meters of `exchange` told. `announce` is given each crossing that this node wrote
    first, as the event that the meters note."""

    def __init__(
        self,
        exchange: Exchange,
        gazette: Gazette,
        announce: Callable[[Sequence[Event]], None],
        perform: Callable[[], None],
        alarm: Alarm,
        clock: Callable[[], float] = boottime,
    ) -> None:
        """Nothing is read before `run` or `look`."""
        self._exchange = exchange
        self._gazette = gazette
        self._announce = announce
        self._perform = perform
        self._alarm = alarm
        self._clock = clock
        self._sums: dict[str, dict[tuple[int, str, str], tuple[int, int]]] = defaultdict(dict)
        self._legs: list[LiveLeg] = []
        self._beats: Mapping[str, int] = {}
        self._announced: set[Crossing] = set()
        self._told: set[str] = set()  # lines whose meters hold something of other nodes
        self._is_failing = False

    async def run(self) -> None:
        """Look every two seconds, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_S)

    async def look(self) -> None:
        """Read once, and tell the meters; also when there is nothing to be read."""
        try:
            issue = await self._gazette.read()
        except StoreUnavailableError as error:
            if not self._is_failing:
                self._is_failing = True
                self._alarm("nodes.unreadable", {"reason": str(error).partition("\n")[0]})
            issue = Issue(beats=self._beats, legs=self._legs)
        else:
            if self._is_failing:
                self._is_failing = False
                self._alarm("nodes.readable", {})
        self.take(issue, self._clock())
        self._perform()

    def take(self, issue: Issue, now: float) -> None:
        """Give what was read to the meters; `now` is boottime."""
        meters, utc = self._exchange.meters, self._exchange.wall(now)
        self._beats, self._legs = issue.beats, list(issue.legs)
        for crossing in issue.crossings:
            meters.take_crossed(crossing.line, crossing.cycle, crossing.percentage)
            if crossing.node == self._gazette.node and crossing not in self._announced:
                self._announced.add(crossing)
                self._announce([event_of(crossing)])
        for (line, n, node, direction), sums in issue.sums.items():
            self._sums[line][n, node, direction] = sums
        for adjustment, n in issue.adjustments:
            if adjustment.line in self._exchange.facts.lines:
                cycle = calendar_of(self._exchange, adjustment.line).cycle(n)
                meters.take_adjustment(adjustment, cycle, now, utc)
        live: dict[str, list[LiveLeg]] = defaultdict(list)
        for leg in self._legs:
            live[leg.line].append(leg)
        lines = self._exchange.facts.lines.keys()
        concerned = (live.keys() | self._told | {line for line, *_ in issue.sums}) & lines
        for line in concerned:
            cycle = calendar_of(self._exchange, line).cycle_at(round(utc * 1000))
            share = self._share(line, cycle, live.get(line, ()), now, utc)
            meters.take_elsewhere(line, cycle, share, now)
        self._told = {line for line in concerned if live.get(line) or self._sums.get(line)}

    def _forget_old_sums(self, line: str, n: int) -> None:
        """Let go of sums of cycles before the last one."""
        self._sums[line] = {key: sums for key, sums in self._sums[line].items() if key[0] >= n - 1}

    def _share(
        self, line: str, cycle: Cycle, legs: Iterable[LiveLeg], now: float, utc: float
    ) -> Elsewhere:
        """What the others counted on a line in a cycle, on this node's clock."""
        ended = {"inbound": 0, "outbound": 0}
        counted_ms = 0
        self._forget_old_sums(line, cycle.n)
        for (n, _, direction), (ms, counted) in self._sums[line].items():
            if n == cycle.n:
                ended[direction] += ms
                counted_ms += counted
        offset_ms = round(utc * 1000) - round(now * 1000)
        marks: list[tuple[int, str]] = []
        uncounted: list[tuple[str, int]] = []
        known_until = round(now * 1000)
        for leg in legs:
            beat = self._beats.get(leg.node, 0)
            begins = max(leg.since, cycle.start)
            if beat < utc * 1000 - STALE_S * 1000:
                frozen = max(0, beat - begins)
                ended[leg.direction] += frozen
                counted_ms += frozen if leg.counts else 0
            elif leg.counts:
                marks.append((begins - offset_ms, leg.direction))
                known_until = min(known_until, beat - offset_ms)
            else:
                uncounted.append((leg.direction, begins - offset_ms))
        marks.sort()
        return Elsewhere(
            ended,
            counted_ms,
            tuple(mark for mark, _ in marks),
            tuple(direction for _, direction in marks),
            tuple(uncounted),
            known_until,
        )


def event_of(crossing: Crossing) -> Event:
    """A crossing that the database has, as the meters note it."""
    return CROSSED, {
        "line": crossing.line,
        "cycle": crossing.cycle,
        "percentage": crossing.percentage,
        "occurred_at": crossing.occurred_at,
    }


def without_crossings(events: Sequence[Event]) -> list[Event]:
    """All events but crossings."""
    return [event for event in events if event[0] != CROSSED]
