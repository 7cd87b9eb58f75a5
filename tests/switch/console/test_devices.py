"""What people decide about devices and firmware, by the use cases behind the commands."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

from firmware_agent.messages.claim import Factory
from firmware_agent.messages.codec import parse
from firmware_agent.messages.topics import Kind
from policy.model import LineState
from switch.console.commands import COMMANDS, Args, CommandRefused, checked
from switch.console.devices import DeviceDesk
from switch.console.rollouts import FirmwareDesk
from switch.provisioning.device import Life
from switch.store.database import sqlite_url
from switch.store.read import Reader
from switch.store.read_devices import DeviceReader
from tests.switch.provisioning.house import MODEL, FakeDevice, House

NAME, OTHER, SPARE = "dev-00000001", "dev-00000002", "dev-spare-01"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, (NAME, "101"), (OTHER, "102"), (SPARE, ""))


class Desk:
    """The commands, checked as the socket checks them."""

    def __init__(self, house: House) -> None:
        reader = DeviceReader(Reader(sqlite_url(house.data / "none.sqlite")))
        devices = DeviceDesk(house.service, reader, lambda: None)
        self._table = {**devices.table(), **FirmwareDesk(house.service, lambda: None).table()}

    def __call__(self, command: str, /, **args: object) -> Any:
        given: Args = args
        checked(command, given)
        result = self._table[command](given)

        async def wait() -> object:
            return await result  # type: ignore[misc]

        return asyncio.run(wait()) if inspect.isawaitable(result) else result

    def refusal(self, command: str, /, **args: object) -> str:
        with pytest.raises(CommandRefused) as caught:
            self(command, **args)
        return caught.value.slug


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)


def sign(desk: Desk, tmp_path: Path, *versions: str) -> None:
    for version in versions:
        path = tmp_path / version
        path.write_bytes(version.encode() * 500)
        desk("firmware.add", path=str(path), model=MODEL, version=version)
    desk("firmware.sign", keys=str(tmp_path / "keys"))


def test_every_command_is_carried_out(house: House, desk: Desk) -> None:
    wanted = {name for name in COMMANDS if name.startswith(("device.", "firmware."))}
    assert wanted == desk._table.keys()


def test_the_list_has_what_the_contract_names(house: House, desk: Desk) -> None:
    FakeDevice(house, NAME).join()
    first, second, spare = desk("device.list")
    assert list(first)[:8] == [
        *("id", "line", "model", "version", "target", "rollout_state", "online", "sip_registered")
    ]
    assert (first["version"], first["online"], first["state"]) == ("1.0.0", True, "claimed")
    assert (second["state"], second["version"], second["online"]) == ("unclaimed", "", False)
    assert spare["line"] == ""


def test_a_device_tells_its_story(house: House, desk: Desk) -> None:
    FakeDevice(house, NAME).join()
    shown = desk("device.show", device=NAME)
    assert [each["kind"] for each in shown["story"]] == ["armed", "claimed", "online", "applied"]
    assert shown["desired_rev"] == shown["applied_rev"] == 1
    assert shown["in_service"] is True
    assert desk.refusal("device.show", device="dev-nobody-01") == "unknown_device"


def test_a_claim_needs_a_key(house: House, desk: Desk) -> None:
    assert desk.refusal("device.claim", device=NAME) == "bad_args"
    assert desk.refusal("device.claim", device=NAME, key="AAAA") == "bad_args"
    opened = desk("device.claim", device=NAME, key="A" * 43 + "=")
    assert opened["cid"] in house.fleet.users()
    assert opened["secret"] not in repr(house.twin(NAME).device)


def test_a_factory_file_is_made_when_there_is_a_root(
    house: House, desk: Desk, tmp_path: Path
) -> None:
    assert desk.refusal("device.make", device=NAME) == "not_allowed"
    sign(desk, tmp_path, "1.0.0")
    made = parse(Factory, desk("device.make", device=NAME)["factory"].encode())
    assert (made.serial, made.model) == (f"S-{NAME}", MODEL)
    assert made.tuf_root == house.service.repository.root


@pytest.mark.parametrize("is_stolen", [False, True])
def test_replaced(house: House, desk: Desk, is_stolen: bool) -> None:
    FakeDevice(house, NAME).join()
    new = FakeDevice(house, SPARE).join()
    assert new.desired().lines == ()
    if is_stolen:
        desk("device.stolen", device=NAME)
    old = house.exchange.facts.ha1("101", "MD5")
    shown = desk("device.replace", device=NAME, **{"with": SPARE})
    assert shown["line"] == "101"
    assert house.twin(NAME).device.life is Life.REPLACED
    assert house.exchange.facts.lines["101"].state is LineState.ACTIVE
    assert house.reconfirmed == ["101"]
    assert new.desired().lines[0].line == "101"
    assert house.last(Kind.DESIRED, NAME) == b""
    facts = house.exchange.facts
    assert facts.ha1("101", "MD5") != old  # the old device's secret is void
    assert facts.next_ha1("101", "MD5") is not None
    new.report()
    house.service.on_events([("line.secret_used", {"line": "101"})])
    assert house.exchange.facts.next_ha1("101", "MD5") is None
    # The old hardware comes back and is scrapped: the line is the new one's by now.
    now = house.exchange.facts.ha1("101", "MD5")
    assert desk("device.wipe", device=NAME)["state"] == "decommissioned"
    assert house.exchange.facts.ha1("101", "MD5") == now


def test_a_device_with_a_line_replaces_no_other(house: House, desk: Desk) -> None:
    FakeDevice(house, NAME).join()
    FakeDevice(house, OTHER).join()
    assert desk.refusal("device.replace", device=NAME, **{"with": OTHER}) == "not_allowed"
    assert desk.refusal("device.replace", device=NAME, **{"with": NAME}) == "bad_args"
    assert house.twin(NAME).device.life is Life.CLAIMED


def test_what_does_not_apply_is_refused(house: House, desk: Desk) -> None:
    assert desk.refusal("device.clear", device=NAME) == "not_allowed"
    FakeDevice(house, NAME).join()
    assert desk("device.wipe", device=NAME)["state"] == "decommissioned"
    before = house.count(Kind.CMD)
    assert desk.refusal("device.wipe", device=NAME) == "not_allowed"
    assert desk.refusal("device.stolen", device=NAME) == "not_allowed"
    assert house.count(Kind.CMD) == before


def test_the_story_in_the_database_may_be_away(desk: Desk) -> None:
    assert desk.refusal("device.log", device=NAME) == "store_unavailable"


# -- firmware --------------------------------------------------------------------------------------


def test_images_from_added_to_signed(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"an image")
    desk("firmware.add", path=str(path), model=MODEL, version="1.0.0")
    assert [each["signed"] for each in desk("firmware.list")] == [False]
    assert desk("firmware.sign", keys=str(tmp_path / "keys")) == {"signed": [f"{MODEL}/1.0.0.img"]}
    assert [each["signed"] for each in desk("firmware.list")] == [True]
    assert desk.refusal("firmware.sign", keys=str(tmp_path / "other")) == "not_allowed"
    assert desk.refusal("firmware.add", path="none", model=MODEL, version="1") == "bad_args"
    wrong = {"path": str(path), "model": MODEL, "version": "not a version"}
    assert desk.refusal("firmware.add", **wrong) == "not_allowed"


def test_a_rollout_from_plan_to_abort(house: House, desk: Desk, tmp_path: Path) -> None:
    sign(desk, tmp_path, "1.0.0", "1.1.0")
    device = FakeDevice(house, NAME).join()
    planned = desk(
        "firmware.plan", model=MODEL, version="1.1.0", rollout="r", stages="100", min_sample=1
    )
    assert (planned["state"], planned["devices"]) == ("draft", 3)
    assert device.desired().firmware is None
    assert desk("firmware.move", rollout="r", event="start")["state"] == "running"
    assert device.desired().firmware is not None
    assert desk("firmware.move", rollout="r", event="pause")["state"] == "paused"
    assert device.desired().firmware is None
    assert desk("firmware.move", rollout="r", event="resume")["state"] == "running"
    assert device.desired().firmware is not None
    assert desk("firmware.move", rollout="r", event="abort", why="test")["state"] == "aborted"
    (row,) = desk("firmware.status")
    assert (row["state"], row["why"]) == ("aborted", "test")
    assert desk.refusal("firmware.move", rollout="r", event="start") == "not_allowed"
    assert desk.refusal("firmware.move", rollout="x", event="start") == "unknown_rollout"
    assert desk.refusal("firmware.move", rollout="r", event="soaked") == "bad_args"


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        ({"version": "9.9.9"}, "not_allowed"),
        ({"stages": "5,1"}, "bad_args"),
        ({"window": "2 to 5"}, "bad_args"),
        ({"min_sample": "many"}, "bad_args"),
    ],
)
def test_a_plan_that_makes_no_sense(
    desk: Desk, tmp_path: Path, args: dict[str, object], slug: str
) -> None:
    sign(desk, tmp_path, "1.0.0")
    assert desk.refusal("firmware.plan", **{"model": MODEL, "version": "1.0.0", **args}) == slug


def test_a_scheduled_start_waits(house: House, desk: Desk, tmp_path: Path) -> None:
    sign(desk, tmp_path, "1.0.0")
    later = house.fleet.now_ms() + 60_000
    desk("firmware.plan", model=MODEL, version="1.0.0", rollout="r", starts_at=later)
    assert desk("firmware.move", rollout="r", event="start")["state"] == "scheduled"
