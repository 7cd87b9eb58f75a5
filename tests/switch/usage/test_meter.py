"""The meters over restarts and cycle ends, and what they cost."""

import time
from collections.abc import Iterable
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.clock import Wheel
from switch.sip.outbox import Outbox
from switch.usage.cycle import Calendar
from switch.usage.meter import Meters

CALENDAR = Calendar(date(2026, 1, 31))
CYCLE = CALENDAR.cycle(0)
AT = 50_000.0
WALL = CYCLE.start / 1000 + 86_400


class Node:
    """Meters with everything around them; `records` collects the journal."""

    def __init__(self, boot: str = "b1") -> None:
        self.wheel = Wheel()
        self.outbox = Outbox()
        self.meters = Meters(self.wheel, self.outbox, boot=boot)

    def records(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.outbox.journal]

    def events(self) -> list[tuple[str, dict[str, object]]]:
        return self.outbox.events

    def turn(self, to: float) -> None:
        while (due := self.wheel.next_at()) is not None and due <= to:
            self.wheel.fire(due)

    def call(self, leg: str, at: float, wall: float, **options: Any) -> None:
        fields = {"line": "101", "direction": "outbound", "exempt_reason": None, "cycle": CYCLE}
        self.meters.start(leg, at=at, wall=wall, **{**fields, **options})
        self.meters.confirm(leg)

    def after(
        self, records: Iterable[dict[str, Any]], now: float, wall: float, boot: str = "b1"
    ) -> "Node":
        """Return a node that restarted and read `records`."""
        node = Node(boot)
        for record in records:
            node.meters.restore(record, now, wall)
        node.meters.restored()
        return node


def test_a_call_over_a_kill_counts_to_the_millisecond() -> None:
    node = Node()
    node.call("a", AT, WALL)
    node.call("done", AT, WALL)
    node.meters.stop("done", AT + 30)
    revived = node.after(node.records(), AT + 90, WALL + 90)
    assert revived.outbox.journal == []
    assert "a" in revived.meters
    assert revived.meters.used_ms("101", AT + 90) == 120_000
    assert revived.meters.stop("a", AT + 100.25) == 100_250
    assert revived.records()[-1]["clock"] == "boot"


def test_a_journal_read_twice_is_the_same_state() -> None:
    node = Node()
    node.call("a", AT, WALL)
    node.call("b", AT, WALL, exempt_reason="free")
    node.meters.stop("a", AT + 60)
    records = node.records()
    revived = node.after([*records, *records], AT + 60, WALL + 60)
    assert revived.meters.used_ms("101", AT + 60) == 60_000
    assert list(map(sorted_fields, revived.meters.live_records())) == list(
        map(sorted_fields, node.meters.live_records())
    )
    assert revived.events() == []


def sorted_fields(record: bytes) -> list[tuple[str, Any]]:
    return sorted(orjson.loads(record).items())


def test_after_a_reboot_the_wall_clock_bridges_and_the_record_says_so() -> None:
    node = Node()
    node.call("a", AT, WALL)
    revived = node.after(node.records(), 12.0, WALL + 300, boot="b2")
    assert revived.meters.used_ms("101", 12.0) == 300_000
    assert revived.meters.stop("a", 22.0) == 310_000
    assert revived.records()[-1]["clock"] == "wall"


def test_the_wall_flag_survives_a_checkpoint() -> None:
    node = Node()
    node.call("a", AT, WALL)
    second = node.after(node.records(), 12.0, WALL + 300, boot="b2")
    restated = [orjson.loads(record) for record in second.meters.live_records()]
    third = second.after(restated, 20.0, WALL + 308, boot="b2")
    assert third.meters.stop("a", 22.0) == 310_000
    assert third.records()[-1]["clock"] == "wall"


def test_a_crossing_before_the_end_of_a_leg_is_exact_after_a_checkpoint_and_a_reboot() -> None:
    node = Node()
    used = {"inbound": 0, "outbound": 239_920_000}
    node.meters.load("101", CYCLE, used, (), AT, WALL)
    node.call("a", AT, WALL)
    node.meters.start("late", "101", "outbound", AT + 0.002, WALL + 0.002, None, CYCLE)
    node.meters.stop("a", AT + 40.002)
    restated = [orjson.loads(record) for record in node.meters.live_records()]
    revived = node.after(restated, 12.0, WALL + 60, boot="b2")
    revived.meters.confirm("late")
    revived.turn(12.0 + 30)
    crossings = [r for r in revived.records() if r["k"] == "threshold"]
    # Two legs until 40.002 s came to 80,002 ms: 80 % lay a millisecond before.
    assert crossings[0]["occurred_at"] == round(WALL * 1000) + 40_001


# -- around the end of a cycle --------------------------------------------------------------------------

END_AT = AT + (CYCLE.end / 1000 - WALL)  # the end of the cycle on the boottime clock
NEXT = CALENDAR.cycle(1)


def test_a_bye_that_came_before_the_end_of_the_cycle_and_is_read_after_it() -> None:
    node = Node()
    node.call("a", END_AT - 60, CYCLE.end / 1000 - 60)
    node.turn(END_AT + 0.005)
    assert node.meters.stop("a", END_AT - 0.002) == 59_998
    parts = [(r["cycle"], r["ms"], r["final"]) for r in node.records() if r["k"] == "usage"]
    assert parts == [(0, 59_998, True)], "nothing of it is in the next cycle"


def test_what_is_shown_while_the_cycle_turns_is_exact() -> None:
    node = Node()
    node.call("a", END_AT - 60, CYCLE.end / 1000 - 60)
    node.call("in", END_AT - 60, CYCLE.end / 1000 - 60, direction="inbound")
    for ms in (0, 3, 9, 10, 11, 50):
        now = END_AT + ms / 1000
        node.turn(now)
        reading = node.meters.reading("101", now, NEXT)
        assert (reading.used_ms, reading.by_direction) == (2 * ms, {"inbound": ms, "outbound": ms})


def test_a_crossing_just_before_the_end_is_announced_whoever_turns_the_cycle_first() -> None:
    node = Node()
    node.meters.load("101", CYCLE, {"inbound": 0, "outbound": 299_939_998}, (80, 90), AT, WALL)
    node.call("a", END_AT - 60, CYCLE.end / 1000 - 60)  # 100 % is 2 ms past the end
    node.call("b", END_AT - 0.003, CYCLE.end / 1000 - 0.003)  # and now 1 ms before it
    node.turn(END_AT + 0.001)
    node.call("c", END_AT + 0.001, CYCLE.end / 1000 + 0.001, cycle=NEXT)
    crossings = [r for r in node.records() if r["k"] == "threshold"]
    assert [(r["cycle"], r["percentage"], r["occurred_at"] - CYCLE.end) for r in crossings] == [
        (0, 100, 0)
    ]
    parts = [(r["leg"], r["cycle"], r["ms"]) for r in node.records() if r["k"] == "usage"]
    assert parts == [("a", 0, 60_000), ("b", 0, 3)]


def test_a_leg_whose_ack_had_not_come_stays_provisional() -> None:
    node = Node()
    node.meters.start("a", "101", "outbound", AT, WALL, None, CYCLE)
    revived = node.after(node.records(), AT + 5, WALL + 5)
    assert revived.meters.live_ms("101", AT + 5) == 5_000
    assert revived.meters.stop("a", AT + 6) == 0


def test_a_dead_call_ends_at_the_last_heartbeat() -> None:
    node = Node()
    node.call("a", AT, WALL)
    node.meters.beat(AT + 1_207, WALL + 1_207)
    node.meters.beat(AT + 1_208, WALL + 1_208)
    revived = node.after(node.records(), AT + 1_300, WALL + 1_300)
    assert revived.meters.last_beat == AT + 1_208
    assert revived.meters.stop("a", revived.meters.last_beat, estimated=True) == 1_208_000
    assert revived.records()[-1]["estimated"] is True


def test_a_checkpoint_carries_the_last_heartbeat() -> None:
    node = Node()
    node.meters.beat(AT + 7, WALL + 7)
    restated = [orjson.loads(record) for record in node.meters.live_records()]
    assert node.after(restated, AT + 60, WALL + 60).meters.last_beat == AT + 7


def test_percentages_are_the_operators_to_choose() -> None:
    node = Node()
    node.meters = Meters(node.wheel, node.outbox, 100_000, percentages=(50, 10))
    node.call("a", AT, WALL)
    node.turn(AT + 120)
    assert [(event[1]["percentage"], event[1]["occurred_at"]) for event in node.events()] == [
        (10, round((WALL + 10) * 1000)),
        (50, round((WALL + 50) * 1000)),
    ]


def test_a_dead_call_younger_than_the_heartbeat_counts_nothing() -> None:
    node = Node()
    node.meters.beat(AT, WALL)
    node.call("a", AT + 0.4, WALL + 0.4)
    revived = node.after(node.records(), 9.0, WALL + 60, boot="b2")
    assert revived.meters.last_beat is not None
    assert revived.meters.stop("a", revived.meters.last_beat, estimated=True) == 0


def test_a_checkpoint_carries_totals_live_legs_and_crossings() -> None:
    node = Node()
    node.meters.load("101", CYCLE, {"inbound": 0, "outbound": 250_000_000}, [], AT, WALL)
    node.call("a", AT, WALL)
    node.meters.start("b", "101", "inbound", AT + 5, WALL + 5, None, CYCLE)
    restated = [orjson.loads(record) for record in node.meters.live_records()]
    revived = node.after(restated, AT + 10, WALL + 10)
    reading = revived.meters.reading("101", AT + 10, CYCLE)
    assert reading == node.meters.reading("101", AT + 10, CYCLE)
    assert reading.used_ms == 250_015_000
    assert reading.crossed == (80,)
    assert reading.state == "watch"


def test_a_crossing_due_while_the_switch_was_down_is_announced_once_with_its_own_time() -> None:
    node = Node()
    node.meters.load("101", CYCLE, {"outbound": 299_990_000}, [80, 90], AT, WALL)
    node.call("a", AT, WALL)
    restated = [orjson.loads(record) for record in node.meters.live_records()]
    revived = node.after(restated, AT + 60, WALL + 60)
    revived.turn(AT + 60)
    revived.turn(AT + 600)
    assert [(event[1]["percentage"], event[1]["occurred_at"]) for event in revived.events()] == [
        (100, round((WALL + 10) * 1000))
    ]
    again = revived.after([*restated, *revived.records()], AT + 700, WALL + 700)
    again.turn(AT + 800)
    assert again.events() == []


def test_a_call_over_the_end_of_a_cycle_is_split_exactly() -> None:
    node = Node()
    before_s = 90.5
    wall = CYCLE.end / 1000 - before_s
    node.call("a", AT, wall)
    node.turn(AT + 200)
    now = AT + 200
    reading = node.meters.reading("101", now, CALENDAR.cycle(1))
    assert (reading.cycle.n, reading.used_ms, reading.live_ms) == (1, 109_500, 109_500)
    assert node.meters.stop("a", AT + 300) == 300_000
    parts = [(r["cycle"], r["ms"], r["final"]) for r in node.records() if r["k"] == "usage"]
    assert parts == [(0, 90_500, False), (1, 209_500, True)]


def test_the_split_happens_also_when_the_bye_comes_first() -> None:
    node = Node()
    node.call("a", AT, CYCLE.end / 1000 - 10)
    assert node.meters.stop("a", AT + 30) == 30_000
    parts = [(r["cycle"], r["ms"]) for r in node.records() if r["k"] == "usage"]
    assert parts == [(0, 10_000), (1, 20_000)]


def test_a_bye_exactly_at_the_boundary_leaves_nothing_in_the_next_cycle() -> None:
    node = Node()
    node.call("a", AT, CYCLE.end / 1000 - 10)
    assert node.meters.stop("a", AT + 10) == 10_000
    assert node.meters.reading("101", AT + 10, CALENDAR.cycle(1)).used_ms == 0


def test_thresholds_start_anew_with_the_cycle() -> None:
    node = Node()
    node.meters.load("101", CYCLE, {"outbound": 299_000_000}, [80, 90], AT, WALL)
    node.call("a", AT, CYCLE.end / 1000 - 10)
    node.turn(AT + 2_000)
    assert node.events() == []
    node.turn(AT + 10 + 240_000 + 1)
    assert [(e[1]["cycle"], e[1]["percentage"], e[1]["occurred_at"]) for e in node.events()] == [
        (1, 80, CYCLE.end + 240_000_000)
    ]


def test_a_new_call_in_a_new_cycle_starts_from_zero() -> None:
    node = Node()
    node.call("a", AT, WALL)
    node.meters.stop("a", AT + 60)
    following = CALENDAR.cycle(1)
    later = AT + 40 * 86_400
    assert node.meters.reading("101", later, following).used_ms == 0
    node.call("b", later, WALL + 40 * 86_400, cycle=following)
    assert node.meters.used_ms("101", later + 5) == 5_000
    node.meters.stop("b", later + 5)


def test_a_split_call_over_a_kill() -> None:
    node = Node()
    node.call("a", AT, CYCLE.end / 1000 - 10)
    node.turn(AT + 60)
    now, wall = AT + 100, CYCLE.end / 1000 + 90
    for records in (node.records(), map(orjson.loads, node.meters.live_records())):
        revived = node.after(records, now, wall)
        assert revived.meters.reading("101", now, CALENDAR.cycle(1)).used_ms == 90_000
        assert revived.meters.stop("a", now) == 100_000


def test_before_the_first_cycle() -> None:
    node = Node()
    early = CALENDAR.cycle(-1)
    node.call("a", AT, early.start / 1000 + 3 * 86_400, cycle=early)
    node.meters.stop("a", AT + 6_000)
    assert [(r["cycle"], r["ms"]) for r in node.records() if r["k"] == "usage"] == [(-1, 6_000_000)]
    assert node.meters.reading("101", AT + 6_000, CYCLE).used_ms == 0


def test_loading_a_total_twice_or_an_older_one_changes_nothing() -> None:
    node = Node()
    node.call("a", AT, WALL)
    node.meters.stop("a", AT + 60)
    for ms in (60_000, 10_000, 0):
        node.meters.load("101", CYCLE, {"outbound": ms}, [], AT + 60, WALL + 60)
    assert node.meters.used_ms("101", AT + 60) == 60_000


def test_no_timer_and_no_leg_is_left_behind() -> None:
    node = Node()
    for n in range(50):
        node.call(f"a{n}", AT + n, WALL + n)
    for n in range(50):
        node.meters.stop(f"a{n}", AT + 100 + n)
    assert len(node.meters) == 0
    assert len(node.wheel) == 0


def test_far_crossings_do_not_strew_the_wheel() -> None:
    node = Node()
    for n in range(300):
        node.call(f"a{n}", AT + n, WALL + n)
        node.meters.stop(f"a{n}", AT + n + 0.5)
    assert len(node.wheel._buckets) < 20


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 400_000),
            st.integers(0, 60_000),
            st.sampled_from(["ack", "late", "never"]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(299_000_000, 299_999_999),
)
def test_any_history_counts_and_crosses_as_a_plain_sum_would(
    legs: list[tuple[int, int, str]], before: int
) -> None:
    node = Node()
    node.meters.load("101", CYCLE, {"outbound": before}, [80, 90], AT, WALL)
    happenings = []
    for n, (start, duration, ack) in enumerate(legs):
        happenings.append((start, 0, "start", n))
        if ack != "never":
            delay = 0 if ack == "ack" else min(duration, 3_000)
            happenings.append((start + delay, 1, "ack", n))
        happenings.append((start + duration, 2, "stop", n))
    total = before
    for t, _, what, n in sorted(happenings):
        at = AT + t / 1000
        node.turn(at)
        match what:
            case "start":
                node.meters.start(f"l{n}", "101", "outbound", at, WALL + t / 1000, None, CYCLE)
            case "ack":
                node.meters.confirm(f"l{n}")
            case "stop":
                total += node.meters.stop(f"l{n}", at)
    expected = before + sum(duration for _, duration, ack in legs if ack != "never")
    assert node.meters.used_ms("101", AT + 1_000) == total == expected
    node.turn(AT + 1_000)
    crossings = [event[1]["percentage"] for event in node.events()]
    assert crossings == ([100] if expected >= 300_000_000 else [])
    assert len(node.wheel) == 0


@pytest.mark.parametrize("live", [0, 2_000])
def test_a_leg_change_is_cheap_however_many_legs_are_live(live: int) -> None:
    node = Node()
    for n in range(live):
        node.call(f"live{n}", AT + n / 1000, WALL + n / 1000)
    rounds = 2_000
    began = time.process_time()
    for n in range(rounds):
        node.call(f"a{n}", AT + 3, WALL + 3)
        node.meters.stop(f"a{n}", AT + 3.5)
    each_us = (time.process_time() - began) / rounds * 1e6
    # Three changes of 10 us each; the factor is for slow and busy machines. Linear cost would be 100x.
    assert each_us < 30 * 5
