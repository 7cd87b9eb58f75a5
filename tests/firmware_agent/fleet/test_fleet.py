"""A fleet of played devices against a real Mosquitto: in service, updated, and some of them not."""

import asyncio
import datetime
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_agent.fleet.fleet import Fleet, FleetDevice, FleetFile, fleet_of
from firmware_agent.image import Header
from firmware_agent.messages.desired import Desired, FirmwareWanted
from firmware_agent.messages.envelope import sign
from firmware_agent.messages.topics import PREFIX
from firmware_agent.slots import Image
from tests.firmware_agent.repository import MODEL, Repository, served
from tests.firmware_agent.standin import Broker, Keys, Service, service

pytestmark = pytest.mark.wire

SIZE = 40
IDS = [f"dev-{number:06d}" for number in range(SIZE)]
OLD = b"old" * 1000
BAD = b'{"vigie_image":1,"fault":"never_registers","share":30,"trial_s":1}\n' + b"bad" * 1000


class Scene:
    def __init__(self, directory: Path, url: str) -> None:
        self.keys, self.url = Keys(), url
        self.repository = Repository(directory / "web")
        self.repository.expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
        self.repository.write()
        self.broker = Broker(directory / "broker", IDS)
        (directory / "old.img").write_bytes(OLD)
        sealing = self.keys.sealing.private_bytes_raw()
        self.file = FleetFile(
            model=MODEL,
            broker=self.broker.url,
            service_keys=(self.keys.service.public_key().public_bytes_raw(),),
            tuf_root=self.repository.root_json,
            metadata_url=f"{url}/metadata",
            images_url=f"{url}/images",
            image=Image(
                f"{MODEL}/1.0.0.img", "1.0.0", MODEL, hashlib.sha256(OLD).hexdigest(), len(OLD), 1
            ),
            firmware=str(directory / "old.img"),
            devices=tuple(FleetDevice(each, "member", sealing) for each in IDS),
        )

    async def desire(
        self, running: Service, rev: int, wanted: FirmwareWanted | None = None
    ) -> None:
        for each in IDS:
            lines = (self.keys.line(device=each),)
            raw = sign(Desired(each, rev, wanted, lines), self.keys.service)
            await running.client.publish(f"{PREFIX}/d/{each}/desired", raw, qos=1, retain=True)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with served(tmp_path / "web") as (url, _):
        scene = Scene(tmp_path, url)
        yield scene
        scene.broker.kill()


async def until(test: Callable[[], bool], fleet: Fleet, limit_s: float = 40) -> None:
    try:
        async with asyncio.timeout(limit_s):
            while not test():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(fleet.summary()) from None


def _confirmed(running: Service) -> int:
    return sum(kind == "ota" and told["state"] == "CONFIRMED" for kind, told in running.heard)


def test_fleet_in_service_updated_and_back_after_the_broker_died(scene: Scene) -> None:
    async def story() -> None:
        with fleet_of(scene.file) as fleet:
            counts = fleet.counts
            async with service(scene.broker, scene.keys, scene.url) as running:
                fleet.boot()
                await fleet.connect()
                await scene.desire(running, 1)
                await until(lambda: set(counts.applied.values()) == {1}, fleet)
                new = b"new" * 1000
                sha256 = scene.repository.add("1.1.0", new)
                path = f"{MODEL}/1.1.0.img"
                wanted = FirmwareWanted(path, "1.1.0", sha256, len(new), 1, "r1")
                await scene.desire(running, 2, wanted)
                confirmed = {"CONFIRMED": SIZE}
                await until(lambda: fleet.summary()["states"] == confirmed, fleet)
                assert fleet.summary()["versions"] == {"1.1.0": SIZE}
                await until(lambda: _confirmed(running) >= SIZE, fleet)
            scene.broker.kill()
            await until(lambda: counts.connected == 0, fleet)
            scene.broker.start()
            await until(lambda: counts.connected == SIZE, fleet)

    asyncio.run(story())


def test_image_that_some_cant_register_with_leaves_these_on_the_old_slot(scene: Scene) -> None:
    async def story() -> None:
        with fleet_of(scene.file) as fleet:
            async with service(scene.broker, scene.keys, scene.url) as running:
                fleet.boot()
                await fleet.connect()
                await scene.desire(running, 1)
                sha256 = scene.repository.add("1.1.0", BAD)
                path = f"{MODEL}/1.1.0.img"
                wanted = FirmwareWanted(path, "1.1.0", sha256, len(BAD), 1, "r1")
                await scene.desire(running, 2, wanted)
                struck = {i for i in IDS if Header.of(BAD).strikes("never_registers", i)}
                assert 0 < len(struck) < SIZE
                states = fleet.counts.states
                await until(
                    lambda: (
                        {i for i, s in states.items() if s == "ROLLED_BACK"} == struck
                        and {i for i, s in states.items() if s == "CONFIRMED"} == set(IDS) - struck
                    ),
                    fleet,
                )
                versions = fleet.counts.versions
                assert {i for i, version in versions.items() if version == "1.0.0"} == struck

    asyncio.run(story())
