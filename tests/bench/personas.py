"""Made-up lines: honest offices of many trades, and one abuser for each detector, gross and slow.

Seeded: a persona, a set of parameters and a seed give the same month of calls. `scale` multiplies a
persona's volume; tuning and testing use ranges of it that don't overlap. Everything here is synthetic:
what the detectors do to it says nothing certain about real lines.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from policy.acceptable_use.call import Call
from policy.model import NumberClass

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC).toordinal()  # a Monday
DAYS = 30
MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
HOURS = (530, 1090)  # 8:50 to 18:10
WEEKDAYS = frozenset(range(5))
PHONE, NETWORK = "Yealink SIP-T46U 108.86", "198.51.100"


@dataclass(frozen=True, slots=True)
class Habits:
    """How an office calls. Rates are calls a working day; durations have median `talk_s`.

    `circle` is how many people it deals with, `new` the share of calls to others. `phones`, `networks`
    and `countries` are what it uses over the month.
    """

    out: float
    inbound: float
    circle: int
    new: float
    talk_s: float
    answered: float = 0.72
    spread: float = 0.9
    hours: tuple[int, int] = HOURS
    days: frozenset[int] = WEEKDAYS
    abroad: float = 0.01
    countries: tuple[str, ...] = ("BE", "CH", "GB")
    forwarded: float = 0.0
    conference: float = 0.0
    phones: int = 1
    networks: int = 1
    fax: float = 0.0


@dataclass(frozen=True, slots=True)
class Persona:
    """A name, the detector it ought to be found by ("" for the honest), and its month of calls."""

    name: str
    abuse: str
    month: Callable[[random.Random, float], list[Call]]


class Line:
    """Draws calls of one line, in no order; `calls` sorts them and counts those that overlap."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._calls: list[Call] = []
        self._strangers = 0
        # Every third phone says at the end of a call what of it was speech; with silence suppression
        # that is less than all.
        self._tells, self._suppresses = rng.random() < 0.34, rng.random() < 0.5

    def stranger(self) -> str:
        """A number that nobody called before."""
        self._strangers += 1
        return f"+33{self.rng.randrange(1, 6)}{self.rng.randrange(10**7):07d}{self._strangers % 10}"

    def call(self, day: int, minute: float, peer: str, talk_s: float, **changes: object) -> None:
        """An answered call, or with talk_s = 0 one that wasn't, unless `changes` say otherwise."""
        rng = self.rng
        at = (FIRST_DAY + day - EPOCH_DAY) * DAY_MS + round(minute * MINUTE_MS)
        answered = talk_s > 0
        least = 0.2 if self._suppresses else 0.98
        shares = [rng.uniform(least, 1.0) if self._tells and answered else None for _ in range(2)]
        call = Call(
            call_id=f"{rng.getrandbits(48):012x}",
            at=at,
            day=FIRST_DAY + day,
            minute=int(minute) % 1440,
            outbound=True,
            peer=peer,
            answered=answered,
            ring_ms=round(rng.uniform(3_000, 14_000) if answered else rng.uniform(15_000, 35_000)),
            duration_ms=round(talk_s * 1000),
            ended_by=rng.choice(("caller", "callee")) if answered else rng.choice(("caller", "")),
            status=200 if answered else 487,
            number_class=NumberClass.NATIONAL,
            country="FR",
            caller_id="+33199000101",
            user_agent=PHONE,
            subnet=f"{NETWORK}.0/24",
            spoken=shares[0],
            heard=shares[1],
        )
        self._calls.append(replace(call, **changes))

    def talk_s(self, median: float, spread: float = 0.9) -> float:
        """A duration: most are short, some are long."""
        return max(2.0, self.rng.lognormvariate(math.log(median), spread))

    def calls(self) -> list[Call]:
        """The month, in the order in which the calls ended."""
        by_start = sorted(self._calls, key=lambda call: call.at)
        live: list[int] = []
        counted = []
        for call in by_start:
            live = [end for end in live if end > call.at]
            end = call.at + call.ring_ms + call.duration_ms
            if call.answered:
                live.append(end)
            counted.append(replace(call, concurrent=max(len(live), 1)))
        return sorted(counted, key=lambda call: call.at + call.ring_ms + call.duration_ms)


def office(habits: Habits) -> Callable[[random.Random, float], list[Call]]:
    """A line that calls by habit: one phone at a time, so calls don't overlap but by call waiting."""

    def month(rng: random.Random, scale: float) -> list[Call]:
        line = Line(rng)
        circle = [line.stranger() for _ in range(habits.circle)]
        abroad = [f"+{rng.randrange(32, 49)}{rng.randrange(10**8):08d}" for _ in range(4)]
        for day in range(DAYS):
            if day % 7 in habits.days:
                _working_day(line, habits, scale, day, circle, abroad)
        return line.calls()

    return month


def _working_day(
    line: Line, habits: Habits, scale: float, day: int, circle: list[str], abroad: list[str]
) -> None:
    rng = line.rng
    count = _poisson(rng, (habits.out + habits.inbound) * scale)
    free_at = 0.0
    for minute in sorted(rng.uniform(*habits.hours) for _ in range(count)):
        start = max(minute, free_at + rng.uniform(0.2, 3)) if rng.random() > 0.04 else minute
        if start > habits.hours[1] + 60:
            break
        outbound = rng.random() < habits.out / (habits.out + habits.inbound)
        is_new = not circle or rng.random() < habits.new
        # The few that one deals with most get most of the calls.
        peer = line.stranger() if is_new else circle[int(len(circle) * rng.random() ** 2)]
        talk_s = (
            line.talk_s(habits.talk_s, habits.spread) if rng.random() < habits.answered else 0.0
        )
        changes = _circumstances(line, habits, outbound, abroad)
        line.call(day, start, str(changes.pop("peer", peer)), talk_s, **changes)
        if not changes.get("forwarded"):
            free_at = start + (talk_s or 20) / 60


def _circumstances(
    line: Line, habits: Habits, outbound: bool, abroad: list[str]
) -> dict[str, object]:
    rng = line.rng
    changes: dict[str, object] = {"outbound": outbound}
    if habits.phones > 1:
        changes["user_agent"] = f"{PHONE} {rng.randrange(habits.phones)}"
    if habits.networks > 1:
        changes["subnet"] = f"{NETWORK}.{rng.randrange(habits.networks)}/24"
    if outbound and rng.random() < habits.abroad:
        changes["number_class"] = NumberClass.INTERNATIONAL
        changes["country"] = rng.choice(habits.countries)
        changes["peer"] = rng.choice(abroad)
    if not outbound and rng.random() < habits.forwarded:
        changes["forwarded"] = True
    if rng.random() < habits.conference:
        changes["parties"] = rng.randrange(3, 7)
    if outbound and rng.random() < habits.fax:
        changes["is_fax"] = True
    return changes


def _poisson(rng: random.Random, mean: float) -> int:
    """Knuth's method; large means are split so that exp doesn't vanish."""
    total = 0
    while mean > 30:
        total += _poisson(rng, 30.0)
        mean -= 30
    limit, product = math.exp(-mean), rng.random()
    while product > limit:
        total += 1
        product *= rng.random()
    return total


def busy_days(line: Line, share: float) -> Iterator[int]:
    """The days on which an abuser works, `share` of the weekdays, spread over the month."""
    for day in range(DAYS):
        if day % 7 in WEEKDAYS and line.rng.random() < share:
            yield day
