"""[acceptable_use]: how closely calls are watched for forbidden uses (terms 3(b)), and what follows;
[contract]: the clocks and effects of suspensions and terminations."""

from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

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


class ContractSettings(Section):
    """[contract]: what the terms leave to the operator.

    `release_live_calls`: states that end a line's live calls at once, emergency calls excepted; in the
    others they go on to their end. `quarantine_days`: how long a number rests between two holders (the
    law asks for 45). `cure_within_days`: the time to cure a breach, when a notice names no day.
    `tell_outage_after_minutes`: how long a line is out of reach until its customer is told, once a day at
    most; 0 = nobody is told.
    """

    release_live_calls: frozenset[Releasing] = frozenset({"stolen", "terminated"})
    quarantine_days: int = Field(default=45, ge=45)
    cure_within_days: int = Field(default=15, ge=1)
    tell_outage_after_minutes: int = Field(default=30, ge=0)
