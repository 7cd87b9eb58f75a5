"""A change that harms the customer holds a month after its notice, and no day earlier."""

from datetime import date

import pytest

from policy.notice_of_change import TooSoonError, a_month_after, hold


@pytest.mark.parametrize(
    ("noticed", "earliest"),
    [
        ("2026-11-27", "2026-12-27"),
        ("2026-12-15", "2027-01-15"),
        ("2027-01-31", "2027-02-28"),
        ("2028-01-31", "2028-02-29"),
    ],
)
def test_a_month_is_the_same_day_of_the_next(noticed: str, earliest: str) -> None:
    told, first = date.fromisoformat(noticed), date.fromisoformat(earliest)
    assert a_month_after(told) == first
    hold(told, first, is_harmful=True)
    with pytest.raises(TooSoonError, match=f"from {earliest} on"):
        hold(told, first.replace(day=first.day - 1), is_harmful=True)


def test_a_harmless_change_holds_from_its_notice_on() -> None:
    day = date(2026, 11, 27)
    hold(day, day, is_harmful=False)
    with pytest.raises(TooSoonError, match="the day of its notice"):
        hold(day, date(2026, 11, 26), is_harmful=False)
