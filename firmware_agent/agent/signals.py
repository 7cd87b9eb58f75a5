"""What the device sees of the place it is in: evidence for the service's view of where a phone is.

A change of the gateway's MAC address, of the DHCP domain, of the public address or of the country hint is a
move, told once; what was seen last is kept over reboots, since a device is moved while it is unplugged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from firmware_agent.messages.reported import Network


@dataclass(frozen=True, slots=True)
class Move:
    """`what` changed `before` -> `after`."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of the place; None: not known."""

    network: Network | None = None
    public_ip: str | None = None
    country: str | None = None

    def seen(self, other: "Place") -> "Place":
        """The place with what `other` knows; what it doesn't know stays."""
        return replace(
            self,
            network=other.network or self.network,
            public_ip=other.public_ip or self.public_ip,
            country=other.country or self.country,
        )

    def moves(self, after: "Place") -> Iterator[Move]:
        """What differs between two places, of what both know."""
        for (what, one), (_, two) in zip(self._values(), after._values(), strict=True):
            if one and two and one != two:
                yield Move(what, one, two)

    def _values(self) -> Iterator[tuple[str, str | None]]:
        network = self.network
        yield "gateway_mac", network.gateway_mac if network else None
        yield "dhcp_domain", network.dhcp_domain if network else None
        yield "public_ip", self.public_ip
        yield "country", self.country
