"""Meters with a wheel, a journal and a wall clock that can step: events at times go in, readings come out."""

from typing import Any

import orjson
import pytest

from switch.clock import Wheel
from switch.sip.outbox import Outbox
from switch.usage.adjustment import Adjustment
from switch.usage.cycle import Calendar
from switch.usage.evidence import last_sign
from switch.usage.meter import Meters

BOOT_MS = 5_000_000
WALL_MS = 1_770_332_400_000
CYCLE = Calendar.from_request(1_767_000_000_000).cycle_at(WALL_MS)


class Bench:
    """Meters, a wheel that is turned to each event's time, and a wall clock that can step."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.journal: list[bytes] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.begin()
        self.wall_step_ms = 0
        self.counted: dict[str, int] = {}
        self.now = BOOT_MS / 1000
        if "used_ms" in case:
            totals = {"inbound": 0, "outbound": case["used_ms"]}
            crossed = case.get("crossed", [])
            self.meters.load("101", CYCLE, totals, crossed, self.now, WALL_MS / 1000)
            # A checkpoint, so that a crash finds what was there before.
            self.journal += self.meters.live_records()
            self.events += self.outbox.events
            self.outbox.clear()

    def begin(self) -> None:
        """A new process."""
        self.wheel, self.outbox = Wheel(), Outbox()
        counted = self.case.get("counted", ("inbound", "outbound"))
        self.meters = Meters(self.wheel, self.outbox, boot="b1", counted=counted)

    def crash(self, event: dict[str, Any]) -> None:
        """kill -9 and a start, `for` ms later, with what of the journal was written."""
        self.keep()
        del self.journal[event.get("keep", len(self.journal)) :]
        self.begin()
        self.now += event.get("for", 0) / 1000
        for _ in range(2 if event.get("twice") else 1):
            for record in self.journal:
                self.meters.restore(orjson.loads(record), self.now, self.wall())
        self.meters.restored()
        assert self.outbox.journal == [], "a restart writes nothing by itself"

    def keep(self) -> None:
        """What the driver does: journal, then events."""
        self.journal += self.outbox.journal
        self.events += self.outbox.events
        self.outbox.clear()

    def wall(self) -> float:
        return self.now + (WALL_MS - BOOT_MS + self.wall_step_ms) / 1000

    def dead(self, leg: str, event: dict[str, Any]) -> None:
        """Nobody hung up: the call ends at the best evidence there is."""

        def boottime(name: str) -> float | None:
            return (BOOT_MS + event[name]) / 1000 if name in event else None

        sign = last_sign(
            relay=boottime("relay"), heard=boottime("heard") or 0.0, beat=self.meters.last_beat
        )
        assert sign is not None
        self.counted[leg] = self.meters.stop(leg, sign.at, estimated=sign.estimated)

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
            case {"dead": leg}:
                self.dead(leg, event)
            case {"wall_step_ms": step}:
                self.wall_step_ms += step
            case {"look": dict(shown)}:
                assert {key: self.shown()[key] for key in shown} == shown
            case {"look": True}:
                pass
            case _:
                self.happen(event)

    def happen(self, event: dict[str, Any]) -> None:
        """What concerns no single leg."""
        match event:
            case {"beat": True}:
                self.meters.beat(self.now, self.wall())
            case {"crash": True}:
                self.crash(event)
            case {"adjust": ms}:
                made = Adjustment(f"adj-{event['t']}-{ms}", "101", ms, "a test")
                self.meters.adjust(made, CYCLE, self.now, self.wall())
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
            for name, fields in self.noted("usage.threshold")
        ]

    def noted(self, wanted: str) -> list[tuple[str, dict[str, object]]]:
        return [(name, fields) for name, fields in self.events if name == wanted]

    def estimated(self) -> list[str]:
        """Legs whose end was not seen."""
        records = map(orjson.loads, self.journal)
        return [r["leg"] for r in records if r["k"] == "usage" and r["estimated"]]
