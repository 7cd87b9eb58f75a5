"""The whole matrix of line state and number class."""

from dataclasses import replace

import pytest

from policy.account_state import (
    DEAD,
    DEFAULT_PERMISSIONS,
    NEVER_BARRED,
    STATES,
    refuse_being_called,
    refuse_calling,
)
from policy.model import Line, LineState, Location, NumberClass

PARIS = Location("75108", {})
LINE = Line("1", "a", "+33199000101", LineState.ACTIVE, "", frozenset(NumberClass), PARIS, None,
            PARIS)  # fmt: skip
FRAUD_BARS = {NumberClass.INTERNATIONAL, NumberClass.PREMIUM}


def _reason(state: LineState, number_class: NumberClass) -> str:
    refusal = refuse_calling(replace(LINE, state=state), number_class)
    return refusal.reason if refusal else ""


@pytest.mark.parametrize("number_class", NumberClass)
def test_each_state_bars_what_its_clause_says(number_class: NumberClass) -> None:
    barred = number_class not in NEVER_BARRED
    costs = barred and number_class is not NumberClass.SPECIAL_FREE
    assert _reason(LineState.ACTIVE, number_class) == ""
    assert _reason(LineState.SUSPENDED, number_class) == ("suspended" if costs else "")
    assert _reason(LineState.PENDING, number_class) == ("not_activated" if barred else "")
    assert _reason(LineState.UNPAID, number_class) == ("unpaid" if costs else "")
    fraud = "fraud_hold" if number_class in FRAUD_BARS else ""
    assert _reason(LineState.FRAUD_HOLD, number_class) == fraud
    assert _reason(LineState.TERMINATED, number_class) == "terminated"
    assert _reason(LineState.STOLEN, number_class) == "stolen"


def test_every_state_is_decided() -> None:
    assert {LineState.ACTIVE, *STATES, *DEAD} == set(LineState)


@pytest.mark.parametrize("number_class", NumberClass)
def test_a_line_without_permissions(number_class: NumberClass) -> None:
    always = {"emergency_vital", "emergency_social", "social", "support", "feature", "test",
              "unknown"}  # fmt: skip
    refusal = refuse_calling(replace(LINE, permissions=frozenset()), number_class)
    assert (refusal is None) == (str(number_class) in always)
    if refusal is not None:
        assert (refusal.reason, refusal.announcement) == ("not_permitted", "not_permitted")


@pytest.mark.parametrize("number_class", NumberClass)
def test_one_number_is_blocked_and_help_never_is(number_class: NumberClass) -> None:
    line = replace(LINE, blocked=frozenset({"+33145678901"}))
    refusal = refuse_calling(line, number_class, "+33145678901")
    assert (refusal is None) == (number_class in NEVER_BARRED)
    if refusal is not None:
        assert (refusal.reason, refusal.clause) == ("not_permitted", "2(d)")
    assert refuse_calling(line, number_class, "+33145678902") is None


def test_the_recorded_ground_is_cited() -> None:
    line = replace(LINE, state=LineState.SUSPENDED, ground="2(k)(d)")
    refusal = refuse_calling(line, NumberClass.NATIONAL)
    assert refusal is not None
    assert (refusal.clause, refusal.because) == ("2(k)(d)", "the line is suspended under 2(k)(d)")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (LineState.ACTIVE, None),
        (LineState.PENDING, "not_activated"),
        (LineState.SUSPENDED, "suspended"),
        (LineState.UNPAID, "unpaid"),
        (LineState.FRAUD_HOLD, None),
        (LineState.STOLEN, None),
        (LineState.TERMINATED, "unknown_number"),
    ],
)
def test_who_can_be_called(state: LineState, reason: str | None) -> None:
    refusal = refuse_being_called(replace(LINE, state=state))
    assert (refusal.reason if refusal else None) == reason


def test_premium_must_be_asked_for() -> None:
    assert NumberClass.PREMIUM not in DEFAULT_PERMISSIONS
    assert NumberClass.INTERNATIONAL in DEFAULT_PERMISSIONS
