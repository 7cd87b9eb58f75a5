"""One version of a line's registered location: where, since when, by whom and why, and who confirmed it.

The terms (1(d)) have every line registered in a building, and the customer confirm it after any change,
addition or ported number. Until then the location is unconfirmed: calls go on with it, and the customer
is reminded on day 0, 3 and 7. Deliberately absent: how versions follow each other (locations.py), and
what the policy makes of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from policy.model import Location

REMINDER_DAYS: Final = (0, 3, 7)
DAY_MS: Final = 86_400_000


class LocationState(StrEnum):
    """How far a registered location may be believed. Only `unvalidated` changes where calls go."""

    UNVALIDATED = "unvalidated"
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"


class Source(StrEnum):
    """Who owns a version: the configuration file that a line was first seen in, or the store."""

    FILE = "file"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Address:
    """An INSEE commune code and the civic address (RFC 5139 names) that goes with it."""

    insee: str
    civic: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Registered:
    """One version. Instants are UTC milliseconds.

    `address` None = no validated address. `site` is the site that the line is in, `filed_site` and
    `number` what the file said then: a change of either asks the customer again. `reminded` are the
    days on which that was done; `changed_at` orders what is known of one version.
    """

    line: str
    version: int
    at: int
    address: Address | None
    validated: bool
    source: Source
    by: str = ""
    why: str = ""
    site: str = ""
    filed_site: str = ""
    number: str = ""
    confirmed_at: int | None = None
    confirmed_by: str = ""
    reminded: tuple[int, ...] = ()
    changed_at: int = 0

    @property
    def state(self) -> LocationState:
        """How far it may be believed."""
        if self.address is None or not self.validated:
            return LocationState.UNVALIDATED
        if self.confirmed_at is None:
            return LocationState.UNCONFIRMED
        return LocationState.CONFIRMED

    @property
    def location(self) -> Location | None:
        """The version as the policy sees it."""
        if self.address is None:
            return None
        return Location(
            self.address.insee,
            self.address.civic,
            self.version,
            validated=self.validated,
            confirmed=self.confirmed_at is not None,
            registered_at=self.at / 1000,
        )

    def confirmed(self, by: str, at: int) -> "Registered":
        """The same, confirmed by the customer."""
        later = max(at, self.changed_at + 1)  # also when the wall clock was set back
        return replace(self, confirmed_at=at, confirmed_by=by, changed_at=later)

    def reminded_on(self, day: int, at: int) -> "Registered":
        """The same, after the reminder of a day."""
        later = max(at, self.changed_at + 1)
        return replace(self, reminded=(*self.reminded, day), changed_at=later)

    def asked_again(self, at: int, why: str) -> "Registered":
        """The next version, of the same place: the customer is to say that it is still right."""
        return replace(
            self,
            version=self.version + 1,
            at=at,
            by="switch",
            why=why,
            confirmed_at=None,
            confirmed_by="",
            reminded=(),
            changed_at=at,
        )

    def due_day(self, now: int) -> int | None:
        """The reminder to send at `now`, None for none. Of several that were missed (the switch was
        down) only the last one goes out."""
        if self.state is not LocationState.UNCONFIRMED:
            return None
        last = max(self.reminded, default=-1)
        due = [day for day in REMINDER_DAYS if day > last and self.at + day * DAY_MS <= now]
        return due[-1] if due else None

    def record(self) -> dict[str, Any]:
        """The version as a record of the journal; `registered_of` reads it back."""
        address = self.address
        return {
            "k": "location",
            "line": self.line,
            "version": self.version,
            "at": self.at,
            "address": {}
            if address is None
            else {"insee": address.insee, "civic": dict(address.civic)},
            "validated": self.validated,
            "source": self.source.value,
            "by": self.by,
            "why": self.why,
            "site": self.site,
            "filed_site": self.filed_site,
            "number": self.number,
            "confirmed_at": self.confirmed_at,
            "confirmed_by": self.confirmed_by,
            "reminded": list(self.reminded),
            "changed_at": self.changed_at,
        }


def registered_of(record: Mapping[str, Any]) -> Registered:
    """A version from a record of the journal or a row of the database. Raises KeyError, TypeError,
    ValueError for one that nobody can read."""
    address = record["address"]
    if not isinstance(address, Mapping):
        raise TypeError("an address is an object")
    at, confirmed_at = int(record["at"]), record.get("confirmed_at")
    return Registered(
        line=str(record["line"]),
        version=int(record["version"]),
        at=at,
        address=Address(str(address["insee"]), dict(address["civic"])) if address else None,
        validated=bool(record.get("validated")),
        source=Source(record.get("source") or "store"),
        by=str(record.get("by") or ""),
        why=str(record.get("why") or ""),
        site=str(record.get("site") or ""),
        filed_site=str(record.get("filed_site") or ""),
        number=str(record.get("number") or ""),
        confirmed_at=None if confirmed_at is None else int(confirmed_at),
        confirmed_by=str(record.get("confirmed_by") or ""),
        reminded=tuple(int(day) for day in record.get("reminded") or ()),
        changed_at=int(record.get("changed_at") or confirmed_at or at),
    )
