"""Where a source address is: a table of networks by longest prefix, then a country database.

A row names a country, or says that the address proves nothing (VPN, hosting). Countries are ISO
codes of their own for overseas France (RE, GP...), so a code is looked up in the French set and
never compared with "FR". The table and the database are one signal.
Deliberately absent: any look-up over the network, and autonomous system numbers.
"""

import csv
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import maxminddb

from policy.model import Says, Signal

# What a row may say of its addresses; only "access" tells where the phone is.
KINDS = frozenset({"access", "vpn", "hosting"})
COLUMNS = ("network", "country", "kind", "name")
T = TypeVar("T")
_MAPPED = b"\0" * 10 + b"\xff\xff"  # IPv4 in IPv6, RFC 4291 §2.5.5.2


class CountryDatabase(Protocol):
    """What is used of a maxminddb.Reader."""

    def get(self, ip_address: str, /) -> object:
        """The record of an address, None if there is none."""


class NetworkError(ValueError):
    """A row that can't be read; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a network: ISO country ("" = unknown), kind of access, and a name."""

    network: str
    country: str
    kind: str = "access"
    name: str = ""


def packed(address: str) -> bytes | None:
    """The address as 4 or 16 bytes, an IPv4-mapped one as 4; None when it is no address."""
    try:
        if ":" not in address:
            return socket.inet_aton(address) if address.count(".") == 3 else None
        number = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return None
    return number[12:] if number.startswith(_MAPPED) else number


class PrefixTable(Generic[T]):
    """Longest-prefix match over IPv4 and IPv6: one dictionary per prefix length in use."""

    __slots__ = ("_lengths", "_rows")

    def __init__(self, rows: Iterable[tuple[str, T]]) -> None:
        self._rows: dict[tuple[int, int], dict[int, T]] = {}
        for text, value in rows:
            network = ipaddress.ip_network(text)
            size = network.max_prefixlen
            shift = size - network.prefixlen
            same = self._rows.setdefault((size, shift), {})
            same[int(network.network_address) >> shift] = value
        self._lengths = {
            size: sorted(shift for rows_size, shift in self._rows if rows_size == size)
            for size in (32, 128)
        }

    def find(self, address: str) -> T | None:
        """The value of the most specific network that holds the address, else None."""
        if not self._rows:
            return None
        number = packed(address)
        if number is None:
            return None
        size = len(number) * 8
        value = int.from_bytes(number)
        for shift in self._lengths[size]:
            if (found := self._rows[size, shift].get(value >> shift)) is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Networks:
    """Places by address; `french` holds the ISO codes that count as France for emergency calls."""

    french: frozenset[str]
    table: PrefixTable[Place] = field(default_factory=lambda: PrefixTable(()))
    database: CountryDatabase | None = None

    def place(self, address: str) -> Place | None:
        """What is known of an address, None when nothing is."""
        found = self.table.find(address)
        if found is None and self.database is not None and packed(address) is not None:
            country = _country_of(self.database.get(address))
            return Place(address, country, name="mmdb") if country else None
        return found

    def signal(self, address: str) -> Signal:
        """The source_country signal of an address: "DE", "DE vpn", or "unknown" that says nothing."""
        place = self.place(address)
        if place is None or not place.country:
            return Signal("source_country", place.kind if place else "unknown", Says.NOTHING)
        if place.kind != "access":
            return Signal("source_country", f"{place.country} {place.kind}", Says.NOTHING)
        return Signal("source_country", place.country, self.says(place.country))

    def says(self, country: str) -> Says:
        """What being in a country means for an emergency call."""
        return Says.FRANCE if country in self.french else Says.ABROAD


def _country_of(record: object) -> str:
    """The country of an MMDB record: MaxMind nests it, ip-location-db has `country_code`."""
    if not isinstance(record, Mapping):
        return ""
    country = record.get("country", record.get("country_code", ""))
    if isinstance(country, Mapping):
        country = country.get("iso_code", "")
    return country if isinstance(country, str) else ""


def open_database(path: Path) -> CountryDatabase:
    """Read a whole MMDB into memory, so that no call waits for a disk. Raises OSError, ValueError."""
    try:
        return maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    except maxminddb.InvalidDatabaseError as error:
        raise ValueError(str(error)) from error


def read_csv(text: str) -> list[tuple[str, Place]]:
    """The rows of a networks table: network,country,kind,name under a line of headings.

    Lines that start with # are comments. Raises NetworkError.
    """
    rows: list[tuple[str, Place]] = []
    seen: set[str] = set()
    headings_read = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in next(csv.reader([line]))]
        if not headings_read:
            if tuple(cells) != COLUMNS:
                raise NetworkError(number, f"the columns are {','.join(COLUMNS)}")
            headings_read = True
            continue
        place = _row(number, cells)
        if place.network in seen:
            raise NetworkError(number, f"{place.network} stands twice")
        seen.add(place.network)
        rows.append((place.network, place))
    return rows


def _row(number: int, cells: list[str]) -> Place:
    if len(cells) != len(COLUMNS):
        raise NetworkError(number, f"{len(cells)} columns instead of {len(COLUMNS)}")
    network, country, kind, name = cells
    try:
        network = str(ipaddress.ip_network(network))
    except ValueError as error:
        raise NetworkError(number, str(error)) from error
    if country and not (len(country) == 2 and country.isascii() and country.isupper()):
        raise NetworkError(number, f"{country!r} is not a two-letter ISO country code")
    if kind not in KINDS:
        raise NetworkError(number, f"kind is one of {', '.join(sorted(KINDS))}")
    return Place(network, country, kind, name)
