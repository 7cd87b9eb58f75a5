"""When a sum that grows at the pace of its live legs reaches a point: pure arithmetic.

Only needed when a late ACK put the crossing before the start or end of some legs; otherwise one
division tells it (`line`). Deliberately absent: lines, cycles, thresholds.
"""

from collections.abc import Collection


def reached_at(missing: int, intervals: Collection[tuple[int, int | None]]) -> int:
    """Return the first ms at which intervals (begin, end or None while it lasts) add up to `missing`.

    The last of them must reach it, or one must last.
    """
    turns = [(begin, 1) for begin, _ in intervals]
    turns += [(end, -1) for _, end in intervals if end is not None]
    running = since = 0
    for turn, change in sorted(turns):
        if running and since - (missing // -running) <= turn:
            break
        missing -= running * (turn - since)
        running += change
        since = turn
    return since - (missing // -running)
