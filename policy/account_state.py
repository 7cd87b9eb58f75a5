"""What a line may call in each state of its contract, and the clause that says so.

Terms 2(k) (suspension), 4(e) (arrears), 2(l)-2(m) (termination), 2(b) (theft). A suspension never
touches emergency calls, PSAP call-backs, the support number and free social numbers, and leaves free
numbers in reach, too. Emergency calls have their own table in `policy.emergency`; ladders and detectors
are not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from policy.model import Line, LineState, NumberClass

# Reached in every state that still has a contract (terms 2(k), 14).
NEVER_BARRED = frozenset(
    {
        NumberClass.EMERGENCY_VITAL,
        NumberClass.EMERGENCY_SOCIAL,
        NumberClass.SOCIAL,
        NumberClass.SUPPORT,
    }
)
# Services of the switch itself: a matter of the line's state, not of its permissions.
NEVER_FORBIDDEN = NEVER_BARRED | {
    NumberClass.FEATURE,
    NumberClass.TEST,
    NumberClass.UNKNOWN,  # nothing to permit: refused as unknown afterwards
}

# What a line may call when its configuration says nothing: premium is asked for, not given.
DEFAULT_PERMISSIONS = frozenset(NumberClass) - {NumberClass.PREMIUM, NumberClass.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: a slug of the one list, the clause, what is spoken, and the reason in words."""

    reason: str
    clause: str
    announcement: str
    because: str


@dataclass(frozen=True, slots=True)
class StateRule:
    """One state: what it bars (None: everything), in which words, and if calls come in."""

    barred: frozenset[NumberClass] | None
    refusal: Refusal
    takes_calls: bool = False


_ALL_BUT_FREE = frozenset(NumberClass) - {NumberClass.SPECIAL_FREE}

STATES: Mapping[LineState, StateRule] = {
    LineState.PENDING: StateRule(
        None, Refusal("not_activated", "1(d)", "not_activated", "the line is not activated yet")
    ),
    LineState.SUSPENDED: StateRule(
        _ALL_BUT_FREE, Refusal("suspended", "2(k)", "suspended", "the line is suspended")
    ),
    LineState.UNPAID: StateRule(
        _ALL_BUT_FREE, Refusal("unpaid", "4(e)", "unpaid", "the line is suspended for arrears")
    ),
    # 2(k)(e): toll fraud and takeover bar what costs money abroad, nothing else.
    LineState.FRAUD_HOLD: StateRule(
        frozenset({NumberClass.INTERNATIONAL, NumberClass.PREMIUM}),
        Refusal("fraud_hold", "2(k)(e)", "fraud_hold", "the line is held for suspected fraud"),
        takes_calls=True,
    ),
}
# No credentials any more: nothing is routed, not even an emergency call.
DEAD: Mapping[LineState, Refusal] = {
    LineState.TERMINATED: Refusal("terminated", "2(l)", "terminated", "the contract has ended"),
    LineState.STOLEN: Refusal("stolen", "2(b)", "", "the hardware was reported stolen"),
}
# Harm to one callee is stopped without barring all others (2(d)).
BLOCKED = Refusal(
    "not_permitted", "2(d)", "not_permitted", "the line may not call this number any more"
)
NOT_PERMITTED: Mapping[NumberClass, Refusal] = {
    number_class: Refusal(
        "not_permitted", "2(a)", "not_permitted", f"the line may not call {number_class} numbers"
    )
    for number_class in NumberClass
}


def refuse_calling(line: Line, number_class: NumberClass, number: str = "") -> Refusal | None:
    """Why this line may not call this class of number, or this very one; None if it may."""
    if line.state is not LineState.ACTIVE:
        refusal = _refuse_by_state(line, number_class)
        if refusal is not None:
            return refusal
    if line.blocked and number in line.blocked and number_class not in NEVER_BARRED:
        return BLOCKED
    if number_class in line.permissions or number_class in NEVER_FORBIDDEN:
        return None
    return NOT_PERMITTED[number_class]


def _refuse_by_state(line: Line, number_class: NumberClass) -> Refusal | None:
    dead = DEAD.get(line.state)
    if dead is not None:
        return dead
    rule = STATES[line.state]
    if number_class in NEVER_BARRED or (
        rule.barred is not None and number_class not in rule.barred
    ):
        return None
    return _grounded(rule.refusal, line)


def refuse_being_called(line: Line) -> Refusal | None:
    """Why this line gets no calls (PSAP call-backs aside); None if it does.

    A stolen device is unregistered, so its line is merely not reached; forwards still work.
    """
    if line.state is LineState.TERMINATED:
        return Refusal("unknown_number", "2(o)", "", "the number is out of service")
    rule = STATES.get(line.state)
    if rule is None or rule.takes_calls:
        return None
    return _grounded(rule.refusal, line)


def _grounded(refusal: Refusal, line: Line) -> Refusal:
    """The refusal, citing the very ground that was recorded for this line."""
    if not line.ground or line.ground == refusal.clause:
        return refusal
    because = f"{refusal.because} under {line.ground}"
    return Refusal(refusal.reason, line.ground, refusal.announcement, because)
