"""Rating of a finished call by a tariff's pulses: what is billed of it, in seconds.

Usage and rating are two things: minutes against the threshold are exact milliseconds, and a pulse
exists only here. "60/1" bills the first 60 seconds whole and then each begun second; "1/1" each begun
second; "60/60" each begun minute. A call of nothing costs nothing.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Pulse:
    """The first block and those that follow, in seconds."""

    first_s: int
    next_s: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "60/1"; ValueError for anything but two positive whole numbers."""
        first, slash, following = text.partition("/")
        if not slash or not first.isdecimal() or not following.isdecimal():
            raise ValueError('a pulse is two numbers of seconds, "60/1"')
        pulse = cls(int(first), int(following))
        if not pulse.first_s or not pulse.next_s:
            raise ValueError("a pulse lasts at least a second")
        return pulse

    def rated_s(self, ms: int) -> int:
        """Return the seconds that a call of `ms` is billed."""
        if ms <= 0:
            return 0
        seconds = -(-ms // 1000)
        beyond = max(0, seconds - self.first_s)
        return self.first_s + -(-beyond // self.next_s) * self.next_s
