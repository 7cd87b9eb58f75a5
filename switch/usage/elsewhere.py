"""What the other nodes of a shared database counted on a line: a value, replaced with each look there.

A leg that lives on another node is known until that node's last heartbeat; what became of it since,
nobody here can say. So its minutes are shown as growing, but no crossing is announced that lies
beyond `known_until_ms`. A node whose heartbeat fails has its legs frozen there.

Instants are milliseconds of this node's boottime. Deliberately absent: the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Other nodes' share of a line in one cycle.

    `ended`: ms by direction of what ended or was frozen; `counted_ms`: the part of it that counts.
    `marks`: where each live leg that counts begins in the cycle. `uncounted_marks` are (direction,
    instant) of live legs that don't count, `directions` those of `marks`, one each.
    """

    ended: Mapping[str, int] = field(default_factory=dict)
    counted_ms: int = 0
    marks: tuple[int, ...] = ()
    directions: tuple[str, ...] = ()
    uncounted_marks: tuple[tuple[str, int], ...] = ()
    known_until_ms: int = 0

    def live_ms(self, now_ms: int) -> int:
        """The live legs' counted part, as if they went on."""
        return sum(max(0, now_ms - mark) for mark in self.marks)

    def added_to(self, sums: dict[str, int], now_ms: int) -> dict[str, int]:
        """Add all of it to ms by direction."""
        for direction, ms in self.ended.items():
            sums[direction] += ms
        counted = zip(self.directions, self.marks, strict=True)
        for direction, mark in (*counted, *self.uncounted_marks):
            sums[direction] += max(0, now_ms - mark)
        return sums


NOWHERE: Final = Elsewhere()
