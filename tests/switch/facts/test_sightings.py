"""Whereabouts survive a restart, and no step of the UTC clock ages them."""

from typing import Any

import orjson
import pytest

from switch.facts.sightings import REPORT_S, Sightings
from switch.facts.whereabouts import NOWHERE, Declaration, DeviceReport, Mark, network_key
from switch.sip.outbox import Outbox


class House:
    """A boot of the machine: its id, and UTC as an offset to boottime."""

    def __init__(self, boot: str, offset: float) -> None:
        self.offset = offset
        self.outbox = Outbox()
        self.sightings = Sightings(self.outbox, lambda now: now + self.offset, boot)

    @property
    def journal(self) -> list[dict[str, Any]]:
        return [orjson.loads(record) for record in self.outbox.journal]

    def after(self, other: "House", now: float) -> "House":
        self.sightings.restore(other.journal, now)
        return self


KEY = network_key("192.0.2.1") or b""


def full(house: House, now: float = 1000.0) -> House:
    sightings = house.sightings
    sightings.declare("101", Declaration("DE", now, now + 500.0, "ops"), now)
    sightings.report("101", DeviceReport("FR", "192.0.2.9", "ab", now - 60.0), now)
    sightings.learn("101", KEY, "192.0.2.0/24", now)
    sightings.mark("101", Mark(1_700_000_000_000, "E5", "DE", "127.0.2.1"), None, now)
    return house


def test_a_restart_on_the_same_boot_trusts_boottime_alone() -> None:
    before = full(House("boot", 1.7e9))
    after = House("boot", 9.9e9).after(before, 1100.0)  # UTC was stepped by centuries
    assert after.sightings.of("101") == before.sightings.of("101")


def test_after_a_reboot_ages_are_those_of_utc() -> None:
    before = full(House("boot", 1.7e9))
    after = House("another", 1.7e9 + 1000.0).after(before, 50.0)  # 50 s of the new boot
    seen = after.sightings.of("101")
    assert seen.declared is not None and seen.device is not None
    assert seen.declared.at == pytest.approx(0.0)  # 50 s ago
    assert seen.declared.until == pytest.approx(500.0)
    assert seen.device.at == pytest.approx(-60.0)
    assert seen.networks[KEY].last == pytest.approx(0.0)


def test_a_clock_that_was_set_back_makes_nothing_come_from_the_future() -> None:
    before = full(House("boot", 1.7e9))
    seen = House("another", 1.0e9).after(before, 50.0).sightings.of("101")
    assert seen.declared is not None and seen.declared.at == 50.0


def test_a_checkpoint_restates_all_and_only_what_stands() -> None:
    house = full(House("boot", 1.7e9))
    house.sightings.declare("102", Declaration("ES", 1000.0), 1000.0)
    house.sightings.declare("102", None, 1001.0)
    restated = [orjson.loads(record) for record in house.sightings.records(1200.0)]
    assert [record["k"] for record in restated] == ["declared", "device_report", "usual", "mark"]
    again = House("boot", 1.7e9)
    again.sightings.restore(restated, 1300.0)
    assert again.sightings.of("101") == house.sightings.of("101")
    assert again.sightings.of("102") == NOWHERE


def test_the_last_record_counts() -> None:
    house = full(House("boot", 1.7e9))
    house.sightings.declare("101", None, 1001.0)
    house.sightings.mark("101", None, None, 1002.0)
    seen = House("boot", 1.7e9).after(house, 1100.0).sightings.of("101")
    assert (seen.declared, seen.abroad) == (None, None)
    assert seen.device is not None
    assert list(house.sightings.marked()) == []


def test_reports_are_written_when_they_change_or_now_and_then() -> None:
    house = House("boot", 1.7e9)
    for second in range(0, 600, 30):
        house.sightings.report("101", DeviceReport("FR", "", "", float(second)), float(second))
    assert [record["up"] for record in house.journal] == [0.0, REPORT_S]
    house.sightings.report("101", DeviceReport("DE", "", "", 600.0), 600.0)
    assert len(house.journal) == 3
    house.sightings.report("101", DeviceReport("ES", "", "", 10.0), 601.0)  # late by the network
    device = house.sightings.of("101").device
    assert device is not None and device.country == "DE"


def test_what_cannot_be_read_is_told_and_left_out() -> None:
    house = House("boot", 1.7e9)
    stamp = {"line": "101", "at": 1, "boot": "boot", "up": 1.0}
    broken = [
        {"k": "declared", **stamp, "country": "DE"},
        {"k": "usual", **stamp, "networks": 7},
        {"k": "mark", **stamp, "abroad": ["x"], "moved": None},
        {"k": "device_report"},
        {"k": "cdr"},
    ]
    house.sightings.restore(broken, 10.0)
    assert house.sightings.of("101") == NOWHERE
    assert [name for name, _ in house.outbox.events] == ["sighting.unreadable"] * 4
