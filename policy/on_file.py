"""What is on file of a line's contract: folded from the steps that were taken, one after the other.

Steps are the rows of `transitions` and the notes below. A warning and a notice of a breach serve until
what they were about is settled or the line is reinstated. A termination with notice waits in `leaving`.
Deliberately absent: clocks, and where steps are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from policy.model import LineState

DAY_MS = 86_400_000


class Note(StrEnum):
    """What is put on file without a change of state."""

    WARNED = "warned"  # of arrears: 4(e), 2(l)(iii)
    BREACH_NOTICED = "breach_noticed"  # with the day by which it must be cured: 2(l)(iv)(2)
    SETTLED = "settled"  # paid, or cured
    LEAVING = "leaving"  # a termination that takes effect later: 2(l)(i), 2(m)
    WITHDRAWN = "withdrawn"  # and doesn't, after all
    ACCEPTED = "accepted"  # an account's acceptance of a version of the terms
    ANNOUNCED = "announced"  # a change of terms or prices that an account was told of: 5, 13(j)
    PER_MINUTE = "per_minute"  # the plan changed, after a case: 3(a)
    LIMITED = "limited"  # fewer calls at once, before anything harder: 2(k)(f)
    LIFTED = "lifted"
    BLOCKED = "blocked"  # one number that the line may not call any more: 2(d)
    UNBLOCKED = "unblocked"


# The clause of each note, for the audit.
CLAUSES: Mapping[Note, str] = {
    Note.WARNED: "4(e)",
    Note.BREACH_NOTICED: "2(l)(iv)(2)",
    Note.SETTLED: "2(n)",
    Note.LEAVING: "2(l)",
    Note.WITHDRAWN: "2(l)",
    Note.ACCEPTED: "5",
    Note.ANNOUNCED: "5",
    Note.PER_MINUTE: "3(a)",
    Note.LIMITED: "2(k)(f)",
    Note.LIFTED: "2(k)(f)",
    Note.BLOCKED: "2(d)",
    Note.UNBLOCKED: "2(d)",
}


@dataclass(frozen=True, slots=True)
class Leaving:
    """A termination that was noticed: its way (a row of `transitions`), when it was put
    on file, and when it takes effect."""

    way: str
    told_at: int
    effective_at: int


@dataclass(frozen=True, slots=True)
class File:
    """One line's. Times are UTC milliseconds, None for what has not happened.

    `ended_at` and `number`: the contract ended, and the number that it had then. `before_theft`: the
    state and ground that a stolen line goes back to with new hardware. `is_per_minute`: the plan was
    changed, which it is only once and forward. `channels`: how many calls at once, instead of the file's;
    `blocked`: numbers that it may not call.
    """

    warned_at: int | None = None
    noticed_at: int | None = None
    cure_by: int | None = None
    leaving: Leaving | None = None
    ended_at: int | None = None
    number: str = ""
    before_theft: tuple[LineState, str] | None = None
    is_per_minute: bool = False
    channels: int | None = None
    blocked: frozenset[str] = frozenset()

    def after_note(self, note: str, at: int, until: int | None, way: str = "") -> "File":
        """The file with one more note; `until` is a cure date, or when a termination takes effect; `way`
        that of the termination, or the number or limit that the note is about."""
        match note:
            case Note.WARNED:
                return replace(self, warned_at=at)
            case Note.BREACH_NOTICED:
                return replace(self, noticed_at=at, cure_by=until)
            case Note.SETTLED:
                return replace(self, warned_at=None, noticed_at=None, cure_by=None)
            case Note.LEAVING:
                assert until is not None
                return replace(self, leaving=Leaving(way, at, until))
            case Note.WITHDRAWN:
                return replace(self, leaving=None)
            case Note.PER_MINUTE:
                return replace(self, is_per_minute=True)
        return self._restricted(note, way)

    def _restricted(self, note: str, way: str) -> "File":
        """After a note that lets a line do less, or more again."""
        match note:
            case Note.LIMITED:
                return replace(self, channels=int(way))
            case Note.LIFTED:
                return replace(self, channels=None)
            case Note.BLOCKED:
                return replace(self, blocked=self.blocked | {way})
            case Note.UNBLOCKED:
                return replace(self, blocked=self.blocked - {way})
        return self

    def after_change(
        self, to: LineState, at: int, number: str, before: LineState, ground: str
    ) -> "File":
        """The file after a change of state from `before` under `ground`."""
        if to is LineState.TERMINATED:
            return replace(self, leaving=None, ended_at=at, number=number)
        if to is LineState.ACTIVE:
            return replace(self, warned_at=None, noticed_at=None, cure_by=None, before_theft=None)
        if to is LineState.STOLEN:
            return replace(self, before_theft=(before, ground))
        return self


def free_at(file: File, quarantine_days: int) -> int | None:
    """When an ended line's number may be given to another (2(o)); None while the contract runs."""
    return None if file.ended_at is None else file.ended_at + quarantine_days * DAY_MS
