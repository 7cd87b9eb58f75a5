"""What a device tells the service. Not signed: the broker knows who writes to which topic.

Read these with `ignore_unknown=True`: a new firmware may say more than an old switch understands.
Every text has a bound; what a device says is never trusted for more than itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from firmware_agent.messages.codec import Count, Match, Name, Text, Within
from firmware_agent.messages.desired import Line, Sha256, UtcSeconds, Version

Percent = Annotated[int, Within(0, 100)]


class Applied(StrEnum):
    """What became of the document of `seen_rev`."""

    APPLIED = "applied"
    APPLYING = "applying"
    REJECTED = "rejected"


class UpdateState(StrEnum):
    """The states of an update on the device (`agent.table`)."""

    IDLE = "IDLE"
    OFFERED = "OFFERED"
    META_VERIFIED = "META_VERIFIED"
    DOWNLOADING = "DOWNLOADING"
    SUSPENDED = "SUSPENDED"
    VERIFIED = "VERIFIED"
    INSTALLING = "INSTALLING"
    WAIT_WINDOW = "WAIT_WINDOW"
    REBOOTING = "REBOOTING"
    TRIAL = "TRIAL"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    ROLLING_BACK = "ROLLING_BACK"
    ROLLED_BACK = "ROLLED_BACK"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why: a slug, where in the document ("lines[0].sip"), a sentence."""

    code: Name
    path: Text = ""
    msg: Text = ""


@dataclass(frozen=True, slots=True)
class RunningFirmware:
    """What runs, and how far an update of it is. `sha256`: of the running image (attestation)."""

    slot: Annotated[str, Match("[AB]")]
    version: Version
    security_version: Count
    sha256: Sha256
    state: UpdateState
    attempt: Count


@dataclass(frozen=True, slots=True)
class LineState:
    """A line as the device has it. `location_gen` acknowledges the location."""

    line: Line
    secret_gen: Count
    registered: bool
    location_gen: Count


@dataclass(frozen=True, slots=True)
class TufState:
    """Versions of the trusted metadata."""

    root: Count
    ts: Count


class ClockSource(StrEnum):
    """Where trusted time comes from."""

    BUILD = "build"
    """No signed time yet: the firmware's build time."""
    SIGNED = "signed"
    SYSTEM = "system"
    """The system clock, within 24 h of signed time."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """`skew_s`: system clock minus trusted time."""

    src: ClockSource
    skew_s: Annotated[int, Within(-(2**40), 2**40)]


@dataclass(frozen=True, slots=True)
class Attest:
    """What the service compares with what it knows; a difference is the tampered state."""

    config_sha256: Sha256 | None
    """`Opened.sha256` of the applied document; None before the first."""
    certificate_sha256: Sha256 | None
    """Of the device certificate in DER; None for a device without one."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The full state, resent on each connect. `seq` grows within a `boot_id`."""

    seen_rev: Count
    applied_rev: Count
    state: Applied
    boot_id: Name
    seq: Count
    fw: RunningFirmware
    lines: Annotated[tuple[LineState, ...], Within(0, 16)]
    tuf: TufState
    clock: ClockState
    attest: Attest
    emergency_ready: bool
    """A line is registered with an acknowledged location, and no reboot is under way."""
    err: Problem | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Retained, and the last will with `online` false. `sid` grows with each connection of a device:
    a will with an older `sid` than the last online is ignored. `ts`: trusted time at connecting."""

    online: bool
    sid: Count
    ts: UtcSeconds


class AckResult(StrEnum):
    """What became of a command."""

    DONE = "done"
    ACCEPTED = "accepted"
    """It will be done when calls and windows allow."""
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to a command of this `id`."""

    id: Name
    result: AckResult
    err: Problem | None = None


@dataclass(frozen=True, slots=True)
class Ota:
    """Progress of an update; `seq` grows over reboots, so late and repeated ones are known."""

    rollout: Name
    target: Text
    state: UpdateState
    pct: Percent
    attempt: Count
    seq: Count
    version: Version
    """What runs now."""
    err: Problem | None = None


class Event(StrEnum):
    """Kinds of `Evt`."""

    TAMPER = "tamper"
    CRASH = "crash"
    MOVED = "moved"
    """Network fingerprint or public address changed: detail from, to, what."""
    SECRET_GENERATION = "secret_generation"  # noqa: S105 -- detail line, generation: it is in use
    TIME_WANTED = "time_wanted"
    """The beacon is old or absent: detail nonce; answered by the command TIME."""
    CERTIFICATE_WANTED = "certificate_wanted"
    """The certificate ends before long: detail csr (PKCS #10, PEM); answered by CERTIFICATE."""
    DOWNGRADE = "downgrade"
    """A signed image under the security floor was refused: detail target, wanted, floor."""
    REV_CONFLICT = "rev_conflict"
    """Two documents with one rev: detail rev, have, got."""
    FORGED = "forged"
    """A document or image with a wrong signature, hash or recipient: detail what, path."""
    REVERTED = "reverted"
    """MQTT or SIP was not regained: the last good document is back. detail rev, to, lacking."""
    BOOT = "boot"
    """Once per boot: detail reason."""
    WIPED = "wiped"


Detail = Annotated[Mapping[str, Annotated[str | int, Within(-(2**53), 2**53)]], Within(0, 12)]


@dataclass(frozen=True, slots=True)
class Evt:
    """Something that happened once. (`boot_id`, `seq`) is its identity: deliveries may repeat."""

    kind: Event
    boot_id: Name
    seq: Count
    at: UtcSeconds
    detail: Detail


@dataclass(frozen=True, slots=True)
class Network:
    """The fingerprint of where a device is plugged in."""

    gateway_mac: Annotated[str, Match(r"([0-9a-f]{2}(:[0-9a-f]{2}){5})?")]
    dhcp_domain: Text


@dataclass(frozen=True, slots=True)
class Tlm:
    """Telemetry, QoS 0: a sample may be lost. Evidence for the policy's view of where the device is.
    None is "not known"; `mos` and `jitter_ms` are of the calls since the last sample."""

    at: UtcSeconds
    uptime_s: Count
    boot_reason: Name
    registered: bool
    calls: Count
    emergency_ready: bool
    public_ip: Annotated[str, Within(2, 45)] | None = None
    network: Network | None = None
    country: Annotated[str, Match("[A-Z]{2}")] | None = None
    """The device's own hint (ISO 3166-1), from its modem or Wi-Fi."""
    mos: Annotated[float, Within(1, 5)] | None = None
    jitter_ms: Annotated[float, Within(0, 60_000)] | None = None
