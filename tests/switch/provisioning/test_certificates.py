"""Certificates: renewed on a device's word, revoked in a list that a broker of one's own obeys."""

import asyncio
import contextlib
import os
import signal
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firmware_agent import certificate
from firmware_agent.messages import reported as wire
from firmware_agent.messages.desired import Command, Op
from firmware_agent.messages.topics import Kind
from switch.provisioning import certificates as module
from switch.provisioning import service
from switch.provisioning.authority import LIST_DAYS, Authority
from switch.provisioning.broker import program
from switch.provisioning.device import Event, Life
from tests.switch.provisioning.house import FakeDevice, House, csr
from tests.wire.rig import die_with_parent, free_port, until

NAME, OTHER = "dev-00000001", "dev-00000002"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, (NAME, "101"), (OTHER, "102"))


@pytest.fixture
def device(house: House) -> FakeDevice:
    return FakeDevice(house, NAME).join()


def ask(device: FakeDevice, key: Ed25519PrivateKey | None = None) -> str | None:
    """Ask for another certificate; the PEM that comes."""
    before = device.house.count(Kind.CMD)
    device.event(
        wire.Event.CERTIFICATE_WANTED, csr=certificate.request(key or device.keys.identity, NAME)
    )
    if device.house.count(Kind.CMD) == before:
        return None
    command = device.opened(Command, device.house.last(Kind.CMD, NAME))
    assert command.op is Op.CERTIFICATE
    return str(command.args["certificate"])


def attest(device: FakeDevice, pem: str) -> None:
    fresh = certificate.read(pem, device.keys.identity, NAME)
    told = device.reported().attest
    device.report(attest=wire.Attest(told.config_sha256, fresh.sha256))


def revoked(house: House) -> set[int]:
    return {int(serial, 16) for serial, _ in house.service.certificates.revoked()}


def serial_of(pem: str) -> int:
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def test_it_holds_as_long_as_the_files_say(house: House, device: FakeDevice) -> None:
    assert device.membership is not None
    first = certificate.read(device.membership.certificates[0], device.keys.identity, NAME)
    days = (first.until - datetime.now(UTC).timestamp()) / 86_400
    assert 729.9 < days <= 730
    assert house.twin(NAME).device.certificate_until == first.until * 1000


def test_both_count_until_the_next_one_is_attested(house: House, device: FakeDevice) -> None:
    assert device.membership is not None
    old = device.membership.certificates[0]
    fresh = ask(device)
    assert fresh is not None and serial_of(fresh) != serial_of(old)
    device.report()  # it reports before it has it
    assert house.twin(NAME).device.life is Life.CLAIMED
    assert revoked(house) == set()
    again = house.reborn()
    assert again.twin(NAME).device == house.twin(NAME).device
    attest(device, fresh)
    assert house.twin(NAME).device.life is Life.CLAIMED
    assert revoked(house) == {serial_of(old)}
    device.boot = "boot-2"
    attest(device, old)  # somebody put an old copy of its storage back
    assert house.twin(NAME).device.life is Life.TAMPERED


def test_a_request_of_another_key_is_refused_and_told(house: House, device: FakeDevice) -> None:
    assert ask(device, Ed25519PrivateKey.generate()) is None
    assert house.story(NAME)[-1] == "certificate_refused"
    assert house.events("device.certificate_refused")
    assert ask(device) is not None


def test_one_certificate_an_hour(
    house: House, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = module.boottime()
    lost = ask(device)
    assert lost is not None
    assert ask(device) is None
    monkeypatch.setattr(module, "boottime", lambda: now + 3601)
    fresh = ask(device)
    assert fresh is not None
    assert revoked(house) == {serial_of(lost)}


@pytest.mark.parametrize(
    ("event", "is_held"),
    [
        (Event.STEAL, False),
        (Event.REPLACE, False),
        (Event.DECOMMISSION, False),
        (Event.ARM, False),
        (Event.CLONED, True),
    ],
)
def test_who_is_out_has_no_certificate(
    house: House, device: FakeDevice, event: Event, is_held: bool
) -> None:
    assert device.membership is not None
    house.fleet.change(house.twin(NAME), event, "person")
    serial = f"{serial_of(device.membership.certificates[0]):x}"
    assert list(house.service.certificates.revoked()) == [(serial, is_held)]


def test_tampered_works_on_and_a_cleared_clone_does_again(house: House, device: FakeDevice) -> None:
    for event in (Event.MISMATCH, Event.CLEAR, Event.CLONED, Event.CLEAR):
        house.fleet.change(house.twin(NAME), event, "person")
    assert revoked(house) == set()


def test_a_second_claim_revokes_the_first_certificate(house: House, device: FakeDevice) -> None:
    assert device.membership is not None
    first, coming = device.membership.certificates[0], ask(device)
    assert coming is not None
    device.arm()
    device.claim()
    assert revoked(house) == {serial_of(first), serial_of(coming)}


def test_what_has_ended_by_itself_leaves_the_list(house: House, device: FakeDevice) -> None:
    twin = house.twin(NAME)
    late = house.fleet.now_ms() + 731 * 86_400_000
    twin.device = twin.device.changed(1, revoked={"ab": late - 1, "cd": late + 1})
    fresh = house.fleet.authority.issue(
        csr(device.keys.identity),
        NAME,
        device.keys.identity.public_key().public_bytes_raw(),
        datetime.now(UTC),
    )
    assert set(twin.device.with_next(fresh, late).revoked) == {"cd"}


def test_the_list_is_the_authoritys_and_is_written_anew(house: House, device: FakeDevice) -> None:
    async def play() -> list[int]:
        task = asyncio.create_task(house.service._keep_list())
        path = house.data / "ca.crl"
        await reach(path.exists)
        house.fleet.steal(house.twin(NAME), "person")
        house.service.users_changed()
        await reach(lambda: list(x509.load_pem_x509_crl(path.read_bytes())) != [])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = x509.load_pem_x509_crl(path.read_bytes())
        assert found.is_signature_valid(house.fleet.authority.certificate.public_key())  # type: ignore[arg-type]
        assert found.next_update_utc is not None
        assert found.next_update_utc > datetime.now(UTC) + timedelta(days=LIST_DAYS - 1)
        return [each.serial_number for each in found]

    assert device.membership is not None
    assert asyncio.run(play()) == [serial_of(device.membership.certificates[0])]


def test_a_disk_that_fails_costs_the_list_and_nothing_else(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_AGAIN_S", 0.05)
    monkeypatch.setattr(service, "_LIST_REST_S", 0.0)
    authority, path = house.fleet.authority, house.data / "ca.crl"
    write = authority.write_list

    def fail(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    async def play() -> None:
        authority.write_list = fail  # type: ignore[method-assign]
        task = asyncio.create_task(house.service._keep_list())
        await reach(lambda: any(name == "device.unwritten" for name, _ in house.notes))
        assert not task.done()
        assert not path.exists()
        authority.write_list = write  # type: ignore[method-assign]
        await reach(lambda: house.notes[-1][0] == "device.written")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())
    assert path.exists()


async def reach(test: object) -> None:
    async with asyncio.timeout(5):
        while not test():  # type: ignore[operator]
            await asyncio.sleep(0.01)


# -- a Mosquitto of one's own ----------------------------------------------------------------------


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[tuple[Authority, int, "subprocess.Popen[bytes]"]]:
    """It asks for certificates of our authority, and has our list."""
    mosquitto = program()
    assert mosquitto, "mosquitto is missing: apt-get install mosquitto"
    authority, port = Authority(tmp_path / "ca", datetime.now(UTC)), free_port("127.0.0.1")
    paths = authority.broker_certificate("127.0.0.1", datetime.now(UTC))
    crl = authority.write_list([], datetime.now(UTC))
    config = tmp_path / "mosquitto.conf"
    config.write_text(
        f"user root\nlistener {port} 127.0.0.1\nrequire_certificate true\n"
        f"use_identity_as_username true\ncafile {authority.path}\ncrlfile {crl}\n"
        f"certfile {paths[0]}\nkeyfile {paths[1]}\n"
    )
    process = subprocess.Popen(
        [mosquitto, "-c", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(),
    )
    try:
        yield authority, port, process
    finally:
        process.kill()
        process.wait()


def test_a_broker_of_ones_own_refuses_what_is_on_the_list(
    own_broker: tuple[Authority, int, "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    authority, port, process = own_broker
    key = Ed25519PrivateKey.generate()
    identity = key.public_key().public_bytes_raw()
    old, fresh = (authority.issue(csr(key), NAME, identity, datetime.now(UTC)) for _ in range(2))

    def connects(pem: str) -> bool:
        chain = tmp_path / "chain.pem"
        chain.write_bytes(
            pem.encode() + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        tls = ssl.create_default_context(cafile=str(authority.path))
        tls.load_cert_chain(chain)

        async def play() -> None:
            client = aiomqtt.Client("127.0.0.1", port, tls_context=tls, timeout=3)
            async with asyncio.timeout(4), client:
                await client.subscribe("vigie/#")

        with contextlib.suppress(aiomqtt.MqttError, OSError, TimeoutError):
            asyncio.run(play())
            return True
        return False

    until(lambda: connects(old.pem), 10.0, "the broker")
    authority.write_list([(old.serial, False)], datetime.now(UTC))
    os.kill(process.pid, signal.SIGHUP)
    until(lambda: not connects(old.pem), 10.0, "refused")
    assert connects(fresh.pem)
