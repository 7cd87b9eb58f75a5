"""What the service tells a device: desired state, commands, the beacon. All signed (`envelope`).

desired: retained, one document, the whole of what the device shall be. A device takes the highest
`rev`: a lower one is ignored, an equal one with another hash is an alarm. It is applied whole or not
at all. `device` is inside what is signed, so no document can be played to another device.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from firmware_agent.messages.codec import Count, Match, Name, Text, Within
from firmware_agent.messages.topics import ID_PATTERN

Id = Annotated[str, Match(ID_PATTERN)]
Sha256 = Annotated[str, Match(r"[0-9a-f]{64}")]
Version = Annotated[str, Match(r"[0-9]+(\.[0-9]+){1,3}([-+][A-Za-z0-9.-]{1,32})?")]
HostPort = Annotated[str, Match(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")]
Line = Annotated[str, Match(r"[A-Za-z0-9+._-]{1,32}")]
Seconds = Annotated[int, Within(0, 10**9)]
UtcSeconds = Annotated[int, Within(0, 2**40)]
TargetPath = Annotated[str, Match(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*){1,3}")]
Clock = Annotated[str, Match(r"([01][0-9]|2[0-3]):[0-5][0-9]")]

MAX_IMAGE = 256 * 2**20
"""Bytes of an image, at most."""


@dataclass(frozen=True, slots=True)
class Window:
    """When a device may reboot into new firmware: every day from `opens` to `closes` (before `opens`:
    past midnight), in the site's `zone` (IANA)."""

    zone: Annotated[str, Match(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")]
    opens: Clock
    closes: Clock


@dataclass(frozen=True, slots=True)
class FirmwareWanted:
    """The image to run. `target` is its path in the TUF repository ("ooma-office/1.1.0.img"), which
    has the last word on hash and length; no `window` means at any time."""

    target: TargetPath
    version: Version
    sha256: Sha256
    len: Annotated[int, Within(1, MAX_IMAGE)]
    security_version: Count
    rollout: Name
    window: Window | None = None


class Transport(StrEnum):
    """Of SIP."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Sip:
    """How a line registers. `secret_sealed`: `envelope.seal` with purpose "sip:LINE"."""

    domain: Annotated[str, Match(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]")]
    user: Annotated[str, Match(r"[A-Za-z0-9+._~-]{1,64}")]
    registrars: Annotated[tuple[HostPort, ...], Within(1, 4)]
    transport: Transport
    secret_sealed: Annotated[bytes, Within(1, 1024)]
    secret_gen: Count


@dataclass(frozen=True, slots=True)
class LineWanted:
    """A line. It is in service only when `location_gen` was acknowledged in `reported`."""

    line: Line
    sip: Sip
    location_id: Text
    location_gen: Count
    codecs: Annotated[tuple[Name, ...], Within(1, 16)] = ("PCMA", "PCMU")
    dial: Annotated[tuple[Text, ...], Within(0, 64)] = ()
    """Digit maps (RFC 3435 §2.1.5)."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The whole of what a device shall be. Without `firmware` it keeps what it runs."""

    device: Id
    rev: Count
    firmware: FirmwareWanted | None
    lines: Annotated[tuple[LineWanted, ...], Within(0, 16)]
    tls_roots: Annotated[tuple[Annotated[str, Within(1, 8192)], ...], Within(0, 4)] = ()
    revert_after_s: Annotated[int, Within(10, 86400)] = 600
    """Back to the last good document when MQTT or SIP isn't regained in this time."""


class Op(StrEnum):
    """What a command asks for."""

    REBOOT = "reboot"
    """Waits for the end of calls and of the 30 minutes after an emergency call."""
    RESTART_UPDATE = "restart_update"
    """Try a target again that was REJECTED, FAILED or ROLLED_BACK."""
    REGISTER = "register"
    """Register all lines anew, now."""
    WIPE = "wipe"
    """Out of service: forget lines, secrets and certificate. Waits for the end of an emergency call."""
    TIME = "time"
    """The signed answer to an event `time_wanted`: args nonce and time (UTC seconds)."""
    CERTIFICATE = "certificate"
    """The answer to an event `certificate_wanted`: args certificate (PEM)."""


@dataclass(frozen=True, slots=True)
class Command:
    """Do `op` once: an id that was seen is acknowledged again, not performed again. `exp` (UTC
    seconds) is judged at trusted time; TIME, whose nonce is its freshness, ignores it."""

    device: Id
    id: Name
    exp: UtcSeconds
    op: Op
    args: Mapping[str, Annotated[str | int, Within(-(2**53), 2**53)]]


@dataclass(frozen=True, slots=True)
class Beacon:
    """Signed time for all, and the floors below which nothing is installed or kept."""

    time: UtcSeconds
    tuf_ts: Count
    """Version of the TUF timestamp: a device with a lower one refreshes."""
    floors: Mapping[str, Count]
    """Hardware model -> lowest security version."""
