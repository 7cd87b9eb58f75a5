"""Billing cycles: which month of an account an instant belongs to.

A cycle is half-open, [start, end), and runs between two local midnights of the account's zone, so
it is 672 to 745 hours long; the threshold is not prorated. The anchor day is the day billing
started; in a shorter month the cycle starts on that month's last day, and the day does not drift
afterwards. Cycle 0 is the first that is billed; all that came before it is cycle -1.

All instants are UTC milliseconds. Deliberately absent: any clock.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

# The terms bill from the seventh day after the activation request; the day of the request is day 0.
DAYS_TO_BILLING = 7


@dataclass(frozen=True, slots=True)
class Calendar:
    """When an account's billing started (a local date), and the IANA name of its time zone."""

    billing_start: date
    zone: str = "Europe/Paris"

    @classmethod
    def from_request(cls, requested_ms: int, zone: str = "Europe/Paris") -> "Calendar":
        """Return the calendar of a service requested at `requested_ms` (UTC ms)."""
        requested = datetime.fromtimestamp(requested_ms / 1000, ZoneInfo(zone)).date()
        return cls(requested + timedelta(days=DAYS_TO_BILLING), zone)

    def cycle(self, n: int) -> "Cycle":
        """Return the cycle of number `n`; every number under 0 is cycle -1."""
        return _cycle(self, max(n, -1))

    def cycle_at(self, at_ms: int) -> "Cycle":
        """Return the cycle that holds the instant `at_ms` (UTC ms)."""
        local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(self.zone))
        first = self.billing_start
        guess = (local.year - first.year) * 12 + local.month - first.month
        cycle = self.cycle(guess)
        return self.cycle(guess - 1) if at_ms < cycle.start else cycle

    def midnight_ms(self, day: date) -> int:
        """Return the start of the local `day`, in UTC ms."""
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.zone))
        return int(start.astimezone(UTC).timestamp()) * 1000

    def start_of(self, n: int) -> int:
        """Return when the cycle `n` >= 0 starts, in UTC ms."""
        months = self.billing_start.month - 1 + n
        year, month = self.billing_start.year + months // 12, months % 12 + 1
        day = min(self.billing_start.day, monthrange(year, month)[1])
        return self.midnight_ms(date(year, month, day))


@dataclass(frozen=True, slots=True)
class Cycle:
    """One billing cycle: its number, and the UTC ms where it starts and where the next one does."""

    n: int
    start: int
    end: int
    calendar: Calendar

    def contains(self, at_ms: int) -> bool:
        """Say whether the instant (UTC ms) belongs to this cycle; the end does not."""
        return at_ms < self.end and (self.n < 0 or self.start <= at_ms)

    def following(self) -> "Cycle":
        """Return the next cycle."""
        return self.calendar.cycle(self.n + 1)


@lru_cache(maxsize=4096)
def _cycle(calendar: Calendar, n: int) -> Cycle:
    """Compute a cycle once: accounts are many, but those of one day share their calendar."""
    if n < 0:
        requested = calendar.billing_start - timedelta(days=DAYS_TO_BILLING)
        return Cycle(-1, calendar.midnight_ms(requested), calendar.start_of(0), calendar)
    return Cycle(n, calendar.start_of(n), calendar.start_of(n + 1), calendar)
