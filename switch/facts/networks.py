"""Where a source address is: a table of networks by longest prefix, then a country database.

A row names a country, or says that the address proves nothing (VPN, hosting). Countries are ISO
codes of their own for overseas France (RE, GP...), so a code is looked up in the French set and
never compared with "FR". The table and the database are one signal.
An address that many networks use (RFC 1918, RFC 6598...) proves nothing, unless a row says otherwise.
Each source has a version (digest and date), which goes with the signal into the audit.
Deliberately absent: any look-up over the network, and autonomous system numbers.
"""

import csv
import ipaddress
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

import maxminddb

from policy.model import Says, Signal

# What a row may say of its addresses; only "access" tells where the phone is.
KINDS = frozenset({"access", "vpn", "hosting"})
COLUMNS = ("network", "country", "kind", "name")
PRIVATE: Final = "private"
UNKNOWN: Final = "unknown"
# Every address of a phone is looked up again and again; beyond this many the memory starts anew.
_REMEMBERED: Final = 65_536
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
    """What is known of a network: ISO country ("" = unknown), kind of access, a name, and the version
    of the table or database that says so."""

    network: str
    country: str
    kind: str = "access"
    name: str = ""
    source: str = ""


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


# RFC 1918, RFC 6598 (carriers' NAT), RFC 3927, RFC 4193, RFC 4291 §2.5.6.
_PRIVATE = PrefixTable(
    (network, Place(network, "", PRIVATE))
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)


@dataclass(frozen=True, slots=True)
class Networks:
    """Places by address; `french` holds the ISO codes that count as France for emergency calls.

    `database_version` names the country database in signals. What an address says is remembered for
    as long as these networks are in force: reading an MMDB costs more than all else of a decision.
    """

    french: frozenset[str]
    table: PrefixTable[Place] = field(default_factory=lambda: PrefixTable(()))
    database: CountryDatabase | None = None
    database_version: str = ""
    _signals: dict[str, Signal] = field(default_factory=dict, repr=False, compare=False)

    def place(self, address: str) -> Place | None:
        """What is known of an address, None when nothing is."""
        found = self.table.find(address) or _PRIVATE.find(address)
        number = packed(address)
        if found is not None or number is None or self.database is None:
            return found
        try:
            record = self.database.get(str(ipaddress.ip_address(number)))
        except (ValueError, LookupError, RuntimeError, struct.error):
            return None  # IPv6 asked of an IPv4 database, or a damaged one: nothing is known
        country = _country_of(record)
        return Place(address, country, source=self.database_version) if country else None

    def signal(self, address: str) -> Signal:
        """The source_country signal of an address: "DE", "DE vpn", or "unknown" that says nothing."""
        signal = self._signals.get(address)
        if signal is None:
            if len(self._signals) >= _REMEMBERED:
                self._signals.clear()
            signal = self._signals[address] = self._signal(address)
        return signal

    def _signal(self, address: str) -> Signal:
        place = self.place(address)
        if place is None:
            return Signal("source_country", UNKNOWN, Says.NOTHING, source=self.database_version)
        says, value = Says.NOTHING, place.kind
        if place.kind != "access":
            value = f"{place.country} {place.kind}".strip()
        else:
            value = place.country or UNKNOWN
            says = self.says(value) if place.country else Says.NOTHING
        return Signal("source_country", value, says, source=place.source)

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


def open_database(path: Path) -> tuple[CountryDatabase, str]:
    """Read a whole MMDB into memory, so that no call waits for a disk; also its version.

    Raises OSError, ValueError.
    """
    try:
        reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    except maxminddb.InvalidDatabaseError as error:
        raise ValueError(str(error)) from error
    built = datetime.fromtimestamp(reader.metadata().build_epoch, UTC)
    return reader, version_of(path, built)


def days_old(version: str, today: date) -> int:
    """How old the file of a version is; 0 for none."""
    made = version.rpartition(" ")[2]
    return (today - date.fromisoformat(made)).days if made else 0


def version_of(path: Path, made: datetime | None = None, name: str = "") -> str:
    """A file's version: its name (or another), the head of its SHA-256, the day it was made (UTC)."""
    made = made or datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return f"{name or path.name} {sha256(path.read_bytes()).hexdigest()[:8]} {made:%Y-%m-%d}"


def read_csv(text: str, source: str = "") -> list[tuple[str, Place]]:
    """The rows of a networks table: network,country,kind,name under a line of headings.

    Lines that start with # are comments. `source` is the version of the table. Raises NetworkError.
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
        place = _row(number, cells, source)
        if place.network in seen:
            raise NetworkError(number, f"{place.network} stands twice")
        seen.add(place.network)
        rows.append((place.network, place))
    return rows


def _row(number: int, cells: list[str], source: str) -> Place:
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
    return Place(network, country, kind, name, source)
