"""Interest on a late payment, by hand on the left and by the calculator on the right."""

from datetime import date
from decimal import Decimal

import pytest

from policy.late_interest import claim, late_interest

RATES = {date(2026, 1, 1): Decimal("2.15"), date(2026, 7, 1): Decimal("2.40")}


@pytest.mark.parametrize(
    ("due", "paid", "expected"),
    [
        # 1,000 x 12.15 % x 30 / 365
        (date(2026, 3, 1), date(2026, 3, 31), "9.99"),
        # ten days at 12.15 %, then ten at 12.40 %: 3.3288 + 3.3973
        (date(2026, 6, 20), date(2026, 7, 10), "6.73"),
        (date(2026, 3, 1), date(2026, 3, 2), "0.33"),
        (date(2026, 3, 1), date(2026, 3, 1), "0.00"),
        (date(2026, 3, 1), date(2026, 2, 1), "0.00"),
    ],
)
def test_days_over_365_at_the_rate_of_their_half_year(due: date, paid: date, expected: str) -> None:
    assert late_interest(Decimal(1000), due, paid, RATES) == Decimal(expected)


def test_forty_euros_once_and_only_when_late() -> None:
    assert claim(Decimal(1000), date(2026, 3, 1), date(2026, 3, 31), RATES) == (
        Decimal("9.99"),
        Decimal(40),
    )
    assert claim(Decimal(1000), date(2026, 3, 1), date(2026, 3, 1), RATES) == (
        Decimal(0),
        Decimal(0),
    )


def test_a_rate_that_is_missing_is_named() -> None:
    with pytest.raises(KeyError, match="2027, 1, 1"):
        late_interest(Decimal(1), date(2026, 12, 31), date(2027, 1, 2), RATES)
