"""The ladder of fair use: every row of its table, and what stands in none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.fair_use import (
    BY_A_PERSON,
    CASES,
    CLOSED,
    DAY_MS,
    DEFAULT_DEADLINE_MS,
    REACHED,
    TABLE,
    Happening,
    Ladder,
    NotAllowedError,
    Rung,
    allowed,
    climb,
    contact,
    is_due,
    is_normal,
)

AT = 1_767_225_600_000  # 1 January 2026, UTC ms
MONTH_MS = 300_000_000


def at(rung: Rung, *, contacted: bool = False, deadline: int | None = None) -> Ladder:
    return Ladder("101", 3, rung, AT - DAY_MS, deadline, contacted)


def walked(*happenings: Happening) -> list[Rung]:
    ladder, rungs = Ladder("101", 3), []
    for happening in happenings:
        ladder, _ = climb(ladder, happening, AT)
        rungs.append(ladder.rung)
    return rungs


def test_a_line_climbs_with_its_minutes_and_then_waits_for_a_person() -> None:
    assert walked(*REACHED.values()) == [Rung.WATCH, Rung.WARNED, Rung.REVIEW_OPEN]
    assert not Ladder("101", 3, Rung.WARNED).is_case
    assert Ladder("101", 3, Rung.REVIEW_OPEN).is_open
    assert allowed(at(Rung.REVIEW_OPEN)) == (Happening.NOTIFY, Happening.DISMISS)


def test_a_long_call_may_pass_rungs_over() -> None:
    assert walked(Happening.REACHED_100) == [Rung.REVIEW_OPEN]
    assert walked(Happening.REACHED_90, Happening.REACHED_100)[-1] is Rung.REVIEW_OPEN


def test_the_deadline_counts_from_the_notice() -> None:
    notified, row = climb(at(Rung.REVIEW_OPEN), Happening.NOTIFY, AT)
    assert notified.deadline == AT + DEFAULT_DEADLINE_MS == AT + 7 * DAY_MS
    assert row.notice == "fair_use_review"
    assert row.clause == "3(a)"
    assert not is_due(notified, AT + 7 * DAY_MS - 1)
    assert is_due(notified, AT + 7 * DAY_MS)
    sooner, _ = climb(at(Rung.REVIEW_OPEN), Happening.NOTIFY, AT, deadline_ms=DAY_MS)
    assert sooner.deadline == AT + DAY_MS


@pytest.mark.parametrize(
    ("contacted", "usage_normal", "rung"),
    [
        (True, True, Rung.RESOLVED),
        (True, False, Rung.PLAN_CHANGE_PROPOSED),
        (False, True, Rung.PLAN_CHANGE_PROPOSED),
        (False, False, Rung.PLAN_CHANGE_PROPOSED),
    ],
)
def test_at_the_deadline_either_flag_missing_makes_a_proposal(
    contacted: bool, usage_normal: bool, rung: Rung
) -> None:
    notified = at(Rung.NOTIFIED, contacted=contacted, deadline=AT)
    reached, _ = climb(notified, Happening.DEADLINE, AT, usage_normal=usage_normal)
    assert reached.rung is rung
    assert not is_due(reached, AT + DAY_MS)


def test_only_a_person_changes_the_plan_and_never_back() -> None:
    per_minute, row = climb(at(Rung.PLAN_CHANGE_PROPOSED), Happening.APPROVE, AT)
    assert per_minute.rung is Rung.PER_MINUTE
    assert row.notice == "fair_use_plan"
    to_per_minute = {event for (_, event), row in TABLE.items() if row.to is Rung.PER_MINUTE}
    assert to_per_minute == {Happening.APPROVE}
    assert to_per_minute <= BY_A_PERSON
    ended, row = climb(at(Rung.PLAN_CHANGE_PROPOSED), Happening.TERMINATE, AT)
    assert (ended.rung, row.clause) == (Rung.TERMINATION, "2(l)")


@pytest.mark.parametrize("rung", list(Rung))
@pytest.mark.parametrize("happening", list(Happening))
def test_what_stands_in_no_row_is_refused_by_name(rung: Rung, happening: Happening) -> None:
    stands = (rung, happening) in TABLE or (rung, happening) == (Rung.NOTIFIED, Happening.DEADLINE)
    if stands:
        assert climb(at(rung), happening, AT)[0].rung is not rung
    else:
        with pytest.raises(NotAllowedError, match=f"{happening} .* {rung}"):
            climb(at(rung), happening, AT)


@given(st.lists(st.sampled_from(list(Happening)), max_size=12), st.booleans())
def test_a_closed_case_stays_closed_and_a_case_stays_a_case(
    happenings: list[Happening], usage_normal: bool
) -> None:
    ladder = Ladder("101", 3)
    for step, happening in enumerate(happenings):
        before = ladder
        try:
            ladder, _ = climb(ladder, happening, AT + step, usage_normal=usage_normal)
        except NotAllowedError:
            assert ladder == before
            continue
        assert before.rung not in CLOSED
        assert before.rung not in CASES or ladder.rung in CASES
        assert ladder.since == AT + step


def test_an_answer_counts_while_somebody_waits_for_it() -> None:
    assert contact(at(Rung.NOTIFIED)).contacted
    assert contact(at(Rung.PLAN_CHANGE_PROPOSED)).contacted
    for rung in set(Rung) - {Rung.NOTIFIED, Rung.PLAN_CHANGE_PROPOSED}:
        with pytest.raises(NotAllowedError, match=rung):
            contact(at(rung))


def test_normal_is_under_the_threshold_at_the_pace_of_the_last_week() -> None:
    # 7/30 of 5,000 minutes is 70,000,000 ms: that pace reaches the threshold, "or more".
    assert not is_normal(70_000_000, MONTH_MS)
    assert is_normal(69_999_999, MONTH_MS)
    assert is_normal(0, MONTH_MS)
