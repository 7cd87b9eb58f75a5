"""The device's program against a real Mosquitto: out of the box, in service, updated, confirmed."""

import asyncio
import datetime
import hashlib
import io
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import detools
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_agent.messages.desired import Beacon, Command, FirmwareWanted, Op
from firmware_agent.messages.envelope import seal, sign
from firmware_agent.messages.topics import BEACON
from tests.firmware_agent.repository import MODEL, Faults, Repository, served
from tests.firmware_agent.standin import DEVICE, LINE, Broker, Keys, Process, Service, service
from tests.wire.rig import Rig

pytestmark = pytest.mark.wire

OLD = b'{"vigie_image":1}\n' + b"old" * 50_000
NEW = b'{"vigie_image":1}\n' + b"new" * 90_000
DEAF = b'{"vigie_image":1,"fault":"never_registers","trial_s":2}\n' + b"bad" * 1000
CRASHING = b'{"vigie_image":1,"fault":"crashes"}\n' + b"bad" * 1000


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
            assert bindings() == 1, "the one before the reboot is gone"
            assert device.terminate() == 0
            assert bindings() == 0

    def bindings() -> int:
        listed = json.loads(rig.run("reg", "list", "--json").stdout)
        return len([each for each in listed if each["line"] == "101"])

    with Rig(tmp_path / "switch") as rig:
        asyncio.run(story(f"127.0.0.1:{rig.port}"))


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


def test_update_waits_after_a_real_emergency_call(scene: Scene, tmp_path: Path) -> None:
    """The device dials 18 at a real switch; neither during the call nor after it does it reboot."""

    async def story(sip: str) -> None:
        line = {"user": "101", "registrars": (sip,)}
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device("--control", with_phone=True)
            lines = (scene.keys.line(secret="demo-101", **line),)
            await running.say("desired", scene.keys.desired(1, lines=lines))
            await running.hear("reported", lambda d: d["emergency_ready"])
            device.hand("call", line=LINE, uri=f"sip:18@{sip}")
            firmware = scene.image("1.1.0", NEW)
            await running.say("desired", scene.keys.desired(2, firmware, lines=lines))
            await running.hear("ota", lambda d: d["state"] == "WAIT_WINDOW")
            await asyncio.sleep(1)
            device.hand("hang_up")
            device.hand("move", gateway_mac="02:00:00:00:00:07", dhcp_domain="elsewhere.example")
            await running.hear(
                "tlm", lambda d: d.get("network", {}).get("dhcp_domain") == "elsewhere.example"
            )
            device.hand("dance")
            await asyncio.sleep(1)
            states = [d["state"] for kind, d in running.heard if kind == "ota"]
            assert states[-1] == "WAIT_WINDOW"
            assert [e["path"] for e in device.events() if e["event"] == "misunderstood"] == ["do"]
            # Not even by unplugging it: the 30 minutes are kept.
            device.kill()
            scene.device(with_phone=True)
            await running.hear(
                "evt", lambda d: d["kind"] == "boot" and d["boot_id"].startswith("2-")
            )
            await asyncio.sleep(1)
            assert [d["state"] for kind, d in running.heard if kind == "ota"][-1] == "WAIT_WINDOW"

    with Rig(tmp_path / "switch") as rig:
        asyncio.run(story(f"127.0.0.1:{rig.port}"))


def test_an_emergency_call_outlives_its_line(scene: Scene, tmp_path: Path) -> None:
    """The document gives the device another line while it talks to 18, and it is to be wiped: that call
    goes on to its end, and is known to be one."""

    async def story(rig: Rig) -> None:
        sip = {"registrars": (rig.address,)}
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device("--control", with_phone=True)
            line = scene.keys.line(secret="demo-101", user="101", **sip)
            await running.say("desired", scene.keys.desired(1, lines=(line,)))
            await running.hear("reported", lambda d: d["emergency_ready"])
            device.hand("call", line=LINE, uri=f"sip:18@{rig.address}")

            async def talks_to_18() -> bool:
                calls = await asyncio.to_thread(rig.ask, "call.list")
                return [(c["line"], c["state"]) for c in calls] == [("101", "connected")]

            async with asyncio.timeout(10):
                while not await talks_to_18():
                    await asyncio.sleep(0.1)
            key = scene.keys.sealing.public_key()
            sealed = seal("demo-102", key, DEVICE, "sip:110", 1)
            other = replace(
                line, line="110", sip=replace(line.sip, user="102", secret_sealed=sealed)
            )
            await running.say("desired", scene.keys.desired(2, lines=(other,)))
            await running.hear("reported", lambda d: d["applied_rev"] == 2)
            soon = round(datetime.datetime.now(datetime.UTC).timestamp()) + 60
            await running.say(
                "cmd", sign(Command(DEVICE, "w", soon, Op.WIPE, {}), scene.keys.service)
            )
            assert (await running.hear("cmd/ack"))["result"] == "accepted"
            for _ in range(20):
                assert await talks_to_18()
                await asyncio.sleep(0.1)
            device.hand("hang_up")
            assert device.wait() == 0  # wiped, once it is over

    with Rig(tmp_path / "switch") as rig:
        asyncio.run(story(rig))


def test_codecs_of_the_document_are_what_the_phone_offers(scene: Scene) -> None:
    def offered(invite: bytes) -> list[str]:
        return [
            row.split()[1].split("/")[0] for row in invite.decode().splitlines() if "rtpmap" in row
        ]

    async def story(sip: socket.socket) -> None:
        registrar = f"127.0.0.1:{sip.getsockname()[1]}"
        async with service(scene.broker, scene.keys, scene.url) as running:
            device = scene.device("--control", with_phone=True)
            for rev, codecs in ((1, ("PCMU", "G722")), (2, ("PCMA",))):
                line = replace(scene.keys.line(registrars=(registrar,)), codecs=codecs)
                await running.say("desired", scene.keys.desired(rev, lines=(line,)))
                await running.hear("reported", lambda d, rev=rev: d["seen_rev"] == rev)
                device.hand("call", line=LINE, uri=f"sip:102@{registrar}")
                invite = await asyncio.to_thread(invite_to, sip)
                assert [name for name in offered(invite) if name != "telephone-event"] == list(
                    codecs
                )
                device.hand("hang_up")

    def invite_to(sip: socket.socket) -> bytes:
        number = len(seen)
        while True:
            packet, _ = sip.recvfrom(65536)
            call = next((r for r in packet.split(b"\r\n") if r.lower().startswith(b"call-id")), b"")
            if packet.startswith(b"INVITE") and call not in seen:
                seen.add(call)
                assert len(seen) == number + 1
                return packet

    seen: set[bytes] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        sip.bind(("127.0.0.1", 0))
        sip.settimeout(10)
        asyncio.run(story(sip))
