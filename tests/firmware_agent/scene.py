"""A device's program in its surroundings: a real Mosquitto, firmware over HTTP, the service's stand-in."""

import hashlib
from pathlib import Path

from firmware_agent.messages.desired import FirmwareWanted
from tests.firmware_agent.repository import MODEL, Faults, Repository
from tests.firmware_agent.standin import Broker, Keys, Process, Service

OLD = b'{"vigie_image":1}\n' + b"old" * 50_000
NEW = b'{"vigie_image":1}\n' + b"new" * 90_000


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

    def image(
        self, version: str, content: bytes, patch: bytes = b"", base: bytes = OLD
    ) -> FirmwareWanted:
        custom = {}
        if patch:
            delta = {"sha256": self.repository.put(patch), "len": len(patch)}
            custom["deltas"] = {hashlib.sha256(base).hexdigest(): delta}
        sha256 = self.repository.add(version, content, **custom)
        path = f"{MODEL}/{version}.img"
        return FirmwareWanted(path, version, sha256, len(content), 1, "r1")

    def close(self) -> None:
        for each in self.processes:
            each.kill()
        self.broker.kill()


async def in_service(scene: Scene, running: Service) -> None:
    """Until the claimed device has its line."""
    await running.say("desired", scene.keys.desired(1))
    await running.hear("reported", lambda d: d["applied_rev"] == 1 and d["state"] == "applied")
