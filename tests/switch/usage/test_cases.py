"""Runs cases/*.toml of the meters: events at times, and what the line's meter shows."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from switch.clock import Wheel
from switch.sip.outbox import Outbox
from switch.usage.cycle import Calendar
from switch.usage.meter import Meters

CASES = Path(__file__).parent / "cases"
BOOT_MS = 5_000_000
WALL_MS = 1_770_332_400_000
CYCLE = Calendar.from_request(1_767_000_000_000).cycle_at(WALL_MS)


def meter_cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}: {case['note']}")
        for file in sorted(CASES.glob("*.toml"))
        for case in tomllib.loads(file.read_text()).get("case", ())
    ]


class Bench:
    """Meters, a wheel that is turned to each event's time, and a wall clock that can step."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.wheel = Wheel()
        self.outbox = Outbox()
        self.meters = Meters(
            self.wheel, self.outbox, boot="b1", counted=case.get("counted", ("inbound", "outbound"))
        )
        self.wall_step_ms = 0
        self.counted: dict[str, int] = {}
        self.now = BOOT_MS / 1000
        if "used_ms" in case:
            totals = {"inbound": 0, "outbound": case["used_ms"]}
            crossed = case.get("crossed", [])
            self.meters.load("101", CYCLE, totals, crossed, self.now, WALL_MS / 1000)

    def step(self, event: dict[str, Any]) -> None:
        at = (BOOT_MS + event["t"]) / 1000
        self.turn(max(self.now, at))
        match event:
            case {"start": leg}:
                wall = (WALL_MS + event["t"] + self.wall_step_ms) / 1000
                line, direction = event.get("line", "101"), event.get("direction", "outbound")
                self.meters.start(leg, line, direction, at, wall, event.get("exempt"), CYCLE)
            case {"ack": leg}:
                self.meters.confirm(leg)
            case {"stop": leg}:
                self.counted[leg] = self.counted.get(leg, 0) + self.meters.stop(leg, at)
            case {"cancel": leg}:
                self.meters.cancel(leg)
            case {"wall_step_ms": step}:
                self.wall_step_ms += step
            case {"look": dict(shown)}:
                assert {key: self.shown()[key] for key in shown} == shown
            case {"look": True}:
                pass
            case _:
                pytest.fail(f"unknown event {event}")

    def turn(self, to: float) -> None:
        """Let time pass as the driver does: from timer to timer."""
        while (due := self.wheel.next_at()) is not None and due <= to:
            self.wheel.fire(due)
        self.now = to

    def shown(self) -> dict[str, Any]:
        return self.meters.reading("101", self.now, CYCLE).as_json()

    def crossings(self) -> list[dict[str, Any]]:
        return [
            {
                "line": fields["line"],
                "percentage": fields["percentage"],
                "t": int(str(fields["occurred_at"])) - WALL_MS,
            }
            for name, fields in self.outbox.events
            if name == "usage.threshold"
        ]


@pytest.mark.parametrize("case", meter_cases())
def test_case(case: dict[str, Any]) -> None:
    bench = Bench(case)
    for event in case["events"]:
        bench.step(event)

    expect = case["expect"]
    for leg, ms in expect.pop("counted", {}).items():
        assert bench.counted[leg] == ms, leg
    if "crossings" in expect:
        wanted = [{"line": "101", **crossing} for crossing in expect.pop("crossings")]
        assert bench.crossings() == wanted
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
    }
    assert len(meter_cases()) > 30
