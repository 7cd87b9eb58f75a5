"""French working days, by which the terms count: Monday to Friday without public holidays.

These are the "jours ouvrés" of terms 2(m); porting law counts "jours ouvrables", Saturdays too.
Alsace-Moselle has two more holidays.
"""

from datetime import date, timedelta
from functools import cache

import holidays

MONDAY_TO_FRIDAY = 5
MONDAY_TO_SATURDAY = 6
ALSACE_MOSELLE = "57"


def add_working_days(
    start: date, days: int, *, week: int = MONDAY_TO_FRIDAY, subdivision: str = ""
) -> date:
    """The day that is `days` working days after `start`, which doesn't count itself.

    `week` is how many days of it are worked; `subdivision` is a code of ISO 3166-2:FR with holidays
    of its own ("57"), or "".
    """
    day = start
    while days > 0:
        day += timedelta(days=1)
        if is_working_day(day, week=week, subdivision=subdivision):
            days -= 1
    return day


def is_working_day(day: date, *, week: int = MONDAY_TO_FRIDAY, subdivision: str = "") -> bool:
    """Whether people work on that day."""
    return day.weekday() < week and day not in _holidays(subdivision)


@cache
def _holidays(subdivision: str) -> holidays.HolidayBase:
    """Grows by the year as it is asked."""
    return holidays.country_holidays("FR", subdiv=subdivision or None)
