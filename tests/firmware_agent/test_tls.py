"""A broker of one's own: TLS, device certificates instead of passwords, the common name as the user."""

import asyncio
import datetime
import ipaddress
import subprocess
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from firmware_agent.certificate import RENEWED
from firmware_agent.enrolment import Enrolment, tls_context
from firmware_agent.files import DiskFiles
from firmware_agent.messages.claim import ClaimResponse, ClaimResult, Membership
from firmware_agent.messages.desired import Command, Op
from firmware_agent.messages.envelope import sign
from firmware_agent.mqtt import Broker as MqttBroker
from firmware_agent.mqtt import subscribe
from tests.firmware_agent.standin import ACL, CID, DEVICE, Keys, Process
from tests.wire.rig import die_with_parent, free_port

pytestmark = pytest.mark.wire
Pem = serialization.Encoding.PEM


class Authority:
    """A small CA: its own certificate, one for the broker, one for the device."""

    def __init__(self) -> None:
        self.key = generate_private_key(SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        self.certificate = self.issue("Test CA", self.key.public_key(), is_ca=True)

    def issue(
        self, name: str, key: object, is_ca: bool = False, hours: float = 1
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        host = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=hours))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([host]), critical=False)
            .sign(self.key, SHA256())
        )


class TlsBroker:
    """A Mosquitto that asks for certificates and knows no password."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        directory.mkdir()
        self.port = free_port("127.0.0.1")
        key = generate_private_key(SECP256R1())
        files = {
            "ca.crt": authority.certificate.public_bytes(Pem),
            "own.crt": authority.issue("broker", key.public_key()).public_bytes(Pem),
            "own.key": key.private_bytes(
                Pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            "acl": ACL.encode(),
        }
        for name, content in files.items():
            (directory / name).write_bytes(content)
        config = directory / "mosquitto.conf"
        config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous false\n"
            f"require_certificate true\nuse_identity_as_username true\n"
            f"cafile {directory}/ca.crt\ncertfile {directory}/own.crt\nkeyfile {directory}/own.key\n"
            f"acl_file {directory}/acl\n"
        )
        self._process = subprocess.Popen(
            ["mosquitto", "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent(),
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def membership(
    keys: Keys, authority: Authority, port: int, device: str = DEVICE, hours: float = 1
) -> Membership:
    certificate = authority.issue(device, keys.identity.public_key(), hours=hours)
    ca = authority.certificate.public_bytes(Pem).decode()
    return Membership(
        device=device,
        certificates=(certificate.public_bytes(Pem).decode(), ca),
        broker=f"mqtts://127.0.0.1:{port}",
        broker_password_sealed=None,
        password_gen=0,
        service_keys=(keys.service.public_key().public_bytes_raw(),),
        metadata_url="http://127.0.0.1:9/metadata",
        images_url="http://127.0.0.1:9/images",
        broker_ca=ca,
    )


def test_device_shows_its_certificate_and_is_believed_by_its_name(tmp_path: Path) -> None:
    keys, authority = Keys(), Authority()
    broker = TlsBroker(tmp_path / "broker", authority)
    member = membership(keys, authority, broker.port)
    factory = keys.factory("ooma-office", member.broker, "{}")
    answer = ClaimResponse(CID, "n", ClaimResult.ACCEPTED, "", member)
    state = tmp_path / "device" / "state"
    DiskFiles(state).replace("membership", sign(answer, keys.service))
    device = Process(tmp_path / "device", factory, b"image", "--no-phone")
    try:
        asyncio.run(_connected(device))
    finally:
        device.kill()
        broker.kill()


async def _connected(device: Process) -> None:
    async with asyncio.timeout(15):
        while not [e for e in device.events() if e.get("event") == "connected"]:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("was_renewed", [True, False])
def test_a_renewed_certificate_is_what_it_shows(tmp_path: Path, was_renewed: bool) -> None:
    """That of its claim has ended: without the renewal the broker doesn't let it in."""
    keys, authority = Keys(), Authority()
    broker = TlsBroker(tmp_path / "broker", authority)
    member = membership(keys, authority, broker.port, hours=-0.01)
    factory = keys.factory("ooma-office", member.broker, "{}")
    files = DiskFiles(tmp_path / "device" / "state")
    answer = ClaimResponse(CID, "n", ClaimResult.ACCEPTED, "", member)
    files.replace("membership", sign(answer, keys.service))
    if was_renewed:
        fresh = authority.issue(DEVICE, keys.identity.public_key()).public_bytes(Pem).decode()
        order = Command(DEVICE, "c1", 0, Op.CERTIFICATE, {"certificate": fresh})
        files.replace(RENEWED, sign(order, keys.service))
    found = asyncio.run(Enrolment(factory, files, None, lambda event, **fields: None).member())
    assert (found.certificate.pem in member.certificates) is not was_renewed  # what it attests
    device = Process(tmp_path / "device", factory, b"image", "--no-phone")
    try:
        asyncio.run(_tried(device))
        connected = [e for e in device.events() if e.get("event") == "connected"]
        assert bool(connected) is was_renewed
    finally:
        device.kill()
        broker.kill()


async def _tried(device: Process) -> None:
    tried = ("connected", "disconnected")
    async with asyncio.timeout(15):
        while not [e for e in device.events() if e.get("event") in tried]:
            await asyncio.sleep(0.05)


def test_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    keys, authority = Keys(), Authority()
    broker = TlsBroker(tmp_path / "broker", authority)
    good = membership(keys, authority, broker.port)
    foreign = membership(keys, Authority(), broker.port)
    factory = keys.factory("m", good.broker, "{}")

    async def connect(member: Membership) -> None:
        tls = tls_context(member, factory)
        client = MqttBroker(member.broker, DEVICE, None, lambda: tls).client()
        async with asyncio.timeout(5), client:
            await subscribe(client, f"vigie/v1/d/{DEVICE}/desired")

    try:
        with pytest.raises((aiomqtt.MqttError, OSError, TimeoutError)):
            asyncio.run(connect(foreign))  # it doesn't believe the broker
        ca = replace(foreign, broker_ca=good.broker_ca)
        with pytest.raises((aiomqtt.MqttError, OSError, TimeoutError)):
            asyncio.run(connect(ca))  # the broker doesn't believe it
        asyncio.run(connect(good))
    finally:
        broker.kill()
