"""How a device that leaves its box becomes one of ours.

The factory writes `Factory` into the device and gives (serial, public key) to the service. Out of the
box the device connects as the one-time claim user `cid` and publishes a `ClaimRequest`, signed by its
own key; the service answers with a `ClaimResponse`, signed by the service: certificate, broker, and the
keys that sign everything from then on. The cid is spent; a second claim of a serial is quarantined.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from firmware_agent.messages.codec import Name, Text, Within
from firmware_agent.messages.desired import Id

RawKey = Annotated[bytes, Within(32, 32)]
Pem = Annotated[str, Within(1, 16384)]
Url = Annotated[str, Within(1, 1024)]


@dataclass(frozen=True, slots=True)
class Factory:
    """What is in a device when it leaves the factory. A file of its own, readable by it only."""

    serial: Name
    model: Name
    key: Annotated[bytes, Within(32, 32)] = field(repr=False)
    """Ed25519 private key, raw: the device's identity."""
    seal_key: Annotated[bytes, Within(32, 32)] = field(repr=False)
    """X25519 private key, raw: secrets are sealed to it."""
    broker: Url
    """mqtt://host:port or mqtts://host:port."""
    cid: Id
    claim_secret: Text = field(repr=False)
    service_keys: Annotated[tuple[RawKey, ...], Within(1, 8)]
    """Ed25519 public keys, raw, one of which signs the answer to the claim."""
    tuf_root: Annotated[str, Within(1, 32768)]
    """The trusted root metadata of the TUF repository (its JSON text)."""
    broker_ca: Pem | None = None
    """PEM of the authority of the broker's certificate, for mqtts."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Signed by the device's own key (the envelope's `keyid` is of the key in the factory record)."""

    cid: Id
    serial: Name
    model: Name
    csr: Pem
    """PKCS #10 by the same Ed25519 key."""
    seal_key: RawKey
    """X25519 public key, raw."""
    nonce: Name


class ClaimResult(StrEnum):
    """What became of a claim."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Membership:
    """What an accepted device keeps. `broker_password_sealed` (purpose "mqtt", generation
    `password_gen`) is for a broker that asks for passwords; the certificate for one with mqtts."""

    device: Id
    certificates: Annotated[tuple[Pem, ...], Within(1, 4)]
    """Its own first, then the authorities above."""
    broker: Url
    broker_password_sealed: Annotated[bytes, Within(1, 1024)] | None
    password_gen: Annotated[int, Within(0, 2**31)]
    service_keys: Annotated[tuple[RawKey, ...], Within(1, 8)]
    """What signs desired, commands and beacons from now on."""
    metadata_url: Url
    """TUF metadata: `{metadata_url}/timestamp.json`."""
    images_url: Url
    """Images and deltas by content: `{images_url}/{sha256}`."""
    broker_ca: Pem | None = None


@dataclass(frozen=True, slots=True)
class ClaimResponse:
    """Signed by the service. `nonce` is the request's: an answer can't be replayed."""

    cid: Id
    nonce: Name
    result: ClaimResult
    reason: Text = ""
    membership: Membership | None = None
