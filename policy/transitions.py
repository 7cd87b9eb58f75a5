"""How a line's contract moves from state to state: by what, from where, by whom, under which clause.

Terms 1(d) (activation), 2(b) (theft), 2(i) (tampering), 2(k) (suspension), 2(l) and 2(m) (termination),
2(o) (a number's next holder), 4(d) and 4(e) (payment). A row says what must be on file first; a
termination with notice takes effect later, and until then the line works as before. What each state
bars is in `account_state`.
Deliberately absent: calendars (which day is a working day) and the sending of notices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from policy.model import LineState

_ACTIVE, _SUSPENDED, _UNPAID = LineState.ACTIVE, LineState.SUSPENDED, LineState.UNPAID
_PENDING = LineState.PENDING
_FRAUD, _STOLEN, _TERMINATED = LineState.FRAUD_HOLD, LineState.STOLEN, LineState.TERMINATED
_RUNNING = frozenset({_ACTIVE, _SUSPENDED, _UNPAID, _FRAUD})
_UNDER_CONTRACT = _RUNNING | {_STOLEN, _PENDING}
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


class Need(StrEnum):
    """What must be on file, in the words of an error."""

    WARNING = "a warning on file"
    CURE_DATE = "a notice with a cure date that has passed"
    TERMS = "the acceptance of the terms"
    LOCATION = "a validated location"
    EMAIL = "an e-mail address of the account"
    NUMBER = "a number that is out of quarantine"


# Days by kind of wait.
WAIT_DAYS: Mapping[Wait, int] = {Wait.WRITTEN: 15, Wait.WORKING: 5}


@dataclass(frozen=True, slots=True)
class Transition:
    """One row. `needs` is what must be on file."""

    to: LineState
    clause: str
    sources: frozenset[LineState]
    actors: frozenset[Actor]
    notice: str
    wait: Wait = Wait.NONE
    needs: tuple[Need, ...] = ()


def _row(
    to: LineState,
    clause: str,
    sources: frozenset[LineState],
    *actors: Actor,
    notice: str,
    wait: Wait = Wait.NONE,
    needs: tuple[Need, ...] = (),
) -> Transition:
    return Transition(to, clause, sources, frozenset(actors), notice, wait, needs)


_P, _S, _B, _C = Actor.PERSON, Actor.SWITCH, Actor.BILLING, Actor.CUSTOMER
_TO_SUSPENDED = frozenset({_ACTIVE, _UNPAID, _FRAUD})

# What stands behind an activation (intro, 1(d), 5, 2(o)).
_TO_ACTIVATE = (Need.TERMS, Need.LOCATION, Need.EMAIL, Need.NUMBER)

TABLE: Mapping[str, Transition] = {
    "activated": _row(
        _ACTIVE, "1(d)", frozenset({_PENDING}), _P, notice="activated", needs=_TO_ACTIVATE
    ),
    # A number whose last holder may still take it along (2(o)): its next line waits.
    "held": _row(_PENDING, "2(o)", frozenset({_ACTIVE}), _S, notice="number_held"),
    # Immediate, on one coded ground. The switch never suspends a whole line by itself: a person does.
    **{
        ground: _row(_SUSPENDED, ground, _TO_SUSPENDED, _P, notice="suspended")
        for ground in (f"2(k)({letter})" for letter in "abcdef")
    },
    # Bars international and premium only; reversible, and the one that the switch may begin.
    "fraud_hold": _row(_FRAUD, "2(k)(e)", frozenset({_ACTIVE}), _P, _S, notice="fraud_hold"),
    "unpaid": _row(
        _UNPAID, "4(e)", frozenset({_ACTIVE, _FRAUD}), _P, _B, notice="unpaid",
        needs=(Need.WARNING,),
    ),
    # Hardware or firmware that isn't ours any more: a person decides.
    "2(i)": _row(_SUSPENDED, "2(i)", _TO_SUSPENDED, _P, notice="suspended"),
    "reinstated": _row(_ACTIVE, "2(n)", _BARRED, _P, notice="reinstated"),
    "stolen": _row(_STOLEN, "2(b)", _RUNNING, _P, _C, notice="stolen"),
    "replaced": _row(_ACTIVE, "2(c)", frozenset({_STOLEN}), _P, notice="replaced"),
    # 2(l): our termination. 2(m): the customer's. 4(d): a payment that the customer stops.
    "convenience": _row(
        _TERMINATED, "2(l)(i)", _UNDER_CONTRACT, _P, notice="termination", wait=Wait.WRITTEN
    ),
    "upstream_ended": _row(_TERMINATED, "2(l)(ii)", _UNDER_CONTRACT, _P, notice="terminated"),
    "for_arrears": _row(
        _TERMINATED, "2(l)(iii)", _UNDER_CONTRACT, _P, notice="terminated", needs=(Need.WARNING,)
    ),
    "uncured_breach": _row(
        _TERMINATED, "2(l)(iv)(2)", _UNDER_CONTRACT, _P, notice="terminated", needs=(Need.CURE_DATE,)
    ),
    "insolvency": _row(_TERMINATED, "2(l)(iv)(3)", _UNDER_CONTRACT, _P, notice="terminated"),
    "licence_lost": _row(_TERMINATED, "2(l)(iv)(4)", _UNDER_CONTRACT, _P, notice="terminated"),
    "by_customer": _row(
        _TERMINATED, "2(m)", _UNDER_CONTRACT, _P, _C, notice="termination", wait=Wait.WORKING
    ),
    "tampering": _row(_TERMINATED, "2(i)", _UNDER_CONTRACT, _P, notice="terminated"),
    "payment_stopped": _row(_TERMINATED, "4(d)", _UNDER_CONTRACT, _P, _B, notice="terminated"),
}  # fmt: skip


class NotAllowedError(ValueError):
    """A change that its row doesn't allow; the line stays as it is."""


@dataclass(frozen=True, slots=True)
class OnFile:
    """What has gone before, UTC milliseconds: None for what has not happened.

    `number_free_at`: when the number's last holder can't take it along any more, None if there is none.
    """

    warned_at: int | None = None
    noticed_at: int | None = None
    cure_by: int | None = None
    accepted_at: int | None = None
    is_located: bool = False
    has_email: bool = False
    number_free_at: int | None = None

    def lacks(self, needs: tuple[Need, ...], at: int) -> list[Need]:
        """What of `needs` isn't there at `at`."""
        return [need for need in needs if not self._has(need, at)]

    def _has(self, need: Need, at: int) -> bool:
        match need:
            case Need.WARNING:
                return self.warned_at is not None and self.warned_at < at
            case Need.CURE_DATE:
                return (
                    self.noticed_at is not None and self.cure_by is not None and self.cure_by <= at
                )
            case Need.TERMS:
                return self.accepted_at is not None
            case Need.LOCATION:
                return self.is_located
            case Need.EMAIL:
                return self.has_email
            case Need.NUMBER:
                return self.number_free_at is None or self.number_free_at <= at


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
    if lacking := on_file.lacks(row.needs, at):
        raise NotAllowedError(f"{name} ({row.clause}) needs {', '.join(lacking)}")
    return row
