"""The detectors: which features of a profile speak for which forbidden use, and from what value on.

A table. A feature has a soft and a hard limit; it says nothing below its minimum sample. A detector is at
a level when `needs` of its features are (all `gate` features among them), or one that sums many days and
speaks `alone`: so a use is seen that is slow, at volumes which an office has, too. The limits are defaults
of the operator's configuration. Sources: terms 3(a), 3(b), 2(d), 2(e), 2(k)(e); the canvassing hours and the
four calls a month are those of French consumer law.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from policy.acceptable_use.profile import DAY_MS, WEEK_MS, Profile
from policy.acceptable_use.window import HOUR_MS

Value = Callable[[Profile], float | None]


class Level(IntEnum):
    """How sure a detector is; a hard one has seen what hardly any office does."""

    NONE = 0
    SOFT = 1
    HARD = 2


LEVELS: Final = tuple(Level)  # by their numbers: each call is compared with fifty limits


@dataclass(frozen=True, slots=True)
class Feature:
    """`value` is None while the sample is too small. With `below`, small values are the suspect ones."""

    name: str
    value: Value
    soft: float
    hard: float
    below: bool = False
    gate: bool = False
    alone: bool = False

    def level(self, value: float | None) -> Level:
        """What a value of this feature says."""
        if value is None:
            return Level.NONE
        if self.below:
            return LEVELS[(value < self.soft) + (value < self.hard)]
        return LEVELS[(value >= self.soft) + (value >= self.hard)]


@dataclass(frozen=True, slots=True)
class Detector:
    """One forbidden use. Detectors of one `family` see the same thing, so they are not independent.

    `automatic`: at a hard level the switch bars international and premium calls by itself, and
    reversibly (2(k)(e)). `looks_like` is the honest business that it takes for an abuser.
    """

    id: str
    use: str
    family: str
    features: tuple[Feature, ...]
    looks_like: str
    needs: int = 1
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector says of a profile, with the value of each feature that speaks for it."""

    detector: Detector
    level: Level
    values: Mapping[str, float]


def judge(profile: Profile, detector: Detector) -> Finding | None:
    """Compare a profile with one detector; None if it has nothing to say."""
    levels: list[Level] = []
    found = Level.NONE  # by features that speak for themselves, then by as many as are needed
    reached: list[tuple[str, float]] = []
    for feature in detector.features:
        value = feature.value(profile)
        level = feature.level(value)
        if level and value is not None:
            reached.append((feature.name, value))
            if feature.alone:
                found = max(found, level)
            else:
                levels.append(level)
        elif feature.gate:
            levels = []
            break
    if len(levels) >= detector.needs:
        found = max(found, sorted(levels, reverse=True)[detector.needs - 1])
    if not found:
        return None
    return Finding(detector, found, {name: round(value, 3) for name, value in reached})


def share(part: float, whole: float, least: float) -> float | None:
    """part / whole, None for a whole smaller than `least`."""
    return part / whole if whole >= least else None


def _reciprocity(profile: Profile) -> float | None:
    return share(profile.reciprocated, profile.callees, 100)


def _repeats(profile: Profile) -> float | None:
    day = profile.day
    return share(day.attempts - day.distinct, day.attempts, 80)


def _mean_ms(profile: Profile) -> float | None:
    return share(profile.day.talk_ms, profile.day.answered, 50)


def _forwarded_share(profile: Profile) -> float | None:
    inbound, forwarded, _ = profile.week()
    return share(forwarded, inbound, 20)


def _forwarded_minutes(profile: Profile) -> float:
    return profile.week()[2] / 60_000


def _new_share(profile: Profile) -> float | None:
    return share(profile.day.new, profile.day.attempts, 50)


DETECTORS: tuple[Detector, ...] = (
    Detector(
        "D1", "auto-dialling", "pace",
        (
            Feature("gap_share", lambda p: share(p.day.short_gaps, p.day.attempts, 40), 0.6, 0.8),
            Feature("attempts_an_hour", lambda p: p.hour.attempts, 60, 120),
            Feature("brief_share", lambda p: share(p.day.brief, p.day.answered, 50), 0.15, 0.3),
        ),
        "a desk that works through a list before an event",
    ),
    Detector(
        "D2", "predictive dialling", "outcome",
        (
            Feature("cancelled_share", lambda p: share(p.day.cancelled, p.day.attempts, 50), 0.2, 0.4),
            Feature("quick_bye_share", lambda p: share(p.day.quick, p.day.answered, 30), 0.03, 0.1),
        ),
        "a recruiter who meets many voicemails",
        needs=2,
    ),
    Detector(
        "D3", "call centre", "volume",
        (
            Feature("stranger_days", lambda p: p.stranger_days, 5, 10, alone=True),
            Feature("occupied_days", lambda p: p.occupied_days(), 10, 15),
            Feature("attempts_a_day", lambda p: p.day.attempts, 100, 200),
            Feature("new_share", _new_share, 0.8, 0.9),
        ),
        "a reception desk that also books",
        needs=2,
    ),
    Detector(
        "D4", "telemarketing", "canvassing",
        (
            Feature("canvassing_days", lambda p: p.canvassing_days, 4, 8, alone=True),
            Feature("distinct_a_day", lambda p: p.day.distinct, 80, 150, gate=True),
            Feature("repeats", _repeats, 0.1, 0.05, below=True),
            Feature("reciprocity", _reciprocity, 0.02, 0.01, below=True),
            Feature("mean_ms", _mean_ms, 45_000, 25_000, below=True),
            Feature("outside_hours", lambda p: p.day.misplaced, 40, 80),
            Feature("pestered", lambda p: p.pestered, 30, 80),
        ),
        "a clinic that reminds of appointments",
        needs=4,
    ),
    Detector(
        "D5", "trunking", "trunking",
        (
            # Call waiting makes a third leg now and then; an exchange makes it all day long.
            Feature("third_legs_a_day", lambda p: p.thirds + p.fourths, 6, 20),
            Feature("fourth_legs_a_day", lambda p: p.fourths, 3, 6),
            Feature("erlang", lambda p: p.hour.busy_ms / HOUR_MS, 1.5, 2.5),
        ),
        "a reception desk with call waiting",
    ),
    Detector(
        "D6", "continuous forwarding", "forwarding",
        (
            Feature("forwarding_days", lambda p: p.forwarding_days, 4, 8, alone=True),
            Feature("unbroken_minutes", lambda p: p.unbroken_ms / 60_000, 1000, 2000, alone=True),
            Feature("forwarded_share", _forwarded_share, 0.8, 0.95),
            Feature("forwarded_minutes_a_week", _forwarded_minutes, 300, 1000),
        ),
        "an on-call rota that forwards at night",
        needs=2,
    ),
    Detector(
        "D7", "excessive conferences", "conference",
        (
            Feature("conference_ms_a_day", lambda p: p.day.conference_ms, 4 * HOUR_MS, 6 * HOUR_MS),
            Feature("longest_ms", lambda p: p.day.longest_ms, 8 * HOUR_MS, 12 * HOUR_MS),
        ),
        "a project office on the day of a release",
    ),
    Detector(
        "D8", "fax spam", "fax",
        (
            Feature("faxes_a_day", lambda p: p.day.fax, 30, 60),
            Feature("faxed_numbers", lambda p: p.day.faxed, 25, 50),
        ),
        "a law firm that serves a notice on many parties",
        needs=2,
    ),
    Detector(
        "D9", "voice blast", "blast",
        (
            Feature("alike_share", lambda p: share(p.day.alike, p.day.answered, 50), 0.4, 0.6),
            Feature("one_way_share", lambda p: share(p.day.one_way, p.day.measured, 20), 0.4, 0.6),
        ),
        "a clinic whose reminders are read from a card",
    ),
    Detector(
        "D10", "no live conversation", "silence",
        (Feature("silent_calls_a_day", lambda p: p.day.silent, 2, 5),),
        "somebody who waits in a queue with music",
    ),
    Detector(
        "D11", "many destinations", "volume",
        (
            Feature("callees", lambda p: p.callees, 500, 1000),
            Feature("countries_a_day", lambda p: p.countries.since(p.hour.since - DAY_MS), 10, 20),
        ),
        "a freight forwarder",
    ),
    Detector(
        "D12", "many calls", "volume",
        (Feature("attempts_a_cycle", lambda p: p.attempts, 2000, 4000),),
        "a taxi dispatcher",
    ),
    Detector(
        "D14", "toll fraud", "fraud",
        (
            Feature("new_countries_off_hours", lambda p: p.off_hours_countries, 1, 3),
            Feature("together_to_one_range", lambda p: p.hour.together, 3, 4),
            Feature("risk_ms_an_hour", lambda p: p.hour.risk_ms, 20 * 60_000, 60 * 60_000),
        ),
        "a long meeting with a customer overseas",
        needs=2,
        automatic=True,
    ),
    Detector(
        "D15", "wangiri", "wangiri",
        (Feature("rung_briefly_an_hour", lambda p: p.hour.rung_briefly, 30, 60),),
        "nobody known",
    ),
    Detector(
        "D16", "scanning", "scanning",
        (
            Feature("consecutive_an_hour", lambda p: p.hour.consecutive, 15, 30),
            Feature("unknown_share", lambda p: share(p.day.unknown, p.day.attempts, 30), 0.3, 0.6),
        ),
        "an office that rings round a building of consecutive numbers",
    ),
    Detector(
        "D17", "resale", "resale",
        (
            Feature("caller_ids", lambda p: len(p.caller_ids), 4, 6),
            Feature("agents", lambda p: p.agents.since(p.hour.since - WEEK_MS), 4, 6),
            Feature("subnets", lambda p: p.subnets.since(p.hour.since - WEEK_MS), 4, 8),
        ),
        "a consultant with a softphone in trains",
    ),
    Detector(
        "D18", "takeover", "takeover",
        (Feature("new_network_and_phone_abroad", lambda p: p.takeovers, 1, 2),),
        "a customer who moves in, changes phones and calls head office at once",
        automatic=True,
    ),
)  # fmt: skip
