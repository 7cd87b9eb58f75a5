"""[mqtt], [firmware] and [[device]]: the broker, where images are fetched, and the hardware.

A device's definition (what it is, whose line it carries) is the file's; its life (claimed, stolen), its
keys and its documents are the store's.
"""

import base64
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from switch.settings import HostPort, Identifier, ListenAddress, Secret, Section
from switch.sip.flow import WILDCARDS

DEFAULT_LISTEN = HostPort("127.0.0.1", 1883)
CLAIM_PREFIX = "claim-"  # names of one-time credentials; no device is called so
_WINDOW = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


def _device_id(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{8,32}", value) or value.startswith(CLAIM_PREFIX):
        raise ValueError(
            "a device's id has 8 to 32 lower-case letters, digits and '-', "
            f"and doesn't begin with {CLAIM_PREFIX}"
        )
    return value


def _public_key(value: str) -> str:
    try:
        is_key = len(base64.b64decode(value, validate=True)) == 32
    except ValueError:
        is_key = False
    if value and not is_key:
        raise ValueError("an Ed25519 public key is 32 bytes in base64")
    return value


def _window(value: str) -> str:
    if value and not _WINDOW.fullmatch(value):
        raise ValueError('a window is written "02:00-05:00"')
    return value


def _broker_url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("mqtt", "mqtts") or not parts.hostname):
        raise ValueError("a broker is mqtt://host:port or mqtts://host:port")
    return value


DeviceId = Annotated[str, AfterValidator(_device_id)]
Window = Annotated[str, AfterValidator(_window)]
BrokerUrl = Annotated[str, AfterValidator(_broker_url)]


class MqttSettings(Section):
    """[mqtt]. Without `url` the switch runs a Mosquitto of its own on `listen` (another port if that is
    taken), and on `tls` with a certificate of the internal CA; passwords are asked for on both.

    With `url` that broker is used: `username` and `password`, or `certificate` and `key`, are what the
    switch shows there; `ca` is the authority of its certificate. `public_url` is what devices are told,
    if it differs. `node` is which of several nodes on one database has the devices; the others have none
    of this. Paths are relative to the configuration file. `rotate_days` is the age at which a
    device's SIP secret is replaced, 0 = never by itself; `certificate_days` is how long a device's
    certificate holds: it asks for the next one when a third of that is left.
    """

    node: Identifier | None = None
    listen: ListenAddress = DEFAULT_LISTEN
    tls: ListenAddress | None = None
    url: BrokerUrl = ""
    public_url: BrokerUrl = ""
    username: str = "vigie-switch"
    password: Secret | None = None
    ca: str = ""
    certificate: str = ""
    key: str = ""
    rotate_days: float = Field(default=0, ge=0)
    certificate_days: float = Field(default=730, gt=0, le=10_950)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.tls is not None and self.tls.host in WILDCARDS and not self.public_url:
            raise ValueError("devices are told no wildcard: tls needs public_url beside it")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key go together")
        if not self.url and (self.certificate or self.ca or self.password):
            raise ValueError("ca, certificate, key and password are for the broker of url")
        return self


class FirmwareSettings(Section):
    """[firmware]. `base_url` is where devices reach the switch's HTTP port, "" = its first address.

    `beacon_s` is how often the signed time goes out; devices trust no other clock for longer than a
    day. `timestamp_hours` is how long the online TUF metadata holds. `security_floors` is by model the
    lowest security version that a device may install, or be rolled back to.
    """

    base_url: str = Field(default="", pattern=r"^(https?://[^\s]+[^/\s])?$")
    beacon_s: float = Field(default=3600, ge=1, le=43_200)
    timestamp_hours: float = Field(default=24, ge=1)
    security_floors: Mapping[Identifier, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)


class DeviceSettings(Section):
    """[[device]]: one adapter or desk phone.

    `public_key` is the Ed25519 key that the factory recorded for `serial`; without it the key is told by
    `vigie device claim`. `line` "" = none yet. `window` is the local time of the line's account in which
    it may reboot into new firmware, "" = at any time (never in a call, nor soon after an emergency call).
    """

    id: DeviceId
    serial: Identifier
    model: Identifier
    line: str = ""
    public_key: Annotated[str, AfterValidator(_public_key)] = ""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    codecs: tuple[Identifier, ...] = Field(default=("PCMA", "PCMU"), min_length=1, max_length=16)
    dial: tuple[Annotated[str, Field(max_length=256)], ...] = Field(default=(), max_length=64)
    window: Window = ""
