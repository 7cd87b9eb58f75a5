"""A line's cycle that ended while the ACK of an answered leg was still awaited.

When the ACK comes, the leg's part before the boundary counts in that cycle, and may turn out to have crossed
a threshold in it (once, at its computed instant, like any other). Kept until no ACK is awaited, 32 s at
most. Deliberately absent: sums to show; rows of the database have them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from switch.usage.crossing import reached_at

Span = tuple[int, int]


@dataclass(slots=True)
class PastCycle:
    """The cycle `n` as it ended: the counted ms of all its parts, the spans (boottime ms) of those in whose
    midst a crossing may turn out to lie, and the percentages that were announced."""

    n: int
    total_ms: int
    spans: list[Span]
    crossed: list[int]

    def take(self, span: Span, points: Mapping[int, int]) -> Iterator[tuple[int, int]]:
        """Count one more part; yield (percentage, boottime ms) of what that crossed, ascending."""
        self.spans.append(span)
        self.total_ms += span[1] - span[0]
        before = self.total_ms - sum(end - begin for begin, end in self.spans)
        for percentage, point in points.items():
            if percentage not in self.crossed and self.total_ms >= point:
                self.crossed.append(percentage)
                yield percentage, reached_at(point - before, self.spans)

    def record(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "n": self.n, "total": self.total_ms, "spans": self.spans, "crossed": self.crossed
        }  # fmt: skip

    @classmethod
    def of(cls, record: Mapping[str, Any], shift_ms: int) -> Self:
        """Read it back, on a boottime clock that is so many ms further."""
        spans = [(begin + shift_ms, end + shift_ms) for begin, end in record["spans"]]
        return cls(record["n"], record["total"], spans, list(record["crossed"]))
