"""One metered leg: from which millisecond it counts, for which line, direction and cycle.

A leg counts from its answer to its end. When a billing cycle ends under it, the part before the
boundary is closed for the old cycle and the leg goes on in the next one from exactly there.
"""

from dataclasses import dataclass
from typing import Literal

from switch.usage.cdr import Direction
from switch.usage.cycle import Cycle

Clock = Literal["boot", "wall"]


@dataclass(slots=True, eq=False)
class Leg:
    """A live leg, answered at `start_ms` (boottime) = `wall_ms` (UTC).

    `counts`: it adds to the line's minutes (not exempt, a direction that counts). `confirmed`: its
    ACK arrived. `joined`: it is in the line's running sum. `closed_ms`: what it added to earlier
    cycles. `clock`: "wall" when the start was found again by UTC, because the machine had
    restarted.
    """

    id: str
    line: str
    direction: Direction
    start_ms: int
    wall_ms: int
    exempt_reason: str | None
    counts: bool
    cycle: Cycle
    mark_ms: int  # where its part in `cycle` begins
    confirmed: bool = False
    joined: bool = False
    closed_ms: int = 0
    clock: Clock = "boot"

    @property
    def boundary_ms(self) -> int:
        """When its cycle ends on the boottime clock (the calendar position is answer + elapsed)."""
        return self.start_ms + self.cycle.end - self.wall_ms

    def utc_ms(self, at_ms: int) -> int:
        """Return the calendar position (UTC ms) of an instant; later wall steps don't move it."""
        return self.wall_ms + at_ms - self.start_ms

    def live_ms(self, now_ms: int) -> int:
        """Return how long the part in the present cycle is at `now_ms`."""
        return max(0, now_ms - self.mark_ms)
