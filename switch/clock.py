"""The two clocks, and the timer wheel on which every machine of the switch arms its timers.

Machines never read a clock: they get `now` as an argument, in seconds of CLOCK_BOOTTIME, which
neither steps with NTP nor stops while the computer sleeps. Wall time (UTC) only labels what people
read.

The wheel serves RFC 3261 §17, whose transactions arm and cancel several timers a message:
loop.call_later costs 2.7 us, this 0.5 us. Deliberately absent: waiting. The driver asks `next_at`,
sleeps, calls `fire`.
"""

import heapq
import time
from typing import Final, Protocol

_BOOTTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

# 10 ms a bucket: timers of one bucket are told apart by their exact time when they are due, so
# this is no loss of accuracy; it only bounds how many heap entries the 500 ms and 32 s timers of
# SIP make.
_BUCKETS_PER_SECOND: Final = 100
_NEVER: Final = float("inf")


def boottime() -> float:
    """Return seconds since the machine started, sleep included. The `now` of every machine."""
    return time.clock_gettime(_BOOTTIME)


def wall() -> float:
    """Return UTC as seconds since 1970. It may step; no interval is computed from it."""
    return time.time()


class Timed(Protocol):
    """What can be woken by a timer."""

    def on_timer(self, name: str, now: float) -> None:
        """Act on the expiry of the timer that was armed as `name`."""


class Timer:
    """One armed timer. `at` in boottime seconds; `target` is None once fired or cancelled."""

    __slots__ = ("_bucket", "at", "name", "target")

    def __init__(
        self, at: float, name: str, target: Timed | None, bucket: "set[Timer] | None"
    ) -> None:
        """Belongs to Wheel.arm."""
        self.at = at
        self.name = name
        self.target = target
        self._bucket = bucket

    def cancel(self) -> None:
        """Disarm, and let go of the target at once. Harmless when it has fired or was cancelled."""
        self.target = None
        bucket = self._bucket
        if bucket is not None:
            self._bucket = None
            bucket.discard(self)

    def popped(self) -> "Timer":
        """Note that the wheel has let go of this timer (cancellable until it is fired)."""
        self._bucket = None
        return self


class Wheel:
    """Timers in buckets of 10 ms: a dict of buckets, and a heap of the bucket numbers in use."""

    __slots__ = ("_buckets", "_next_at", "_slots")

    def __init__(self) -> None:
        """An empty wheel."""
        self._buckets: dict[int, set[Timer]] = {}
        self._slots: list[int] = []
        self._next_at = _NEVER

    def __len__(self) -> int:
        """Count live timers (a gauge: it walks the buckets)."""
        return sum(map(len, self._buckets.values()))

    def arm(self, at: float, target: Timed, name: str) -> Timer:
        """Arm a timer that wakes `target` as `name` at `at` (boottime seconds; may be past)."""
        slot = int(at * _BUCKETS_PER_SECOND)
        bucket = self._buckets.get(slot)
        if bucket is None:
            bucket = self._buckets[slot] = set()
            heapq.heappush(self._slots, slot)
        timer = Timer(at, name, target, bucket)
        bucket.add(timer)
        if at < self._next_at:  # noqa: PLR1730 (min() costs as much as all the rest)
            self._next_at = at
        return timer

    def next_at(self) -> float | None:
        """Return when to call `due` next, never after the earliest live timer; None without timers.

        It may be early when that earliest timer was cancelled since; `due` then returns nothing and
        corrects it. That is cheaper than searching at each cancel.
        """
        return None if self._next_at is _NEVER else self._next_at

    def due(self, now: float) -> list[Timer]:
        """Pop the timers with `at <= now`, earliest first.

        A timer of the list may still be cancelled by one before it: its `target` is then None.
        `fire` minds that.
        """
        if now < self._next_at:
            return []
        popped: list[Timer] = []
        last = int(now * _BUCKETS_PER_SECOND)
        while self._slots and self._slots[0] <= last:
            slot = self._slots[0]
            bucket = self._buckets[slot]
            ripe = bucket if slot < last else {timer for timer in bucket if timer.at <= now}
            popped.extend(ripe)
            if len(ripe) < len(bucket):
                bucket -= ripe
                break
            heapq.heappop(self._slots)
            del self._buckets[slot]
        popped.sort(key=lambda timer: timer.at)
        for timer in popped:
            timer.popped()
        self._next_at = self._earliest()
        return popped

    def fire(self, now: float) -> int:
        """Wake the target of each timer due at `now`; return how many were woken.

        A timer that these arm for the past waits for the next call: a target that re-arms itself
        carelessly costs time, but can't hold the loop for ever.
        """
        fired = 0
        for timer in self.due(now):
            target = timer.target
            if target is not None:
                timer.target = None
                fired += 1
                target.on_timer(timer.name, now)
        return fired

    def _earliest(self) -> float:
        """Drop buckets that cancelling has emptied, and find the earliest timer left."""
        while self._slots:
            bucket = self._buckets[self._slots[0]]
            if bucket:
                return min(timer.at for timer in bucket)
            del self._buckets[heapq.heappop(self._slots)]
        return _NEVER
