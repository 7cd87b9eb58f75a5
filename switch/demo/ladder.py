"""A call drawn as a ladder, the way SIP people look at one. Pure text.

Columns are the participants; each arrow has the time since the first one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH = 22


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message: when (s), between which columns, and what it says ("INVITE", "180 Ringing")."""

    at: float
    source: int
    target: int
    label: str


def draw(columns: Sequence[str], arrows: Sequence[Arrow]) -> str:
    """The ladder, arrows in order of time."""
    ordered = sorted(arrows, key=lambda arrow: arrow.at)
    start = ordered[0].at if ordered else 0.0
    head = " " * 10 + "".join(name.center(_WIDTH) for name in columns)
    return "\n".join([head.rstrip(), *(_line(len(columns), arrow, start) for arrow in ordered)])


def _line(count: int, arrow: Arrow, start: float) -> str:
    """ "+0.123 s       |------ INVITE ------>|                     |"."""
    posts = [10 + _WIDTH // 2 + _WIDTH * place for place in range(count)]
    line = list(f"{arrow.at - start:+7.3f} s".ljust(posts[-1] + 1))
    for post in posts:
        line[post] = "|"
    left, right = sorted((posts[arrow.source], posts[arrow.target]))
    span = f" {arrow.label} ".center(right - left - 2, "-")[: right - left - 2]
    span = f"{span}>" if arrow.source < arrow.target else f"<{span}"
    line[left + 1 : right] = span
    return "".join(line)
