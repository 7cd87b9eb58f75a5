"""A change of the terms or of the prices (terms 5, 13(j)): how long before it the customer must know.

One that harms the customer holds a month after the notice at the earliest, and until its day the customer
may leave without a penalty. Any other holds from its day. Deliberately absent: what a notice says, and any
clock.
"""

from calendar import monthrange
from datetime import date
from enum import StrEnum

CLAUSE = "5"


class Subject(StrEnum):
    """What is changed."""

    TERMS = "terms"
    PRICES = "prices"


class TooSoonError(ValueError):
    """A change that would hold before the customer had the time that the terms give."""


def a_month_after(day: date) -> date:
    """The same day of the next month, or its last day (31 January: 28 February)."""
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def hold(noticed: date, effective: date, *, is_harmful: bool) -> None:
    """Hold a change to the terms' time. Raises TooSoonError, which names the first day that is allowed."""
    earliest = a_month_after(noticed) if is_harmful else noticed
    if effective < earliest:
        why = "a month after its notice" if is_harmful else "the day of its notice"
        raise TooSoonError(
            f"a change noticed on {noticed} can't hold on {effective}: from {earliest} on, {why} ({CLAUSE})"
        )
