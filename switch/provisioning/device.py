"""One device: the table of its life, and what the store keeps of it.

A device is claimed once. What happens to it afterwards (stolen, tampered, replaced, a clone of it) is a
row of the table; `RIGHTS` says what each state leaves it. FIRMWARE.md section 3; terms 2(b), 2(c), 2(i).
Deliberately absent: what it reports (`reports`), and the state of its line, which is policy's.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from switch.provisioning.authority import Issued


class Life(StrEnum):
    """Where a device stands."""

    UNCLAIMED = "unclaimed"
    CLAIMED = "claimed"
    QUARANTINED = "quarantined"  # two of them are out there: neither may speak MQTT
    TAMPERED = (
        "tampered"  # what it attests isn't what we know: a person decides, it works meanwhile
    )
    STOLEN = "stolen"
    REPLACED = "replaced"
    DECOMMISSIONED = "decommissioned"


class Event(StrEnum):
    """What changes that."""

    CLAIM = "claim"
    CLONED = "cloned"
    MISMATCH = "mismatch"
    CLEAR = "clear"
    STEAL = "steal"
    REPLACE = "replace"
    DECOMMISSION = "decommission"
    ARM = "arm"


_OURS: Final = (Life.CLAIMED, Life.TAMPERED, Life.QUARANTINED)
TABLE: Final[Mapping[tuple[Life, Event], Life]] = {
    (Life.UNCLAIMED, Event.CLAIM): Life.CLAIMED,
    (Life.CLAIMED, Event.CLONED): Life.QUARANTINED,
    (Life.TAMPERED, Event.CLONED): Life.QUARANTINED,
    (Life.CLAIMED, Event.MISMATCH): Life.TAMPERED,
    (Life.TAMPERED, Event.CLEAR): Life.CLAIMED,
    (Life.QUARANTINED, Event.CLEAR): Life.CLAIMED,
    # Also from its box, or on its way back.
    **{(life, Event.STEAL): Life.STOLEN for life in (*_OURS, Life.UNCLAIMED, Life.REPLACED)},
    **{(life, Event.REPLACE): Life.REPLACED for life in (*_OURS, Life.STOLEN, Life.UNCLAIMED)},
    **{
        (life, Event.DECOMMISSION): Life.DECOMMISSIONED
        for life in Life
        if life is not Life.DECOMMISSIONED
    },
    # A person opens a claim (again): the box was new, came back, or was reset.
    **{(life, Event.ARM): Life.UNCLAIMED for life in Life},
}


@dataclass(frozen=True, slots=True)
class Rights:
    """`mqtt`: its credential works. `document`: its desired document is on the broker."""

    mqtt: bool
    document: bool


RIGHTS: Final[Mapping[Life, Rights]] = {
    Life.UNCLAIMED: Rights(mqtt=False, document=False),
    Life.CLAIMED: Rights(mqtt=True, document=True),
    Life.QUARANTINED: Rights(mqtt=False, document=True),
    Life.TAMPERED: Rights(mqtt=True, document=True),
    # The signed wipe must still reach whoever is out (`strays`).
    Life.STOLEN: Rights(mqtt=False, document=False),
    Life.REPLACED: Rights(mqtt=False, document=False),
    Life.DECOMMISSIONED: Rights(mqtt=False, document=False),
}


class NotAllowedError(ValueError):
    """An event that the table doesn't know in this state; the device stays as it is."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the store owns of a device. Instants are UTC milliseconds, keys raw public keys.

    `line` is "" as long as the files' own holds (a replacement gives it another one). `identity` signs
    its claim, secrets are sealed to `seal_key`. `claim_hash` and `mqtt_hash` are as in the broker's
    password file, `sealed` is the SIP secret of generation `secret_gen` for `secret_line` as the device
    gets it; nothing here opens anything. `spoke` is whether it was seen with its own credential.
    `next_certificate` was issued and not attested yet; `revoked` are serial numbers of earlier ones, with
    their ends. `was_stolen` outlives a replacement, `is_wiped` is whether it said since that it forgot
    everything, and `lost_ha1` are the hashes of the SIP secret that went with it, by algorithm.
    """

    id: str
    life: Life = Life.UNCLAIMED
    line: str = ""
    serial: str = ""
    model: str = ""
    identity: bytes = b""
    seal_key: bytes = b""
    cid: str = ""
    claim_hash: str = field(default="", repr=False)
    mqtt_hash: str = field(default="", repr=False)
    password_gen: int = 0
    certificate: str = ""  # SHA-256 of its DER
    certificate_serial: str = ""
    certificate_until: int = 0
    next_certificate: str = ""
    next_serial: str = ""
    next_until: int = 0
    revoked: Mapping[str, int] = field(default_factory=dict)
    sealed: bytes = field(default=b"", repr=False)
    secret_gen: int = 0
    secret_line: str = ""
    secret_at: int = 0
    spoke: bool = False
    was_stolen: bool = False
    is_wiped: bool = False
    lost_ha1: Mapping[str, str] = field(default_factory=dict, repr=False)
    claimed_at: int = 0
    changed_at: int = 0
    why: str = ""
    by: str = ""

    @property
    def rights(self) -> Rights:
        """What its state leaves it."""
        return RIGHTS[self.life]

    def on(self, event: Event, at: int, by: str, why: str = "") -> "Device":
        """The device after an event. NotAllowedError when the table has no row for it."""
        to = TABLE.get((self.life, event))
        if to is None:
            raise NotAllowedError(f"{event} doesn't apply to a device that is {self.life}")
        known = self if event is not Event.ARM else replace(self, **_OF_A_FORMER_LIFE)
        is_stolen = known.was_stolen or event is Event.STEAL
        return known.changed(at, life=to, by=by, why=why, was_stolen=is_stolen)

    def certified(self, issued: Issued, at: int, **values: Any) -> "Device":
        """The device with the certificate of a claim; those before hold no more."""
        revoked = {**self.revoked, self.certificate_serial: self.certificate_until}
        revoked[self.next_serial] = self.next_until
        return self.changed(
            at,
            certificate=issued.fingerprint,
            certificate_serial=issued.serial,
            certificate_until=issued.until,
            **_NO_NEXT,
            revoked=_lasting(revoked, at),
            **values,
        )

    def with_next(self, issued: Issued, at: int) -> "Device":
        """The device with a certificate that is to replace the present one; both count."""
        return self.changed(
            at,
            next_certificate=issued.fingerprint,
            next_serial=issued.serial,
            next_until=issued.until,
            revoked=_lasting({**self.revoked, self.next_serial: self.next_until}, at),
        )

    def renewed(self, at: int) -> "Device":
        """The device with its next certificate in use."""
        revoked = {**self.revoked, self.certificate_serial: self.certificate_until}
        return self.changed(
            at,
            certificate=self.next_certificate,
            certificate_serial=self.next_serial,
            certificate_until=self.next_until,
            **_NO_NEXT,
            revoked=_lasting(revoked, at),
        )

    def changed(self, at: int, **values: Any) -> "Device":
        """The device with other values; always later than before, also when the clock was set back."""
        return replace(self, changed_at=max(at, self.changed_at + 1), **values)

    def record(self) -> dict[str, Any]:
        """As the journal and the database keep it."""
        told = {name: getattr(self, name) for name in self.__slots__}
        for name in _BYTES:
            told[name] = base64.b64encode(told[name]).decode()
        return {"k": KIND, **told, "life": self.life.value}


KIND: Final = "device"
_OF_A_FORMER_LIFE: Final[Mapping[str, Any]] = {
    "was_stolen": False,
    "is_wiped": False,
    "lost_ha1": {},
}
_NO_NEXT: Final[Mapping[str, Any]] = {
    "next_certificate": "",
    "next_serial": "",
    "next_until": 0,
}
_BYTES: Final = ("identity", "seal_key", "sealed")
# Older records lack these.
_LATER: Final = frozenset(
    {*_OF_A_FORMER_LIFE, *_NO_NEXT, "certificate_until", "revoked"},
)


def _lasting(revoked: Mapping[str, int], at: int) -> dict[str, int]:
    """Without what has ended by itself, and without no certificate at all."""
    return {serial: until for serial, until in revoked.items() if serial and until > at}


def read(record: Mapping[str, Any]) -> Device:
    """The device of a record. KeyError, TypeError, ValueError for one that nobody can read."""
    known = (name for name in Device.__slots__ if name in record or name not in _LATER)
    told = {name: record[name] for name in known}
    for name in _BYTES:
        told[name] = base64.b64decode(told[name])
    return Device(**{**told, "life": Life(told["life"])})
