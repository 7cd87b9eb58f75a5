"""The features of one line's calls, kept incrementally in bounded memory.

Windows of an hour and a day (window.py), the last 20 days in a few numbers each, and sketches of who was
called in the last one to two months. Nothing is looked up again: what a feature needs is counted as the
call passes.
"""

from collections import deque
from zlib import crc32

from policy.acceptable_use.call import Call
from policy.acceptable_use.sketch import Few, Sketch
from policy.acceptable_use.window import HOUR_MS, OFFICE_MINUTES, Day, Hour

DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
GENERATION_DAYS = 30
KEPT_DAYS = 20
OCCUPIED_MS = 6 * HOUR_MS  # D3
# Before that a line has no habits that could be broken (D14, D18).
SETTLED_DAYS = 7
PESTERED = 5  # D4: more than four calls to one number in 30 days

PastDay = tuple[int, int, int, int, int, int]
"""(day, attempts, occupied ms, inbound, forwarded, forwarded ms)."""


class Profile:
    """One line. `add` its calls in the order of their ends; the properties are what detectors read."""

    __slots__ = (
        "_called",
        "_called_before",
        "_callers",
        "_counts",
        "_generation",
        "_new_agent_at",
        "_new_subnet_at",
        "agents",
        "attempts",
        "callees",
        "caller_ids",
        "countries",
        "day",
        "days",
        "first_day",
        "forwarded",
        "forwarded_ms",
        "fourths",
        "hour",
        "off_hours_countries",
        "pestered",
        "reciprocated",
        "subnets",
        "takeovers",
        "thirds",
    )  # fmt: skip

    def __init__(self, call: Call) -> None:
        """A profile that begins with `call`, which is not counted yet."""
        self.first_day = call.day
        self.hour = Hour(call.ended_at)
        self.day = Day(call.day)
        self.days: deque[PastDay] = deque(maxlen=KEPT_DAYS)
        self.forwarded = self.forwarded_ms = 0
        self.thirds = self.fourths = 0
        self.off_hours_countries = self.takeovers = 0
        self.countries, self.caller_ids = Few(32), Few(8)
        self.agents, self.subnets = Few(8), Few(8)
        self._new_agent_at = self._new_subnet_at = -DAY_MS
        self._called_before = Sketch(8)
        self._begin_generation(call.day)

    def _begin_generation(self, day: int) -> None:
        self._generation = day
        self.attempts = self.pestered = self.reciprocated = 0
        self._called, self._callers = Sketch(4096), Sketch(1024)
        self._counts = bytearray(1024)
        self.callees = 0

    def add(self, call: Call) -> None:
        """Count a finished call."""
        self._turn(call)
        self.hour.add(call)
        known = call.peer in self._called or call.peer in self._called_before
        self.day.add(call, is_new=not known)
        self.thirds += call.concurrent == 3
        self.fourths += call.concurrent > 3
        if call.forwarded:
            self.forwarded += 1
            self.forwarded_ms += call.duration_ms
        self._who(call)
        if call.outbound:
            self._where(call)

    def _turn(self, call: Call) -> None:
        """Begin the windows that the call lies beyond."""
        if call.ended_at >= self.hour.since + HOUR_MS:
            self.hour = Hour(call.ended_at)
        if call.day <= self.day.day:
            return
        day = self.day
        past = (day.day, day.attempts, day.busy_ms, day.inbound, self.forwarded, self.forwarded_ms)
        self.days.append(past)
        self.day = Day(call.day)
        self.forwarded = self.forwarded_ms = self.off_hours_countries = 0
        self.thirds = self.fourths = 0
        if call.day >= self._generation + GENERATION_DAYS:
            self._called_before = self._called
            self._begin_generation(call.day)

    def _who(self, call: Call) -> None:
        """Callers and callees, and how many know each other (D4)."""
        if not call.outbound:
            if self._callers.add(call.peer) and call.peer in self._called:
                self.reciprocated += 1
            return
        self.attempts += 1
        if self._called.add(call.peer) and call.peer in self._callers:
            self.reciprocated += 1
        self.callees = len(self._called)
        place = crc32(call.peer.encode()) % len(self._counts)
        self._counts[place] = count = min(self._counts[place] + 1, 255)
        self.pestered += count == PESTERED

    def _where(self, call: Call) -> None:
        """New countries, networks and phones, and the three at once (D14, D17, D18)."""
        is_settled = call.day >= self.first_day + SETTLED_DAYS
        self.caller_ids.add(call.caller_id, call.at)
        # The first that is ever seen of a line is no news: habits may be known without phones.
        knows_phones, knows_networks = len(self.agents) > 0, len(self.subnets) > 0
        if self.agents.add(call.user_agent, call.at) and knows_phones:
            self._new_agent_at = call.at
        if self.subnets.add(call.subnet, call.at) and knows_networks:
            self._new_subnet_at = call.at
        is_new_country = self.countries.add(call.country, call.at)
        if not (is_settled and call.is_high_risk):
            return
        if is_new_country and (not call.is_weekday or call.minute not in OFFICE_MINUTES):
            self.off_hours_countries += 1
        lately = call.at - HOUR_MS
        if self._new_agent_at >= lately and self._new_subnet_at >= lately:
            self.takeovers += 1

    # -- over several days ---------------------------------------------------------------------

    def week(self) -> tuple[int, int, int]:
        """(inbound, forwarded, forwarded ms) of today and the six days before."""
        sums = [self.day.inbound, self.forwarded, self.forwarded_ms]
        for day, _, _, inbound, forwarded, forwarded_ms in self.days:
            if day > self.day.day - 7:
                sums = [sums[0] + inbound, sums[1] + forwarded, sums[2] + forwarded_ms]
        return sums[0], sums[1], sums[2]

    def occupied_days(self) -> int:
        """Of the last 20 calendar days, how many were spent on the phone for six hours or more."""
        past = sum(
            busy >= OCCUPIED_MS and day > self.day.day - KEPT_DAYS
            for day, _, busy, _, _, _ in self.days
        )
        return past + (self.day.busy_ms >= OCCUPIED_MS)
