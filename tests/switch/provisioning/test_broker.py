"""A real Mosquitto: what its rights keep apart, and what happens when it is killed.

Each test runs one of its own on a port of 127.0.0.1. They need the Debian package mosquitto.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from firmware_agent.messages.topics import (
    BEACON,
    DEVICE_READS,
    DEVICE_WRITES,
    PREFIX,
    Kind,
    Topic,
)
from switch.demo.carrier_process import start_time
from switch.provisioning.broker import Broker, free_address, program
from switch.provisioning.broker_files import hashed
from switch.provisioning.link import Address, Link
from switch.settings import HostPort

SWITCH, FIRST, SECOND = "vigie-switch", "dev-00000001", "dev-00000002"
CLAIM, OTHER_CLAIM = "claim-0000000a", "claim-0000000b"
EVERYBODY = (SWITCH, FIRST, SECOND, CLAIM, OTHER_CLAIM)
LIMIT_S = 30.0

Notes = list[tuple[str, dict[str, object]]]


@pytest.fixture(autouse=True)
def _mosquitto() -> None:
    assert program(), "mosquitto is missing: apt-get install mosquitto"


@contextlib.asynccontextmanager
async def running(home: Path, users: dict[str, str], notes: Notes) -> AsyncIterator[Broker]:
    wanted = free_address(HostPort("127.0.0.1", 0))
    broker = Broker(home, wanted, None, SWITCH, lambda: users, lambda n, f: notes.append((n, f)))
    task = asyncio.create_task(broker.run())
    try:
        async with asyncio.timeout(LIMIT_S):
            await broker.wait_ready()
            yield broker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def client(broker: Broker, user: str, **options: Any) -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.address.host,
        broker.address.port,
        username=user,
        password=f"secret of {user}",
        protocol=aiomqtt.ProtocolVersion.V5,
        **options,
    )


def everybody() -> dict[str, str]:
    return {user: hashed(f"secret of {user}") for user in EVERYBODY}


def topics_of(owner: str, *kinds: Kind) -> set[str]:
    return {str(Topic(kind, owner)) for kind in kinds}


ALL = (
    topics_of(FIRST, *DEVICE_READS, *DEVICE_WRITES)
    | topics_of(SECOND, *DEVICE_READS, *DEVICE_WRITES)
    | topics_of(CLAIM, Kind.CLAIM_REQ, Kind.CLAIM_RESP)
    | topics_of(OTHER_CLAIM, Kind.CLAIM_REQ, Kind.CLAIM_RESP)
    | {BEACON, f"{PREFIX}/d/{FIRST}/other", f"{PREFIX}/other", "other", f"{PREFIX}/d/{FIRST}"}
)
MAY_WRITE = {
    FIRST: topics_of(FIRST, *DEVICE_WRITES),
    SECOND: topics_of(SECOND, *DEVICE_WRITES),
    CLAIM: topics_of(CLAIM, Kind.CLAIM_REQ),
}
MAY_READ = {
    FIRST: topics_of(FIRST, *DEVICE_READS) | {BEACON},
    SECOND: topics_of(SECOND, *DEVICE_READS) | {BEACON},
    CLAIM: topics_of(CLAIM, Kind.CLAIM_RESP) | {BEACON},
}


async def drain(of: aiomqtt.Client, quiet_s: float = 0.4) -> set[str]:
    """The topics of what came, until nothing more does."""
    found: set[str] = set()
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(quiet_s):
                found.add(str((await anext(of.messages)).topic))
    return found


@pytest.mark.parametrize("user", [FIRST, SECOND, CLAIM])
def test_nobody_writes_what_is_anothers(tmp_path: Path, user: str) -> None:
    async def play() -> set[str]:
        users = {**everybody(), "watcher": hashed("secret of watcher")}
        async with running(tmp_path, users, []) as broker:
            (tmp_path / "acl").write_text(
                (tmp_path / "acl").read_text() + "\nuser watcher\ntopic read #\n"
            )
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGHUP)
            await asyncio.sleep(0.3)
            async with client(broker, "watcher") as watcher, client(broker, user) as writer:
                await watcher.subscribe("#", qos=1)
                for topic in ALL:
                    # Mosquitto says nothing of what it throws away, or refuses it (MQTT 5, 0x87).
                    with contextlib.suppress(aiomqtt.MqttError):
                        await writer.publish(topic, b"x", qos=1, timeout=2)
                return await drain(watcher)

    assert asyncio.run(play()) == MAY_WRITE[user]


@pytest.mark.parametrize("user", [FIRST, SECOND, CLAIM])
@pytest.mark.parametrize("is_retained", [True, False], ids=["retained", "live"])
def test_nobody_reads_what_is_anothers(tmp_path: Path, user: str, is_retained: bool) -> None:
    async def play() -> set[str]:
        async with running(tmp_path, everybody(), []) as broker, client(broker, SWITCH) as switch:
            ours = [topic for topic in ALL if topic.startswith(f"{PREFIX}/")]
            async with client(broker, user) as reader:
                if not is_retained:
                    await subscribe_to_all(reader)
                for topic in ours:
                    await switch.publish(topic, b"x", qos=1, retain=is_retained)
                if is_retained:
                    await subscribe_to_all(reader)
                return await drain(reader)

    async def subscribe_to_all(reader: aiomqtt.Client) -> None:
        for pattern in ("#", f"{PREFIX}/d/+/+", f"{PREFIX}/claim/+/+", *sorted(ALL)):
            with contextlib.suppress(aiomqtt.MqttError):
                await reader.subscribe(pattern, qos=1)

    assert asyncio.run(play()) == MAY_READ[user]


STRAY_MAY_WRITE = topics_of(FIRST, Kind.STATUS, Kind.EVT, Kind.ACK)


def test_hardware_out_of_service_is_only_seen_and_told_to_wipe(tmp_path: Path) -> None:
    """Its credential is accepted, its rights change with the next `refresh`, also in a live session."""

    async def play() -> tuple[set[str], set[str]]:
        strays: list[str] = []
        wanted = free_address(HostPort("127.0.0.1", 0))
        broker = Broker(
            tmp_path, wanted, None, SWITCH, everybody, lambda name, fields: None, lambda: strays
        )
        task = asyncio.create_task(broker.run())
        try:
            async with asyncio.timeout(LIMIT_S):
                await broker.wait_ready()
                async with client(broker, SWITCH) as switch, client(broker, FIRST) as stray:
                    await switch.subscribe(f"{PREFIX}/#", qos=1)
                    await stray.subscribe(f"{PREFIX}/#", qos=1)
                    strays.append(FIRST)
                    await broker.refresh()
                    await asyncio.sleep(0.3)
                    for topic in topics_of(FIRST, *DEVICE_WRITES):
                        with contextlib.suppress(aiomqtt.MqttError):
                            await stray.publish(topic, b"x", qos=1, timeout=2)
                    heard = await drain(switch)
                    for topic in (*topics_of(FIRST, *DEVICE_READS), BEACON):
                        await switch.publish(topic, b"x", qos=1)
                    return heard, await drain(stray)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    assert asyncio.run(play()) == (STRAY_MAY_WRITE, topics_of(FIRST, Kind.CMD))


@pytest.mark.parametrize("kind", [Kind.DESIRED, Kind.CMD, Kind.STATUS, Kind.REPORTED])
def test_a_will_is_no_way_round(tmp_path: Path, kind: Kind) -> None:
    async def play() -> set[str]:
        async with running(tmp_path, everybody(), []) as broker, client(broker, SWITCH) as switch:
            await switch.subscribe(f"{PREFIX}/#", qos=1)
            will = aiomqtt.Will(str(Topic(kind, SECOND)), b"forged", qos=1, retain=True)
            with contextlib.suppress(aiomqtt.MqttError):
                # Another session of the same device throws the first one out: its will is due.
                async with client(broker, FIRST, will=will), client(broker, FIRST):
                    await asyncio.sleep(0.2)
            return await drain(switch)

    assert asyncio.run(play()) == set()


@pytest.mark.parametrize(
    ("user", "password"), [(FIRST, "wrong"), ("nobody-here", "x"), (None, None), (FIRST, "")]
)
def test_nobody_gets_in_without_a_credential(
    tmp_path: Path, user: str | None, password: str | None
) -> None:
    async def play() -> None:
        async with running(tmp_path, everybody(), []) as broker:
            with pytest.raises(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    broker.address.host, broker.address.port, username=user, password=password
                ):
                    pass

    asyncio.run(play())


def test_a_client_id_is_no_way_to_throw_another_out(tmp_path: Path) -> None:
    async def play() -> bool:
        async with (
            running(tmp_path, everybody(), []) as broker,
            client(broker, SECOND) as victim,
            client(broker, FIRST, identifier=SECOND),
        ):
            await asyncio.sleep(0.3)
            await victim.publish(str(Topic(Kind.TLM, SECOND)), b"x", qos=1, timeout=2)
            return True

    assert asyncio.run(play())


def test_a_user_who_is_taken_away_is_thrown_out_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        users = everybody()
        async with running(tmp_path, users, []) as broker, client(broker, FIRST) as victim:
            del users[FIRST]
            await broker.refresh()
            with pytest.raises(aiomqtt.MqttError):
                await anext(victim.messages)
            with pytest.raises(aiomqtt.MqttError):
                async with client(broker, FIRST):
                    pass
            async with client(broker, SECOND):
                pass

    with contextlib.suppress(aiomqtt.MqttError):  # of the victim's leaving
        asyncio.run(play())


class Wire:
    """The switch's link, with what came and what is published when it stands."""

    def __init__(self, broker: Broker, notes: Notes) -> None:
        self.got: list[tuple[Topic, bytes]] = []
        self.ups = self.downs = 0
        self.link = Link(
            lambda: Address(broker.address, SWITCH, f"secret of {SWITCH}"),
            lambda topic, payload: self.got.append((topic, payload)),
            lambda: None,
            self._up,
            self._down,
            lambda name, fields: notes.append((name, fields)),
        )
        self._broker = broker

    def _up(self) -> None:
        self.ups += 1
        self.link.publish(Topic(Kind.DESIRED, FIRST), b"document")

    def _down(self) -> None:
        self.downs += 1

    async def run(self) -> None:
        await self.link.run(lambda: asyncio.ensure_future(self._broker.wait_ready()))

    async def until(self, test: Callable[[], object]) -> None:
        while not test():
            await asyncio.sleep(0.01)


def test_a_broker_that_is_killed_comes_back_with_the_documents(tmp_path: Path) -> None:
    notes: Notes = []

    async def play() -> tuple[float, bytes]:
        loop = asyncio.get_running_loop()
        async with running(tmp_path, everybody(), notes) as broker:
            wire = Wire(broker, notes)
            task = asyncio.create_task(wire.run())
            await wire.until(lambda: wire.link.is_up)
            assert broker.pid is not None
            killed_at = loop.time()
            os.kill(broker.pid, signal.SIGKILL)
            await wire.until(lambda: wire.ups == 2)
            assert wire.downs == 1
            async with client(broker, FIRST) as device:
                await device.subscribe(str(Topic(Kind.DESIRED, FIRST)), qos=1)
                message = await anext(device.messages)
                took = loop.time() - killed_at
                await device.publish(str(Topic(Kind.REPORTED, FIRST)), b"said", qos=1)
                await wire.until(lambda: wire.got)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert isinstance(message.payload, bytes)
            return took, message.payload

    took_s, payload = asyncio.run(play())
    assert payload == b"document"
    assert took_s < 5
    assert [name for name, _ in notes if name.startswith("mqtt.broker")] == [
        *("mqtt.broker_ready", "mqtt.broker_lost", "mqtt.broker_ready")
    ]


def test_a_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    notes: Notes = []

    async def play() -> None:
        async with running(tmp_path / "a", everybody(), []) as first:
            second = Broker(
                *(tmp_path / "b", first.address, None, SWITCH, everybody),
                lambda name, fields: notes.append((name, fields)),
            )
            assert second.address.port != first.address.port

    asyncio.run(play())
    assert [name for name, _ in notes] == ["mqtt.port_taken"]


def test_the_broker_dies_with_the_switch(tmp_path: Path) -> None:
    """PR_SET_PDEATHSIG: a parent that is killed takes it along."""

    async def play() -> None:
        script = (
            "import asyncio, sys\nfrom pathlib import Path\n"
            "from switch.provisioning.broker import Broker, free_address\n"
            "from switch.settings import HostPort\n"
            "async def main():\n"
            "    b = Broker(Path(sys.argv[1]), free_address(HostPort('127.0.0.1', 0)), None, 's',"
            " dict, lambda n, f: None)\n"
            "    t = asyncio.create_task(b.run())\n"
            "    await b.wait_ready()\n    print(b.pid, flush=True)\n    await t\n"
            "asyncio.run(main())\n"
        )
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, str(tmp_path)), stdout=asyncio.subprocess.PIPE
        )
        assert parent.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            broker = int(await parent.stdout.readline())
            os.kill(broker, 0)
            parent.kill()
            await parent.wait()
            async with asyncio.timeout(1):
                while start_time(broker) is not None:
                    await asyncio.sleep(0.01)

    asyncio.run(play())


def test_files_of_the_broker_are_nobody_elses(tmp_path: Path) -> None:
    async def play() -> None:
        async with running(tmp_path / "mqtt", everybody(), []):
            pass

    asyncio.run(play())
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "mqtt").iterdir()}
    assert {modes[name] for name in ("passwords", "acl", "mosquitto.conf")} == {0o600}
    assert (tmp_path / "mqtt").stat().st_mode & 0o777 == 0o700
