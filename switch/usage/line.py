"""The meter of one line: what its legs add up to in a cycle, and when they will cross a threshold.

With n live legs the sum grows by n milliseconds a millisecond, so the instant of a crossing is (T -
used) / n away and only a leg change can move it: one timer a line, armed again at leg changes, and
no polling. The sum is kept as settled + n*now - (sum of the starts): O(1) per leg change. Corrections
and what other nodes counted join the same sum.

All `*_ms` are integer milliseconds, of boottime unless named otherwise. Deliberately absent: any
effect of a crossing on a call. It is an indicator and never a cap.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final
from zlib import crc32

from switch.clock import Timer, Wheel
from switch.usage.adjustment import Adjustment
from switch.usage.crossing import reached_at
from switch.usage.cycle import Cycle
from switch.usage.elsewhere import NOWHERE, Elsewhere
from switch.usage.leg import Leg
from switch.usage.past import PastCycle

PERCENTAGES: Final = (80, 90, 100)

# A BYE may be in the socket buffer while the timer of a crossing that it prevents is due: what came
# before is read first. The crossing is announced this much later; its `occurred_at` is exact all the
# same.
_SETTLE_MS: Final = 10

# A crossing days ahead is armed at one instant of its minute first and exactly then, so that calls
# coming and going don't strew the wheel with far-away times. Each line has its own instant, lest all
# lines look again in the same millisecond.
_COARSE_MS: Final = 60_000
_PHASE_MS: Final = 100

Fire = Callable[["LineMeter", int, int, int], None]
Close = Callable[[Leg, int], None]


class LineMeter:
    """What a line used in `cycle`.

    `settled`: ms of ended parts by direction. `adjustments`: corrections of the cycle by id. `elsewhere`:
    what other nodes counted in it. `crossed`: percentages reached, ascending. `ended`: intervals of ended
    legs in whose midst a crossing may turn out to lie; `past`: the cycle before, while an ACK is awaited.
    `fire` is called with (meter, cycle, percentage, boottime ms) at each crossing, `close` with (leg,
    boottime ms) when a cycle's end closes a leg's part.
    """

    __slots__ = (
        "_boundary",
        "_close",
        "_counted",
        "_fire",
        "_newest",
        "_phase_ms",
        "_points",
        "_provisional",
        "_running",
        "_starts",
        "_timer",
        "_wheel",
        "adjusted_ms",
        "adjustments",
        "crossed",
        "cycle",
        "elsewhere",
        "ended",
        "legs",
        "line",
        "offset_ms",
        "past",
        "settled",
        "settled_at_ms",
    )

    def __init__(
        self,
        line: str,
        cycle: Cycle,
        wheel: Wheel,
        points: dict[int, int],
        fire: Fire,
        close: Close,
    ) -> None:
        """A meter at zero. `points` maps percentages, ascending, to ms of the counted sum."""
        self.line = line
        self.cycle = cycle
        self.legs: dict[str, Leg] = {}
        self.settled: dict[str, int] = {"inbound": 0, "outbound": 0}
        self.adjustments: dict[str, Adjustment] = {}
        self.adjusted_ms = 0  # what they come to
        self.elsewhere: Elsewhere = NOWHERE
        self.crossed: list[int] = []
        self.offset_ms = 0
        self.settled_at_ms = 0
        self._counted = self._running = self._starts = self._newest = 0
        # An ACK that comes late makes its leg count from its 200 on, so a crossing can lie before the
        # end of legs that ended meanwhile: their intervals are kept while an ACK is awaited.
        self._provisional = 0
        self.ended: dict[str, tuple[int, int]] = {}
        self.past: PastCycle | None = None
        self._boundary: int | None = None
        self._points = points
        self._timer: Timer | None = None
        self._wheel = wheel
        self._fire = fire
        self._close = close
        # crc32, and not the builtin hash: the same in every run, so that a run can be repeated.
        self._phase_ms = crc32(line.encode()) % (_COARSE_MS // _PHASE_MS) * _PHASE_MS

    def add(self, leg: Leg) -> None:
        """Take a leg that was answered; it is provisional until `confirm`."""
        self._turn_to(leg.cycle)
        self.legs[leg.id] = leg
        self.offset_ms = leg.wall_ms - leg.start_ms
        self._provisional += leg.counts and not leg.confirmed

    def forget_ended(self, upto_ms: int) -> None:
        """Let go of intervals of ended legs that no awaited ACK can concern: before a leg is added."""
        if self.ended and not self._provisional:
            self.advance(upto_ms - _SETTLE_MS)
            self.ended = {leg: each for leg, each in self.ended.items() if each[1] > upto_ms}

    def confirm(self, leg: Leg) -> None:
        """Let a leg count from its mark on: its ACK arrived."""
        leg.confirmed = True
        self._provisional -= leg.counts
        if leg.exempt_reason is not None:
            return
        self._join(leg)
        if leg.counts and self.past is not None and leg.cycle.n == self.past.n:
            part = leg.mark_ms, leg.boundary_ms
            for percentage, at_ms in self.past.take(leg.id, part, self._points):
                self._fire(self, self.past.n, percentage, at_ms)
        if self._boundary is None or leg.boundary_ms < self._boundary:
            self._boundary = leg.boundary_ms
        self.rearm(leg.mark_ms)

    def remove(self, leg: Leg, at_ms: int) -> int:
        """End a leg at `at_ms`; return the ms of its part in its present cycle."""
        self._catch_up(leg, at_ms)
        self.advance(at_ms)
        self._remember(leg, at_ms)
        self.drop(leg)
        ms = leg.live_ms(at_ms) if leg.confirmed else 0
        if leg.cycle.n == self.cycle.n and leg.exempt_reason is None:
            self.settle(leg.direction, ms, leg.counts, at_ms)
        if not self.legs:
            self._boundary = None
        self.rearm(at_ms)
        return ms

    def settle(self, direction: str, ms: int, counts: bool, at_ms: int) -> None:
        """Add the ms of an ended part."""
        self.settled[direction] += ms
        self.settled_at_ms = at_ms
        if counts:
            self._counted += ms

    def drop(self, leg: Leg) -> None:
        """Forget a live leg, as if it had never been."""
        del self.legs[leg.id]
        self._provisional -= leg.counts and not leg.confirmed
        if leg.joined:
            self._leave(leg)

    def take_total(
        self, cycle: Cycle, by_direction: dict[str, int], counted: Collection[str], at_ms: int
    ) -> None:
        """Take a recorded sum of ended legs, by greatest-of; an older cycle's is ignored."""
        self._turn_to(cycle)
        if cycle.n < self.cycle.n:
            return
        for direction, ms in by_direction.items():
            self.settled[direction] = max(self.settled[direction], ms)
        self._counted = sum(self.settled[direction] for direction in counted)
        self.settled_at_ms = at_ms

    def take_ended(self, n: int, ended: Mapping[str, tuple[int, int]]) -> None:
        """Take such intervals from a checkpoint; the total beside them holds their ms."""
        if n == self.cycle.n and ended:
            self.ended |= ended
            self._newest = max(self._newest, *(end for _, end in ended.values()))

    def take_adjustment(self, adjustment: Adjustment, cycle: Cycle, at_ms: int) -> bool:
        """Take a correction of a cycle; False when it is known or the cycle is over."""
        self._turn_to(cycle)
        if cycle.n < self.cycle.n or adjustment.id in self.adjustments:
            return False
        self.adjustments[adjustment.id] = adjustment
        self.adjusted_ms += adjustment.ms
        self.settled_at_ms = max(self.settled_at_ms, at_ms)
        return True

    def take_elsewhere(self, cycle: Cycle, elsewhere: Elsewhere, now_ms: int) -> None:
        """Take what other nodes counted in a cycle, in place of what was known of them."""
        self._turn_to(cycle)
        if cycle.n < self.cycle.n:
            return
        for mark in self.elsewhere.marks:
            self._running -= 1
            self._starts -= mark
        for mark in elsewhere.marks:
            self._running += 1
            self._starts += mark
            self._newest = max(self._newest, mark)
        if elsewhere.counted_ms != self.elsewhere.counted_ms:
            self.settled_at_ms = max(self.settled_at_ms, elsewhere.known_until_ms)
        self.elsewhere = elsewhere
        self.advance(now_ms - _SETTLE_MS)
        self.rearm(now_ms)

    def take_crossed(self, n: int, percentages: Collection[int]) -> None:
        """Take percentages that were announced before for the cycle `n`."""
        if n == self.cycle.n:
            self.crossed = sorted({*self.crossed, *percentages})
        elif self.past is not None and n == self.past.n:
            self.past.crossed = sorted({*self.past.crossed, *percentages})

    def restore_part(self, leg: Leg, ms: int, *, final: bool) -> None:
        """Close a live leg's part as a record says: its end (`final`) or its cycle's."""
        if not final:
            self._next_part(leg)
            leg.closed_ms += ms if leg.counts else 0
            return
        self._remember(leg, leg.mark_ms + ms)
        self.drop(leg)
        if leg.cycle.n == self.cycle.n and leg.exempt_reason is None:
            self.settle(leg.direction, ms, leg.counts, leg.mark_ms + ms)
        if not self.legs:
            self._boundary = None
        self.rearm(leg.mark_ms + ms)

    def on_timer(self, name: str, now: float) -> None:
        """Look again: a crossing or a cycle's end is due, or near enough to arm exactly."""
        now_ms = round(now * 1000)
        if self._boundary is not None and self._boundary <= now_ms - _SETTLE_MS:
            for leg in list(self.legs.values()):
                self._catch_up(leg, now_ms)
            splitting = (
                leg for leg in self.legs.values() if leg.confirmed and leg.exempt_reason is None
            )
            self._boundary = min((leg.boundary_ms for leg in splitting), default=None)
        self.advance(now_ms - _SETTLE_MS)
        self._timer = None
        self.rearm(now_ms)

    def advance(self, upto_ms: int) -> None:
        """Fire the crossings that came to pass by `upto_ms`, in ascending order.

        One that leans on live legs of other nodes waits until their word reaches as far.
        """
        if self.elsewhere.marks:
            upto_ms = min(upto_ms, self.elsewhere.known_until_ms)
        for percentage, point in self._points.items():
            if percentage in self.crossed:
                continue
            at_ms = self._crossing(point)
            if at_ms is None or at_ms > upto_ms:
                return
            self.crossed.append(percentage)
            self._fire(self, self.cycle.n, percentage, at_ms)

    def rearm(self, now_ms: int) -> None:
        """Arm the timer for the next crossing or cycle end; keep one that is armed earlier."""
        wanted = self._next_look_ms()
        if wanted is None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            return
        if wanted - now_ms > 2 * _COARSE_MS:
            phase = self._phase_ms
            wanted = (wanted - phase) // _COARSE_MS * _COARSE_MS + phase
        at = wanted / 1000
        if self._timer is not None:
            if self._timer.at <= at:
                return
            self._timer.cancel()
        self._timer = self._wheel.arm(at, self, "usage")

    def _next_look_ms(self) -> int | None:
        """Return when something happens by itself: a crossing, or a live leg's cycle end."""
        look = None if self._boundary is None else self._boundary + _SETTLE_MS
        if self.elsewhere.marks:
            return look  # the next word of the other nodes looks again
        for percentage, point in self._points.items():
            if percentage not in self.crossed:
                crossing = self._crossing(point)
                if crossing is not None and (look is None or crossing + _SETTLE_MS < look):
                    look = crossing + _SETTLE_MS
                break
        return look

    def _crossing(self, point: int) -> int | None:
        """Return when the counted sum reaches `point`; None when it won't as things stand."""
        at_ms = self._linear(point)
        return at_ms if at_ms is None or at_ms >= self._newest else self._solved(point)

    def _linear(self, point: int) -> int | None:
        """Return the crossing by the slope of all live legs: right if none starts after it."""
        missing = point - self.ended_ms()
        if missing <= 0:
            return max(self.settled_at_ms, self._newest)
        if not self._running:
            return None
        return -((self._starts + missing) // -self._running)

    def _solved(self, point: int) -> int:
        """Return a crossing that lies before the start or end of some legs (a late ACK did that)."""
        ended = self.ended.values()
        missing = point - self.ended_ms() + sum(end - mark for mark, end in ended)
        live = [leg.mark_ms for leg in self.legs.values() if leg.joined]
        return reached_at(
            missing, [*ended, *((mark, None) for mark in (*live, *self.elsewhere.marks))]
        )

    def ended_ms(self) -> int:
        """Return the counted ms of all that has ended, here and elsewhere, corrections included."""
        return self._counted + self.elsewhere.counted_ms + self.adjusted_ms

    def _join(self, leg: Leg) -> None:
        """Put a leg into the running sum, if it counts and is in the line's present cycle."""
        if leg.counts and leg.confirmed and leg.cycle.n == self.cycle.n:
            leg.joined = True
            self._running += 1
            self._starts += leg.mark_ms
            self._newest = max(self._newest, leg.mark_ms)

    def _remember(self, leg: Leg, end_ms: int) -> None:
        """Keep the interval of a leg that ends while the ACK of another is awaited."""
        if leg.joined and self._provisional:
            self.ended[leg.id] = leg.mark_ms, end_ms
            self._newest = max(self._newest, end_ms)

    def _leave(self, leg: Leg) -> None:
        """Take a leg out of the running sum."""
        leg.joined = False
        self._running -= 1
        self._starts -= leg.mark_ms
        if not self._running and not self.ended:
            self._newest = 0

    def _catch_up(self, leg: Leg, at_ms: int) -> None:
        """Split a leg at every cycle end that it passed by `at_ms`."""
        while leg.confirmed and leg.exempt_reason is None and leg.boundary_ms <= at_ms:
            if leg.cycle.n == self.cycle.n:
                self.advance(leg.boundary_ms)
            self._close(leg, leg.boundary_ms)
            self._next_part(leg)

    def _next_part(self, leg: Leg) -> None:
        """Let a leg go on in the next cycle, from exactly where its present one ends."""
        boundary, following = leg.boundary_ms, leg.cycle.following()
        if leg.cycle.n == self.cycle.n:
            self._roll(following)
        if leg.joined:
            self._leave(leg)
        leg.cycle = following
        leg.mark_ms = boundary
        self._join(leg)

    def _turn_to(self, cycle: Cycle) -> None:
        """Turn to a cycle if it is later, with what of the present one is still to be said."""
        if cycle.n <= self.cycle.n:
            return
        for leg in list(self.legs.values()):
            if leg.cycle.n < cycle.n:
                self._catch_up(leg, leg.boundary_ms)
        if cycle.n > self.cycle.n:
            self._roll(cycle)

    def _roll(self, cycle: Cycle) -> None:
        """Turn to a later cycle, from zero. Live legs follow, each at its own boundary."""
        self.past = self._as_past() if self._provisional else None
        for leg in self.legs.values():
            if leg.joined:
                self._leave(leg)
        self._running -= len(self.elsewhere.marks)
        self._starts -= sum(self.elsewhere.marks)
        self.elsewhere = NOWHERE
        self.adjustments = {}
        self.cycle = cycle
        self.settled = {"inbound": 0, "outbound": 0}
        self.crossed = []
        self.ended.clear()
        self._counted = self.adjusted_ms = 0

    def _as_past(self) -> PastCycle:
        """The present cycle as it ends, when its live legs are closed at their boundaries."""
        before_ms = self.ended_ms() - sum(end - mark for mark, end in self.ended.values())
        end_ms = self.cycle.end - self.offset_ms
        spans = {f"elsewhere {n}": (m, end_ms) for n, m in enumerate(self.elsewhere.marks)}
        spans |= {
            leg.id: (leg.mark_ms, leg.boundary_ms) for leg in self.legs.values() if leg.joined
        }
        return PastCycle(self.cycle.n, before_ms, {**spans, **self.ended}, self.crossed)
