"""Alerts: what detectors said of a line, held for some days, and the case that two of them make.

A level rises at once and falls only after quiet days (hysteresis), so that a line isn't told anew each
hour. Two detectors of different families open a 3(b) case; one alone is only watched. In shadow mode
everything is found and told, and nothing follows from it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from policy.acceptable_use.call import Call
from policy.acceptable_use.detectors import DETECTORS, Detector, Level, judge
from policy.acceptable_use.profile import Profile

HOLD_DAYS = 7
EVIDENCE_CALLS = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decides: `shadow` = find and tell only; `hold_days` of quiet end an alert."""

    shadow: bool = True
    hold_days: int = HOLD_DAYS
    detectors: tuple[Detector, ...] = DETECTORS


@dataclass(frozen=True, slots=True)
class Alert:
    """A detector's level rose: the values that speak for it, and the newest calls as evidence.

    `opens_case`: with this alert two independent detectors stand. `bars`: international and premium
    calls are to be barred now (2(k)(e)); never in shadow mode.
    """

    line: str
    detector: Detector
    level: Level
    at: int
    values: Mapping[str, float]
    calls: tuple[str, ...]
    opens_case: bool
    bars: bool


@dataclass(slots=True)
class Standing:
    """A level that was reached, the last day on which it was, and what was told of it."""

    level: Level
    day: int
    alert: Alert | None = None


@dataclass(slots=True)
class Watched:
    """One line: its profile, the alerts that stand by detector, and its newest calls."""

    profile: Profile
    standing: dict[str, Standing] = field(default_factory=dict)
    calls: deque[str] = field(default_factory=lambda: deque(maxlen=EVIDENCE_CALLS))
    is_case: bool = False


class Watch:
    """All lines that ever called. `add` each finished call; alerts come back."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._lines: dict[str, Watched] = {}

    def __len__(self) -> int:
        """Count the lines watched (a gauge)."""
        return len(self._lines)

    def add(self, line: str, call: Call) -> list[Alert]:
        """Count a call of `line`; what rose because of it."""
        watched = self._lines.get(line)
        if watched is None:
            watched = self._lines[line] = Watched(Profile(call))
        watched.profile.add(call)
        watched.calls.append(call.call_id)
        self._let_go(watched, call.day)
        alerts = []
        for detector in self.settings.detectors:
            finding = judge(watched.profile, detector)
            if finding is not None and self._rises(watched, detector, finding.level, call.day):
                alerts.append(
                    self._alert(line, watched, detector, finding.level, call, finding.values)
                )
        return alerts

    def levels(self, line: str) -> dict[str, Level]:
        """The alerts that stand for a line, by detector."""
        watched = self._lines.get(line)
        return {} if watched is None else {k: v.level for k, v in watched.standing.items()}

    def alerts(self, line: str) -> list[Alert]:
        """The newest alert of each detector that stands for a line, oldest first."""
        watched = self._lines.get(line)
        standing = [] if watched is None else [each.alert for each in watched.standing.values()]
        return sorted((each for each in standing if each is not None), key=lambda each: each.at)

    def _rises(self, watched: Watched, detector: Detector, level: Level, day: int) -> bool:
        standing = watched.standing.get(detector.id)
        if standing is None:
            watched.standing[detector.id] = Standing(level, day)
            return True
        if level >= standing.level:
            standing.day = day
        if level > standing.level:
            standing.level = level
            return True
        return False

    def _alert(
        self,
        line: str,
        watched: Watched,
        detector: Detector,
        level: Level,
        call: Call,
        values: Mapping[str, float],
    ) -> Alert:
        families = {each.family for each in self.settings.detectors if each.id in watched.standing}
        opens_case = len(families) > 1 and not watched.is_case
        watched.is_case = watched.is_case or opens_case
        bars = detector.automatic and level is Level.HARD and not self.settings.shadow
        calls = tuple(watched.calls)
        alert = Alert(line, detector, level, call.at, values, calls, opens_case, bars)
        watched.standing[detector.id].alert = alert
        return alert

    def _let_go(self, watched: Watched, day: int) -> None:
        """End the alerts that had enough quiet days."""
        quiet = [
            name
            for name, standing in watched.standing.items()
            if day > standing.day + self.settings.hold_days
        ]
        for name in quiet:
            del watched.standing[name]
        if quiet and not watched.standing:
            watched.is_case = False
