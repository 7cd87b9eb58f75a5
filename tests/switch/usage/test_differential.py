"""Random histories by the real meter and by the reference: overlapping legs, late and missing ACKs, ends
of cycles, exempt legs, checkpoints, and kill -9 with the journal cut at any record."""

import random
from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from switch.clock import Wheel
from switch.sip.outbox import Outbox
from switch.usage.cycle import Calendar
from switch.usage.line import _SETTLE_MS
from switch.usage.meter import Meters
from tests.switch.usage.reference import Reference, Talk

CALENDAR = Calendar(date(2026, 1, 31))
BOOT = 50_000_000
THRESHOLD = 100_000
LINES = ("101", "102")

# (ms until it happens, what, a number that picks the leg, the line, the journal's cut...)
HAPPENINGS = st.lists(
    st.tuples(
        st.integers(0, 20_000),
        st.sampled_from(
            ["start", "start", "start", "ack", "ack", "stop", "stop", "look", "crash", "checkpoint"]
        ),
        st.integers(0, 1_000_000),
    ),
    max_size=40,
)


class Histories:
    """The meter under test with its wheel and journal, and the reference beside it."""

    def __init__(self, to_boundary: int, counted: tuple[str, ...]) -> None:
        self.counted = counted
        self.now = BOOT
        offset = CALENDAR.cycle(0).end - to_boundary - BOOT
        self.reference = Reference(CALENDAR, offset, THRESHOLD, _SETTLE_MS)
        self.journal: list[bytes] = []
        self.before: list[Reference] = [self.reference.copy()]  # by journal position
        self.serial = 0
        self.told: set[tuple[str, int, int]] = set()  # crossings on file before the checkpoint
        self.whole = (
            0  # records of a checkpoint: an unfinished one doesn't count, so they aren't cut
        )
        self.begin()

    def begin(self) -> None:
        self.wheel, self.outbox = Wheel(), Outbox()
        self.meters = Meters(
            self.wheel,
            self.outbox,
            THRESHOLD,
            boot="b",
            counted=self.counted,  # type: ignore[arg-type]
        )

    def utc(self, at: int) -> float:
        return (at + self.reference.offset) / 1000

    def cycle_n(self) -> int:
        return CALENDAR.cycle_at(self.now + self.reference.offset).n

    def happen(self, wait: int, what: str, number: int) -> None:
        before = self.reference.copy()
        self.pass_time(wait)
        live = [leg for leg, talk in self.reference.talks.items() if talk.end is None]
        match what:
            case "start":
                self.start(number)
            case "ack" if live:
                self.ack(live[number % len(live)])
            case "stop" if live:
                self.stop(live[number % len(live)])
            case "look":
                self.compare()
            case "checkpoint":
                self.keep(before)
                self.journal = list(self.meters.live_records())
                self.before = [self.reference.copy()] * (len(self.journal) + 1)
                self.whole = len(self.journal)
                self.told = set(self.reference.announced)
        self.keep(before)
        if what == "crash":
            self.crash(number)

    def pass_time(self, wait: int) -> None:
        to = self.now + wait
        while (due := self.wheel.next_at()) is not None and due <= to / 1000:
            self.wheel.fire(due)
        self.now = to
        self.reference.look(to)

    def keep(self, before: Reference) -> None:
        """The driver's write. A cut between the records of one step leaves what those before say."""
        for record in self.outbox.journal:
            self.journal.append(record)
            before = before.copy()
            match orjson.loads(record):
                case {"k": "threshold", "line": line, "cycle": n, "percentage": p, **fields}:
                    before.announced[line, n, p] = fields["occurred_at"] - before.offset
                case {"k": "start", "leg": leg}:
                    before.talks[leg] = replace(self.reference.talks[leg], known=False, end=None)
                case {"k": "confirm", "leg": leg}:
                    before.talks[leg].known = True
                case {"k": "usage", "leg": leg, "final": True}:
                    before.talks[leg].end = self.reference.talks[leg].end
            self.before.append(before)
        self.outbox.clear()
        self.before[-1] = self.reference.copy()

    def start(self, number: int) -> None:
        self.serial += 1
        leg, line = f"l{self.serial}", LINES[number % 2]
        direction = ("outbound", "inbound")[number // 2 % 2]
        exempt = "free" if number % 7 == 0 else None
        counts = exempt is None and direction in self.counted
        self.reference.talks[leg] = Talk(line, direction, counts, self.now)
        cycle = CALENDAR.cycle(self.cycle_n())
        at = self.now / 1000
        self.meters.start(leg, line, direction, at, self.utc(self.now), exempt, cycle)  # type: ignore[arg-type]
        # Most ACKs come at once; a late one near a cycle's end is a case of its own.
        if number % 3:
            self.ack(leg)

    def ack(self, leg: str) -> None:
        talk = self.reference.talks[leg]
        if talk.known:
            return
        talk.known = True
        self.meters.confirm(leg)

    def stop(self, leg: str) -> None:
        talk = self.reference.talks[leg]
        self.reference.look(self.now, exactly=talk.line)
        talk.end = self.now
        self.meters.stop(leg, self.now / 1000)

    def crash(self, number: int) -> None:
        """kill -9: the last records may be missing, and the restart reads the rest, twice over."""
        written = len(self.journal) - self.whole
        cut = len(self.journal) - number % min(6, written + 1)
        del self.journal[cut:], self.before[cut + 1 :]
        self.reference = self.before[cut].copy()
        self.begin()
        now, utc = self.now / 1000, self.utc(self.now)
        for _ in range(1 + number % 2):
            for record in self.journal:
                self.meters.restore(orjson.loads(record), now, utc)
        self.meters.restored()
        assert self.outbox.journal == []
        before = self.reference.copy()
        self.pass_time(0)
        self.keep(before)

    def compare(self) -> None:
        n = self.cycle_n()
        for line in LINES:
            reading = self.meters.reading(line, self.now / 1000, CALENDAR.cycle(n))
            # The part of a leg that has just passed the boundary is turned at its timer.
            assert reading.used_ms == self.reference.used(line, n, self.now), line

    def end(self) -> None:
        before = self.reference.copy()
        for leg, talk in self.reference.talks.items():
            if talk.end is None:
                self.stop(leg)
        self.keep(before)

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [r for r in map(orjson.loads, self.journal) if r["k"] == kind]


def run(
    happenings: list[tuple[int, str, int]], to_boundary: int, counted: tuple[str, ...], seed: int
) -> None:
    histories = Histories(to_boundary, counted)
    for happening in happenings:
        histories.happen(*happening)
    histories.end()
    histories.compare()
    reference = histories.reference
    # The rows: greatest-of by leg and cycle, whatever the order and however often.
    # An exempt leg isn't split at a cycle's end: nobody adds it up.
    usage = [record for record in histories.records("usage") if record["exempt_reason"] is None]
    rows: dict[tuple[str, int], int] = {}
    for record in random.Random(seed).sample(usage * 2, len(usage) * 2):
        key = record["leg"], record["cycle"]
        rows[key] = max(rows.get(key, 0), record["ms"])
    for (leg, n), ms in rows.items():
        assert ms == reference.settled(leg, n), (leg, n)
    announced = [
        (r["line"], r["cycle"], r["percentage"], r["occurred_at"] - reference.offset)
        for r in histories.records("threshold")
    ]
    assert len({each[:3] for each in announced}) == len(announced), "announced twice"
    expected = {(*key, at) for key, at in reference.announced.items()}
    assert {each for each in expected if each[:3] not in histories.told} == set(announced)


ANY = (
    HAPPENINGS,
    st.integers(1_000, 400_000),
    st.sampled_from([("inbound", "outbound"), ("outbound",)]),
    st.integers(0, 1_000),
)


# A late ACK puts the crossing before the end of a leg that a checkpoint had summed up.
ENDED_BEFORE_A_CHECKPOINT = [
    *[(0, "start", 1)] * 3,
    (2315, "stop", 0),
    (0, "start", 6429),
    (0, "start", 1),
    (800, "start", 1),
    (5790, "stop", 0),
    (10977, "stop", 0),
    (0, "ack", 0),
    (0, "checkpoint", 0),
    (0, "crash", 0),
]


# The ACK comes after the end of the leg's cycle, in which another leg went on: 80 % had been reached
# before that end.
ACKED_IN_THE_NEXT_CYCLE = [
    (0, "start", 3),
    *[(20_000, "look", 0)] * 3,
    (0, "start", 1),
    *[(20_500, "look", 0)] * 2,
    (0, "ack", 0),
]
ACKED_AFTER_A_CHECKPOINT = [
    *ACKED_IN_THE_NEXT_CYCLE[:-1],
    (0, "checkpoint", 0),
    (0, "crash", 1),
    (0, "ack", 0),
]
# The same, short of 80 %, and a journal that is read twice: the leg counts once.
ACKED_AND_READ_TWICE = [
    *[(20_000, "look", 0)] * 3,
    (0, "start", 3),
    (10_000, "start", 1),
    *[(15_500, "look", 0)] * 2,
    (0, "ack", 0),
    (0, "start", 1),
    (0, "crash", 1),
]
# What had ended in the old cycle while an ACK was awaited is no part of the new one.
ENDED_BEFORE_THE_CYCLE = [
    (0, "start", 3),
    (0, "start", 1),
    (20_000, "stop", 1),
    (0, "start", 1),
    *[(20_500, "look", 0)] * 4,
    (0, "start", 3),
    *[(20_000, "look", 0)] * 3,
    (1_000, "stop", 1),
    (5_000, "ack", 1),
    (1_000, "look", 0),
]


@example(ACKED_AND_READ_TWICE, 100_000, ("inbound", "outbound"), 0)
@example(ENDED_BEFORE_THE_CYCLE, 100_000, ("inbound", "outbound"), 0)
@example(ACKED_IN_THE_NEXT_CYCLE, 100_000, ("inbound", "outbound"), 0)
@example(ACKED_AFTER_A_CHECKPOINT, 100_000, ("inbound", "outbound"), 0)
@example(ENDED_BEFORE_A_CHECKPOINT, 1_000, ("inbound", "outbound"), 0)
@settings(max_examples=1_000, suppress_health_check=list(HealthCheck))
@given(*ANY)
def test_a_thousand_histories(
    happenings: list[tuple[int, str, int]], to_boundary: int, counted: tuple[str, ...], seed: int
) -> None:
    run(happenings, to_boundary, counted, seed)


@pytest.mark.full
@settings(max_examples=20_000, suppress_health_check=list(HealthCheck))
@given(*ANY)
def test_twenty_thousand_histories(
    happenings: list[tuple[int, str, int]], to_boundary: int, counted: tuple[str, ...], seed: int
) -> None:
    run(happenings, to_boundary, counted, seed)
