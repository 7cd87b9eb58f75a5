"""A line's cycle that ended while the ACK of an answered leg was still awaited.

When the ACK comes, the leg's part before the boundary counts in that cycle, and may turn out to have crossed
a threshold in it (once, at its computed instant, like any other). Kept until no ACK is awaited, 32 s at
most. Deliberately absent: sums to show; rows of the database have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from switch.usage.crossing import reached_at

Span = tuple[int, int]


@dataclass(slots=True)
class PastCycle:
    """The cycle `n` as it ended: the spans (boottime ms) of parts in whose midst a crossing may turn out to
    lie, by leg, the counted ms of all others, and the percentages that were announced."""

    n: int
    before_ms: int
    spans: dict[str, Span]
    crossed: list[int]

    def take(self, leg: str, span: Span, points: Mapping[int, int]) -> list[tuple[int, int]]:
        """Count one more part, once (a journal may be read twice); return (percentage, boottime ms) of
        what that crossed, ascending."""
        self.spans[leg] = span
        spans = self.spans.values()
        total_ms = self.before_ms + sum(end - begin for begin, end in spans)
        found = [
            (percentage, reached_at(point - self.before_ms, spans))
            for percentage, point in points.items()
            if percentage not in self.crossed and total_ms >= point
        ]
        self.crossed += [percentage for percentage, _ in found]
        return found

    def record(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        kept = {"n": self.n, "before": self.before_ms}
        return {**kept, "spans": self.spans, "crossed": self.crossed}

    @classmethod
    def of(cls, record: Mapping[str, Any], shift_ms: int) -> Self:
        """Read it back, on a boottime clock that is so many ms further."""
        spans = {
            leg: (begin + shift_ms, end + shift_ms) for leg, (begin, end) in record["spans"].items()
        }
        return cls(record["n"], record["before"], spans, list(record["crossed"]))
