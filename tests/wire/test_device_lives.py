"""What becomes of hardware in a call, with a real switch, a real broker and the very program of an adapter.

Each device holds two calls when its life changes: one from a colleague, one to 18. The first ends where it
shall end; the second never does. One switch for all; each device has a line of its own.
"""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firmware_agent.messages.claim import Factory
from firmware_agent.messages.codec import parse
from switch.demo.handset import Handset, HandsetError
from switch.provisioning.broker import program
from tests.firmware_agent.standin import Process
from tests.wire.rig import Rig, until

MODEL = "ooma-office"
LINES = ("101", "102", "103", "104")
CALLER, SPARE, DRAWER = "109", "dev-spare-01", "dev-drawer-01"
GRACE_S = 12.0  # longer than a device has for the wipe


def name_of(line: str) -> str:
    return f"dev-life-{line}"


class Lives(Rig):
    """With a device for each line; certificates that are due for renewal from their first day."""

    def _write_config(self) -> None:
        super()._write_config()
        path = self.config / "vigie.toml"
        text = path.read_text("utf-8").replace("[mqtt]", "[mqtt]\ncertificate_days = 0.1", 1)
        devices = {name_of(line): f'line = "{line}"' for line in LINES} | {SPARE: "", DRAWER: ""}
        for name, line in devices.items():
            text += f'\n[[device]]\nid = "{name}"\nserial = "S-{name}"\nmodel = "{MODEL}"\n{line}\n'
        path.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    assert program(), "mosquitto is missing: apt-get install mosquitto"
    home = tmp_path_factory.mktemp("lives")
    image = home / "1.0.0.img"
    image.write_bytes(b"adapter 1.0.0\n" * 1024)
    with Lives(home) as running:
        done = running.run("firmware", "add", str(image), "--model", MODEL, "--version", "1.0.0")
        assert done.returncode == 0, done.stderr
        done = running.run("firmware", "sign", "--keys", str(home / "keys"))
        assert done.returncode == 0, done.stderr
        yield running


@dataclass
class Adapter:
    """A device that was claimed from the command line, and its two calls."""

    rig: Rig
    line: str
    process: Process
    caller: Handset
    call: int = -1

    @property
    def name(self) -> str:
        return name_of(self.line)

    @property
    def row(self) -> dict[str, Any]:
        return self.rig.ask("device.show", device=self.name)  # type: ignore[no-any-return]

    @property
    def story(self) -> list[str]:
        return [each["kind"] for each in self.rig.ask("device.log", device=self.name)]

    def is_at_work(self) -> bool:
        row = self.row
        return bool(
            row["online"] and row["sip_registered"] and row["applied_rev"] == row["desired_rev"]
        )

    def has_emergency_call(self) -> bool:
        return any(
            call["line"] == self.line and call["emergency"] and call["state"] == "connected"
            for call in self.rig.ask("call.list")
        )

    def talk(self) -> None:
        """To a colleague, who called, and to 18."""
        self.caller.register(CALLER, f"demo-{CALLER}", self.rig.address)
        self.call = self.caller.call(self.rig.uri(self.line))
        self.caller.wait("call", call=self.call, state="confirmed", limit_s=15.0)
        self.process.hand("call", line=self.line, uri=f"sip:18@{self.rig.address}")
        until(self.has_emergency_call, 10.0, "18 answered")

    def ends_the_other_call(self) -> None:
        self.caller.wait("call", call=self.call, state="disconnected", limit_s=10.0)

    def still_calls_18(self) -> None:
        """Past the seconds that it has for the wipe."""
        end = time.monotonic() + GRACE_S
        while time.monotonic() < end:
            assert self.has_emergency_call()
            time.sleep(0.5)

    def is_cut_off(self) -> None:
        """From the broker, and from the registrar for good."""
        until(lambda: not self.row["online"], 60.0, "offline")
        assert self.row["sip_registered"] is False
        with Handset("--address", "127.0.0.1") as thief, pytest.raises(HandsetError):
            thief.register(self.line, f"demo-{self.line}", self.rig.address)

    def ends_18_and_is_wiped(self) -> None:
        self.process.hand("hang_up")
        assert self.process.wait() == 0
        left = {each.name for each in (self.process.directory / "state").iterdir()}
        assert left <= {"slot-a.img", "slots.0", "slots.1", "boot.0", "boot.1", "floor"}


@pytest.fixture
def adapter(rig: Rig, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Adapter]:
    line = str(request.param)
    box = tmp_path / "box.json"
    done = rig.run("device", "claim", name_of(line), "--make", str(box))
    assert done.returncode == 0, done.stderr
    factory = parse(Factory, box.read_bytes())
    image = b"adapter 1.0.0\n" * 1024
    process = Process(tmp_path / "device", factory, image, "--control", "--answer-after", "0.2")
    with Handset("--address", "127.0.0.1") as caller:
        made = Adapter(rig, line, process, caller)
        try:
            until(made.is_at_work, 30.0, "at work")
            made.talk()
            yield made
        finally:
            process.kill()


@pytest.mark.parametrize("adapter", ["101"], indirect=True)
def test_stolen(adapter: Adapter, rig: Rig) -> None:
    began = time.monotonic()
    assert rig.run("device", "stolen", adapter.name).returncode == 0
    adapter.ends_the_other_call()
    adapter.still_calls_18()
    adapter.is_cut_off()
    assert time.monotonic() - began < 60
    assert rig.ask("line.show", line="101")["state"] == "stolen"
    assert rig.cdr_after(0, dst_raw="101")["ending"] == "stolen"
    adapter.ends_18_and_is_wiped()


@pytest.mark.parametrize("adapter", ["102"], indirect=True)
def test_replaced(adapter: Adapter, rig: Rig) -> None:
    began = time.monotonic()
    key = base64.b64encode(bytes(range(32))).decode()
    assert rig.run("device", "claim", SPARE, "--key", key).returncode == 0
    assert rig.run("device", "replace", adapter.name, "--with", SPARE).returncode == 0
    adapter.ends_the_other_call()
    adapter.still_calls_18()
    adapter.is_cut_off()
    assert time.monotonic() - began < 60
    assert adapter.row["state"] == "replaced"
    assert rig.ask("device.show", device=SPARE)["line"] == "102"
    line = rig.ask("line.show", line="102")
    assert line["state"] == "active"
    assert rig.cdr_after(0, dst_raw="102")["ending"] == "retired"
    adapter.ends_18_and_is_wiped()


@pytest.mark.parametrize("adapter", ["103"], indirect=True)
def test_decommissioned(adapter: Adapter, rig: Rig) -> None:
    began = time.monotonic()
    assert rig.run("device", "wipe", adapter.name).returncode == 0
    adapter.ends_the_other_call()
    adapter.still_calls_18()
    adapter.is_cut_off()
    assert time.monotonic() - began < 60
    assert adapter.row["state"] == "decommissioned"
    assert rig.cdr_after(0, dst_raw="103")["ending"] == "retired"
    adapter.ends_18_and_is_wiped()


@pytest.mark.parametrize("adapter", ["104"], indirect=True)
def test_tampered(adapter: Adapter, rig: Rig) -> None:
    """A person decides: until then both calls, SIP and MQTT go on; the operator is told."""
    adapter.process.hand("open")
    until(lambda: adapter.row["state"] == "tampered", 10.0, "tampered")
    assert [a for a in rig.ask("status")["alarms"] if adapter.name in a]
    until(
        lambda: [n for n in rig.ask("notice.list", line="104") if n["kind"] == "device_tampered"],
        10.0,
        "told",
    )
    adapter.still_calls_18()
    assert adapter.is_at_work()
    assert rig.run("device", "clear", adapter.name).returncode == 0
    assert adapter.row["state"] == "claimed"
    assert not [a for a in rig.ask("status")["alarms"] if adapter.name in a]
    # Its certificate was due from the first day: it asked, and attests another one by now.
    until(
        lambda: [e for e in adapter.row["story"] if e["detail"].endswith("is in use")],
        5.0,
        "renewed",
    )
    assert "certificate" in adapter.story


def test_stolen_while_unplugged_and_plugged_in_again(rig: Rig, tmp_path: Path) -> None:
    """It comes back by its own credential: an alarm, and the wipe that it couldn't hear before."""
    box, image = tmp_path / "box.json", b"adapter 1.0.0\n" * 1024
    assert rig.run("device", "claim", DRAWER, "--make", str(box)).returncode == 0
    factory = parse(Factory, box.read_bytes())

    def row() -> dict[str, Any]:
        return rig.ask("device.show", device=DRAWER)  # type: ignore[no-any-return]

    def plugged_in() -> Process:
        return Process(tmp_path / "device", factory, image, "--no-phone")

    process = plugged_in()
    until(lambda: row()["online"], 20.0, "online")
    process.kill()
    until(lambda: not row()["online"], 10.0, "offline")
    assert rig.run("device", "stolen", DRAWER).returncode == 0
    process = plugged_in()
    try:
        assert process.wait() == 0  # wiped
    finally:
        process.kill()
    until(lambda: "wiped" in [each["kind"] for each in row()["story"]], 5.0, "wiped")
    kinds = [each["kind"] for each in row()["story"]]
    assert kinds.index("stolen") < kinds.index("reappeared") < kinds.index("wiped")
    assert [alarm for alarm in rig.ask("status")["alarms"] if DRAWER in alarm]
    assert rig.run("device", "clear", DRAWER).returncode == 0
    assert not [alarm for alarm in rig.ask("status")["alarms"] if DRAWER in alarm]
