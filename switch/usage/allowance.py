"""How long a line may talk to one class of numbers: its caps, all in milliseconds.

A cap of spend becomes a cap of time through the class's rate, so that one machine (`caps`) holds all
of them and can say to the millisecond when one is reached. Deliberately absent: tariffs by the call
or by the pulse; the rate is the operator's upper estimate for the class.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from switch.usage.cycle import Calendar


class CapTerms(Protocol):
    """The caps of one number class as configured; None = no cap."""

    @property
    def minutes_per_day(self) -> float | None:
        """Of the account's local day."""

    @property
    def minutes_per_cycle(self) -> float | None:
        """Of the billing cycle."""

    @property
    def euros_per_day(self) -> float | None:
        """Of the account's local day."""

    @property
    def euros_per_cycle(self) -> float | None:
        """Of the billing cycle."""

    @property
    def euros_per_minute(self) -> float | None:
        """What turns euros into minutes."""


@dataclass(frozen=True, slots=True)
class Cap:
    """One cap: the name of its setting, its milliseconds, and whether each day has as many."""

    name: str
    ms: int
    is_daily: bool


@dataclass(frozen=True, slots=True)
class Allowance:
    """The caps of a line for a number class, and the calendar that its days and cycles follow."""

    line: str
    number_class: str
    caps: tuple[Cap, ...]
    calendar: Calendar


def caps_of(terms: CapTerms) -> tuple[Cap, ...]:
    """The caps that the terms hold; euros without a rate, or at a rate of 0, cap nothing."""
    rate = terms.euros_per_minute
    found: list[Cap] = []
    for name, minutes in (
        ("minutes_per_day", _exact(terms.minutes_per_day)),
        ("minutes_per_cycle", _exact(terms.minutes_per_cycle)),
        ("euros_per_day", _bought(terms.euros_per_day, rate)),
        ("euros_per_cycle", _bought(terms.euros_per_cycle, rate)),
    ):
        if minutes is not None:
            found.append(Cap(name, int(minutes * 60_000), name.endswith("_day")))
    return tuple(found)


def _exact(number: float | None) -> Decimal | None:
    """The decimal that was written: 0.1 as a float would lose a millisecond here and there."""
    return None if number is None else Decimal(str(number))


def _bought(euros: float | None, rate: float | None) -> Decimal | None:
    """The minutes that so many euros buy."""
    if euros is None or not rate:
        return None
    return Decimal(str(euros)) / Decimal(str(rate))
