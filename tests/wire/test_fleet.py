"""A fleet of played devices on a real broker, and an image that is bad for a few of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switch.provisioning.broker import program
from tests.bench import fleet_processes as processes
from tests.bench import members
from tests.wire.rig import until

DEVICES = 400
SHARE = 3  # percent of the devices on which the newer image boots and never registers
HEADER = {"vigie_image": 1, "fault": "never_registers", "share": SHARE, "trial_s": 3}
BAD_IMAGE = json.dumps(HEADER).encode() + b"\n" + bytes(64 * 1024)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[processes.Switch]:
    assert program(), "mosquitto is missing: apt-get install mosquitto"
    home = members.write_config(tmp_path / "config", DEVICES)
    file = members.prepare(home, tmp_path / "data", DEVICES, BAD_IMAGE)
    switch = processes.Switch(home, tmp_path / "data")
    players = processes.Players(file, tmp_path / "players")
    try:
        until(lambda: players.all_said("booted"), 30.0, "booted")
        players.connect()
        until(lambda: sum(row["online"] for row in switch.ask("device.list")) == DEVICES, 60.0)
        yield switch
    finally:
        players.stop()
        switch.stop()


def test_an_image_that_is_bad_for_three_percent_stops_in_its_stage(house: processes.Switch) -> None:
    """It boots and never registers there: these devices go back to their old slot by themselves, and
    nobody of the next stage is ever offered it."""
    planned = {"model": members.MODEL, "version": members.NEW, "rollout": "bad"}
    house.ask("firmware.plan", **planned, stages="40,100", soak_s=3600, max_failure_rate=0.005)
    house.ask("firmware.move", rollout="bad", event="start")

    def status() -> dict[str, Any]:
        (row,) = house.ask("firmware.status")
        return row  # type: ignore[no-any-return]

    found = until(lambda: (row := status())["state"] == "paused" and row, 60.0, "stopped", 0.2)
    assert found["why"].startswith("health")
    assert found["stage"] == 1
    assert 0 < found["reached"] < 0.55 * DEVICES
    failed = {each["device"]: each["step"] for each in found["failures"]}
    assert failed and set(failed.values()) == {"rolled_back"}

    def is_back() -> bool:
        rows = {row["id"]: row for row in house.ask("device.list")}
        return all(
            rows[name]["version"] == members.OLD and rows[name]["online"] and rows[name]["history"]
            for name in failed
        )

    until(is_back, 30.0, "back on the old slot", 0.2)
    touched = [row for row in house.ask("device.list") if row["history"]]
    assert len(touched) <= found["reached"]
    for name in failed:
        states = [each["state"] for each in _history(house, name)]
        assert states[-1] == "ROLLED_BACK" and "TRIAL" in states


def _history(house: processes.Switch, name: str) -> list[dict[str, Any]]:
    row = house.ask("device.show", device=name)
    return row["history"]  # type: ignore[no-any-return]
