"""Working days around the holidays that move and those that don't."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.terms.working_days import (
    ALSACE_MOSELLE,
    MONDAY_TO_SATURDAY,
    add_working_days,
    is_working_day,
)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 4, 30), date(2026, 5, 11)),  # 1 and 8 May are holidays, both on a Friday
        (date(2026, 12, 22), date(2026, 12, 30)),
        (date(2026, 2, 28), date(2026, 3, 6)),  # from a Saturday
    ],
)
def test_a_customers_termination_takes_effect_after_five_working_days(
    start: date, end: date
) -> None:
    assert add_working_days(start, 5) == end


def test_saturdays_count_where_law_counts_them() -> None:
    friday = date(2026, 3, 6)
    assert add_working_days(friday, 1) == date(2026, 3, 9)
    assert add_working_days(friday, 1, week=MONDAY_TO_SATURDAY) == date(2026, 3, 7)


def test_alsace_and_moselle_have_two_more_holidays() -> None:
    for day in (date(2025, 12, 26), date(2026, 4, 3)):
        assert is_working_day(day)
        assert not is_working_day(day, subdivision=ALSACE_MOSELLE)


@given(st.dates(date(2020, 1, 1), date(2035, 1, 1)), st.integers(1, 30))
def test_so_many_working_days_lie_after_the_start(start: date, days: int) -> None:
    end = add_working_days(start, days)
    between = [start + timedelta(days=each) for each in range(1, (end - start).days + 1)]
    assert sum(map(is_working_day, between)) == days
    assert is_working_day(end)
