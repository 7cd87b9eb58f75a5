"""What is summed up over days: what each kind of day needs, and how far back one looks."""

from collections.abc import Callable, Iterable, Iterator

import pytest

from policy.acceptable_use.call import Call
from policy.acceptable_use.profile import Profile
from tests.policy.acceptable_use.test_detectors import call

Day = Callable[[int], Iterator[Call]]


def after(*history: Iterable[Call]) -> Profile:
    """The profile of a line after these calls."""
    calls = [each for part in history for each in part]
    profile = Profile(calls[0])
    for each in calls:
        profile.add(each)
    return profile


def habits() -> Iterator[Call]:
    """A week, in which the line calls the same twenty people."""
    for day in range(7):
        yield from (call(day, 600 + n, n, 60) for n in range(20))


def calling(known: int, strangers: int, talk_s: float = 150) -> Day:
    """Calls to so many of the twenty, one after the other and again, and to so many strangers."""

    def of(day: int) -> Iterator[Call]:
        for n in range(known):
            yield call(day, 500 + n, n % 20, talk_s)
        for n in range(strangers):
            yield call(day, 600 + n, (day, n), talk_s)

    return of


def taking(forwarded: int, taken: int) -> Day:
    """Calls that came in: forwarded ones of ten minutes, and those that the line took."""

    def of(day: int) -> Iterator[Call]:
        for n in range(forwarded):
            yield call(day, 500 + n, n, 600, outbound=False, forwarded=True)
        for n in range(taken):
            yield call(day, 700 + n, n, 60, outbound=False)

    return of


@pytest.mark.parametrize(
    ("day", "counter", "counts"),
    [
        (calling(8, 36), "stranger_days", 1),
        (calling(14, 36), "stranger_days", 0),  # 72 % of them
        (calling(3, 57, 20), "canvassing_days", 1),
        (calling(30, 30, 20), "canvassing_days", 0),  # repeated too often
        (taking(10, 5), "forwarding_days", 1),
        (taking(10, 6), "forwarding_days", 0),  # less than two thirds
    ],
)
def test_what_a_day_was_like(day: Day, counter: str, counts: int) -> None:
    tomorrow = [call(8, 600, 1, 60)]
    assert getattr(after(habits(), day(7), tomorrow), counter) == counts


def test_a_week_has_seven_days() -> None:
    bridge = taking(10, 0)
    profile = after(bridge(0), bridge(6))
    assert profile.week() == (20, 20, 20 * 600_000)
    profile = after(bridge(0), bridge(7))
    assert profile.week() == (10, 10, 10 * 600_000)


def test_days_on_the_phone_are_counted_today_included() -> None:
    long = [[call(day, 500, 1, 6 * 3600)] for day in range(4)]
    short = [call(4, 500, 1, 6 * 3600 - 1)]
    assert after(*long).occupied_days() == 4
    assert after(*long, short).occupied_days() == 4


def test_a_word_or_two_tell_nothing_of_who_spoke() -> None:
    brief = after(call(0, 600 + n, n, 6, spoken=0.9, heard=0.0) for n in range(5))
    assert brief.day.measured == 0
