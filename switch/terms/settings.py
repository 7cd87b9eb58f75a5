"""[acceptable_use]: how closely calls are watched for forbidden uses (terms 3(b)), and what follows;
[contract]: the clocks and effects of suspensions and terminations."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from policy.acceptable_use.detectors import DETECTORS, Detector
from policy.acceptable_use.watch import HOLD_DAYS
from policy.acceptable_use.watch import Settings as WatchSettings
from switch.settings import Section

_FEATURES: Final = {each.id: {f.name for f in each.features} for each in DETECTORS}
Releasing = Literal["suspended", "unpaid", "stolen", "terminated"]
Limits = dict[str, dict[str, tuple[float, float]]]


def _known(values: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := sorted(set(values) - set(_FEATURES)):
        raise ValueError(f"there is no detector {', '.join(unknown)}: {', '.join(_FEATURES)}")
    return values


def _named(values: Limits) -> Limits:
    _known(tuple(values))
    for detector, limits in values.items():
        if unknown := sorted(set(limits) - _FEATURES[detector]):
            known = ", ".join(sorted(_FEATURES[detector]))
            raise ValueError(f"{detector} has no feature {', '.join(unknown)}: {known}")
    return values


class AcceptableUseSettings(Section):
    """`shadow`: alerts are told to the operator, and nothing follows from them.

    `limits` replaces (soft, hard) by detector and feature; `off` are detectors that are not used.
    """

    shadow: bool = True
    hold_days: int = Field(default=HOLD_DAYS, ge=1)
    off: Annotated[tuple[str, ...], AfterValidator(_known)] = ()
    limits: Annotated[Limits, AfterValidator(_named)] = Field(default_factory=dict)

    def watch(self) -> WatchSettings:
        """The settings as the policy takes them."""
        return WatchSettings(
            self.shadow,
            self.hold_days,
            tuple(self._limited(each) for each in DETECTORS if each.id not in self.off),
        )

    def _limited(self, detector: Detector) -> Detector:
        limits = self.limits.get(detector.id)
        if not limits:
            return detector
        features = tuple(
            replace(each, soft=limits[each.name][0], hard=limits[each.name][1])
            if each.name in limits
            else each
            for each in detector.features
        )
        return replace(detector, features=features)


class Rate(Section):
    """The ECB's refinancing rate, in percent, on a 1 January or a 1 July."""

    since: date
    percent: Decimal = Field(ge=0, le=100)

    @field_validator("since")
    @classmethod
    def _begins_a_half_year(cls, day: date) -> date:
        if (day.month, day.day) not in {(1, 1), (7, 1)}:
            raise ValueError(f"{day} begins no half-year: 1 January or 1 July")
        return day


# The main refinancing rate as the ECB publishes it among its key interest rates.
ECB: Final[Mapping[date, Decimal]] = {
    date(2023, 1, 1): Decimal("2.50"),
    date(2023, 7, 1): Decimal("4.00"),
    date(2024, 1, 1): Decimal("4.50"),
    date(2024, 7, 1): Decimal("4.25"),
    date(2025, 1, 1): Decimal("3.15"),
    date(2025, 7, 1): Decimal("2.15"),
    date(2026, 1, 1): Decimal("2.15"),
}


class ContractSettings(Section):
    """[contract]: what the terms leave to the operator.

    `release_live_calls`: states that end a line's live calls at once, emergency calls excepted; in the
    others they go on to their end. `quarantine_days`: how long a number rests between two holders (the
    law asks for 45). `cure_within_days`: the time to cure a breach, when a notice names no day.
    `pay_within_days`: the time between a warning of arrears and what may follow from it (the "reasonable
    time" of 2(l), which the terms leave open; 0 = the warning has to be on file, no more).
    `tell_outage_after_minutes`: how long a line is out of reach until its customer is told, once a day at
    most; 0 = nobody is told. `refinancing`: the ECB's rates for late interest (4(e)) of half-years that
    aren't known here (`ECB`), or are corrected.
    """

    release_live_calls: frozenset[Releasing] = frozenset({"stolen", "terminated"})
    quarantine_days: int = Field(default=45, ge=45)
    cure_within_days: int = Field(default=15, ge=1)
    pay_within_days: int = Field(default=0, ge=0)
    tell_outage_after_minutes: int = Field(default=30, ge=0)
    refinancing: tuple[Rate, ...] = ()

    @property
    def rates(self) -> Mapping[date, Decimal]:
        """The ECB's rates in percent, by the first day of their half-year."""
        return {**ECB, **{rate.since: rate.percent for rate in self.refinancing}}
