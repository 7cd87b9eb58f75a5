"""A stand-in for the service, over the wire contract only: keys, a broker, answers to claims, documents.

It keeps what devices said, and lets a test say anything, forged or not.
"""

import asyncio
import base64
import contextlib
import datetime
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import NameOID

from firmware_agent.messages.claim import (
    ClaimRequest,
    ClaimResponse,
    ClaimResult,
    Factory,
    Membership,
)
from firmware_agent.messages.codec import encode
from firmware_agent.messages.desired import Desired, FirmwareWanted, LineWanted, Sip, Transport
from firmware_agent.messages.envelope import key_id, open_signed, seal, sign
from firmware_agent.messages.topics import PREFIX
from tests.wire.rig import die_with_parent, free_port

DEVICE, CID, LINE = "dev-0001", "claim-0001", "109"
ACL = f"""user service
topic readwrite {PREFIX}/#
pattern read {PREFIX}/d/%u/desired
pattern read {PREFIX}/d/%u/cmd
pattern write {PREFIX}/d/%u/reported
pattern write {PREFIX}/d/%u/status
pattern write {PREFIX}/d/%u/cmd/ack
pattern write {PREFIX}/d/%u/ota
pattern write {PREFIX}/d/%u/evt
pattern write {PREFIX}/d/%u/tlm
pattern read {PREFIX}/fleet/#
pattern write {PREFIX}/claim/%u/req
pattern read {PREFIX}/claim/%u/resp
"""


@dataclass
class Keys:
    """Of one service and one device."""

    service: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    identity: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    sealing: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    def factory(self, model: str, broker: str, tuf_root: str) -> Factory:
        return Factory(
            serial="SN-1",
            model=model,
            key=self.identity.private_bytes_raw(),
            seal_key=self.sealing.private_bytes_raw(),
            broker=broker,
            cid=CID,
            claim_secret="once-only",
            service_keys=(self.service.public_key().public_bytes_raw(),),
            tuf_root=tuf_root,
        )

    def line(
        self,
        gen: int = 1,
        location_gen: int = 1,
        secret: str = "s3cret",
        device: str = DEVICE,
        **sip: Any,
    ) -> LineWanted:
        sealed = seal(secret, self.sealing.public_key(), device, f"sip:{LINE}", gen)
        fields = {
            "domain": "127.0.0.1",
            "user": LINE,
            "registrars": ("127.0.0.1:5060",),
            "transport": Transport.UDP,
            "secret_sealed": sealed,
            "secret_gen": gen,
        }
        return LineWanted(LINE, Sip(**(fields | sip)), "paris", location_gen)

    def desired(
        self, rev: int, firmware: FirmwareWanted | None = None, device: str = DEVICE, **more: Any
    ) -> bytes:
        lines = more.pop("lines", None) or (self.line(),)
        return sign(Desired(device, rev, firmware, lines, **more), self.service)

    def membership(self, csr_pem: str, broker: str, web: str, password: str) -> Membership:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        now = datetime.datetime.now(datetime.UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DEVICE)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(csr.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=365))
            .sign(self.service, None)
        )
        return Membership(
            device=DEVICE,
            certificates=(certificate.public_bytes(serialization.Encoding.PEM).decode(),),
            broker=broker,
            broker_password_sealed=seal(password, self.sealing.public_key(), DEVICE, "mqtt", 1),
            password_gen=1,
            service_keys=(self.service.public_key().public_bytes_raw(),),
            metadata_url=f"{web}/metadata",
            images_url=f"{web}/images",
        )


def hashed(password: str) -> str:
    """As mosquitto_passwd writes it ($7$, PBKDF2-SHA512), with one round."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 1)
    return f"$7$1${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


class Broker:
    """A Mosquitto of its own process, with the rights of the contract."""

    def __init__(self, directory: Path, devices: Sequence[str] = (DEVICE,)) -> None:
        assert shutil.which("mosquitto"), "mosquitto is missing: apt-get install mosquitto"
        directory.mkdir()
        self.port = free_port("127.0.0.1")
        passwords, acl = directory / "passwords", directory / "acl"
        users = {"service": "service", CID: "once-only"} | dict.fromkeys(devices, "member")
        passwords.write_text("".join(f"{name}:{hashed(users[name])}\n" for name in users))
        acl.write_text(ACL)
        self._config = directory / "mosquitto.conf"
        # A broker that root starts becomes another user, who must be able to read its files.
        self._config.write_text(
            f"user {os.environ.get('USER', 'root')}\nlistener {self.port} 127.0.0.1\n"
            f"allow_anonymous false\npassword_file {passwords}\nacl_file {acl}\n"
            "persistence false\nuse_username_as_clientid true\n"
        )
        self.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["mosquitto", "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent(),
        )
        until = time.monotonic() + 5
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("mosquitto does not listen")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Service:
    """The service's client: what was said, and a way to say."""

    def __init__(self, client: aiomqtt.Client, keys: Keys, broker: str, web: str) -> None:
        self.client, self.keys, self._broker, self._web = client, keys, broker, web
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.claims: list[ClaimRequest] = []
        self._news = asyncio.Event()

    async def listen(self) -> None:
        async for message in self.client.messages:
            kind = str(message.topic).removeprefix(f"{PREFIX}/").split("/", 2)[2]
            raw = bytes(message.payload)  # type: ignore[arg-type]
            if kind == "req":
                await self._answer(raw)
            elif kind not in ("desired", "cmd", "resp"):
                self.heard.append((kind, json.loads(raw)))
            self._news.set()

    async def _answer(self, raw: bytes) -> None:
        public = self.keys.identity.public_key()
        request = open_signed(ClaimRequest, raw, {key_id(public): public}).document
        self.claims.append(request)
        member = self.keys.membership(request.csr, self._broker, self._web, "member")
        answer = ClaimResponse(CID, request.nonce, ClaimResult.ACCEPTED, "", member)
        await self.client.publish(
            f"{PREFIX}/claim/{CID}/resp", sign(answer, self.keys.service), qos=1
        )

    async def say(self, kind: str, payload: bytes) -> None:
        await self.client.publish(
            f"{PREFIX}/d/{DEVICE}/{kind}", payload, qos=1, retain=kind == "desired"
        )

    async def hear(
        self,
        kind: str,
        test: Callable[[dict[str, Any]], bool] = lambda _: True,
        limit_s: float = 20,
    ) -> dict[str, Any]:
        """The first document of this kind that passes, also of those heard already."""
        async with asyncio.timeout(limit_s):
            while True:
                for heard, document in self.heard:
                    if heard == kind and test(document):
                        return document
                self._news.clear()
                await self._news.wait()
        raise AssertionError


@asynccontextmanager
async def service(broker: Broker, keys: Keys, web: str) -> AsyncIterator[Service]:
    async with aiomqtt.Client(
        "127.0.0.1", broker.port, username="service", password="service"
    ) as client:
        await client.subscribe(f"{PREFIX}/#", qos=1)
        running = Service(client, keys, broker.url, web)
        listening = asyncio.create_task(running.listen())
        try:
            yield running
        finally:
            listening.cancel()


class Process:
    """The device's program."""

    def __init__(self, directory: Path, factory: Factory, firmware: bytes, *options: str) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        (directory / "factory.json").write_bytes(encode(factory))
        (directory / "factory.img").write_bytes(firmware)
        self.log = directory / f"log-{secrets.token_hex(4)}"
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "firmware_agent", "run",
                    "--factory", str(directory / "factory.json"),
                    "--firmware", str(directory / "factory.img"),
                    "--state", str(directory / "state"),
                    *options,
                ],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).parents[2],
                preexec_fn=die_with_parent(),
            )  # fmt: skip

    def events(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines()
        return [json.loads(each) if each.startswith("{") else {"text": each} for each in lines]

    def hand(self, do: str, **fields: str) -> None:
        """Lay a hand on it (`--control`)."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **fields}).encode() + b"\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self._end()

    def terminate(self) -> int:
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        self._process.wait(10)
        return self._end()

    def _end(self) -> int:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        return self._process.wait(10)
