"""The device's program with its phone: it registers, calls, and no emergency call is disturbed."""

import asyncio
import datetime
import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_agent.messages.desired import Command, Op
from firmware_agent.messages.envelope import seal, sign
from tests.firmware_agent.scene import NEW, Scene
from tests.firmware_agent.standin import DEVICE, LINE, service
from tests.wire.rig import Rig

pytestmark = pytest.mark.wire


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
