"""What a line's meter shows at an instant: the answer of `usage show`. A value."""

from dataclasses import dataclass
from typing import Any

from switch.usage.cycle import Cycle

# The ladder of the fair-use rule as far as a meter alone can tell; the later rungs are people's
# decisions.
_STATES = ((100, "review_open"), (90, "warned"), (80, "watch"))


@dataclass(frozen=True, slots=True)
class Reading:
    """`used_ms` includes `live_ms`, that of live calls, and `adjusted_ms`, what corrections of the
    cycle come to; `crossed` is ascending percentages.
    """

    line: str
    cycle: Cycle
    used_ms: int
    live_ms: int
    by_direction: dict[str, int]
    threshold_ms: int
    crossed: tuple[int, ...]
    adjusted_ms: int = 0

    @property
    def state(self) -> str:
        """Where the line stands: normal, watch, warned or review_open."""
        return next((name for percentage, name in _STATES if percentage in self.crossed), "normal")

    def as_json(self) -> dict[str, Any]:
        """Return the reading as `usage show --json` shows it (times in UTC ms)."""
        return {
            "line": self.line,
            "cycle": {"n": self.cycle.n, "start": self.cycle.start, "end": self.cycle.end},
            "used_ms": self.used_ms,
            "live_ms": self.live_ms,
            "adjusted_ms": self.adjusted_ms,
            "by_direction": self.by_direction,
            "threshold_ms": self.threshold_ms,
            "crossed": list(self.crossed),
            "state": self.state,
        }
