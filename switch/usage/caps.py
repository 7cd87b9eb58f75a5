"""Caps of minutes and spend on number classes that cost money: what stops toll fraud.

A line's time in a class is kept for the account's local day and for the billing cycle. A call is
refused when a cap is reached (`allows`), and live calls are ended at the instant when all of them
together reach it: with n live calls, after a n-th of what remains. Every change of the live calls
sets that instant anew, so nothing is polled.

Time counts from the 200 whether or not the caller's ACK came, since a carrier charges from its
answer. Calls over midnight are split there. Fair use (`meter`) is another matter: it never refuses
a call. What is never capped, emergency calls first, isn't known here; the caller of `start` minds
it. Deliberately absent: caps over several lines.

Journal: {"k":"cap"} restates a line's ended calls after each end and at a checkpoint. Live calls are
restated by the calls themselves, which start them again after a restart.

Times are boottime seconds (`at`, `now`) and UTC seconds (`wall`); inside, integer milliseconds.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol, Self
from zoneinfo import ZoneInfo

import orjson

from switch.clock import Timer, Wheel
from switch.sip.outbox import Outbox
from switch.usage.allowance import Allowance, Cap
from switch.usage.cycle import Calendar
from switch.usage.records import cycle_fields, read_calendar

# A wall clock that was a day ahead or more was wrong; counting on in that day could bar a line for
# as long as the error was.
_WRONG_CLOCK_MS: Final = 86_400_000
# An owner that didn't end its call is asked again after so long, not in every turn of the loop.
_ASK_AGAIN_MS: Final = 1_000


class CapOwner(Protocol):
    """The call of a capped leg."""

    def on_cap_reached(self, now: float) -> None:
        """End the call; its leg is to be stopped in consequence."""


class Day(NamedTuple):
    """A local day: its date, and the UTC ms where it starts and where the next one does."""

    local: date
    start: int
    end: int

    @classmethod
    def at(cls, calendar: Calendar, utc_ms: int) -> Self:
        """The day of the calendar's zone that holds an instant."""
        day = datetime.fromtimestamp(utc_ms / 1000, ZoneInfo(calendar.zone)).date()
        return cls.of(calendar, day)

    @classmethod
    def of(cls, calendar: Calendar, day: date) -> Self:
        """The day of a date; one with a change of summer time has 23 or 25 hours."""
        following = calendar.midnight_ms(day + timedelta(days=1))
        return cls(day, calendar.midnight_ms(day), following)


class _Leg(NamedTuple):
    """A live leg: since when (boottime ms), and whose it is."""

    start_ms: int
    owner: CapOwner


class _Tally:
    """The time of one line in one class. `day_ms` and `cycle_ms` are those of ended legs."""

    __slots__ = (
        "calendar",
        "caps",
        "cycle",
        "cycle_ms",
        "day",
        "day_ms",
        "key",
        "legs",
        "offset_ms",
        "outbox",
        "timer",
        "wheel",
    )

    def __init__(
        self, key: tuple[str, str], calendar: Calendar, utc_ms: int, wheel: Wheel, outbox: Outbox
    ) -> None:
        self.key = key
        self.caps: tuple[Cap, ...] = ()
        self.offset_ms = 0  # UTC minus boottime
        self.legs: dict[str, _Leg] = {}
        self.timer: Timer | None = None
        self.wheel = wheel
        self.outbox = outbox
        self.begin(calendar, utc_ms)

    def begin(self, calendar: Calendar, utc_ms: int) -> None:
        """Start at zero in the day and the cycle of an instant."""
        self.calendar = calendar
        self.day, self.cycle = Day.at(calendar, utc_ms), calendar.cycle_at(utc_ms)
        self.day_ms = self.cycle_ms = 0

    def follow(self, allowance: Allowance, at_ms: int, utc_ms: int) -> None:
        """Take the caps and the clocks as they are at an instant."""
        self.caps = allowance.caps
        self.offset_ms = utc_ms - at_ms
        if allowance.calendar != self.calendar:
            self.begin(allowance.calendar, utc_ms)
        self.roll(utc_ms)

    def roll(self, utc_ms: int) -> None:
        """Go on to the day and the cycle of an instant; never back."""
        if utc_ms < self.day.end:
            return
        self.day, self.day_ms = Day.at(self.calendar, utc_ms), 0
        cycle = self.calendar.cycle_at(utc_ms)
        if cycle.n != self.cycle.n:
            self.cycle, self.cycle_ms = cycle, 0

    def used(self, now_ms: int) -> tuple[int, int]:
        """The ms of this day and of this cycle, live legs included."""
        day_ms, cycle_ms = self.day_ms, self.cycle_ms
        for leg in self.legs.values():
            of_day, of_cycle = self._parts(leg, now_ms)
            day_ms += of_day
            cycle_ms += of_cycle
        return day_ms, cycle_ms

    def reached(self, now_ms: int) -> str | None:
        """The name of a cap that is reached."""
        day_ms, cycle_ms = self.used(now_ms)
        for cap in self.caps:
            if (day_ms if cap.is_daily else cycle_ms) >= cap.ms:
                return cap.name
        return None

    def remove(self, leg_id: str, at_ms: int) -> None:
        """End a leg."""
        leg = self.legs.pop(leg_id)
        self.roll(at_ms + self.offset_ms)
        of_day, of_cycle = self._parts(leg, at_ms)
        self.day_ms += of_day
        self.cycle_ms += of_cycle
        self.rearm(at_ms)

    def rearm(self, now_ms: int, *, not_before_ms: int = 0) -> None:
        """Be woken when the live legs will have reached a cap, or at midnight."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if not self.legs:
            return
        day_ms, cycle_ms = self.used(now_ms)
        at_ms = self.day.end - self.offset_ms
        for cap in self.caps:
            left = max(cap.ms - (day_ms if cap.is_daily else cycle_ms), 0)
            at_ms = min(at_ms, now_ms - (-left // len(self.legs)))
        self.timer = self.wheel.arm(max(at_ms, not_before_ms) / 1000, self, "cap")

    def on_timer(self, name: str, now: float) -> None:
        """A cap is reached, or a day begins."""
        self.timer = None
        now_ms = round(now * 1000)
        self.roll(now_ms + self.offset_ms)
        cap = self.reached(now_ms)
        if cap is None:
            self.rearm(now_ms)
            return
        line, number_class = self.key
        self.outbox.note(
            "usage.cap", line=line, number_class=number_class, cap=cap, calls=len(self.legs)
        )
        for leg in list(self.legs.values()):
            leg.owner.on_cap_reached(now)
        self.rearm(now_ms, not_before_ms=now_ms + _ASK_AGAIN_MS)

    def record(self) -> bytes:
        """What the ended legs came to."""
        return orjson.dumps(
            {
                "k": "cap",
                "line": self.key[0],
                "class": self.key[1],
                "day": self.day.local.isoformat(),
                "day_ms": self.day_ms,
                "cycle_ms": self.cycle_ms,
                **cycle_fields(self.cycle.n, self.calendar),
            }
        )

    def _parts(self, leg: _Leg, end_ms: int) -> tuple[int, int]:
        """The ms of a leg that ended at `end_ms` which belong to this day, and to this cycle."""
        of_day = end_ms - max(leg.start_ms, self.day.start - self.offset_ms)
        of_cycle = end_ms - max(leg.start_ms, self.cycle.start - self.offset_ms)
        return max(of_day, 0), max(of_cycle, 0)


class Caps:
    """One tally per line and number class that has caps, and their live legs by id."""

    def __init__(self, wheel: Wheel, outbox: Outbox) -> None:
        """Nothing was used."""
        self._wheel = wheel
        self._outbox = outbox
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._legs: dict[str, _Tally] = {}

    def __len__(self) -> int:
        """Count live capped legs (a gauge)."""
        return len(self._legs)

    def __contains__(self, leg_id: str) -> bool:
        """Say whether a leg is live."""
        return leg_id in self._legs

    def allows(self, allowance: Allowance, now: float, wall: float) -> str | None:
        """Say which cap forbids another call, as its setting is called; None when none does."""
        now_ms, utc_ms = round(now * 1000), round(wall * 1000)
        tally = self._tally(allowance, now_ms, utc_ms)
        if utc_ms < tally.day.start - _WRONG_CLOCK_MS:
            tally.begin(allowance.calendar, utc_ms)
        return tally.reached(now_ms)

    def start(
        self, leg_id: str, allowance: Allowance, owner: CapOwner, at: float, wall: float
    ) -> None:
        """Count a leg that was answered at `at`, which was `wall`; a live one again is nothing."""
        if leg_id in self._legs:
            return
        at_ms = round(at * 1000)
        tally = self._legs[leg_id] = self._tally(allowance, at_ms, round(wall * 1000))
        tally.legs[leg_id] = _Leg(at_ms, owner)
        tally.rearm(at_ms)

    def stop(self, leg_id: str, at: float) -> None:
        """End a leg at `at`; one that isn't live, or was never capped, is nothing."""
        tally = self._legs.pop(leg_id, None)
        if tally is not None:
            tally.remove(leg_id, round(at * 1000))
            self._outbox.journal.append(tally.record())

    def used_ms(self, line: str, number_class: str, now: float) -> tuple[int, int]:
        """The ms of the day and of the cycle that a line last called in, live calls included."""
        tally = self._tallies.get((line, number_class))
        return tally.used(round(now * 1000)) if tally else (0, 0)

    def live_records(self, wall: float) -> Iterator[bytes]:
        """Restate every total, for the head of a new segment; let go of those of past cycles."""
        utc_ms = round(wall * 1000)
        for key, tally in list(self._tallies.items()):
            if not tally.legs and utc_ms >= tally.cycle.end:
                del self._tallies[key]
            elif tally.cycle_ms:
                yield tally.record()

    def restore(self, record: dict[str, Any]) -> None:
        """Take one record of the journal back, in order; other kinds of record are ignored."""
        if record.get("k") != "cap":
            return
        key, calendar = (record["line"], record["class"]), read_calendar(record)
        day = Day.of(calendar, date.fromisoformat(record["day"]))
        tally = _Tally(key, calendar, day.start, self._wheel, self._outbox)
        tally.day_ms, tally.cycle_ms = record["day_ms"], record["cycle_ms"]
        self._tallies[key] = tally

    def _tally(self, allowance: Allowance, at_ms: int, utc_ms: int) -> _Tally:
        """The tally of the allowance's line and class, at an instant by both clocks."""
        key = (allowance.line, allowance.number_class)
        tally = self._tallies.get(key)
        if tally is None:
            tally = _Tally(key, allowance.calendar, utc_ms, self._wheel, self._outbox)
            self._tallies[key] = tally
        tally.follow(allowance, at_ms, utc_ms)
        return tally
