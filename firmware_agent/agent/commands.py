"""What the agent asks of its driver, performed in order.

The order is part of the meaning: `Keep` is durable before what follows it is done, so the device never
says or does what it would not remember.
"""

from dataclasses import dataclass, field

from firmware_agent.messages.desired import FirmwareWanted, Transport
from firmware_agent.messages.image import ImageCustom
from firmware_agent.messages.topics import Kind
from firmware_agent.slots import Image


@dataclass(frozen=True, slots=True)
class Keep:
    """Store `content` as `name`, durably."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove the file `name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish a document to our own topic of this kind."""

    kind: Kind
    document: object


@dataclass(frozen=True, slots=True)
class LineConfig:
    """A line as the phone needs it: the secret in the clear, in memory only."""

    line: str
    domain: str
    user: str
    registrars: tuple[str, ...]
    transport: Transport
    secret: str = field(repr=False)
    secret_gen: int
    codecs: tuple[str, ...]
    dial: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Configure:
    """The phone has these lines from now on, and registers those that changed."""

    lines: tuple[LineConfig, ...]


@dataclass(frozen=True, slots=True)
class Register:
    """Register all lines anew."""


@dataclass(frozen=True, slots=True)
class FetchMetadata:
    """Refresh the TUF metadata and look the target up; expiry is judged at `utc`."""

    wanted: FirmwareWanted
    utc: float


@dataclass(frozen=True, slots=True)
class Download:
    """Fetch the image, by a delta from the running one where `custom` knows one. `anew`: drop what was
    fetched before, and take no delta."""

    wanted: FirmwareWanted
    custom: ImageCustom
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Install:
    """Write the downloaded image to the inactive slot."""

    image: Image


@dataclass(frozen=True, slots=True)
class Discard:
    """Drop what was downloaded; work under way is given up."""


@dataclass(frozen=True, slots=True)
class Reboot:
    """Reboot, once what was published before is delivered or 2 s have passed. `arm`: into a trial of
    the installed image; `leave_trial`: back to the good slot."""

    reason: str
    arm: bool = False
    leave_trial: bool = False


@dataclass(frozen=True, slots=True)
class ConfirmTrial:
    """The running slot is the good one from now on."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Test the audio path."""


@dataclass(frozen=True, slots=True)
class RaiseFloor:
    """The lowest security version for any image from now on."""

    floor: int


@dataclass(frozen=True, slots=True)
class Wipe:
    """Forget lines, secrets, certificate and membership, and disconnect for good."""


Command = (
    Keep
    | Forget
    | Publish
    | Configure
    | Register
    | FetchMetadata
    | Download
    | Install
    | Discard
    | Reboot
    | ConfirmTrial
    | SelfTest
    | RaiseFloor
    | Wipe
)
