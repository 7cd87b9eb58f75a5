"""What all detectors cost a call: the same calls on two running switches, one of which has them off.

Blocks alternate between the two, so that whatever else the machine does strikes both; a switch's CPU is
counted from the start of its block to the start of its next one, less its idle share, so that timers and
the look at finished calls, a second later, are in it. Each pair of blocks gives a ratio. Deliberately
absent: what the detectors find (detection.py).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from load import Load
from process import Process

PAIRS = 4
IDLE_S = 2.0
RATE = 100.0
BLOCK_S = 2.0


@dataclass(slots=True)
class Side:
    """One switch: its CPU seconds at the beginning of each of its blocks."""

    process: Process
    load: Load
    idle: float = 0.0  # CPU seconds a second
    marks: list[tuple[float, float]] = field(default_factory=list)

    def mark(self) -> None:
        """Where a block begins, and the one before ends."""
        self.marks.append((time.monotonic(), self.process.cpu_s()))

    def costs_us(self, calls: int) -> list[float]:
        """CPU microseconds a call of each block but the first, which warms up."""
        return [
            (cpu - cpu_before - self.idle * (at - before)) / calls * 1e6
            for (before, cpu_before), (at, cpu) in zip(self.marks[1:], self.marks[2:], strict=False)
        ]


def rest(*sides: Side) -> None:
    """Take how much of a core each uses with nothing to do."""
    before = [side.process.cpu_s() for side in sides]
    time.sleep(IDLE_S)
    for side, cpu in zip(sides, before, strict=True):
        side.idle = (side.process.cpu_s() - cpu) / IDLE_S


def ratios(
    on: Side, off: Side, linger_s: float, say: Callable[[str], None]
) -> tuple[list[float], list[float], list[float]]:
    """Ratio of each pair of blocks, and the µs a call with detectors and without."""
    calls = round(RATE * BLOCK_S)
    for _ in range(PAIRS + 1):
        for side in (off, on):  # always in this order: all intervals are two blocks long
            side.mark()
            side.load.call_out(calls, RATE, "phone")
    time.sleep(linger_s)
    for side in (on, off):
        side.mark()
    with_them, without = on.costs_us(calls), off.costs_us(calls)
    found = [each / other for each, other in zip(with_them, without, strict=True)]
    say("detectors on / off: " + ", ".join(f"{each:.2f}" for each in found))
    return found, with_them, without
