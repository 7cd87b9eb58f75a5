"""Calls that another system counted: once, in the running cycle, and only if they can be right."""

from typing import Any

import pytest

from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.call.record import calendar_of
from switch.clock import boottime
from switch.console.usage_import import UsageImport, moment
from tests.switch.console.contract_desk import DEMO

NOW = 1_790_000_000_000
HOUR = 3_600_000


class House:
    def __init__(self) -> None:
        self.exchange = build_exchange(
            config.load(DEMO), {}, NoAnnouncer(), {}, b"a key of 16 bytes"
        )
        self.exchange.wall = lambda now: NOW / 1000 + now - boottime()
        self.performed = 0
        self.importer = UsageImport(self.exchange, self.perform)

    def perform(self) -> None:
        self.performed += 1

    def take(self, *rows: Any) -> dict[str, Any]:
        found = self.importer.take({"rows": list(rows), "source": "old.csv", "by": "ana"})
        assert isinstance(found, dict)
        return found

    @property
    def used(self) -> int:
        cycle = calendar_of(self.exchange, "101").cycle_at(NOW)
        return self.exchange.meters.reading("101", boottime(), cycle).used_ms


def row(answer: Any, end: Any, line: str = "101") -> dict[str, Any]:
    return {"line": line, "answer": answer, "end": end}


def test_calls_count_once_however_often_they_come() -> None:
    house = House()
    rows = [row(NOW - 3 * HOUR, NOW - 2 * HOUR), row(str(NOW - HOUR), str(NOW - HOUR + 500))]
    assert house.take(*rows)["lines"] == [
        {"line": "101", "calls": 2, "ms": HOUR + 500, "added_ms": HOUR + 500}
    ]
    assert house.take(*reversed(rows), rows[0])["lines"][0]["added_ms"] == 0
    assert house.used == HOUR + 500
    assert house.performed == 2


def test_a_longer_file_adds_only_the_calls_that_are_new() -> None:
    house = House()
    known, new = row(NOW - 3 * HOUR, NOW - 2 * HOUR), row(NOW - HOUR, NOW - HOUR + 700)
    house.take(known)
    assert house.take(known, new)["lines"][0]["added_ms"] == 700
    assert house.take(new)["lines"][0]["added_ms"] == 0
    assert house.used == HOUR + 700


def test_what_cannot_be_right_is_put_aside_and_counts_nothing() -> None:
    house = House()
    found = house.take(
        row("2026-09-01T10:00:05Z", "2026-09-01T10:00:00Z"),
        row(NOW, NOW + 1),
        row(1, 2, line="999"),
        row("yesterday", NOW),
        row("2026-09-01T10:00:00", NOW),
        {"line": "101"},
        "text",
    )
    reasons = [each["reason"] for each in found["quarantined"]]
    assert [each["row"] for each in found["quarantined"]] == [1, 2, 3, 4, 5, 6, 7]
    assert reasons[:3] == [
        "it ends before it was answered",
        "it ends in the future",
        "there is no line 999",
    ]
    assert "offset" in reasons[4]
    assert found["lines"] == []
    assert house.used == 0


def test_only_the_part_in_the_running_cycle_counts() -> None:
    house = House()
    start = calendar_of(house.exchange, "101").cycle_at(NOW).start
    house.take(row(start - HOUR, start + 1_000), row(start - 2 * HOUR, start - HOUR))
    assert house.used == 1_000


def test_a_jump_tells_each_threshold_once_and_ascending() -> None:
    house = House()
    start = calendar_of(house.exchange, "101").cycle_at(NOW).start
    # Seven calls at a time, since the cycle began: over 5,000 minutes.
    span = min(NOW - start, 800 * 60_000)
    house.take(*(row(start + n, start + n + span) for n in range(7)))
    events = house.exchange.outbox.events
    told = [fields["percentage"] for name, fields in events if name == "usage.threshold"]
    assert told == [80, 90, 100]


def test_moments_are_milliseconds_or_have_an_offset() -> None:
    assert moment("1790000000000") == moment(NOW) == NOW
    assert (
        moment("2026-09-21T16:13:20+02:00") == moment("2026-09-21T14:13:20Z") == 1_790_000_000_000
    )
    with pytest.raises(ValueError, match="needs its offset"):
        moment("2026-09-21T16:13:20")
