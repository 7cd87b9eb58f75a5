"""One line as the switch knows it, and the part of its life that the store owns."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from policy import model
from switch.facts.settings import (
    CappedClass,
    CapSettings,
    LineSettings,
    LocationSettings,
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A country that was declared or reported for a line at UTC seconds `at`."""

    country: str
    at: float


@dataclass(frozen=True, slots=True)
class LineLife:
    """What happened to a line since it was first seen; None leaves the file's initial value.

    `location` is the last registered one; `is_located` tells "no validated address" (True, None)
    from "never changed" (False, None). `usual` maps networks to when they were last registered from
    (UTC seconds). `ha1` holds rotated secrets by algorithm.
    """

    state: model.LineState | None = None
    ground: str = ""
    location: model.Location | None = None
    is_located: bool = False
    declared: Sighting | None = None
    device_report: Sighting | None = None
    usual: Mapping[str, float] = field(default_factory=dict)
    ha1: Mapping[str, str] = field(default_factory=dict, repr=False)


UNCHANGED = LineLife()


@dataclass(frozen=True, slots=True)
class Line:
    """A line: what the policy sees of it, and what only the switch needs.

    `extension` is "" when it has none; `ha1` maps digest algorithms to hashes and is never shown.
    """

    id: str
    account: str
    site: str
    number: str
    extension: str
    policy: model.Line
    life: LineLife
    channels: int
    caps: Mapping[CappedClass, CapSettings]
    device_model: str
    ha1: Mapping[str, str] = field(repr=False)

    @property
    def state(self) -> model.LineState:
        """The state in force: the store's, else the file's initial one."""
        return self.policy.state


def location_of(settings: LocationSettings) -> model.Location:
    """A building as the policy sees it."""
    return model.Location(settings.insee, settings.civic, validated=settings.validated)


def build_line(
    settings: LineSettings,
    site: model.Location,
    default: model.Location,
    life: LineLife,
    realm: str,
) -> Line:
    """Join a line's definition with its life.

    `site` and `default` are locations that many lines share; `realm` is that of the hashes.
    """
    state = settings.state if life.state is None else life.state
    seen = model.Line(
        id=settings.id,
        account=settings.account,
        number=settings.number,
        state=state,
        ground=settings.ground if life.state is None else life.ground,
        permissions=settings.permissions,
        location=life.location if life.is_located else _initial_location(settings, site),
        site_location=site,
        default_location=default,
    )
    return Line(
        id=settings.id,
        account=settings.account,
        site=settings.site,
        number=settings.number,
        extension=extension_of(settings),
        policy=seen,
        life=life,
        channels=settings.channels,
        caps=settings.caps,
        device_model=settings.device_model,
        ha1=life.ha1 or _ha1_of(settings, realm),
    )


def extension_of(settings: LineSettings) -> str:
    """What the account's other lines dial: as configured, else the id if it is all digits."""
    return settings.extension or (settings.id if settings.id.isdigit() else "")


def _initial_location(settings: LineSettings, site: model.Location) -> model.Location | None:
    """What the file says, with floor, room or access added to the civic address."""
    if settings.location == "none":
        return None
    building = site if settings.location == "site" else location_of(settings.location)
    if not settings.place:
        return building
    return replace(building, civic={**building.civic, **settings.place})


def _ha1_of(settings: LineSettings, realm: str) -> dict[str, str]:
    """RFC 7616 §3.4.2: H(username:realm:password), for the algorithms that we offer."""
    if settings.password is not None:
        secret = f"{settings.id}:{realm}:{settings.password.get_secret_value()}".encode()
        md5 = hashlib.md5(secret, usedforsecurity=False).hexdigest()
        return {"MD5": md5, "SHA-256": hashlib.sha256(secret).hexdigest()}
    given = {"MD5": settings.ha1, "SHA-256": settings.ha1_sha256}
    return {
        name: hashed.get_secret_value().lower()
        for name, hashed in given.items()
        if hashed is not None
    }
