"""What a device shall be: its desired document, from configuration and store, with its revision.

A document's content decides: when it differs from what was published last, the revision grows, the
document is signed and kept, and only then sent. So a restart publishes the very bytes again, and a
device never sees one revision with two contents.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_agent.messages.codec import encode, parse
from firmware_agent.messages.desired import (
    Desired,
    FirmwareWanted,
    LineWanted,
    Sip,
    Transport,
    Window,
)
from firmware_agent.messages.envelope import sign
from switch.facts.line import Line
from switch.provisioning.device import Device
from switch.provisioning.settings import DeviceSettings

KIND: Final = "device_desired"


@dataclass(frozen=True, slots=True)
class Registrar:
    """Where phones register: a domain, and "host:port" by transport."""

    domain: str
    addresses: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Published:
    """The document of a revision as it was published. `content` is the SHA-256 of what it says without
    its revision, `sha256` that of the signed payload: what the device attests."""

    device: str
    rev: int
    content: str
    sha256: str
    envelope: bytes
    at: int

    def record(self) -> dict[str, Any]:
        """As the journal and the database keep it."""
        envelope = base64.b64encode(self.envelope).decode()
        return {
            "k": KIND,
            "device": self.device,
            "rev": self.rev,
            "content": self.content,
            "sha256": self.sha256,
            "envelope": envelope,
            "at": self.at,
        }


def read(record: Mapping[str, Any]) -> Published:
    """The document of a record. KeyError, TypeError, ValueError for one that nobody can read."""
    return Published(
        str(record["device"]),
        int(record["rev"]),
        str(record["content"]),
        str(record["sha256"]),
        base64.b64decode(record["envelope"]),
        int(record["at"]),
    )


def location_generation(line: Line) -> int:
    """What a device acknowledges: the version of the line's location, 0 for none."""
    location = line.policy.location
    return 0 if location is None else location.version


def wanted(
    definition: DeviceSettings,
    device: Device,
    line: Line | None,
    firmware: FirmwareWanted | None,
    registrar: Registrar,
) -> Desired:
    """The document, without its revision. A device without a line, or without a secret for it, gets
    none."""
    lines: tuple[LineWanted, ...] = ()
    if line is not None and device.sealed:
        transport = Transport(definition.transport)
        sip = Sip(
            domain=registrar.domain,
            user=line.id,
            registrars=registrar.addresses[definition.transport],
            transport=transport,
            secret_sealed=device.sealed,
            secret_gen=device.secret_gen,
        )
        generation = location_generation(line)
        lines = (
            LineWanted(line.id, sip, line.site, generation, definition.codecs, definition.dial),
        )
    return Desired(device.id, 0, firmware, lines)


def publish(
    document: Desired, last: Published | None, key: Ed25519PrivateKey, at: int
) -> Published | None:
    """The next revision, if `document` says something else than the last one; None if not. MessageError
    for a document that a device would refuse: it is never sent."""
    content = sha256(encode(replace(document, rev=0))).hexdigest()
    if last is not None and last.content == content:
        return None
    rev = 1 if last is None else last.rev + 1
    numbered = replace(document, rev=rev)
    raw = encode(numbered)
    parse(Desired, raw)
    payload = sha256(raw).hexdigest()
    return Published(document.device, rev, content, payload, sign(numbered, key), at)


def window_of(text: str, zone: str) -> Window | None:
    """ "02:00-05:00" in a time zone; None for any time."""
    if not text:
        return None
    opens, _, closes = text.partition("-")
    return Window(zone, opens, closes)
