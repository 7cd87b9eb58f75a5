"""Rating of a finished call: what is billed of it, in seconds of a tariff's pulses and in euros.

Usage and rating are two things: minutes against the threshold are exact milliseconds, and a pulse
exists only here. "60/1" bills the first 60 seconds whole and then each begun second; "1/1" each begun
second; "60/60" each begun minute. A call of nothing costs nothing. Tariffs are data, one for each class
of numbers; a class without one is a question to a person, never free by accident.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Self

from policy.model import NumberClass


@dataclass(frozen=True, slots=True)
class Pulse:
    """The first block and those that follow, in seconds."""

    first_s: int
    next_s: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "60/1"; ValueError for anything but two positive whole numbers."""
        first, slash, following = text.partition("/")
        if not slash or not first.isdecimal() or not following.isdecimal():
            raise ValueError('a pulse is two numbers of seconds, "60/1"')
        pulse = cls(int(first), int(following))
        if not pulse.first_s or not pulse.next_s:
            raise ValueError("a pulse lasts at least a second")
        return pulse

    def rated_s(self, ms: int) -> int:
        """Return the seconds that a call of `ms` is billed."""
        if ms <= 0:
            return 0
        seconds = -(-ms // 1000)
        beyond = max(0, seconds - self.first_s)
        return self.first_s + -(-beyond // self.next_s) * self.next_s


@dataclass(frozen=True, slots=True)
class Tariff:
    """What calls to a class of numbers cost, before VAT."""

    pulse: Pulse
    euros_per_minute: Decimal
    euros_per_call: Decimal = Decimal(0)

    def price(self, ms: int) -> Decimal:
        """The euros of a call of `ms`, not rounded: a bill's sum is."""
        if ms <= 0:
            return Decimal(0)
        return self.euros_per_call + self.euros_per_minute * self.pulse.rated_s(ms) / 60


@dataclass(slots=True)
class Bill:
    """The calls of one class: how many, how long, and what they cost; `euros` None without a tariff."""

    calls: int = 0
    ms: int = 0
    rated_s: int = 0
    euros: Decimal | None = Decimal(0)


Tariffs = Mapping[NumberClass, Mapping[date, Tariff]]
"""By class, and by the day from which each holds; `date.min`: from the beginning."""


def tariff_on(
    tariffs: Tariffs, number_class: NumberClass, day: date, is_told: Callable[[date], bool]
) -> Tariff | None:
    """The tariff of a class on a day: the latest that has begun, of those that the customer was told of;
    None if there is none."""
    dated = tariffs.get(number_class, {})
    begun = [since for since in dated if since <= day and (since == date.min or is_told(since))]
    return dated[max(begun)] if begun else None


def add_to(
    bills: dict[NumberClass, Bill], number_class: NumberClass, ms: int, tariff: Tariff | None
) -> None:
    """Add a call of `ms` to the bill of its class."""
    bill = bills.setdefault(number_class, Bill())
    bill.calls += 1
    bill.ms += ms
    if tariff is None:
        bill.euros = None
        return
    bill.rated_s += tariff.pulse.rated_s(ms)
    if bill.euros is not None:
        bill.euros += tariff.price(ms)
