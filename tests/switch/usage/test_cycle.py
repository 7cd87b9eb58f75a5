"""Billing cycles: cases/cycles.toml, and what holds for all of them."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.clock import Wheel
from switch.sip.outbox import Outbox
from switch.usage.cycle import Calendar
from switch.usage.meter import Meters

CASES = tomllib.loads((Path(__file__).parent / "cases" / "cycles.toml").read_text())


def ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


@pytest.mark.parametrize("case", CASES["start"], ids=lambda case: case["note"])
def test_billing_starts(case: dict[str, Any]) -> None:
    calendar = Calendar.from_request(ms(case["requested"]))
    assert calendar.cycle(0).start == ms(case["billing_starts"])


@pytest.mark.parametrize("case", CASES["series"], ids=lambda case: case["note"])
def test_anchor_day(case: dict[str, Any]) -> None:
    calendar = Calendar(case["billing_start"])
    for n, start in enumerate(case["starts"]):
        assert calendar.cycle(n).start == calendar.midnight_ms(start)


@pytest.mark.parametrize("case", CASES["length"], ids=lambda case: case["note"])
def test_length_in_hours(case: dict[str, Any]) -> None:
    cycle = Calendar(case["billing_start"]).cycle(0)
    assert (cycle.end - cycle.start) / 3_600_000 == case["hours"]


@pytest.mark.parametrize("case", CASES["talk"], ids=lambda case: case["note"])
def test_a_talk_by_the_wall_clock_is_metered_by_the_other(case: dict[str, Any]) -> None:
    """The real meter: the timers of cycle ends fire as they would in the driver."""
    requested = case.get("requested", datetime(2026, 1, 5, tzinfo=UTC))
    calendar = Calendar.from_request(ms(requested))
    start, end = ms(case["from"]), ms(case["to"])
    wheel, outbox = Wheel(), Outbox()
    meters = Meters(wheel, outbox, boot="b")
    meters.start("a", "101", "outbound", 50.0, start / 1000, None, calendar.cycle_at(start))
    meters.confirm("a")
    over = 50.0 + (end - start) / 1000
    while (due := wheel.next_at()) is not None and due < over:
        wheel.fire(due)
    assert meters.stop("a", over) == case["ms"]
    parts: dict[str, int] = {}
    for record in map(orjson.loads, outbox.journal):
        if record["k"] == "usage":
            parts[str(record["cycle"])] = parts.get(str(record["cycle"]), 0) + record["ms"]
    assert parts == case.get("cycles", parts)
    assert sum(parts.values()) == case["ms"]


def test_before_billing_is_cycle_minus_one() -> None:
    calendar = Calendar(date(2026, 11, 30))
    first = calendar.cycle(0)
    for before in (first.start - 1, first.start - 4 * 86_400_000, first.start - 10**11):
        assert calendar.cycle_at(before).n == -1
        assert calendar.cycle_at(before).contains(before)
    assert calendar.cycle(-1).following() == first
    assert calendar.cycle(-1).end == first.start


def test_another_zone_has_its_own_midnight() -> None:
    reunion = Calendar(date(2026, 7, 1), "Indian/Reunion").cycle(0)
    assert reunion.start == ms(datetime(2026, 6, 30, 20, tzinfo=UTC))


@given(
    st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    st.integers(ms(datetime(2019, 1, 1, tzinfo=UTC)), ms(datetime(2040, 1, 1, tzinfo=UTC))),
    st.sampled_from(["Europe/Paris", "America/Guadeloupe", "Pacific/Noumea"]),
)
def test_every_instant_belongs_to_exactly_one_cycle(start: date, at: int, zone: str) -> None:
    calendar = Calendar(start, zone)
    cycle = calendar.cycle_at(at)
    assert cycle.contains(at)
    assert not cycle.following().contains(at)
    assert cycle.end == cycle.following().start
    if cycle.n >= 0:
        assert not calendar.cycle(cycle.n - 1).contains(at)
