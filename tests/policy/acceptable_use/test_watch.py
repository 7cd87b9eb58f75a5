"""Alerts and cases: what rises, what is held, what two detectors make, and how much memory it takes."""

import tracemalloc
from collections.abc import Iterator
from datetime import date

from policy.acceptable_use.call import Call
from policy.acceptable_use.detectors import DETECTORS, Level
from policy.acceptable_use.sketch import Few, Sketch
from policy.acceptable_use.watch import Alert, Settings, Watch
from policy.model import NumberClass

MONDAY = date(2026, 3, 2).toordinal()
EPOCH = date(1970, 1, 1).toordinal()


def faxes(day: int, count: int) -> Iterator[Call]:
    return calls(day, count, is_fax=True)


def calls(day: int, count: int, **changes: object) -> Iterator[Call]:
    for n in range(count):
        fields: dict[str, object] = {
            "call_id": f"{day}-{n}",
            "at": ((MONDAY + day - EPOCH) * 1440 + 600 + 3 * n) * 60_000,
            "day": MONDAY + day,
            "minute": 600 + 3 * n,
            "outbound": True,
            "peer": f"+3314{n * 7919:07d}",
            "answered": True,
            "ring_ms": 5_000,
            "duration_ms": 20_000 + 1_500 * n,
            "ended_by": "callee",
            "status": 200,
            "number_class": NumberClass.NATIONAL,
        }
        yield Call(**{**fields, **changes})  # type: ignore[arg-type]


def watch(settings: Settings, *histories: Iterator[Call]) -> list[Alert]:
    watching = Watch(settings)
    return [each for calls in histories for call in calls for each in watching.add("101", call)]


def test_an_alert_says_what_speaks_for_it_and_by_which_calls() -> None:
    [alert] = watch(Settings(), faxes(0, 32))
    assert (alert.detector.id, alert.level) == ("D8", Level.SOFT)
    assert alert.values["faxes_a_day"] >= 30
    assert alert.calls[-1] == "0-29"
    assert len(alert.calls) == 10
    assert not alert.opens_case
    assert not alert.bars


def test_a_level_is_told_once_and_again_only_when_it_rises() -> None:
    alerts = watch(Settings(), faxes(0, 40), faxes(1, 40), faxes(2, 70))
    assert [(alert.detector.id, alert.level) for alert in alerts] == [
        ("D8", Level.SOFT),
        ("D8", Level.HARD),
    ]


def test_a_level_falls_only_after_quiet_days() -> None:
    soon = watch(Settings(), faxes(0, 40), calls(5, 1), faxes(7, 40))
    later = watch(Settings(), faxes(0, 40), calls(5, 1), faxes(9, 40))
    assert [len(soon), len(later)] == [1, 2]


def test_two_detectors_of_different_families_open_one_case() -> None:
    resold = (each for n in range(4) for each in calls(1, 1, user_agent=f"Phone {n}"))
    alerts = watch(Settings(), faxes(0, 32), resold, calls(2, 6, concurrent=3))
    assert [(alert.detector.id, alert.opens_case) for alert in alerts] == [
        ("D8", False),
        ("D17", True),
        ("D5", False),
    ]


def test_only_two_detectors_ever_bar_and_never_in_shadow() -> None:
    burst = {"number_class": NumberClass.PREMIUM, "duration_ms": 4_000_000}
    for shadow in (True, False):
        settings = Settings(shadow=shadow)
        history = (call for call in calls(0, 6, peer="+33899123456", **burst))
        barring = [alert.detector.id for alert in watch(settings, history) if alert.bars]
        assert barring == ([] if shadow else ["D14"])
        assert not [alert for alert in watch(settings, faxes(0, 80)) if alert.bars]


def test_detectors_can_be_left_out() -> None:
    kept = tuple(detector for detector in DETECTORS if detector.id != "D8")
    assert not watch(Settings(detectors=kept), faxes(0, 32))


def test_a_busy_line_takes_a_bounded_part_of_memory() -> None:
    watching = Watch()
    for call in calls(0, 300):  # warm: strings of the table, code objects
        watching.add("warm", call)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for line in range(20):
        for day in range(25):
            for call in calls(day, 40, user_agent=f"Phone {day}", country=f"C{day}"):
                watching.add(str(line), call)
    each = (tracemalloc.get_traced_memory()[0] - before) / 20
    tracemalloc.stop()
    assert each < 16_384, f"{each:.0f} bytes"  # 100,000 lines fit in 1.6 GB


def test_a_sketch_counts_about_right_and_forgets_who() -> None:
    sketch = Sketch(1024)
    assert sum(sketch.add(f"+331{n:08d}") for n in range(500)) > 350
    assert abs(len(sketch) - 500) < 50
    assert "+33100000042" in sketch
    for n in range(100_000):
        sketch.add(str(n))
    assert len(sketch) == 8 * 1024


def test_few_keeps_a_few_and_counts_the_rest() -> None:
    few = Few(2)
    assert [few.add(text, 10) for text in ("a", "a", "", "b", "c")] == [
        True,
        False,
        False,
        True,
        True,
    ]
    few.add("a", 20)
    assert (len(few), few.since(20), few.since(10)) == (3, 2, 3)
