"""Runs cases/*.toml of the meters: events at times, and what the line's meter shows."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.switch.usage.meter_bench import Bench

CASES = Path(__file__).parent / "cases"


def meter_cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}: {case['note']}")
        for file in sorted(CASES.glob("*.toml"))
        for case in tomllib.loads(file.read_text()).get("case", ())
    ]


@pytest.mark.parametrize("case", meter_cases())
def test_case(case: dict[str, Any]) -> None:
    bench = Bench(case)
    for event in case["events"]:
        bench.step(event)
    bench.keep()

    expect = case["expect"]
    for leg, ms in expect.pop("counted", {}).items():
        assert bench.counted[leg] == ms, leg
    if "crossings" in expect:
        wanted = [{"line": "101", **crossing} for crossing in expect.pop("crossings")]
        assert bench.crossings() == wanted
    if "clock_steps" in expect:
        steps = [fields["step_ms"] for _, fields in bench.noted("clock.step")]
        assert steps == expect.pop("clock_steps")
    if "estimated" in expect:
        assert bench.estimated() == expect.pop("estimated")
    assert bench.meters.strays >= expect.pop("strays", 0)
    assert len(bench.meters) == expect.pop("legs", len(bench.meters))
    shown = bench.shown()
    assert {key: shown[key] for key in expect} == expect


def test_every_case_file_is_found() -> None:
    assert {file.stem for file in CASES.glob("*.toml")} >= {
        "interval",
        "legs",
        "thresholds",
        "cycles",
        "recovery",
        "corrections",
        "rating",
        "destinations",
        "calls",
    }
    assert len(meter_cases()) > 45
