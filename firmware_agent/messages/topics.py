"""The topics of the contract: who may write what is the broker's ACL, of the same words.

`{id}` is the device's id, its MQTT client id and its user name at once; `{cid}` is the name of a
one-time claim credential. Both are of the form of `ID`, which has no character special to MQTT.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "vigie/v1"
BEACON = f"{PREFIX}/fleet/beacon"
ID_PATTERN = r"[a-z0-9-]{8,32}"

_DEVICE = re.compile(
    rf"{PREFIX}/d/({ID_PATTERN})/(desired|reported|status|cmd/ack|cmd|ota|evt|tlm)"
)
_CLAIM = re.compile(rf"{PREFIX}/claim/({ID_PATTERN})/(req|resp)")


class Kind(StrEnum):
    """What a topic carries; the value is its tail."""

    DESIRED = "desired"
    REPORTED = "reported"
    STATUS = "status"
    CMD = "cmd"
    ACK = "cmd/ack"
    OTA = "ota"
    EVT = "evt"
    TLM = "tlm"
    CLAIM_REQ = "req"
    CLAIM_RESP = "resp"
    BEACON = "beacon"


DEVICE_WRITES = (Kind.REPORTED, Kind.STATUS, Kind.ACK, Kind.OTA, Kind.EVT, Kind.TLM)
DEVICE_READS = (Kind.DESIRED, Kind.CMD)

QOS = {kind: 0 if kind is Kind.TLM else 1 for kind in Kind}
RETAINED = frozenset({Kind.DESIRED, Kind.STATUS, Kind.BEACON})
EXPIRY_S = {Kind.CMD: 300, Kind.ACK: 300, Kind.OTA: 3600, Kind.EVT: 7 * 86400} | {
    Kind.CLAIM_REQ: 300,
    Kind.CLAIM_RESP: 300,
}
"""Message expiry (MQTT 5) in seconds; a kind that isn't here doesn't expire."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the contract, read: what it carries and whose it is ("" for the beacon)."""

    kind: Kind
    owner: str

    @classmethod
    def parse(cls, text: str) -> "Topic":
        """Raises ValueError for a topic that is none of ours."""
        if text == BEACON:
            return cls(Kind.BEACON, "")
        match = _DEVICE.fullmatch(text) or _CLAIM.fullmatch(text)
        if match is None:
            raise ValueError(f"no topic of {PREFIX}: {text[:80]!r}")
        return cls(Kind(match[2]), match[1])

    def __str__(self) -> str:
        if self.kind is Kind.BEACON:
            return BEACON
        room = "claim" if self.kind in (Kind.CLAIM_REQ, Kind.CLAIM_RESP) else "d"
        return f"{PREFIX}/{room}/{self.owner}/{self.kind.value}"
