"""What one line's phone was seen to do about its place: declared, reported, registered from.

Plain values for one line; `sightings` keeps them for all lines. All instants are boottime seconds,
so a step of the UTC clock makes nothing older or younger than it is.

A network becomes usual when the phone registered from it on USUAL_DAYS days, counted DAY_S apart:
a stay of one night makes none. It is a /24 of IPv4 or a /56 of IPv6 (what a French provider gives
to one site), or the fingerprint that a device reports of its local network. Nothing is learnt from
abroad; `registered_from` sees to that. Deliberately absent: the registered address, which is never
evidence of where a phone is.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from switch.facts.networks import packed

USUAL_DAYS: Final = 3
DAY_S: Final = 18 * 3600.0  # a phone that is switched on at nine counts every day
KEPT_S: Final = 90 * 86_400.0
MAX_USUAL: Final = 8
MAX_NEW: Final = 4
_PREFIX_BYTES = {4: 3, 16: 7}  # /24 and /56


@dataclass(frozen=True, slots=True)
class Declaration:
    """The customer said where the phone is: ISO country, at `at`, until `until` (None = open)."""

    country: str
    at: float
    until: float | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What a device said of itself at `at`: ISO country ("" = it doesn't know), its public address,
    and a fingerprint of its local network ("" = not told)."""

    country: str
    address: str
    fingerprint: str
    at: float


@dataclass(frozen=True, slots=True)
class SeenNetwork:
    """A network by its readable name, the days that counted, and when the last of them began."""

    name: str
    days: int
    last: float

    @property
    def is_usual(self) -> bool:
        """Whether the phone was there often enough."""
        return self.days >= USUAL_DAYS


@dataclass(frozen=True, slots=True)
class Mark:
    """An episode that people are told of, since `since_ms` (UTC milliseconds, for reading): the level
    of evidence, what it says ("DE"), and the address that the phone registered from."""

    since_ms: int
    level: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """All of it for one line. `networks` is by `network_key` or `fingerprint_key`; `abroad` and
    `moved` are set while the line is registered from abroad, or from a new French network."""

    declared: Declaration | None = None
    device: DeviceReport | None = None
    networks: Mapping[bytes, SeenNetwork] = field(default_factory=dict)
    abroad: Mark | None = None
    moved: Mark | None = None

    def usual(self, key: bytes | None) -> SeenNetwork | None:
        """The usual network of a key, None if it is none (yet)."""
        if key is None:
            return None
        seen = self.networks.get(key)
        return seen if seen is not None and seen.days >= USUAL_DAYS else None


NOWHERE: Final = Whereabouts()


def network_key(address: str) -> bytes | None:
    """What tells the networks of phones apart: the /24 or /56 of an address; None for no address."""
    number = packed(address)
    return None if number is None else number[: _PREFIX_BYTES[len(number)]]


def network_name(address: str) -> str:
    """The network of `network_key` as people write it."""
    number = packed(address)
    if number is None:
        raise ValueError(f"{address!r} is no IP address")
    prefix = _PREFIX_BYTES[len(number)] * 8
    return str(ipaddress.ip_network((number, prefix), strict=False))


def fingerprint_key(fingerprint: str) -> bytes:
    """The same for a fingerprint; longer than any prefix of an address."""
    return b"fingerprint " + fingerprint.encode()


def learn(seen: Whereabouts, key: bytes, name: str, now: float) -> Whereabouts | None:
    """The line was in a network at `now`; None when that adds nothing worth keeping."""
    known = seen.networks.get(key)
    if known is not None and now - known.last < DAY_S:
        return None
    days = known.days if known is not None and now - known.last <= KEPT_S else 0
    networks = {
        other: network
        for other, network in seen.networks.items()
        if other != key and now - network.last <= KEPT_S
    }
    networks[key] = SeenNetwork(name, min(days + 1, USUAL_DAYS), now)
    for usual, limit in ((True, MAX_USUAL), (False, MAX_NEW)):
        same = [other for other, network in networks.items() if network.is_usual is usual]
        for other in sorted(same, key=lambda each: networks[each].last)[
            : max(0, len(same) - limit)
        ]:
            del networks[other]
    return replace(seen, networks=networks)
