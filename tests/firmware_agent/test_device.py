"""The device's program against a real Mosquitto: out of the box, in service, updated, confirmed."""

import asyncio
import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_agent.messages.desired import FirmwareWanted
from tests.firmware_agent.repository import MODEL, Faults, Repository, served
from tests.firmware_agent.standin import LINE, Broker, Keys, Process, Service, service
from tests.wire.rig import Rig

pytestmark = pytest.mark.wire

OLD = b'{"vigie_image":1}\n' + b"old" * 50_000
NEW = b'{"vigie_image":1}\n' + b"new" * 90_000
DEAF = b'{"vigie_image":1,"fault":"never_registers"}\n' + b"bad" * 1000


class Scene:
    def __init__(self, directory: Path, url: str, faults: Faults) -> None:
        self.directory, self.url, self.faults = directory, url, faults
        self.keys = Keys()
        self.repository = Repository(directory / "web")
        self.broker = Broker(directory / "broker")
        self.factory = self.keys.factory(MODEL, self.broker.url, self.repository.root_json)
        self.processes: list[Process] = []

    def device(self, *options: str, with_phone: bool = False) -> Process:
        more = options if with_phone else ("--no-phone", *options)
        process = Process(self.directory / "device", self.factory, OLD, *more)
        self.processes.append(process)
        return process

    def image(self, version: str, content: bytes, security: int = 1) -> FirmwareWanted:
        sha256 = self.repository.add(version, content, security)
        path = f"{MODEL}/{version}.img"
        return FirmwareWanted(path, version, sha256, len(content), security, "r1")

    def close(self) -> None:
        for each in self.processes:
            each.kill()
        self.broker.kill()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with served(tmp_path / "web") as (url, faults):
        scene = Scene(tmp_path, url, faults)
        scene.repository.expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
        scene.repository.write()
        try:
            yield scene
        finally:
            scene.close()


async def in_service(scene: Scene, running: Service) -> None:
    """Until the claimed device has its line."""
    await running.say("desired", scene.keys.desired(1))
    await running.hear("reported", lambda d: d["applied_rev"] == 1 and d["state"] == "applied")


def test_out_of_the_box_to_confirmed(scene: Scene) -> None:
    async def story() -> None:
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device("--country", "FR")
            await in_service(scene, running)
            first = await running.hear(
                "reported", lambda d: d["lines"] != [] and d["emergency_ready"]
            )
            assert first["fw"]["version"] == "1.0.0"
            assert first["lines"] == [
                {"line": LINE, "secret_gen": 1, "registered": True, "location_gen": 1}
            ]
            assert first["attest"]["certificate_sha256"]
            await running.hear("tlm", lambda d: d.get("country") == "FR")
            await running.hear("evt", lambda d: d["kind"] == "secret_generation")

            firmware = scene.image("1.1.0", NEW)
            await running.say("desired", scene.keys.desired(2, firmware))
            await running.hear(
                "ota", lambda d: d["state"] == "CONFIRMED" and d["version"] == "1.1.0"
            )
            last = await running.hear("reported", lambda d: d["fw"]["state"] == "CONFIRMED")
            assert (last["fw"]["slot"], last["fw"]["version"]) == ("B", "1.1.0")
            states = [d["state"] for kind, d in running.heard if kind == "ota"]
            seen = list(dict.fromkeys(states))
            assert seen == [
                "OFFERED", "META_VERIFIED", "DOWNLOADING", "VERIFIED", "INSTALLING",
                "WAIT_WINDOW", "REBOOTING", "TRIAL", "CONFIRMED",
            ]  # fmt: skip
            statuses = [d for kind, d in running.heard if kind == "status"]
            assert [d["online"] for d in statuses] == [True, False, True]
            assert sorted(d["sid"] for d in statuses) == [d["sid"] for d in statuses]
            assert device.terminate() == 0
            assert len(running.claims) == 1
            assert [e["event"] for e in device.events() if e["event"] == "claimed"] == ["claimed"]

    asyncio.run(story())


def test_registers_with_the_switch_by_its_sealed_secret(scene: Scene, tmp_path: Path) -> None:
    """A pjsua2 phone, a real registrar; after an update the other slot registers too."""

    async def story(sip: str) -> None:
        line = {"user": "101", "registrars": (sip,)}
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device(with_phone=True)
            lines = (scene.keys.line(secret="demo-101", **line),)
            await running.say("desired", scene.keys.desired(1, lines=lines))
            first = await running.hear("reported", lambda d: d["emergency_ready"])
            assert first["lines"][0]["registered"]
            firmware = scene.image("1.1.0", NEW)
            await running.say("desired", scene.keys.desired(2, firmware, lines=lines))
            await running.hear("ota", lambda d: d["state"] == "CONFIRMED")
            await running.hear("tlm", lambda d: d.get("public_ip") == "127.0.0.1")
            assert device.terminate() == 0

    with Rig(tmp_path / "switch") as rig:
        asyncio.run(story(f"127.0.0.1:{rig.port}"))
