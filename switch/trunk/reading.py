"""What a trunk shows at an instant: the answer of status pages and `explain`. Values."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class HopReading:
    """One next hop, "UDP 192.0.2.1:5060". `avoided`: a call failed there a short while ago."""

    address: str
    up: bool
    avoided: bool
    reason: str


@dataclass(frozen=True, slots=True)
class TrunkReading:
    """One trunk. `reason` says why it is down or what is wrong, "" when nothing is.

    `registration` is a state of registration_machine, "" when we don't register there;
    `expires_in_s` is how long the carrier still keeps our binding.
    """

    trunk: str
    up: bool
    reason: str
    calls: int
    channels: int | None
    registration: str
    expires_in_s: float | None
    hops: tuple[HopReading, ...]

    def as_json(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return asdict(self)
