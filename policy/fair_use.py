"""The ladder of fair use (terms 3(a)): from a threshold that was reached to a changed plan.

One ladder per line and billing cycle. Minutes are an indicator and never a cap: no rung refuses or
ends a call. A rung is climbed by a fact (a threshold, a detector, a deadline) or by a person; the plan
changes only when a person approves it, and only forward.
Deliberately absent: metering, sending notices, rating, and any clock (`at` is an argument).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

CLAUSE = "3(a)"
WEEK_DAYS = 7
MONTH_DAYS = 30
DAY_MS = 86_400_000
# The terms say "in the given time": ours until the operator configures another.
DEFAULT_DEADLINE_MS = 7 * DAY_MS


class Rung(StrEnum):
    """Where a line stands in a cycle. From `review_open` on it is a case, which outlives the cycle."""

    NORMAL = "normal"
    WATCH = "watch"
    WARNED = "warned"
    REVIEW_OPEN = "review_open"
    NOTIFIED = "notified"
    PLAN_CHANGE_PROPOSED = "plan_change_proposed"
    RESOLVED = "resolved"
    PER_MINUTE = "per_minute"
    TERMINATION = "termination"


class Happening(StrEnum):
    """What can move a ladder. `deadline` is the only one that time brings."""

    REACHED_80 = "reached_80"
    REACHED_90 = "reached_90"
    REACHED_100 = "reached_100"
    DETECTED = "detected"
    NOTIFY = "notify"
    DEADLINE = "deadline"
    DISMISS = "dismiss"
    APPROVE = "approve"
    TERMINATE = "terminate"


# A person's word, with a name behind it; everything else the switch sees itself.
BY_A_PERSON = frozenset(
    {Happening.NOTIFY, Happening.DISMISS, Happening.APPROVE, Happening.TERMINATE}
)
REACHED: Mapping[int, Happening] = {
    80: Happening.REACHED_80,
    90: Happening.REACHED_90,
    100: Happening.REACHED_100,
}
CLOSED = frozenset({Rung.RESOLVED, Rung.PER_MINUTE, Rung.TERMINATION})
CASES = frozenset(Rung) - {Rung.NORMAL, Rung.WATCH, Rung.WARNED}


@dataclass(frozen=True, slots=True)
class Climb:
    """One row of the table: the rung it leads to, the kind of notice that goes out, and why.

    A threshold's own notice goes out with the threshold; its row has none.
    """

    to: Rung
    notice: str
    because: str
    clause: str = CLAUSE


_SOON = Climb(Rung.WATCH, "", "80 % of the threshold")
_NEAR = Climb(Rung.WARNED, "", "90 % of the threshold")
_OVER = Climb(Rung.REVIEW_OPEN, "", "the threshold was reached: an indicator to review")
_SEEN = Climb(Rung.REVIEW_OPEN, "fair_use_detected", "a detector found a pattern to review", "3(b)")
_DISMISSED = Climb(Rung.RESOLVED, "fair_use_resolved", "a person finds nothing to pursue")

# A threshold may come first of all at 100 (a long call, a correction): rungs below are passed over.
TABLE: Mapping[tuple[Rung, Happening], Climb] = {
    (Rung.NORMAL, Happening.REACHED_80): _SOON,
    (Rung.NORMAL, Happening.REACHED_90): _NEAR,
    (Rung.NORMAL, Happening.REACHED_100): _OVER,
    (Rung.NORMAL, Happening.DETECTED): _SEEN,
    (Rung.WATCH, Happening.REACHED_90): _NEAR,
    (Rung.WATCH, Happening.REACHED_100): _OVER,
    (Rung.WATCH, Happening.DETECTED): _SEEN,
    (Rung.WARNED, Happening.REACHED_100): _OVER,
    (Rung.WARNED, Happening.DETECTED): _SEEN,
    (Rung.REVIEW_OPEN, Happening.NOTIFY): Climb(
        Rung.NOTIFIED, "fair_use_review", "the customer is asked to answer by the deadline"
    ),
    (Rung.REVIEW_OPEN, Happening.DISMISS): _DISMISSED,
    (Rung.NOTIFIED, Happening.DISMISS): _DISMISSED,
    (Rung.PLAN_CHANGE_PROPOSED, Happening.DISMISS): _DISMISSED,
    (Rung.PLAN_CHANGE_PROPOSED, Happening.APPROVE): Climb(
        Rung.PER_MINUTE, "fair_use_plan", "a person approved the change to the per-minute plan"
    ),
    (Rung.PLAN_CHANGE_PROPOSED, Happening.TERMINATE): Climb(
        Rung.TERMINATION, "fair_use_termination", "a person chose termination instead", "2(l)"
    ),
}
# What the deadline leads to, by whether the customer both answered and returned to normal use.
_CURED = Climb(
    Rung.RESOLVED, "fair_use_resolved", "the customer was reached and usage is normal again"
)
_NOT_CURED = Climb(
    Rung.PLAN_CHANGE_PROPOSED,
    "fair_use_proposal",
    "no contact, or no return to normal use, by the deadline: a person decides",
)


class NotAllowedError(ValueError):
    """This happening can't move a ladder from where it stands; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """One line in one cycle. Times are UTC milliseconds, None for what has not come.

    `contacted` is whether the customer answered the notice; `deadline` is by when.
    """

    line: str
    cycle: int
    rung: Rung = Rung.NORMAL
    since: int | None = None
    deadline: int | None = None
    contacted: bool = False

    @property
    def is_case(self) -> bool:
        """Whether it needs, or needed, a person."""
        return self.rung in CASES

    @property
    def is_open(self) -> bool:
        """Whether it is a case that nobody has closed."""
        return self.is_case and self.rung not in CLOSED

    @property
    def id(self) -> str:
        """The case's name, for people to quote."""
        return f"{self.line}-{self.cycle}"


def climb(
    ladder: Ladder,
    happening: Happening,
    at: int,
    *,
    usage_normal: bool = False,
    deadline_ms: int = DEFAULT_DEADLINE_MS,
) -> tuple[Ladder, Climb]:
    """Where a happening leads, and by which row. Raises NotAllowedError for one that fits no row.

    `usage_normal` is asked for at the deadline only (see `is_normal`).
    """
    row = _row(ladder, happening, usage_normal=usage_normal)
    if row is None:
        raise NotAllowedError(f"{happening} doesn't apply to a line that is {ladder.rung}")
    deadline = at + deadline_ms if row.to is Rung.NOTIFIED else ladder.deadline
    return replace(ladder, rung=row.to, since=at, deadline=deadline), row


def contact(ladder: Ladder) -> Ladder:
    """The customer answered. Raises NotAllowedError before they were asked and after the end."""
    if ladder.rung not in (Rung.NOTIFIED, Rung.PLAN_CHANGE_PROPOSED):
        raise NotAllowedError(f"nobody waits for an answer: the line is {ladder.rung}")
    return replace(ladder, contacted=True)


def is_due(ladder: Ladder, at: int) -> bool:
    """Whether the deadline has come and nobody has looked yet."""
    return ladder.rung is Rung.NOTIFIED and ladder.deadline is not None and at >= ladder.deadline


def is_normal(week_ms: int, threshold_ms: int) -> bool:
    """Whether the use of the last 7 days, taken for a month of 30, stays under the threshold."""
    return week_ms * MONTH_DAYS < threshold_ms * WEEK_DAYS


def allowed(ladder: Ladder) -> tuple[Happening, ...]:
    """What a person may decide now, in the order of the table."""
    return tuple(
        happening for rung, happening in TABLE if rung is ladder.rung and happening in BY_A_PERSON
    )


def _row(ladder: Ladder, happening: Happening, *, usage_normal: bool) -> Climb | None:
    if happening is Happening.DEADLINE and ladder.rung is Rung.NOTIFIED:
        return _CURED if ladder.contacted and usage_normal else _NOT_CURED
    return TABLE.get((ladder.rung, happening))
