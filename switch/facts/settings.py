"""[[account]], [[site]], [[line]] and [networks]: the definitions that config files own.

What changes in a line's life (its state, a moved location) belongs to the store: a state in a file
is initial, used when the line is first seen. `snapshot` joins the two.
Deliberately absent: credentials of carriers (trunk/settings.py) and the rates of caps' euros.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Literal, Protocol, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from policy import company
from policy.account_state import DEFAULT_PERMISSIONS, NEVER_FORBIDDEN
from policy.model import LineState, NumberClass
from switch.settings import E164, Identifier, MailAddress, Network, Secret, Section

# RFC 4119 and RFC 5139 element names, and the ADDCODE of the latter.
CIVIC_ELEMENTS = frozenset(
    {"country", "A1", "A2", "A3", "A4", "A5", "A6"}
    | {"PRD", "POD", "STS", "HNO", "HNS", "LMK", "LOC", "FLR", "NAM", "PC", "BLD", "UNIT", "ROOM"}
    | {"PLC", "PCN", "POBOX", "ADDCODE", "SEAT", "RD", "RDSEC", "RDBR", "RDSUBBR", "PRM", "POM"}
)
_INSEE = re.compile(r"\d{5}|2[AB]\d{3}")
_GROUND = re.compile(r"2\(k\)\([a-f]\)")


def _insee(value: str) -> str:
    if not _INSEE.fullmatch(value):
        raise ValueError("an INSEE commune code is 5 digits (2A and 2B in Corsica), not a postcode")
    return value


def _civic(value: dict[str, str]) -> dict[str, str]:
    if unknown := sorted(set(value) - CIVIC_ELEMENTS):
        raise ValueError(f"not an element of RFC 5139: {', '.join(unknown)}")
    return value


def _country(value: str) -> str:
    if not (value == "" or (len(value) == 2 and value.isascii() and value.isupper())):
        raise ValueError("a country is its two-letter ISO code, FR")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("not a time zone of the IANA database, like Europe/Paris") from error
    return value


Insee = Annotated[str, AfterValidator(_insee)]
Civic = Annotated[dict[str, str], AfterValidator(_civic)]
Country = Annotated[str, AfterValidator(_country)]


class LocationSettings(Section):
    """A building: its civic address (RFC 5139 names) and its INSEE commune code.

    Whether `country` is one that French emergency services answer for is checked against the dial
    plan's list, by `switch.config`.
    """

    insee: Insee
    civic: Civic
    validated: bool = True


def _if_given(check: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: check(value) if value else ""


class AccountSettings(Section):
    """A customer. `activation_requested` starts the billing clock 7 days later (terms 4(a)); `siret` and
    `vat` are checked for what they can be (2(j))."""

    id: Identifier
    name: str
    email: MailAddress = ""
    siret: Annotated[str, AfterValidator(_if_given(company.siret))] = ""
    vat: Annotated[str, AfterValidator(_if_given(company.vat_number))] = ""
    time_zone: Annotated[str, AfterValidator(_zone)] = "Europe/Paris"
    activation_requested: date


class SiteSettings(LocationSettings):
    """A building where lines are registered, and the public networks that its phones come from.

    `contacts` (reception, security) are told by mail of an emergency call from here.
    """

    id: Identifier
    name: str = ""
    networks: tuple[Network, ...] = ()
    contacts: tuple[MailAddress, ...] = ()


class CapSettings(Section):
    """How much a line may call one number class; None = no cap. A spend cap needs the rate."""

    minutes_per_day: float | None = Field(default=None, ge=0)
    minutes_per_cycle: float | None = Field(default=None, ge=0)
    euros_per_day: float | None = Field(default=None, ge=0)
    euros_per_cycle: float | None = Field(default=None, ge=0)
    euros_per_minute: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _spend_needs_a_rate(self) -> Self:
        spend = self.euros_per_day is not None or self.euros_per_cycle is not None
        if spend and self.euros_per_minute is None:
            raise ValueError("a cap in euros needs euros_per_minute")
        return self


# How a line's calls are billed; a call keeps the plan that it was answered under.
Plan = Literal["unlimited", "per_minute"]

# Only these classes cost enough per minute to be capped; emergency can never be.
CappedClass = Literal["international", "premium", "special_paid", "mobile"]


def _spelling(value: object) -> str:
    return "word" if isinstance(value, str) else "building"


# The discriminator keeps an error of one spelling free of complaints about the other.
LineLocation = Annotated[
    Annotated[Literal["site", "none"], Tag("word")] | Annotated[LocationSettings, Tag("building")],
    Discriminator(_spelling),
]


class LineSettings(Section):
    """One line: its number, its phone's password, where it is, what it may call.

    The SIP user is `id`. `location` is "site" (the site's address, the usual case), "none" (no
    validated address yet) or a building of its own; `place` adds floor, room or access to the
    site's address. `location_confirmed` is the day on which the customer confirmed what the file says;
    without it a new line is unconfirmed, and its customer is reminded. `ha1` and `ha1_sha256` replace
    `password` where only hashes are kept.
    """

    id: Identifier
    account: Identifier
    site: Identifier
    number: E164
    extension: str = Field(default="", pattern=r"^\d{0,10}$")
    password: Secret | None = None
    ha1: Secret | None = None
    ha1_sha256: Secret | None = None
    state: LineState = LineState.ACTIVE
    ground: str = ""
    location: LineLocation = "site"
    place: Civic = Field(default_factory=dict)
    location_confirmed: date | None = None
    permissions: frozenset[NumberClass] = DEFAULT_PERMISSIONS
    channels: int = Field(default=4, ge=1)
    plan: Plan = "unlimited"
    caps: Mapping[CappedClass, CapSettings] = Field(default_factory=dict)
    device_model: str = ""

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        if self.password is None and self.ha1 is None and self.ha1_sha256 is None:
            raise ValueError("a line needs password, ha1 or ha1_sha256")
        if self.state is LineState.SUSPENDED and not _GROUND.fullmatch(self.ground):
            raise ValueError("a suspension cites its ground, like 2(k)(a)")
        return self

    @field_validator("permissions")
    @classmethod
    def _help_is_always_permitted(cls, value: frozenset[NumberClass]) -> frozenset[NumberClass]:
        return value | NEVER_FORBIDDEN

    @field_validator("ha1", "ha1_sha256")
    @classmethod
    def _is_a_hash(cls, value: Secret | None) -> Secret | None:
        if value is not None and not re.fullmatch(
            r"[0-9a-fA-F]{32}|[0-9a-fA-F]{64}", value.get_secret_value()
        ):
            raise ValueError("an HA1 is 32 hexadecimal digits for MD5, 64 for SHA-256")
        return value


class NetworksSettings(Section):
    """Where addresses are: tables of networks (CSV) and a country database (MMDB).

    Paths are relative to the configuration file. A row of a table wins over the database. The two
    are one signal. How long a network stays usual is the dial plan's `max_age_s`.
    """

    csv: tuple[str, ...] = ()
    mmdb: str = ""


class Definitions(Protocol):
    """The part of the settings that a snapshot is built from."""

    @property
    def realm(self) -> str:
        """The digest realm of all lines."""

    @property
    def accounts(self) -> tuple[AccountSettings, ...]:
        """The customers."""

    @property
    def sites(self) -> tuple[SiteSettings, ...]:
        """The buildings."""

    @property
    def lines(self) -> tuple[LineSettings, ...]:
        """The lines."""

    @property
    def default_location(self) -> LocationSettings:
        """What an emergency call carries when nothing better is known."""
