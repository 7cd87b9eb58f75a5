"""An update of the device's program that goes wrong, and goes on: bad images, kills, deltas."""

import asyncio
import hashlib
import io

import detools
import pytest

from tests.firmware_agent.scene import NEW, OLD, Scene, in_service
from tests.firmware_agent.standin import service

pytestmark = pytest.mark.wire


DEAF = b'{"vigie_image":1,"fault":"never_registers","trial_s":2}\n' + b"bad" * 1000
CRASHING = b'{"vigie_image":1,"fault":"crashes"}\n' + b"bad" * 1000


def test_image_that_never_registers_is_left_and_the_old_one_serves_again(scene: Scene) -> None:
    async def story() -> None:
        async with service(scene.broker, scene.keys, scene.url) as running:
            scene.device()
            await in_service(scene, running)
            firmware = scene.image("1.1.0", DEAF)
            await running.say("desired", scene.keys.desired(2, firmware))
            failed = await running.hear("ota", lambda d: d["state"] == "ROLLING_BACK")
            assert failed["err"]["msg"] == "not regained: SIP"
            await running.hear("ota", lambda d: d["state"] == "ROLLED_BACK")
            last = await running.hear(
                "reported", lambda d: d["fw"]["state"] == "ROLLED_BACK" and d["emergency_ready"]
            )
            assert (last["fw"]["version"], last["fw"]["slot"]) == ("1.0.0", "A")

    asyncio.run(story())


def test_image_that_crashes_at_start_is_left_by_the_boot_counter(scene: Scene) -> None:
    async def story() -> None:
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device()
            await in_service(scene, running)
            firmware = scene.image("1.1.0", CRASHING)
            await running.say("desired", scene.keys.desired(2, firmware))
            last = await running.hear("ota", lambda d: d["state"] == "ROLLED_BACK")
            assert last["err"]["code"] == "boots"
            boots = [(e["slot"], e["trial"]) for e in device.events() if e["event"] == "booted"]
            assert boots == [("A", False), ("B", True), ("B", True), ("B", True), ("A", False)]

    asyncio.run(story())


def test_killed_in_a_download_it_resumes_where_it_was_durable(scene: Scene) -> None:
    async def story() -> None:
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device()
            await in_service(scene, running)
            big = b'{"vigie_image":1}\n' + bytes(range(256)) * 8192
            firmware = scene.image("1.1.0", big)
            scene.faults.cuts = [700_000]
            await running.say("desired", scene.keys.desired(2, firmware))
            await running.hear("ota", lambda d: d["state"] == "SUSPENDED")
            device.kill()
            await running.hear("status", lambda d: not d["online"])  # the last will
            scene.device()
            await running.hear("ota", lambda d: d["state"] == "CONFIRMED")
            images = [each for each in scene.faults.requests if "/images/" in each]
            assert [each.partition(" ")[2] for each in images] == ["", "bytes=700000-"]

    asyncio.run(story())


def test_delta_is_taken_where_there_is_one_and_left_where_it_is_wrong(scene: Scene) -> None:
    async def story() -> None:
        async with service(scene.broker, scene.keys, scene.url) as running:
            scene.device()
            await in_service(scene, running)
            patch = io.BytesIO()
            detools.create_patch(io.BytesIO(OLD), io.BytesIO(NEW), patch, compression="lzma")
            firmware = scene.image("1.1.0", NEW, patch=patch.getvalue())
            await running.say("desired", scene.keys.desired(2, firmware))
            await running.hear("ota", lambda d: d["state"] == "CONFIRMED")
            images = [each for each in scene.faults.requests if "/images/" in each]
            assert images == [f"/images/{hashlib.sha256(patch.getvalue()).hexdigest()}"]
            # The next one has a patch that leads nowhere: the whole image is fetched.
            newer = NEW + b"!"
            firmware = scene.image("1.2.0", newer, patch=b"nonsense", base=NEW)
            await running.say("desired", scene.keys.desired(3, firmware))
            await running.hear(
                "ota", lambda d: d["state"] == "CONFIRMED" and d["version"] == "1.2.0"
            )

    asyncio.run(story())
