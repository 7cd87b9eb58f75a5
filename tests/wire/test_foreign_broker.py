"""A broker of one's own by `[mqtt] url`: TLS, and a certificate asked of switch and devices.

Mosquitto with two listeners, as docs/devices.md shows: one for members, who are believed by the name in
their certificate, one for claims, whose credential is in the claim. The tests of `house` go on from one
another.
"""

import asyncio
import base64
import contextlib
import getpass
import json
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from firmware_agent.messages.claim import Factory
from firmware_agent.messages.codec import parse
from firmware_agent.messages.topics import Kind, Topic
from switch.provisioning import broker_files
from switch.provisioning.broker import program
from switch.provisioning.link import Address, Link
from switch.settings import HostPort
from switch.transport.certificate import client_context
from tests.firmware_agent.standin import Process
from tests.wire.authority import Authority, Signed
from tests.wire.rig import Rig, die_with_parent, free_port, until

pytestmark = pytest.mark.wire
HOST = "localhost"
SWITCH = "vigie-switch"
NAME = "dev-ooma-109"


class Broker:
    """A Mosquitto that keeps nothing. Its files are in `home`; it isn't started yet."""

    def __init__(self, home: Path, own: Signed, authorities: list[Path]) -> None:
        home.mkdir()
        self._home = home
        self._authorities = authorities
        self.port, self.claim_port = free_port("127.0.0.1"), free_port("127.0.0.1")
        secured = f"cafile {home}/ca.pem\ncertfile {own.certificate}\nkeyfile {own.key}\n"
        (home / "acl").write_text(broker_files.rights(SWITCH))
        (home / "mosquitto.conf").write_text(
            f"user {getpass.getuser()}\nper_listener_settings true\npersistence false\n"
            f"listener {self.port} 127.0.0.1\n{secured}acl_file {home}/acl\n"
            "require_certificate true\nuse_identity_as_username true\n"
            f"listener {self.claim_port} 127.0.0.1\n{secured}acl_file {home}/acl\n"
            "allow_anonymous true\nuse_username_as_clientid true\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtts://{HOST}:{self.port}"

    def start(self) -> None:
        """The authorities may have been made meanwhile."""
        found = "".join(path.read_text() for path in self._authorities)
        (self._home / "ca.pem").write_text(found)
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(program()), "-c", str(self._home / "mosquitto.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
            )
        until(self._listens, 5.0, "the broker listens")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class House:
    """A switch that is told of a broker which isn't there yet."""

    def __init__(self, home: Path) -> None:
        self.authority = Authority(home, "Operator CA")
        self.rig = Rig(home / "rig")
        ours = self.rig.data / "devices" / "ca.crt"
        self.broker = Broker(
            home / "broker", self.authority.sign(HOST), [self.authority.root, ours]
        )
        shown = self.authority.sign(SWITCH)
        section = (
            f'[mqtt]\nurl = "{self.broker.url}"\nca = "{self.authority.root}"\n'
            f'certificate = "{shown.certificate}"\nkey = "{shown.key}"\n'
        )
        path = self.rig.config / "vigie.toml"
        text, count = re.subn(r"(?m)^\[mqtt\]\nlisten = .*\n", section, path.read_text())
        assert count == 1
        path.write_text(text)

    def alarms(self) -> str:
        return " ".join(self.rig.ask("status")["alarms"])

    def noted(self, name: str) -> int:
        return self.rig.log.read_text().count(f'"{name}"')

    def shown(self) -> dict[str, Any]:
        return self.rig.ask("device.show", device=NAME)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    assert program(), "mosquitto is missing: apt-get install mosquitto"
    house = House(tmp_path_factory.mktemp("foreign"))
    with house.rig:
        yield house
    house.broker.kill()


@pytest.fixture(scope="module")
def device(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The program of a real device, fresh from a factory that knows where claims go."""
    home, image = tmp_path_factory.mktemp("device"), b"image" * 99
    (home / "1.0.0.img").write_bytes(image)
    added = {"path": str(home / "1.0.0.img"), "model": "ooma-office", "version": "1.0.0"}
    house.rig.ask("firmware.add", **added)
    house.rig.ask("firmware.sign", keys=str(home / "keys"))
    made = parse(Factory, house.rig.ask("device.make", device=NAME)["factory"].encode())
    assert made.broker == house.broker.url and made.broker_ca == house.authority.root.read_text()
    factory = replace(made, broker=f"mqtts://{HOST}:{house.broker.claim_port}")
    process = Process(home / "it", factory, image, "--no-phone")
    yield process
    process.kill()


def test_a_switch_without_its_broker_runs_and_says_so_once(house: House) -> None:
    until(lambda: "broker can't be reached" in house.alarms(), 5.0, "the alarm")
    assert house.rig.ask("explain.call", line="101", dial="18")["action"] == "connect"
    with _counting_door(house.broker.port) as knocks:
        until(lambda: len(knocks) >= 2, 20.0, "it tries again")
    assert house.noted("mqtt.up") == 0
    lines = [json.loads(line) for line in house.rig.log.read_text().splitlines()]
    reasons = [line["reason"] for line in lines if line["event"] == "mqtt.down"]
    assert sum("refused" in each for each in reasons) == 1
    assert len(reasons) == len(set(reasons))  # and why it was hung up on, once too
    done = house.rig.run("doctor")
    assert "The devices' broker can't be reached" in " ".join(done.stdout.split())


def test_it_connects_once_the_broker_comes_up(house: House) -> None:
    house.broker.start()
    until(lambda: house.noted("mqtt.up") == 1, 30.0, "connected", 0.1)
    until(lambda: "broker" not in house.alarms(), 2.0, "no alarm")


def test_a_device_claims_itself_is_told_and_reports(house: House, device: Process) -> None:
    until(lambda: house.shown()["state"] == "claimed", 20.0, "claimed", 0.1)

    def is_in_service() -> bool:
        row = house.shown()
        return bool(
            row["online"] and row["in_service"] and row["applied_rev"] == row["desired_rev"]
        )

    until(is_in_service, 20.0, f"in service: {device.events()[-3:]}", 0.1)


def test_a_changed_document_reaches_it_and_is_applied(house: House, device: Process) -> None:
    before = house.shown()["applied_rev"]
    house.rig.ask("line.locate", line="109", site="paris-8", civic={"FLR": "7"}, why="test")
    until(lambda: house.shown()["applied_rev"] > before, 2.0, f"applied: {device.events()[-3:]}")


def test_what_a_broker_has_lost_is_published_again(house: House, device: Process) -> None:
    """Nobody is connected but the switch and this test, so what is retained comes from the database."""
    device.kill()
    house.broker.kill()
    until(house.alarms, 5.0, "noticed")
    house.broker.start()
    until(lambda: house.noted("mqtt.up") == 2, 30.0, "connected again", 0.1)
    shown = house.authority.sign(NAME)
    tls = client_context(house.authority.root, shown.certificate, shown.key)
    raw = asyncio.run(_retained(house.broker.port, tls))
    payload = json.loads(base64.b64decode(json.loads(raw)["payload"]))
    assert (payload["device"], payload["rev"]) == (NAME, house.shown()["desired_rev"])


def test_nobody_without_a_certificate_gets_in(house: House) -> None:
    tls = client_context(house.authority.root)
    with pytest.raises((aiomqtt.MqttError, OSError, TimeoutError)):
        asyncio.run(_retained(house.broker.port, tls))


# -- a broker that isn't who it should be --------------------------------------------------------


@pytest.mark.parametrize(
    ("is_foreign", "is_expired", "reason"),
    [(True, False, "self-signed|unable to get local issuer|unknown ca"), (False, True, "expired")],
)
def test_a_broker_that_shows_a_wrong_certificate_is_not_believed(
    tmp_path: Path, is_foreign: bool, is_expired: bool, reason: str
) -> None:
    authority, other = Authority(tmp_path, "Operator CA"), Authority(tmp_path, "Other CA")
    signer = other if is_foreign else authority
    broker = Broker(tmp_path / "broker", signer.sign(HOST, is_expired), [authority.root])
    broker.start()
    shown = authority.sign(SWITCH)
    tls = client_context(authority.root, shown.certificate, shown.key)
    try:
        notes = asyncio.run(_notes_of(Address(HostPort(HOST, broker.port), SWITCH, None, tls)))
    finally:
        broker.kill()
    assert [name for name, _ in notes] == ["mqtt.down"]
    assert re.search(reason, str(notes[0][1]["reason"]))


def test_a_switch_with_an_expired_certificate_is_told_why_it_stays_outside(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "Operator CA")
    broker = Broker(tmp_path / "broker", authority.sign(HOST), [authority.root])
    broker.start()
    shown = authority.sign(SWITCH, is_expired=True)
    tls = client_context(authority.root, shown.certificate, shown.key)
    try:
        notes = asyncio.run(_notes_of(Address(HostPort(HOST, broker.port), SWITCH, None, tls), 2))
    finally:
        broker.kill()
    assert [name for name, _ in notes] == ["mqtt.down"]
    assert "expired" in str(notes[0][1]["reason"]).lower()


async def _notes_of(address: Address, wanted: int = 4) -> list[tuple[str, dict[str, object]]]:
    """What a link says until it begins to try for the last of so many times."""
    notes: list[tuple[str, dict[str, object]]] = []
    tries = 0

    def counted() -> Address:
        nonlocal tries
        tries += 1
        return address

    link = Link(
        counted,
        lambda topic, raw: None,
        lambda: None,
        lambda: None,
        lambda: None,
        lambda name, fields: notes.append((name, fields)),
    )
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(30):
            while tries < wanted:
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return notes


async def _retained(port: int, tls: ssl.SSLContext) -> bytes:
    """The retained document of the device."""
    async with (
        asyncio.timeout(10),
        aiomqtt.Client(
            HOST,
            port,
            identifier=NAME,
            protocol=aiomqtt.ProtocolVersion.V5,
            tls_context=tls,
            timeout=2,
        ) as client,
    ):
        await client.subscribe(str(Topic(Kind.DESIRED, NAME)), qos=1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes | bytearray)
            return bytes(message.payload)
    raise AssertionError("nothing is retained")


@contextlib.contextmanager
def _counting_door(port: int) -> Iterator[list[float]]:
    """A server that hangs up on everybody."""
    knocks: list[float] = []
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    knocks.append(0.0)
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield knocks
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
