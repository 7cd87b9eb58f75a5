"""The demo's device against a running switch: a real broker, real SIP, and nobody who helps it.

One switch and one device for all tests of this file; they go on from one another, and the last one takes
the device away.
"""

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from switch.demo import device as demo_device
from switch.demo.carrier_process import start_time
from switch.demo.handset import Handset, HandsetError
from switch.provisioning.broker import program
from tests.wire.rig import Rig, until

NAME = "dev-ooma-109"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A switch with the device, once that is updated."""
    assert program(), "mosquitto is missing: apt-get install mosquitto"
    with Rig(tmp_path_factory.mktemp("devices"), device=True) as rig:
        until(lambda: listed(rig)["rollout_state"] == "CONFIRMED", 60.0, "updated", every_s=0.1)
        yield rig


def listed(rig: Rig) -> dict[str, Any]:
    (row,) = rig.ask("device.list")
    return row  # type: ignore[no-any-return]


def shown(rig: Rig) -> dict[str, Any]:
    return rig.ask("device.show", device=NAME)  # type: ignore[no-any-return]


def is_settled(rig: Rig) -> bool:
    row = shown(rig)
    return bool(
        row["online"] and row["sip_registered"] and row["applied_rev"] == row["desired_rev"]
    )


def test_it_claimed_itself_registered_and_was_updated(house: Rig) -> None:
    row = listed(house)
    assert {key: row[key] for key in ("id", "line", "model", "version", "target", "state")} == {
        "id": NAME,
        "line": "109",
        "model": "ooma-office",
        "version": "1.1.0",
        "target": "1.1.0",
        "state": "claimed",
    }
    assert row["online"] is True
    until(lambda: listed(house)["sip_registered"], 10.0, "registered")
    history = [(each["state"], each["version"]) for each in row["history"]]
    assert [
        each for each in history if each[0] in ("OFFERED", "REBOOTING", "TRIAL", "CONFIRMED")
    ] == [
        ("OFFERED", "1.0.0"),
        ("REBOOTING", "1.0.0"),
        ("TRIAL", "1.1.0"),
        ("CONFIRMED", "1.1.0"),
    ]
    assert [each["at"] for each in row["history"]] == sorted(each["at"] for each in row["history"])


def test_its_story_is_told(house: Rig) -> None:
    done = house.run("device", "show", NAME)
    assert done.returncode == 0
    for word in ("armed", "claimed", "generation 1 is in use", "CONFIRMED", "boot"):
        assert word in done.stdout
    until(lambda: len(house.ask("device.log", device=NAME)) >= 10, 5.0, "in the database")
    kinds = [each["kind"] for each in house.ask("device.log", device=NAME)]
    assert kinds[:2] == ["armed", "claimed"]


def test_the_rollout_ends_as_completed(house: Rig) -> None:
    def state() -> str:
        (row,) = house.ask("firmware.status")
        return str(row["state"])

    until(lambda: state() == "completed", 20.0, "completed", every_s=0.1)
    assert house.run("firmware", "rollout", "status").stdout.count("completed") == 1


def test_the_files_password_no_longer_works(house: Rig) -> None:
    with Handset("--address", "127.0.0.1") as thief, pytest.raises(HandsetError):
        thief.register("109", "demo-109", house.address)


def test_images_resume_by_range_and_are_found_by_their_content(house: Rig) -> None:
    newest = next(each for each in house.ask("firmware.list") if each["version"] == "1.1.0")
    url = f"http://127.0.0.1:{house.http_port}/firmware/images/{newest['sha256']}"
    whole = urllib.request.urlopen(url, timeout=5).read()
    request = urllib.request.Request(url, headers={"Range": "bytes=200000-"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 206
        assert answer.read() == whole[200_000:]
    for name in ("../ca.key", "..%2f..%2fca.key", "online.key", newest["sha256"][:-1]):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(url.rpartition("/")[0] + "/" + name, timeout=5)


def test_a_changed_location_reaches_it_within_a_second(house: Rig) -> None:
    until(lambda: is_settled(house), 10.0, "settled")
    before = shown(house)
    began = time.monotonic()
    house.ask("line.locate", line="109", site="paris-8", civic={"FLR": "9"}, why="test")
    after = until(
        lambda: (row := shown(house))["applied_rev"] > before["applied_rev"] and row, 5.0, "applied"
    )
    assert time.monotonic() - began < 1.0
    assert after["location_gen"] == before["location_gen"] + 1
    until(lambda: shown(house)["in_service"], 2.0, "in service again")


def test_changed_codecs_of_the_files_reach_it_within_a_second(house: Rig) -> None:
    until(lambda: is_settled(house), 10.0, "settled")
    before = shown(house)
    path, serial = house.config / "vigie.toml", 'serial = "OO-0000109"\n'
    text = path.read_text("utf-8")
    assert text.count(serial) == 1
    path.write_text(text.replace(serial, f'{serial}codecs = ["PCMU"]\n'), "utf-8")
    house.ask("config.apply")
    applied = time.monotonic()
    until(lambda: shown(house)["applied_rev"] > before["applied_rev"], 5.0, "applied")
    assert time.monotonic() - applied < 1.0


def test_a_rotated_secret_reaches_it_and_it_stays_registered(house: Rig) -> None:
    before = shown(house)["secret_gen"]
    house.ask("device.rotate", device=NAME)

    def is_retired() -> bool:
        story = shown(house)["story"]
        return any(each["detail"] == f"generation {before + 1} is in use" for each in story)

    until(is_retired, 30.0, "the new secret in use", every_s=0.1)
    assert shown(house)["sip_registered"]


def test_a_broker_that_is_killed_costs_nothing(house: Rig) -> None:
    broker = _broker_of(house)
    os.kill(broker, signal.SIGKILL)
    until(lambda: start_time(broker) is None, 2.0, "killed")
    until(lambda: not listed(house)["online"] or _broker_of(house) != broker, 5.0, "noticed")
    until(lambda: is_settled(house), 30.0, "back", every_s=0.1)
    assert house.ask("status")["alarms"] == []


def test_a_device_that_is_killed_is_an_outage(house: Rig) -> None:
    known = demo_device.running(house.data)
    assert known is not None
    os.kill(known, signal.SIGSTOP)  # silent, not gone: its last will is the broker's word
    os.kill(known, signal.SIGKILL)
    until(lambda: any(e["kind"] == "outage" for e in shown(house)["story"][-3:]), 10.0, "outage")
    until(lambda: is_settled(house), 30.0, "started again", every_s=0.1)
    outage = until(
        lambda: _ended(house.ask("outage.list", line="109")), 3.0, "its end", every_s=0.1
    )
    assert (outage["cause"], outage["account"], outage["reason"]) == ("will", "demo", "")
    assert 0 < outage["until"] - outage["since"] < 60_000
    why = ("--reason", "power", "--because", "the plug", "--json")
    done = house.run("outage", "explain", outage["id"], *why)
    assert done.returncode == 0, done.stderr
    said = _ended(house.ask("outage.list", line="109"))
    assert said is not None
    assert (said["reason"], said["because"], said["until"]) == (
        "power",
        "the plug",
        outage["until"],
    )
    assert house.run("outage", "explain", "nothing", "--reason", "power").returncode == 1
    assert house.run("outage", "explain", outage["id"], "--reason", "weather").returncode == 2


def _ended(outages: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((each for each in outages if each["until"] is not None), None)


def test_it_outlives_a_killed_switch_and_its_broker_does_not(house: Rig) -> None:
    device, broker = demo_device.running(house.data), _broker_of(house)
    assert house.process is not None
    house.process.kill()
    house.process.wait()
    until(lambda: start_time(broker) is None, 1.0, "the broker ended")
    house.start()
    until(lambda: is_settled(house), 40.0, "back", every_s=0.1)
    assert demo_device.running(house.data) == device
    assert listed(house)["version"] == "1.1.0"


def test_stolen_in_a_call(house: Rig) -> None:
    until(lambda: is_settled(house), 10.0, "settled")
    with Handset("--address", "127.0.0.1") as caller:
        caller.register("101", "demo-101", house.address)
        call = caller.call(house.uri("109"))
        caller.wait("call", call=call, state="confirmed", limit_s=15.0)
        began = time.monotonic()
        assert house.run("device", "stolen", NAME).returncode == 0
        caller.wait("call", call=call, state="disconnected", limit_s=10.0)
        until(lambda: not listed(house)["sip_registered"], 10.0, "unregistered")
        until(lambda: "wiped" in [e["kind"] for e in shown(house)["story"]], 20.0, "wiped")
        assert time.monotonic() - began < 60
    assert house.ask("line.show", line="109")["state"] == "stolen"
    assert house.cdr_after(0, dst_raw="109")["ending"] == "stolen"
    with Handset("--address", "127.0.0.1") as thief, pytest.raises(HandsetError):
        thief.register("109", "demo-109", house.address)


def _broker_of(rig: Rig) -> int:
    """The Mosquitto of this switch, by its configuration's path."""
    wanted = str((rig.data / "devices" / "mqtt" / "mosquitto.conf").absolute()).encode()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if wanted in words and words[0].endswith(b"mosquitto"):
                return int(name)
    return -1
