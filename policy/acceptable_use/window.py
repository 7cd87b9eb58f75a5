"""What is counted of a line's calls within an hour and within a day; a new window starts at zero.

An hour begins with the first call that ends after the hour before, so that a burst is seen whole; a day
is the account's calendar day. Times are UTC milliseconds, durations milliseconds.
"""

from policy.acceptable_use.call import Call
from policy.acceptable_use.sketch import Sketch

HOUR_MS = 3_600_000
GAP_MS = 2_000  # D1: a machine dials again at once
BRIEF_MS = 6_000  # D1: answered, and over before anybody spoke
QUICK_MS = 3_000  # D2: no agent was free
RING_MS = 5_000  # D15: rung just long enough to leave a missed call
NEAR = 10  # D16: numbers this close belong to one sweep
TALK_MS = 600_000  # D10: long enough to expect a conversation
TWO_WAY = 0.10
SPEECH = 0.50  # D9: this much of a call was spoken, and nothing came back
UNKNOWN = frozenset({404, 484, 604})
# D4: when canvassing by telephone is allowed, Monday to Friday, in minutes of the day.
ALLOWED_MINUTES = (range(600, 780), range(840, 1200))
OFFICE_MINUTES = range(420, 1260)
_RECENT = 16
_RANGE_DIGITS = 8  # + and seven digits: country and the block behind it
_DURATIONS = 64
_TOGETHER = 4
_SPANS = 4


class Hour:
    """Sixty minutes from the end of the first call on."""

    __slots__ = ("_near", "_rung", "_to_range", "attempts", "busy_ms", "consecutive", "risk_ms",
                 "since", "together")  # fmt: skip

    def __init__(self, since: int) -> None:
        self.since = since
        self.attempts = 0
        self.busy_ms = 0
        self.risk_ms = 0
        self.consecutive = 0
        self.together = 0
        self._rung: Sketch | None = None
        self._near: list[int] = []
        self._to_range: list[tuple[str, int, int]] = []

    @property
    def rung_briefly(self) -> int:
        """Distinct numbers that were rung for a moment and left with a missed call (D15)."""
        return len(self._rung) if self._rung is not None else 0

    def add(self, call: Call) -> None:
        """Count a call."""
        self.busy_ms += min(call.duration_ms, call.ended_at - self.since)
        if call.is_high_risk:
            self.risk_ms += call.duration_ms
            self._gather(call)
        if not call.outbound:
            return
        self.attempts += 1
        if call.is_cancelled and call.ring_ms <= RING_MS:
            self._rung = self._rung or Sketch(512)
            self._rung.add(call.peer)
        self._sweep(call.peer)

    def _sweep(self, peer: str) -> None:
        digits = peer.removeprefix("+")
        if not digits.isdigit():
            return
        number = int(digits)
        if any(0 < abs(number - other) <= NEAR for other in self._near):
            self.consecutive += 1
        self._near = [*self._near[1 - _RECENT :], number]

    def _gather(self, call: Call) -> None:
        """Count the calls to one range that were up at the same time (D14)."""
        block = (call.onward or call.peer)[:_RANGE_DIGITS]
        span = (block, call.at, call.ended_at)
        self._to_range = [*self._to_range[1 - _RECENT :], span]
        together = sum(
            other == block and start < span[2] and end > span[1]
            for other, start, end in self._to_range
        )
        self.together = max(self.together, together)


class Day:
    """One calendar day of the account."""

    __slots__ = ("_callees", "_conferred", "_durations", "_faxed", "_free_at", "_lately",
                 "answered", "attempts", "brief", "busy_ms", "cancelled", "conference_ms", "day",
                 "fax", "inbound", "longest_ms", "measured", "misplaced", "new", "one_way", "quick",
                 "short_gaps", "silent", "talk_ms", "unknown")  # fmt: skip

    def __init__(self, day: int) -> None:
        self.day = day
        self.attempts = self.answered = self.inbound = 0
        self.short_gaps = self.brief = self.cancelled = self.quick = self.unknown = 0
        self.talk_ms = self.busy_ms = self.conference_ms = self.longest_ms = 0
        self.new = 0.0
        self.fax = self.misplaced = self.silent = self.measured = self.one_way = 0
        self._callees = Sketch(1024)
        self._faxed: Sketch | None = None
        self._durations: dict[int, int] = {}
        self._free_at: int | None = None
        self._lately: list[tuple[int, int]] = []
        self._conferred: list[tuple[int, int]] = []

    @property
    def distinct(self) -> int:
        """Numbers called."""
        return len(self._callees)

    @property
    def faxed(self) -> int:
        """Numbers faxed to."""
        return len(self._faxed) if self._faxed is not None else 0

    @property
    def alike(self) -> int:
        """Answered calls whose duration lies within a second of the most common one (D9)."""
        if not self._durations:
            return 0
        mode = max(self._durations, key=self._durations.__getitem__)
        return sum(self._durations.get(mode + each, 0) for each in (-1, 0, 1))

    def add(self, call: Call, new: float) -> None:
        """Count a call; `new` is how many numbers that the line never called before it stands for."""
        self.busy_ms += call.duration_ms
        self._confer(call)
        if call.two_way is not None and call.duration_ms > TALK_MS and call.two_way < TWO_WAY:
            self.silent += 1
        if not call.outbound:
            self.inbound += 1
            return
        self.attempts += 1
        self.new += new
        self._callees.add(call.peer)
        self._pace(call)
        self.misplaced += not _is_allowed(call)
        if call.is_fax:
            self.fax += 1
            self._faxed = self._faxed or Sketch(256)
            self._faxed.add(call.peer)
        if call.answered:
            self._outcome(call)
        self.cancelled += call.is_cancelled
        self.unknown += call.status in UNKNOWN

    def _confer(self, call: Call) -> None:
        """Count the time with three parties or more (D7): known, or that of calls that are up together.

        A call that waits is up too; that is little, and a conference all day isn't. What several calls
        have in common counts once.
        """
        if not call.answered:
            return
        begun, ended = call.ended_at - call.duration_ms, call.ended_at
        if call.parties > 2:
            self._together(begun, ended)
            return
        for start, end in self._lately:
            if end > begun:
                self._together(max(begun, start), end)
        self._lately = [*self._lately[1 - _TOGETHER :], (begun, ended)]

    def _together(self, start: int, end: int) -> None:
        """Join a time of conference to those before: what is new of it counts."""
        apart = []
        self.conference_ms += end - start
        for low, high in self._conferred:
            common = min(high, end) - max(low, start)
            if common < 0:
                apart.append((low, high))
                continue
            self.conference_ms -= common
            start, end = min(low, start), max(high, end)
        self._conferred = [*apart[1 - _SPANS :], (start, end)]
        self.longest_ms = max(self.longest_ms, end - start)

    def _pace(self, call: Call) -> None:
        if self._free_at is not None and 0 <= call.at - self._free_at <= GAP_MS:
            self.short_gaps += 1
        self._free_at = call.ended_at

    def _outcome(self, call: Call) -> None:
        self.answered += 1
        self.talk_ms += call.duration_ms
        self.brief += call.duration_ms <= BRIEF_MS
        self.quick += call.duration_ms <= QUICK_MS and call.ended_by == "caller"
        if call.spoken is not None and call.heard is not None and call.duration_ms > BRIEF_MS:
            self.measured += 1
            self.one_way += call.spoken >= SPEECH and call.heard < TWO_WAY
        second = round(call.duration_ms / 1000)
        if second in self._durations or len(self._durations) < _DURATIONS:
            self._durations[second] = self._durations.get(second, 0) + 1


def _is_allowed(call: Call) -> bool:
    return call.is_weekday and any(call.minute in minutes for minutes in ALLOWED_MINUTES)
