"""One line as the switch knows it, and the part of its life that the store owns."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from policy import model
from switch.facts.address import is_valid
from switch.facts.registered import Registered, Source
from switch.facts.settings import (
    CappedClass,
    CapSettings,
    LineSettings,
    LocationSettings,
    Plan,
)


@dataclass(frozen=True, slots=True)
class LineLife:
    """What happened to a line since it was first seen; None leaves the file's initial value.

    `registered` is the newest version of its location; one that came from a file tells only when it was
    first seen and whether the customer confirmed it. `ha1` holds rotated secrets by algorithm, `next_ha1`
    one that was handed to its device and not used yet. `is_acknowledged` is whether its device confirmed
    the location's newest version (true without a device). Where its phone was seen is in `whereabouts`.
    """

    state: model.LineState | None = None
    ground: str = ""
    registered: Registered | None = None
    ha1: Mapping[str, str] = field(default_factory=dict, repr=False)
    plan: Plan | None = None
    next_ha1: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_acknowledged: bool = True
    channels: int | None = None
    blocked: frozenset[str] = frozenset()

    @property
    def is_located(self) -> bool:
        """Whether the store owns the location, and the file's is initial only."""
        return self.registered is not None and self.registered.source is Source.STORE


UNCHANGED = LineLife()


@dataclass(frozen=True, slots=True)
class Line:
    """A line: what the policy sees of it, and what only the switch needs.

    `site` is where it is, `filed_site` where the file has it; `confirmed_on` is when the customer
    confirmed the file's location. `extension` is "" when it has none; `ha1` maps digest algorithms to
    hashes and is never shown.
    """

    id: str
    account: str
    site: str
    filed_site: str
    confirmed_on: date | None
    number: str
    extension: str
    policy: model.Line
    life: LineLife
    channels: int
    caps: Mapping[CappedClass, CapSettings]
    device_model: str
    ha1: Mapping[str, str] = field(repr=False)
    plan: Plan = "unlimited"
    filed_channels: int = 4

    @property
    def state(self) -> model.LineState:
        """The state in force: the store's, else the file's initial one."""
        return self.policy.state


def location_of(settings: LocationSettings) -> model.Location:
    """A building as the policy sees it: validated if the geography agrees and the file doesn't object."""
    validated = settings.validated and is_valid(settings.insee, settings.civic)
    return model.Location(settings.insee, settings.civic, validated=validated)


def build_line(
    settings: LineSettings,
    places: Mapping[str, model.Location],
    default: model.Location,
    life: LineLife,
    realm: str,
) -> Line:
    """Join a line's definition with its life.

    `places` are the locations of the sites, by id; many lines share them and `default`. `realm` is
    that of the hashes.
    """
    state = settings.state if life.state is None else life.state
    site = _site_of(settings, life, places)
    seen = model.Line(
        id=settings.id,
        account=settings.account,
        number=settings.number,
        state=state,
        ground=settings.ground if life.state is None else life.ground,
        permissions=settings.permissions,
        location=_location(settings, life, places[settings.site]),
        site_location=places[site],
        default_location=default,
        in_service=life.is_acknowledged,
        blocked=life.blocked,
    )
    return Line(
        id=settings.id,
        account=settings.account,
        site=site,
        filed_site=settings.site,
        confirmed_on=settings.location_confirmed,
        number=settings.number,
        extension=extension_of(settings),
        policy=seen,
        life=life,
        channels=life.channels or settings.channels,
        filed_channels=settings.channels,
        caps=settings.caps,
        device_model=settings.device_model,
        ha1=life.ha1 or _ha1_of(settings, realm),
        plan=life.plan or settings.plan,
    )


def relive(line: Line, life: LineLife, places: Mapping[str, model.Location]) -> Line:
    """The line after something happened to it. What the file says of it stays as it was built."""
    site, location = line.site, _remembered(line.policy.location, life)
    if life.registered is not None and life.is_located:
        location = life.registered.location
        site = life.registered.site if life.registered.site in places else line.filed_site
    seen = replace(
        line.policy,
        state=line.policy.state if life.state is None else life.state,
        ground=line.policy.ground if life.state is None else life.ground,
        location=location,
        site_location=places.get(site, line.policy.site_location),
        in_service=life.is_acknowledged,
        blocked=life.blocked,
    )
    return replace(
        line,
        site=site,
        policy=seen,
        life=life,
        ha1=life.ha1 or line.ha1,
        plan=life.plan or line.plan,
        channels=life.channels or line.filed_channels,
    )


def extension_of(settings: LineSettings) -> str:
    """What the account's other lines dial: as configured, else the id if it is all digits."""
    return settings.extension or (settings.id if settings.id.isdigit() else "")


def _site_of(settings: LineSettings, life: LineLife, places: Mapping[str, model.Location]) -> str:
    """The site that the line was moved to, as long as there is one; else the file's."""
    moved = life.registered.site if life.registered is not None and life.is_located else ""
    return moved if moved in places else settings.site


def _location(
    settings: LineSettings, life: LineLife, site: model.Location
) -> model.Location | None:
    """The store's location, else the file's with what is remembered of it."""
    if life.registered is not None and life.is_located:
        return life.registered.location
    return _remembered(_initial_location(settings, site), life)


def _remembered(initial: model.Location | None, life: LineLife) -> model.Location | None:
    registered = life.registered
    if registered is None or initial is None:
        return initial
    return replace(
        initial,
        version=registered.version,
        confirmed=registered.confirmed_at is not None,
        registered_at=registered.at / 1000,
    )


def _initial_location(settings: LineSettings, site: model.Location) -> model.Location | None:
    """What the file says, with floor, room or access added to the civic address."""
    if settings.location == "none":
        return None
    building = site if settings.location == "site" else location_of(settings.location)
    if not settings.place:
        return building
    return replace(building, civic={**building.civic, **settings.place})


def hashes_of(line: str, realm: str, password: str) -> dict[str, str]:
    """RFC 7616 §3.4.2: H(username:realm:password), for the algorithms that we know."""
    secret = f"{line}:{realm}:{password}".encode()
    md5 = hashlib.md5(secret, usedforsecurity=False).hexdigest()
    return {"MD5": md5, "SHA-256": hashlib.sha256(secret).hexdigest()}


def _ha1_of(settings: LineSettings, realm: str) -> dict[str, str]:
    if settings.password is not None:
        return hashes_of(settings.id, realm, settings.password.get_secret_value())
    given = {"MD5": settings.ha1, "SHA-256": settings.ha1_sha256}
    return {
        name: hashed.get_secret_value().lower()
        for name, hashed in given.items()
        if hashed is not None
    }
