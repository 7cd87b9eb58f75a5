"""Each detector on the smallest history that it must find, and on one that lies just below."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from policy.acceptable_use.call import Call
from policy.acceptable_use.detectors import DETECTORS, Level, judge
from policy.acceptable_use.profile import Profile
from policy.model import NumberClass

MONDAY = date(2026, 3, 2).toordinal()
EPOCH = date(1970, 1, 1).toordinal()
MINUTE = 60_000
ABROAD = {"number_class": NumberClass.INTERNATIONAL, "country": "CU"}
BY_ID = {detector.id: detector for detector in DETECTORS}


def call(day: int, minute: float, who: object, talk_s: float, **changes: object) -> Call:
    fields: dict[str, object] = {
        "call_id": f"{day}-{minute}",
        "at": (MONDAY + day - EPOCH) * 1440 * MINUTE + round(minute * MINUTE),
        "day": MONDAY + day,
        "minute": int(minute),
        "outbound": True,
        "peer": f"+33{100_000_000 + hash(who) * 7919 % 500_000_000}",
        "answered": talk_s > 0,
        "ring_ms": 5_000 if talk_s else 20_000,
        "duration_ms": round(talk_s * 1000),
        "ended_by": "callee" if talk_s else "",
        "status": 200 if talk_s else 480,
        "number_class": NumberClass.NATIONAL,
        "country": "FR",
    }
    return Call(**{**fields, **changes})  # type: ignore[arg-type]


def spaced(count: int, every: float, talk_s: float, start: float = 600, **changes: object):
    """So many calls to as many numbers, every so many minutes, of durations that differ."""
    for n in range(count):
        yield call(0, start + n * every, n, talk_s and talk_s + n % 40, **changes)


def at_once(count: int) -> Iterator[Call]:
    """Each call begins a second after the one before."""
    for n in range(count):
        yield call(0, 600 + n * (5 + 20 + 1) / 60, n, 20)


def rows(count: int) -> Iterator[Call]:
    """Numbers two apart."""
    for n in range(count):
        yield call(0, 600 + n, n, 30, peer=f"+331426{5_000 + n * 2}")


def forwarded(days: int, minutes: float) -> Iterator[Call]:
    for day, n in product(range(days), range(6)):
        yield call(day, 600 + 60 * n, n, minutes * 60, outbound=False, forwarded=True)


def settled(*later: Call) -> Iterator[Call]:
    """A line with ten days of habits before what comes."""
    for day in range(10):
        yield call(day, 600, 1, 60, user_agent="Desk phone", subnet="198.51.100.0/24")
    yield from later


def seven(minute: float) -> list[Call]:
    """A new phone on a new network calls abroad, on the eleventh day."""
    seen = {"user_agent": "Scanner", "subnet": "192.0.2.0/24"}
    return [call(10, minute, 7, 60, **seen, **ABROAD)]


def of_the_night(count: int, minute: float) -> Iterator[Call]:
    """Calls to one range that are all up at the same time."""
    for n in range(count):
        yield call(0, minute + n / 10, n, 1500, peer=f"+53712{340_000 + n}", **ABROAD)


CASES: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
    ("D1", lambda: at_once(50), lambda: spaced(50, 1.5, 30)),
    (
        "D2",
        lambda: [
            *spaced(50, 1, 2, ended_by="caller"),
            *spaced(20, 1, 0, 700, ended_by="caller"),
        ],
        lambda: [*spaced(50, 1, 30), *spaced(20, 1, 0, 700, ended_by="caller")],
    ),
    ("D3", lambda: spaced(101, 4, 30), lambda: spaced(99, 4, 30)),
    ("D4", lambda: spaced(110, 2, 10), lambda: spaced(110, 2, 60, 600)),
    (
        "D5",
        lambda: spaced(6, 20, 60, concurrent=3),
        lambda: spaced(5, 20, 60, concurrent=3),
    ),
    ("D6", lambda: forwarded(5, 11), lambda: forwarded(5, 9)),
    (
        "D7",
        lambda: [call(0, 600, 1, 4 * 3600, parties=3)],
        lambda: [call(0, 600, 1, 4 * 3600, parties=2)],
    ),
    ("D8", lambda: spaced(32, 3, 60, is_fax=True), lambda: spaced(29, 3, 60, is_fax=True)),
    (
        "D9",
        lambda: [call(0, 600 + n, n, 31 if n % 2 else 50 + n) for n in range(52)],
        lambda: spaced(52, 1, 20),
    ),
    (
        "D10",
        lambda: spaced(2, 60, 700, spoken=0.9, heard=0.05),
        lambda: spaced(2, 60, 700, spoken=0.9, heard=None),
    ),
    (
        "D11",
        lambda: (call(n // 30, 600 + n % 30, n, 60) for n in range(520)),
        lambda: (call(n // 30, 600 + n % 30, n % 400, 60) for n in range(520)),
    ),
    (
        "D12",
        lambda: (call(n // 100, 500 + n % 100, n % 50, 60) for n in range(2000)),
        lambda: (call(n // 100, 500 + n % 100, n % 50, 60) for n in range(1999)),
    ),
    ("D14", lambda: of_the_night(3, 120), lambda: of_the_night(1, 120)),
    (
        "D15",
        lambda: spaced(34, 1, 0, ring_ms=2_000, ended_by="caller"),
        lambda: spaced(34, 1, 0, ring_ms=8_000, ended_by="caller"),
    ),
    ("D16", lambda: rows(17), lambda: spaced(17, 1, 30)),
    (
        "D17",
        lambda: (call(0, 600 + n, n, 60, user_agent=f"Phone {n}") for n in range(4)),
        lambda: (call(0, 600 + n, n, 60, user_agent=f"Phone {n % 3}") for n in range(9)),
    ),
    (
        "D18",
        lambda: settled(*seven(600)),
        lambda: settled(call(10, 600, 7, 60, user_agent="Scanner", **ABROAD)),
    ),
]


def highest(history: object, detector: str) -> Level:
    """The highest level that the detector reaches in a history."""
    profile: Profile | None = None
    level = Level.NONE
    for each in history:  # type: ignore[attr-defined]
        profile = profile or Profile(each)
        profile.add(each)
        finding = judge(profile, BY_ID[detector])
        if finding is not None:
            assert finding.values
            level = max(level, finding.level)
    return level


@pytest.mark.parametrize(("detector", "abuse", "_"), CASES, ids=[case[0] for case in CASES])
def test_what_it_must_find(detector: str, abuse: Callable[[], object], _: object) -> None:
    assert highest(abuse(), detector) >= Level.SOFT


@pytest.mark.parametrize(("detector", "_", "honest"), CASES, ids=[case[0] for case in CASES])
def test_what_it_must_leave_alone(detector: str, _: object, honest: Callable[[], object]) -> None:
    assert highest(honest(), detector) is Level.NONE


def spread(days: range, each: Callable[[int], Iterator[Call]]) -> Iterator[Call]:
    """A line with a week of habits, and then days of the same kind."""
    for day in range(7):
        yield call(day, 600, 1, 60)
    for day in days:
        yield from each(day)
    yield call(days[-1] + 1, 600, 1, 60)


def strangers(day: int, count: int = 40, talk_s: float = 150) -> Iterator[Call]:
    return (call(day, 560 + n * 4, (day, n), talk_s) for n in range(count))


def bridged(day: int, count: int = 10, minutes: float = 7) -> Iterator[Call]:
    for n in range(count):
        yield call(day, 600 + n, n, minutes * 60, outbound=False, forwarded=True)
    for n in range(4):
        yield call(day, 700 + n, n, 60, outbound=False)


SLOW: list[tuple[str, int, Callable[[int], Iterator[Call]], Callable[[int], Iterator[Call]]]] = [
    ("D3", 5, strangers, lambda day: strangers(day, 39)),
    ("D4", 4, lambda day: strangers(day, 60, 20), lambda day: strangers(day, 60, 60)),
    ("D6", 4, bridged, lambda day: bridged(day, 10, 5)),
]


@pytest.mark.parametrize(("detector", "days", "slow", "honest"), SLOW, ids=[s[0] for s in SLOW])
def test_what_is_slow_is_seen_by_its_days(
    detector: str,
    days: int,
    slow: Callable[[int], Iterator[Call]],
    honest: Callable[[int], Iterator[Call]],
) -> None:
    enough, few = range(7, 7 + 3 * days, 3), range(7, 7 + 3 * (days - 1), 3)
    assert highest(spread(enough, slow), detector) is Level.SOFT
    assert highest(spread(few, slow), detector) is Level.NONE
    assert highest(spread(enough, honest), detector) is Level.NONE
    assert highest(spread(range(7, 7 + 2 * days), slow), detector) is Level.HARD


def test_a_new_line_calls_nobody_but_strangers() -> None:
    """The first week says nothing about habits."""
    new = (each for day in range(7) for each in strangers(day))
    assert highest(new, "D3") is Level.NONE


def test_days_that_are_long_past_count_no_more() -> None:
    quiet = [call(40, 600, 1, 60)]
    profile: Profile | None = None
    for each in [*spread(range(7, 12), strangers), *quiet]:
        profile = profile or Profile(each)
        profile.add(each)
    assert profile is not None
    assert profile.stranger_days == 0


def unbroken(hours: int, minutes: float, broken_at: int = 0) -> Iterator[Call]:
    """A call is forwarded each hour; the line may take one itself."""
    for hour in range(hours):
        taken = hour == broken_at > 0
        yield call(
            hour // 24, hour % 24 * 60, hour, minutes * 60, outbound=False, forwarded=not taken
        )


def test_forwarding_that_never_stops() -> None:
    assert judge_after(unbroken(74, 14), "D6")["unbroken_minutes"] == 74 * 14
    assert "unbroken_minutes" not in judge_after(unbroken(72, 14), "D6"), "not yet 72 hours"
    assert "unbroken_minutes" not in judge_after(unbroken(90, 14, broken_at=30), "D6")
    slow = [call(day, 600, day, 1200, outbound=False, forwarded=True) for day in range(51)]
    assert highest(slow, "D6") is Level.SOFT
    assert highest(slow[:-2], "D6") is Level.NONE


def test_fraud_by_forwarding_is_fraud() -> None:
    """The number that calls is a French one, the money goes abroad."""
    calls = [
        call(0, 120 + n / 10, n, 1500, outbound=False, forwarded=True, onward=f"+53712{340_000 + n}",
             **ABROAD)
        for n in range(4)
    ]  # fmt: skip
    assert highest(calls, "D14") is Level.HARD
    near = [replace(each, number_class=NumberClass.NATIONAL) for each in calls]
    assert highest(near, "D14") is Level.NONE


def judge_after(history: Iterator[Call], detector: str) -> dict[str, float]:
    """The values that speak for a detector at the end of a history."""
    profile: Profile | None = None
    for each in history:
        profile = profile or Profile(each)
        profile.add(each)
    assert profile is not None
    finding = judge(profile, BY_ID[detector])
    return {} if finding is None else dict(finding.values)


def test_speech_that_only_goes_one_way() -> None:
    blast = spaced(22, 3, 60, spoken=0.9, heard=0.02)
    talk = spaced(22, 3, 60, spoken=0.9, heard=0.4)
    silent = spaced(22, 3, 60, spoken=0.1, heard=0.0)
    assert highest(blast, "D9") is Level.HARD
    assert highest(talk, "D9") is Level.NONE
    assert highest(silent, "D9") is Level.NONE


def test_strangers_are_counted_rightly_when_the_sketch_is_full_of_others() -> None:
    profile: Profile | None = None
    for each in (call(n // 400, 300 + n % 400, n, 20) for n in range(2_400)):
        profile = profile or Profile(each)
        profile.add(each)
    assert profile is not None
    assert 0.85 < profile.day.new / profile.day.attempts < 1.15


def test_every_detector_has_its_case_and_names_whom_it_takes_for_an_abuser() -> None:
    assert [case[0] for case in CASES] == [detector.id for detector in DETECTORS]
    assert all(detector.looks_like and detector.use for detector in DETECTORS)
    assert {detector.id for detector in DETECTORS if detector.automatic} == {"D14", "D18"}
