"""Caps at admission, in live calls, over midnight, cycle ends and restarts."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.clock import Wheel
from switch.sip.outbox import Outbox
from switch.usage.allowance import Allowance, Cap
from switch.usage.caps import Caps
from switch.usage.cycle import Calendar

CALENDAR = Calendar(date(2026, 1, 31))
CYCLE = CALENDAR.cycle(0)
AT = 50_000.0
NOON = CALENDAR.midnight_ms(date(2026, 2, 10)) / 1000 + 43_200
DAILY = (Cap("minutes_per_day", 600_000, is_daily=True),)
MONTHLY = (Cap("minutes_per_cycle", 600_000, is_daily=False),)


class Node:
    """Caps with a clock: `now` is boottime, and the wall clock runs beside it."""

    def __init__(self, caps: tuple[Cap, ...] = DAILY, wall: float = NOON) -> None:
        self.wheel = Wheel()
        self.outbox = Outbox()
        self.caps = Caps(self.wheel, self.outbox)
        self.allowance = Allowance("101", "international", caps, CALENDAR)
        self.now = AT
        self.offset = wall - AT
        self.ended: list[tuple[str, float]] = []

    @property
    def wall(self) -> float:
        return self.now + self.offset

    def allows(self) -> str | None:
        return self.caps.allows(self.allowance, self.now, self.wall)

    def start(self, leg: str, at: float | None = None) -> None:
        at = self.now if at is None else at
        self.caps.start(leg, self.allowance, Owner(self, leg), at, at + self.offset)

    def stop(self, leg: str) -> None:
        self.caps.stop(leg, self.now)

    def after(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.wheel.next_at()) is not None and due <= end:
            self.now = max(self.now, due)
            self.wheel.fire(self.now)
        self.now = end

    def records(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.outbox.journal]

    def used(self) -> tuple[int, int]:
        return self.caps.used_ms("101", "international", self.now)

    def restarted(self, records: Iterable[dict[str, Any]]) -> "Node":
        node = Node(self.allowance.caps)
        node.now, node.offset = self.now, self.offset
        for record in records:
            node.caps.restore(record)
        return node


class Owner:
    """A call that ends when it is told to; `deaf` ones don't."""

    def __init__(self, node: Node, leg: str, *, deaf: bool = False) -> None:
        self.node, self.leg, self.deaf = node, leg, deaf

    def on_cap_reached(self, now: float) -> None:
        self.node.ended.append((self.leg, now))
        if not self.deaf:
            self.node.caps.stop(self.leg, now)


# -- at admission --------------------------------------------------------------------------------


def test_calls_are_allowed_until_the_cap() -> None:
    node = Node()
    assert node.allows() is None
    node.start("a")
    node.after(599.999)
    assert node.allows() is None
    node.stop("a")
    node.start("b")
    node.after(0.001)
    assert node.allows() == "minutes_per_day"


def test_a_cap_of_nothing_allows_nothing() -> None:
    node = Node((Cap("euros_per_cycle", 0, is_daily=False),))
    assert node.allows() == "euros_per_cycle"


def test_no_caps_allow_everything() -> None:
    node = Node(())
    node.start("a")
    node.after(10_000_000)
    assert node.allows() is None
    assert not node.ended


def test_lines_and_classes_do_not_share() -> None:
    node = Node()
    node.start("a")
    node.after(600)
    assert node.allows() == "minutes_per_day"
    for line, number_class in (("102", "international"), ("101", "premium")):
        other = Allowance(line, number_class, DAILY, CALENDAR)
        assert node.caps.allows(other, node.now, node.wall) is None


def test_what_was_not_started_stops_without_a_trace() -> None:
    node = Node()
    node.stop("a")
    assert not node.outbox.journal


def test_the_answer_again_changes_nothing() -> None:
    node = Node()
    node.start("a")
    node.after(10)
    node.start("a")
    assert node.used() == (10_000, 10_000)
    node.stop("a")
    node.stop("a")
    assert node.used() == (10_000, 10_000)
    assert len(node.records()) == 1


# -- in live calls -------------------------------------------------------------------------------


def test_a_live_call_ends_at_the_cap() -> None:
    node = Node()
    node.start("a")
    node.after(3600)
    assert node.ended == [("a", AT + 600)]
    assert node.used()[0] == 600_000
    assert node.outbox.events == [
        (
            "usage.cap",
            {"line": "101", "number_class": "international", "cap": "minutes_per_day", "calls": 1},
        )
    ]


def test_simultaneous_calls_end_together_before_they_overspend() -> None:
    node = Node()
    node.start("a")
    node.after(60)
    node.start("b")
    node.start("c")
    node.after(3600)
    assert sorted(node.ended) == [(leg, AT + 240) for leg in "abc"]
    assert node.used()[0] == 600_000
    assert len(node.caps) == 0
    assert node.wheel.next_at() is None


def test_a_call_that_ends_leaves_its_share_to_the_others() -> None:
    node = Node()
    node.start("a")
    node.start("b")
    node.after(100)
    node.stop("b")
    node.after(3600)
    assert node.ended == [("a", AT + 500)]


def test_a_call_answered_when_nothing_is_left_ends_at_once() -> None:
    """It rang while another one used the rest up."""
    node = Node()
    node.start("a")
    node.after(600)
    node.start("b")
    node.after(0)
    assert node.ended[-1] == ("b", AT + 600)


def test_an_owner_that_does_not_end_its_call_is_asked_each_second() -> None:
    node = Node()
    node.caps.start("a", node.allowance, Owner(node, "a", deaf=True), AT, NOON)
    node.start("b")
    node.after(302.5)
    assert [leg for leg, _ in node.ended] == ["a", "b", "a", "a"]


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 400_000)), min_size=1, max_size=20)
)
def test_never_more_than_the_cap(steps: list[tuple[str, int]]) -> None:
    """However calls begin and end, what n calls can overspend is the rounding: n - 1 ms."""
    node = Node()
    for leg, ms in steps:
        if leg in node.caps:
            node.stop(leg)
        elif node.allows() is None:
            node.start(leg)
        node.after(ms / 1000)
        assert node.used()[0] <= 600_000 + 4
    if node.ended:
        assert node.used()[0] >= 600_000


# -- days and cycles -----------------------------------------------------------------------------


def test_a_local_midnight_begins_a_new_day() -> None:
    node = Node(DAILY, NOON + 43_200 - 700)
    node.start("a")
    node.after(600)
    assert node.allows() == "minutes_per_day"
    node.after(99.999)
    assert node.allows() == "minutes_per_day"
    node.after(0.001)
    assert node.allows() is None
    assert node.used() == (0, 600_000)


def test_a_call_over_midnight_is_split_there() -> None:
    node = Node(DAILY, NOON + 43_200 - 400)
    node.start("a")
    node.after(500)
    assert node.used() == (100_000, 500_000)
    node.after(3600)
    assert node.ended == [("a", AT + 1000)]


def test_a_day_of_the_change_to_summer_time_is_23_hours() -> None:
    midnight = CALENDAR.midnight_ms(date(2026, 3, 29)) / 1000
    node = Node(DAILY, midnight)
    node.start("a")
    node.after(600)
    node.after(23 * 3600 - 600 - 1)
    assert node.allows() == "minutes_per_day"
    node.after(1)
    assert node.allows() is None


def test_a_cycle_end_frees_the_line_and_a_midnight_does_not() -> None:
    node = Node(MONTHLY, CYCLE.end / 1000 - 86_400 - 600)
    node.start("a")
    node.after(601)
    assert node.ended
    assert node.allows() == "minutes_per_cycle"
    node.after(86_398)
    assert node.allows() == "minutes_per_cycle"
    node.after(1)
    assert node.allows() is None


def test_a_call_over_a_cycle_end_is_split_there() -> None:
    node = Node(MONTHLY, CYCLE.end / 1000 - 500)
    node.start("a")
    node.after(3600)
    assert node.ended == [("a", AT + 1100)]
    assert node.used() == (600_000, 600_000)


def test_a_wall_clock_that_was_days_ahead_bars_nobody_for_long() -> None:
    node = Node()
    node.offset += 30 * 86_400
    node.start("a")
    node.after(600)
    assert node.allows() == "minutes_per_day"
    node.offset -= 30 * 86_400
    assert node.allows() is None


def test_a_small_step_back_over_midnight_does_not_begin_the_old_day_again() -> None:
    node = Node(DAILY, NOON + 43_200)
    node.start("a")
    node.after(600)
    node.offset -= 1200
    assert node.allows() == "minutes_per_day"


# -- restarts ------------------------------------------------------------------------------------


def test_totals_survive_a_restart() -> None:
    node = Node()
    node.start("a")
    node.after(300)
    node.stop("a")
    revived = node.restarted([*node.records(), {"k": "beat"}])
    assert not revived.outbox.journal
    assert revived.used() == (300_000, 300_000)
    revived.start("b")
    revived.after(3600)
    assert revived.ended == [("b", AT + 600)]


def test_a_live_call_is_counted_from_its_answer_after_a_restart() -> None:
    node = Node()
    node.start("a")
    node.start("b")
    node.after(100)
    node.stop("a")
    revived = node.restarted(node.records())
    revived.start("b", AT)
    assert revived.used() == (200_000, 200_000)
    revived.after(3600)
    assert revived.ended == [("b", AT + 500)]


def test_a_call_of_days_does_not_bring_an_old_day_back() -> None:
    node = Node(())
    node.start("old")
    node.after(3 * 86_400)
    node.start("a")
    node.after(60)
    node.stop("a")
    revived = node.restarted(node.records())
    revived.start("old", AT)
    day_ms, cycle_ms = revived.used()
    assert day_ms == 43_260_000 + 60_000
    assert cycle_ms == (3 * 86_400 + 60) * 1000 + 60_000


def test_a_cap_that_was_reached_while_the_switch_was_down() -> None:
    node = Node()
    node.start("a")
    revived = node.restarted(node.records())
    revived.now += 900
    revived.start("a", AT)
    revived.after(0)
    assert revived.ended == [("a", AT + 900)]


def test_a_journal_read_twice_is_the_same_state() -> None:
    node = Node()
    for leg in "abc":
        node.start(leg)
        node.after(50)
        node.stop(leg)
    records = node.records()
    assert node.restarted([*records, *records]).used() == (150_000, 150_000)


def test_a_checkpoint_restates_totals_without_live_calls() -> None:
    node = Node()
    node.start("a")
    node.start("b")
    node.after(60)
    node.stop("a")
    stated = list(node.caps.live_records(node.wall))
    assert stated == [node.outbox.journal[-1]]
    assert node.restarted(map(orjson.loads, stated)).used() == (60_000, 60_000)


def test_a_past_cycle_is_forgotten() -> None:
    node = Node()
    node.start("a")
    node.after(60)
    node.stop("a")
    assert list(node.caps.live_records(CYCLE.end / 1000 - 1))
    assert not list(node.caps.live_records(CYCLE.end / 1000))
    assert node.used() == (0, 0)


def test_records_start_with_their_kind() -> None:
    node = Node()
    node.start("a")
    node.after(1)
    node.stop("a")
    assert node.outbox.journal[0].startswith(b'{"k":"cap"')


@pytest.mark.parametrize("kind", ["usage", "total", "beat"])
def test_other_records_are_ignored(kind: str) -> None:
    node = Node()
    node.caps.restore({"k": kind})
    assert node.allows() is None
