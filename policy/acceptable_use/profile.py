"""The features of one line's calls, kept incrementally in bounded memory.

Windows of an hour and a day (window.py), the last 20 days in a few numbers each, and sketches of who was
called in the last one to two months. Nothing is looked up again: what a feature needs is counted as the
call passes.
"""

from array import array
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
MOST_HIDDEN = 8.0  # strangers behind one, in sketches as full as can still be trusted
PESTERED = 5  # D4: more than four calls to one number in 30 days

# What a slow abuser does on few of its days, at volumes that an office has, too (D3, D4, D6).
STRANGERS, CANVASSING, FORWARDING = 1, 2, 4
A_DAY_OF = 40  # attempts that make a working day of it
MOSTLY_NEW = 0.8  # of them, to numbers never called before
CANVASS_MS = 45_000  # the mean talk of a canvasser is shorter
FEW_REPEATS = 0.1
FORWARDS = 10
MOSTLY_FORWARDED = 2 / 3
FORWARDED_MS = HOUR_MS
UNBROKEN_MS = 72 * HOUR_MS  # D6: forwarding that never stops


class Profile:
    """One line. `add` its calls in the order of their ends; the properties are what detectors read."""

    __slots__ = (
        "_bridged_ms",
        "_bridged_since",
        "_called",
        "_called_before",
        "_callers",
        "_counts",
        "_generation",
        "_new_agent_at",
        "_new_subnet_at",
        "_occupied_before",
        "_week_before",
        "agents",
        "attempts",
        "callees",
        "caller_ids",
        "canvassing_days",
        "countries",
        "day",
        "days",
        "first_day",
        "forwarded",
        "forwarded_ms",
        "forwarding_days",
        "fourths",
        "hour",
        "off_hours_countries",
        "pestered",
        "reciprocated",
        "stranger_days",
        "subnets",
        "takeovers",
        "thirds",
        "unbroken_ms",
    )  # fmt: skip

    def __init__(self, call: Call) -> None:
        """A profile that begins with `call`, which is not counted yet."""
        self.first_day = call.day
        self.hour = Hour(call.ended_at)
        self.day = Day(call.day)
        # Of each past day: its ordinal, attempts, occupied ms, inbound, forwarded, forwarded ms, likeness.
        self.days: deque[array[int]] = deque(maxlen=KEPT_DAYS)
        self.forwarded = self.forwarded_ms = 0
        self.stranger_days = self.canvassing_days = self.forwarding_days = self._occupied_before = 0
        self._week_before = (0, 0, 0)
        self._bridged_since: int | None = None
        self._bridged_ms = self.unbroken_ms = 0
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
        self.day.add(call, self._new(call.peer))
        self.thirds += call.concurrent == 3
        self.fourths += call.concurrent > 3
        if call.forwarded:
            self.forwarded += 1
            self.forwarded_ms += call.duration_ms
            self._unbroken(call)
        elif call.answered and not call.outbound:
            self._bridged_since, self._bridged_ms, self.unbroken_ms = None, 0, 0
        self._who(call)
        if call.outbound:
            self._where(call)

    def _unbroken(self, call: Call) -> None:
        """Sum up what was forwarded since the line last took a call itself (D6)."""
        if self._bridged_since is None:
            self._bridged_since = call.at
        self._bridged_ms += call.duration_ms
        self.unbroken_ms = self._bridged_ms if call.at - self._bridged_since > UNBROKEN_MS else 0

    def _new(self, peer: str) -> float:
        """0 for a known number. Fuller sketches take more strangers for known: each other counts for
        those, too, so that the sum is right."""
        called, before = self._called, self._called_before
        if peer in called or peer in before:
            return 0.0
        return min(1 / (called.free * before.free), MOST_HIDDEN)

    def _turn(self, call: Call) -> None:
        """Begin the windows that the call lies beyond."""
        if call.ended_at >= self.hour.since + HOUR_MS:
            self.hour = Hour(call.ended_at)
        if call.day <= self.day.day:
            return
        day = self.day
        # A line without habits yet calls nobody but strangers.
        like = self._likeness() if day.day >= self.first_day + SETTLED_DAYS else 0
        forwarded = self.forwarded, self.forwarded_ms
        past = (day.day, day.attempts, day.busy_ms, day.inbound, *forwarded, like)
        self.days.append(array("q", past))
        self.day = Day(call.day)
        self._look_back(call.day)
        self.forwarded = self.forwarded_ms = self.off_hours_countries = 0
        self.thirds = self.fourths = 0
        if call.day >= self._generation + GENERATION_DAYS:
            self._called_before = self._called
            self._begin_generation(call.day)

    def _look_back(self, today: int) -> None:
        """Sum up the days before `today`: once a day, and not for each call."""
        recent = [each for each in self.days if each[0] > today - KEPT_DAYS]
        self.stranger_days = sum(each[-1] & STRANGERS > 0 for each in recent)
        self.canvassing_days = sum(each[-1] & CANVASSING > 0 for each in recent)
        self.forwarding_days = sum(each[-1] & FORWARDING > 0 for each in recent)
        self._occupied_before = sum(each[2] >= OCCUPIED_MS for each in recent)
        week = [each for each in recent if each[0] > today - 7]
        self._week_before = (
            sum(each[3] for each in week),
            sum(each[4] for each in week),
            sum(each[5] for each in week),
        )

    def _likeness(self) -> int:
        """What the day that ends was like."""
        day, like = self.day, 0
        if day.attempts >= A_DAY_OF:
            like |= STRANGERS * (day.new >= MOSTLY_NEW * day.attempts)
            is_brief = day.talk_ms < CANVASS_MS * day.answered
            repeats = day.attempts - day.distinct
            like |= CANVASSING * (is_brief and repeats < FEW_REPEATS * day.attempts)
        is_bridge = self.forwarded >= FORWARDS and self.forwarded_ms >= FORWARDED_MS
        return like | FORWARDING * (is_bridge and self.forwarded >= MOSTLY_FORWARDED * day.inbound)

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
        inbound, forwarded, forwarded_ms = self._week_before
        return (
            inbound + self.day.inbound,
            forwarded + self.forwarded,
            forwarded_ms + self.forwarded_ms,
        )

    def occupied_days(self) -> int:
        """Of the last 20 calendar days, how many were spent on the phone for six hours or more."""
        return self._occupied_before + (self.day.busy_ms >= OCCUPIED_MS)
