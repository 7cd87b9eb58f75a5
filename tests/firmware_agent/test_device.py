"""The device's program against a real Mosquitto: out of the box, in service, updated, confirmed."""

import asyncio
import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_agent.messages.desired import Beacon, Command, Op
from firmware_agent.messages.envelope import sign
from firmware_agent.messages.topics import BEACON
from tests.firmware_agent.scene import NEW, Scene, in_service
from tests.firmware_agent.standin import DEVICE, LINE, service

pytestmark = pytest.mark.wire


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


def test_broker_killed_and_restarted(scene: Scene) -> None:
    """Nothing is retained any more; the device comes back and says what it is."""

    async def story() -> None:
        async with service(scene.broker, scene.keys, scene.url) as running:
            scene.device()
            await in_service(scene, running)
        scene.broker.kill()
        scene.broker.start()
        async with service(scene.broker, scene.keys, scene.url) as running:
            said = await running.hear("reported")
            assert (said["applied_rev"], said["emergency_ready"]) == (1, True)
            await running.say("desired", scene.keys.desired(2))
            await running.hear("reported", lambda d: d["applied_rev"] == 2)

    asyncio.run(story())


def test_forged_answer_to_a_claim_is_not_believed(scene: Scene) -> None:
    real, scene.keys.service = scene.keys.service, Ed25519PrivateKey.generate()

    async def story() -> None:
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device()
            async with asyncio.timeout(10):
                while not [e for e in device.events() if e["event"] == "claim_failed"]:
                    await asyncio.sleep(0.05)
            scene.keys.service = real
            await in_service(scene, running)
            failed = [e["reason"] for e in device.events() if e["event"] == "claim_failed"]
            assert "is not trusted" in failed[0]

    asyncio.run(story())


def test_wiped_device_forgets_all_but_its_firmware(scene: Scene) -> None:
    async def story() -> None:
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device()
            await in_service(scene, running)
            soon = round(datetime.datetime.now(datetime.UTC).timestamp()) + 60
            order = Command(DEVICE, "w1", soon, Op.WIPE, {})
            await running.say("cmd", sign(order, scene.keys.service))
            ack = await running.hear("cmd/ack")
            assert ack == {"id": "w1", "result": "done"}
            assert device.wait() == 0
            left = {each.name for each in (scene.directory / "device" / "state").iterdir()}
            kept = {"slot-a.img", "slots.0", "slots.1", "boot.0", "boot.1"}
            assert left == kept

    asyncio.run(story())


def test_secrets_are_in_no_message_and_no_line_of_the_log(scene: Scene) -> None:
    async def story() -> None:
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device()
            await in_service(scene, running)
            await running.client.publish(BEACON, sign(Beacon(1, 1, {}), scene.keys.service), qos=1)
            assert device.terminate() == 0
            said = repr(running.heard) + device.log.read_text()
            for secret in ("s3cret", "once-only", "member"):
                assert f"{secret}'" not in said and f'"{secret}"' not in said

    asyncio.run(story())
