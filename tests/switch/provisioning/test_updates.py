"""An update from its offer to its end: by message, without a broker; what a rollout makes of each end."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_agent.messages.reported import UpdateState
from switch.console.devices import row
from switch.provisioning.rollout import Event as Move
from switch.provisioning.rollout import Limits, Rollout
from tests.switch.provisioning.house import MODEL, FakeDevice, House

NAME, OTHER = "dev-00000001", "dev-00000002"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, (NAME, "101"), (OTHER, "102"))


@pytest.fixture
def device(house: House) -> FakeDevice:
    return FakeDevice(house, NAME).join()


def image(house: House, tmp_path: Path, version: str, security: int = 1) -> str:
    path = tmp_path / version
    path.write_bytes(version.encode() * 1000)
    house.service.repository.add(path, MODEL, version, security)
    house.service.repository.sign(tmp_path / "keys", datetime.now(UTC), 24)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def roll_out(house: House, version: str, **limits: object) -> None:
    chosen: dict[str, object] = {"stages": (100.0,), "soak_s": 0.0, "min_sample": 1, **limits}
    name = f"r-{version}"
    made = Rollout(name, MODEL, version, Limits(**chosen), house.fleet.now_ms())  # type: ignore[arg-type]
    house.service.rollouts.plan(made)
    for event in (Move.APPROVE, Move.START):
        house.service.rollouts.move(name, event, "person")


def test_an_update_from_offer_to_confirmed(
    house: House, device: FakeDevice, tmp_path: Path
) -> None:
    digest_of_image = image(house, tmp_path, "1.1.0")
    roll_out(house, "1.1.0")
    firmware = device.desired().firmware
    assert firmware is not None
    assert (firmware.version, firmware.sha256) == ("1.1.0", digest_of_image)
    device.ota(UpdateState.DOWNLOADING, firmware.rollout)
    device.ota(UpdateState.REBOOTING, firmware.rollout)
    device.ota(UpdateState.TRIAL, firmware.rollout, "1.1.0")
    device.image = digest_of_image
    device.ota(UpdateState.CONFIRMED, firmware.rollout, "1.1.0")
    device.report()
    reach = house.service.rollouts.reaches["r-1.1.0"]
    assert reach.tally().confirmed == 1
    shown = row(house.fleet, house.twin(NAME))
    assert (shown["version"], shown["target"]) == ("1.1.0", "1.1.0")
    assert shown["rollout_state"] == "CONFIRMED"
    assert [each["state"] for each in shown["history"]] == [
        *("DOWNLOADING", "REBOOTING", "TRIAL", "CONFIRMED")
    ]
    again = house.reborn().service.rollouts.reaches["r-1.1.0"]
    assert again.tally() == reach.tally()
    assert again.rollout == reach.rollout


def test_success_is_not_believed_while_the_old_image_runs(
    house: House, device: FakeDevice, tmp_path: Path
) -> None:
    image(house, tmp_path, "1.1.0")
    roll_out(house, "1.1.0")
    device.ota(UpdateState.CONFIRMED, "r-1.1.0", "1.0.0")
    assert house.service.rollouts.reaches["r-1.1.0"].tally().confirmed == 0


def test_a_failure_pauses_and_nobody_else_is_offered_it(
    house: House, device: FakeDevice, tmp_path: Path
) -> None:
    image(house, tmp_path, "1.1.0")
    roll_out(house, "1.1.0", max_under_way=1)
    device.ota(UpdateState.ROLLED_BACK, "r-1.1.0", "1.0.0")
    house.service.rollouts.look_at(house.service.rollouts.reaches["r-1.1.0"])
    other = FakeDevice(house, OTHER).join()
    house.service.rollouts.look_at(house.service.rollouts.reaches["r-1.1.0"])
    assert house.service.rollouts.reaches["r-1.1.0"].rollout.state == "paused"
    assert other.desired().firmware is None


def test_an_abort_takes_the_offer_back(house: House, device: FakeDevice, tmp_path: Path) -> None:
    image(house, tmp_path, "1.1.0")
    roll_out(house, "1.1.0")
    assert device.desired().firmware is not None
    house.service.rollouts.move("r-1.1.0", Move.ABORT, "person")
    assert device.desired().firmware is None


def test_nothing_below_the_floor_is_offered(
    house: House, device: FakeDevice, tmp_path: Path
) -> None:
    image(house, tmp_path, "1.1.0", security=1)
    house.service.rollouts.floor = lambda model: 2
    roll_out(house, "1.1.0")
    assert device.desired().firmware is None


def test_a_device_that_runs_it_already_counts_without_an_update(
    house: House, device: FakeDevice, tmp_path: Path
) -> None:
    image(house, tmp_path, "1.1.0")
    roll_out(house, "1.1.0")
    device.version = "1.1.0"
    device.report()
    assert house.service.rollouts.reaches["r-1.1.0"].tally().confirmed == 1


def test_a_confirmed_device_that_does_not_register_counts_as_failed_while_it_is_there(
    house: House, device: FakeDevice, tmp_path: Path
) -> None:
    image(house, tmp_path, "1.1.0")
    roll_out(house, "1.1.0", soak_s=3600.0)
    device.ota(UpdateState.CONFIRMED, "r-1.1.0", "1.1.0")
    device.registers = False
    device.report()
    reach = house.service.rollouts.reaches["r-1.1.0"]
    assert reach.tally().failed == 1
    device.will(device.sid)
    assert reach.tally().confirmed == 1


def test_a_device_on_trial_does_not_count_yet(
    house: House, device: FakeDevice, tmp_path: Path
) -> None:
    image(house, tmp_path, "1.1.0")
    roll_out(house, "1.1.0")
    device.version, device.state = "1.1.0", UpdateState.TRIAL
    device.report()
    assert house.service.rollouts.reaches["r-1.1.0"].tally().confirmed == 0


def test_a_newer_rollout_supersedes(house: House, device: FakeDevice, tmp_path: Path) -> None:
    image(house, tmp_path, "1.1.0")
    image(house, tmp_path, "1.2.0")
    roll_out(house, "1.1.0")
    roll_out(house, "1.2.0")
    assert house.service.rollouts.reaches["r-1.1.0"].rollout.state == "superseded"
    firmware = device.desired().firmware
    assert firmware is not None and firmware.version == "1.2.0"
