"""A meter that is slow and obviously right: it keeps every leg for ever and adds up intervals.

No running sums, no timers, no state that could be wrong: each question is answered from the list of
legs. Times are milliseconds of boottime; `offset` is UTC minus boottime.
"""

from copy import copy
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Self

from switch.usage.cycle import Calendar


@dataclass(slots=True)
class Talk:
    """One leg. `end` is None while it lives; `known` says that its ACK came."""

    line: str
    direction: str
    counts: bool
    start: int
    known: bool = False
    end: int | None = None

    def within(self, low: int, high: int, upto: int) -> int:
        """The part of it in [low, high) that is over by `upto`."""
        end = upto if self.end is None else min(self.end, upto)
        return max(0, min(end, high) - max(self.start, low))


@dataclass(slots=True)
class Reference:
    """All legs by id, and the crossings that were announced: (line, cycle, percentage) -> instant."""

    calendar: Calendar
    offset: int
    threshold: int
    settle: int
    talks: dict[str, Talk] = field(default_factory=dict)
    announced: dict[tuple[str, int, int], int] = field(default_factory=dict)

    def copy(self) -> Self:
        talks = {leg: copy(talk) for leg, talk in self.talks.items()}
        return replace(self, talks=talks, announced=dict(self.announced))

    def bounds(self, n: int) -> tuple[int, int]:
        """A cycle on the boottime clock; what came before the first one is cycle -1."""
        cycle = self.calendar.cycle(n)
        low = -(10**15) if n < 0 else cycle.start - self.offset
        return low, cycle.end - self.offset

    def used(self, line: str, n: int, now: int) -> int:
        """Counted ms, live legs included, also those whose ACK hasn't come: in their first cycle."""
        low, high = self.bounds(n)
        return sum(
            talk.within(low, high, now)
            for talk in self.talks.values()
            if talk.line == line
            and talk.counts
            and (talk.known or (talk.end is None and talk.start >= low))
        )

    def settled(self, leg: str, n: int) -> int:
        """What an ended leg came to in a cycle."""
        talk = self.talks[leg]
        assert talk.end is not None
        return talk.within(*self.bounds(n), talk.end) if talk.known else 0

    def look(self, now: int, *, exactly: str | None = None) -> None:
        """Announce what was crossed by now: as soon as it settled, or at once for the line whose leg
        is about to end."""
        first = self.calendar.cycle_at(now + self.offset - 3_600_000).n
        last = self.calendar.cycle_at(now + self.offset).n
        for line in {talk.line for talk in self.talks.values()}:
            upto = now if line == exactly else now - self.settle
            for n in range(first, last + 1):
                high = self.bounds(n)[1]
                for percentage in (80, 90, 100):
                    point = self.threshold * percentage // 100
                    at = self._crossing(line, n, point)
                    settled = high + (0 if line == exactly else self.settle) <= now
                    if at is not None and at <= (high if settled else upto):
                        self.announced.setdefault((line, n, percentage), at)

    def _crossing(self, line: str, n: int, point: int) -> int | None:
        """The first ms at which the line's known legs come to `point`, if nothing changes."""
        low, high = self.bounds(n)
        talks = [t for t in self.talks.values() if t.line == line and t.counts and t.known]
        ends = {high, *(t.end for t in talks if t.end is not None)}
        edges = sorted({max(low, min(high, edge)) for edge in ends | {t.start for t in talks}})
        for left, right in pairwise(edges):
            before = sum(t.within(low, high, left) for t in talks)
            if before >= point:
                return left
            running = sum(t.start <= left and (t.end is None or t.end > left) for t in talks)
            if running and before + running * (right - left) >= point:
                return left - (before - point) // running
        return None
