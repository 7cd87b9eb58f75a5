"""Late interest between businesses (terms 4(e), Code de commerce L441-10): what an unpaid sum has grown by.

The ECB's refinancing rate plus 10 points: the rate of 1 January holds for the first half of a year, that of
1 July for the second. Actual days over 365, from the day after the due date, and 40 euros of costs once a
bill. Rates are data. Deliberately absent: compound interest, rounding before the end, and any clock.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

POINTS = Decimal(10)
COSTS = Decimal(40)
YEAR_DAYS = 365
_CENT = Decimal("0.01")


def late_interest(
    amount: Decimal, due: date, paid: date, refinancing: Mapping[date, Decimal]
) -> Decimal:
    """Euros and cents on `amount` that was due on `due` and paid on `paid`, without the costs.

    `refinancing` maps each 1 January and 1 July to the ECB's rate in percent. Raises KeyError for a
    half-year whose rate isn't there.
    """
    total, day = Decimal(0), due + timedelta(days=1)
    while day <= paid:
        half = _half_of(day)
        last = min(paid, _next(half) - timedelta(days=1))
        days = (last - day).days + 1
        total += amount * (refinancing[half] + POINTS) / 100 * days / YEAR_DAYS
        day = last + timedelta(days=1)
    return total.quantize(_CENT, ROUND_HALF_UP)


def claim(
    amount: Decimal, due: date, paid: date, refinancing: Mapping[date, Decimal]
) -> tuple[Decimal, Decimal]:
    """The interest and the 40 euros; neither for a bill that was paid in time."""
    if paid <= due:
        return Decimal(0), Decimal(0)
    return late_interest(amount, due, paid, refinancing), COSTS


def _half_of(day: date) -> date:
    return date(day.year, 1 if day.month < 7 else 7, 1)


def _next(half: date) -> date:
    return date(half.year, 7, 1) if half.month == 1 else date(half.year + 1, 1, 1)
