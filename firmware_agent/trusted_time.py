"""Trusted time for a device whose clock may say 1970, or 2035.

Trusted time is the last *signed* time (beacon, or an answer to our nonce) plus what the monotonic clock
has counted since, and never below the firmware's build time. The system clock is believed only when it
is ahead of that by at most 24 h (a device that was off over night and has a battery); as only signed times
are persisted, it can't be pushed on day by day. Time never goes back: an older signed time is a replay.
"""

from dataclasses import dataclass

from firmware_agent.messages.reported import ClockSource

SYSTEM_MAY_LEAD_S = 24 * 3600
OLD_BEACON_S = 15 * 60
"""Beacons are sent every minute; one this far behind, or this far behind the system clock, is old."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Both clocks, read together. `now`: monotonic seconds, sleep included; `system`: what the system
    clock says, UTC seconds, true or not."""

    now: float
    system: float


class TrustedTime:
    """`build`: the build time of the firmware, `floor`: the highest signed time that was persisted."""

    __slots__ = ("_base", "_base_at", "_is_signed", "is_fresh")

    def __init__(self, build: int, floor: int, at: Moment) -> None:
        self._base = float(max(build, floor))
        self._base_at = at.now
        self._is_signed = floor >= build and floor > 0
        self.is_fresh = False
        """Whether a time was signed for our own nonce since boot."""

    @property
    def floor(self) -> int:
        """The highest signed time, to be persisted (0: none yet)."""
        return int(self._base) if self._is_signed else 0

    def on_signed(self, time: int, at: Moment) -> bool:
        """Take a signed time; False when trusted time is already past it."""
        if time <= self._signed(at):
            return False
        self._base, self._base_at, self._is_signed = float(time), at.now, True
        return True

    def on_answer(self, time: int, at: Moment) -> None:
        """Take a time that was signed for our nonce: the best there is."""
        self.on_signed(time, at)
        self.is_fresh = True

    def utc(self, at: Moment) -> float:
        """Trusted time, UTC seconds."""
        signed = self._signed(at)
        return at.system if self._believes_system(signed, at) else signed

    def source(self, at: Moment) -> ClockSource:
        """Where `utc` comes from."""
        if self._believes_system(self._signed(at), at):
            return ClockSource.SYSTEM
        return ClockSource.SIGNED if self._is_signed else ClockSource.BUILD

    def is_old(self, beacon: int, at: Moment) -> bool:
        """Whether a beacon of that time calls for a time signed for our nonce."""
        if self.is_fresh:
            return False
        behind = max(self._signed(at), at.system) - beacon
        return behind > OLD_BEACON_S

    def _signed(self, at: Moment) -> float:
        return self._base + max(0.0, at.now - self._base_at)

    def _believes_system(self, signed: float, at: Moment) -> bool:
        return not self.is_fresh and 0 <= at.system - signed <= SYSTEM_MAY_LEAD_S
