"""How a line's contract moves from state to state: by what, from where, by whom, under which clause.

Terms 2(b) (theft), 2(i) (tampering), 2(k) (suspension), 2(l) and 2(m) (termination), 4(d) and 4(e)
(payment). A row says what must be on file first; a termination with notice takes effect later, and
until then the line works as before. What each state bars is in `account_state`.
Deliberately absent: calendars (which day is a working day) and the sending of notices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from policy.model import LineState

_ACTIVE, _SUSPENDED, _UNPAID = LineState.ACTIVE, LineState.SUSPENDED, LineState.UNPAID
_FRAUD, _STOLEN, _TERMINATED = LineState.FRAUD_HOLD, LineState.STOLEN, LineState.TERMINATED
_RUNNING = frozenset({_ACTIVE, _SUSPENDED, _UNPAID, _FRAUD})
_UNDER_CONTRACT = _RUNNING | {_STOLEN}
_BARRED = frozenset({_SUSPENDED, _UNPAID, _FRAUD})


class Actor(StrEnum):
    """Who asks: a person of the operator, the switch by itself, billing, or the customer."""

    PERSON = "person"
    SWITCH = "switch"
    BILLING = "billing"
    CUSTOMER = "customer"


class Wait(StrEnum):
    """When a change takes effect; `written` days are calendar days (2(l)(i)), `working` ones are
    Monday to Friday without French holidays (2(m))."""

    NONE = "none"
    WRITTEN = "written"
    WORKING = "working"


# Days by kind of wait.
WAIT_DAYS: Mapping[Wait, int] = {Wait.WRITTEN: 15, Wait.WORKING: 5}


@dataclass(frozen=True, slots=True)
class Transition:
    """One row. `needs` is what must be on file, in the words of an error."""

    to: LineState
    clause: str
    sources: frozenset[LineState]
    actors: frozenset[Actor]
    notice: str
    wait: Wait = Wait.NONE
    needs: str = ""


def _row(
    to: LineState,
    clause: str,
    sources: frozenset[LineState],
    *actors: Actor,
    notice: str,
    wait: Wait = Wait.NONE,
    needs: str = "",
) -> Transition:
    return Transition(to, clause, sources, frozenset(actors), notice, wait, needs)


_P, _S, _B, _C = Actor.PERSON, Actor.SWITCH, Actor.BILLING, Actor.CUSTOMER
_TO_SUSPENDED = frozenset({_ACTIVE, _UNPAID, _FRAUD})

WARNING_ON_FILE = "a warning on file"
CURE_DATE = "a notice with a cure date that has passed"

TABLE: Mapping[str, Transition] = {
    # Immediate, on one coded ground. The switch never suspends a whole line by itself: a person does.
    **{
        ground: _row(_SUSPENDED, ground, _TO_SUSPENDED, _P, notice="suspended")
        for ground in (f"2(k)({letter})" for letter in "abcdef")
    },
    # Bars international and premium only; reversible, and the one that the switch may begin.
    "fraud_hold": _row(_FRAUD, "2(k)(e)", frozenset({_ACTIVE}), _P, _S, notice="fraud_hold"),
    "unpaid": _row(
        _UNPAID, "4(e)", frozenset({_ACTIVE, _FRAUD}), _P, _B, notice="unpaid",
        needs=WARNING_ON_FILE,
    ),
    "reinstated": _row(_ACTIVE, "2(n)", _BARRED, _P, notice="reinstated"),
    "stolen": _row(_STOLEN, "2(b)", _RUNNING, _P, _C, notice="stolen"),
    "replaced": _row(_ACTIVE, "2(c)", frozenset({_STOLEN}), _P, notice="replaced"),
    # 2(l): our termination. 2(m): the customer's. 4(d): a payment that the customer stops.
    "convenience": _row(
        _TERMINATED, "2(l)(i)", _UNDER_CONTRACT, _P, notice="termination", wait=Wait.WRITTEN
    ),
    "upstream_ended": _row(_TERMINATED, "2(l)(ii)", _UNDER_CONTRACT, _P, notice="terminated"),
    "for_arrears": _row(
        _TERMINATED, "2(l)(iii)", _UNDER_CONTRACT, _P, notice="terminated", needs=WARNING_ON_FILE
    ),
    "uncured_breach": _row(
        _TERMINATED, "2(l)(iv)(2)", _UNDER_CONTRACT, _P, notice="terminated", needs=CURE_DATE
    ),
    "insolvency": _row(_TERMINATED, "2(l)(iv)(3)", _UNDER_CONTRACT, _P, notice="terminated"),
    "licence_lost": _row(_TERMINATED, "2(l)(iv)(4)", _UNDER_CONTRACT, _P, notice="terminated"),
    "by_customer": _row(
        _TERMINATED, "2(m)", _UNDER_CONTRACT, _P, _C, notice="termination", wait=Wait.WORKING
    ),
    "payment_stopped": _row(_TERMINATED, "4(d)", _UNDER_CONTRACT, _P, _B, notice="terminated"),
}  # fmt: skip


class NotAllowedError(ValueError):
    """A change that its row doesn't allow; the line stays as it is."""


@dataclass(frozen=True, slots=True)
class OnFile:
    """What has gone before, UTC milliseconds: None for what has not happened."""

    warned_at: int | None = None
    noticed_at: int | None = None
    cure_by: int | None = None


def allow(name: str, state: LineState, by: Actor, at: int, on_file: OnFile) -> Transition:
    """The row by which a line in `state` may be changed at `at` (UTC ms).

    Raises NotAllowedError with the reason: an unknown change, the wrong state, the wrong actor, or
    what isn't on file.
    """
    row = TABLE.get(name)
    if row is None:
        raise NotAllowedError(f"there is no change {name!r}: {', '.join(TABLE)}")
    if state not in row.sources:
        raise NotAllowedError(f"{name} doesn't apply to a line that is {state}")
    if by not in row.actors:
        actors = " or ".join(sorted(row.actors))
        raise NotAllowedError(f"{name} ({row.clause}) is for {actors}, not for {by}")
    if not _is_on_file(row.needs, on_file, at):
        raise NotAllowedError(f"{name} ({row.clause}) needs {row.needs}")
    return row


def _is_on_file(needs: str, on_file: OnFile, at: int) -> bool:
    if needs == WARNING_ON_FILE:
        return on_file.warned_at is not None and on_file.warned_at < at
    if needs == CURE_DATE:
        cure = on_file.cure_by
        return on_file.noticed_at is not None and cure is not None and cure <= at
    return True
