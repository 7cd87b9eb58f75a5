"""Days of the contract's clocks: local dates of an account, and the instants at which they begin.

Instants are UTC milliseconds. A notice takes effect at the local midnight that begins its day.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from policy.transitions import WAIT_DAYS, Wait
from switch.terms.working_days import add_working_days


def day_of(at: int, zone: str) -> date:
    """The local date of an instant."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).date()


def midnight_ms(day: date, zone: str) -> int:
    """When a local day begins."""
    return round(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def effective_on(noticed: date, wait: Wait) -> date:
    """The first day on which a change with notice holds."""
    days = WAIT_DAYS.get(wait, 0)
    if wait is Wait.WORKING:
        return add_working_days(noticed, days)
    return noticed + timedelta(days=days)
