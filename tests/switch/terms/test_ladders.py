"""The ladders of all lines: crossings, deadlines, decisions, and a restart in between."""

from typing import Any

import orjson
import pytest

from policy.fair_use import DAY_MS, Happening, NotAllowedError, Rung
from switch.sip.outbox import Outbox
from switch.terms.ladders import Ladders

AT = 1_767_225_600_000


class Desk:
    """Ladders over an outbox, with what they wrote and said."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.outbox = Outbox()
        self.ladders = Ladders(self.outbox, lambda line: "demo" if line == "101" else "")
        self.ladders.restore(records)

    def cross(self, percentage: int, line: str = "101", cycle: int = 3, at: int = AT) -> None:
        self.ladders((("usage.threshold", crossing(percentage, line, cycle, at)),))

    @property
    def records(self) -> list[dict[str, Any]]:
        return [orjson.loads(record) for record in self.outbox.journal]

    @property
    def notices(self) -> list[dict[str, Any]]:
        return [fields for name, fields in self.outbox.events if name == "notice.due"]


def crossing(percentage: int, line: str = "101", cycle: int = 3, at: int = AT) -> dict[str, Any]:
    return {"line": line, "cycle": cycle, "percentage": percentage, "occurred_at": at}


def test_crossings_make_a_case_that_says_how_it_came_about() -> None:
    desk = Desk()
    for percentage in (80, 90, 100):
        desk.cross(percentage, at=AT + percentage)
    assert [(each["rung"], each["at"] - AT, each["n"]) for each in desk.records] == [
        ("watch", 80, 1),
        ("warned", 90, 2),
        ("review_open", 100, 3),
    ]
    assert {(each["case"], each["account"], each["clause"]) for each in desk.records} == {
        ("101-3", "demo", "3(a)")
    }
    [step] = desk.ladders.open_cases()
    assert step.ladder.id == "101-3"
    assert not desk.notices  # the crossing's own notice is the ledger's


def test_it_says_where_a_line_stands() -> None:
    desk = Desk()
    assert desk.ladders.rung_of("101", 3) == ""
    desk.cross(80)
    assert desk.ladders.rung_of("101", 3) == "watch"
    assert desk.ladders.rung_of("101", 4) == desk.ladders.rung_of("102", 3) == ""


def test_a_crossing_told_twice_and_one_of_the_operators_own_percentages_are_no_step() -> None:
    desk = Desk()
    for percentage in (80, 80, 50):
        desk.cross(percentage)
    assert [each["rung"] for each in desk.records] == ["watch"]


def test_a_person_decides_and_the_deadline_proposes() -> None:
    desk = Desk()
    desk.cross(100)
    desk.ladders.decide("101-3", Happening.NOTIFY, "claire", AT)
    assert not desk.ladders.due(AT + 7 * DAY_MS - 1)
    [ladder] = desk.ladders.due(AT + 7 * DAY_MS)
    desk.ladders.meet_deadline(ladder, AT + 7 * DAY_MS, usage_normal=True)
    assert not desk.ladders.due(AT + 8 * DAY_MS)
    desk.ladders.decide("101-3", Happening.APPROVE, "karim", AT + 8 * DAY_MS, "called twice")
    assert [(each["rung"], each["by"]) for each in desk.records[1:]] == [
        ("notified", "claire"),
        ("plan_change_proposed", "vigie"),
        ("per_minute", "karim"),
    ]
    assert desk.records[-1]["because"] == "called twice"
    assert [(each["kind"], each["audience"], each["id"]) for each in desk.notices] == [
        ("fair_use_review", "customer", "fair_use_review 101-3 2"),
        ("fair_use_proposal", "operator", "fair_use_proposal 101-3 3"),
        ("fair_use_plan", "customer", "fair_use_plan 101-3 4"),
    ]
    assert not desk.ladders.open_cases()


def test_an_answer_and_normal_use_close_the_case_at_the_deadline() -> None:
    desk = Desk()
    desk.cross(100)
    desk.ladders.decide("101-3", Happening.NOTIFY, "claire", AT)
    desk.ladders.contacted("101-3", "claire", AT + DAY_MS)
    [ladder] = desk.ladders.due(AT + 7 * DAY_MS)
    step = desk.ladders.meet_deadline(ladder, AT + 7 * DAY_MS, usage_normal=True)
    assert step.ladder.rung is Rung.RESOLVED


def test_what_cannot_be_decided_changes_nothing() -> None:
    desk = Desk()
    desk.cross(90)
    with pytest.raises(KeyError):
        desk.ladders.decide("101-3", Happening.NOTIFY, "claire", AT)
    with pytest.raises(KeyError):
        desk.ladders.contacted("999-1", "claire", AT)
    desk.cross(100)
    with pytest.raises(NotAllowedError, match="approve"):
        desk.ladders.decide("101-3", Happening.APPROVE, "claire", AT)
    assert [each["rung"] for each in desk.records] == ["warned", "review_open"]


@pytest.mark.parametrize("kept", range(5))
def test_a_restart_at_any_step_goes_on_from_there(kept: int) -> None:
    before = Desk()
    for percentage in (80, 90, 100):
        before.cross(percentage)
    before.ladders.decide("101-3", Happening.NOTIFY, "claire", AT)
    before.ladders.contacted("101-3", "claire", AT)
    records = before.records[: kept + 1]
    after = Desk(*reversed(records), *records)
    assert not after.records
    assert after.ladders.find("101-3") == before.ladders.find("101-3") or kept < 4
    last = after.ladders.find("101-3")
    assert last is not None
    assert (last.n, last.ladder.rung) == (kept + 1, Rung(records[-1]["rung"]))
    assert [orjson.loads(record) for record in after.ladders.records()] == [records[-1]]


def test_a_crossing_that_the_dead_process_could_not_answer_is_answered_at_the_start() -> None:
    before = Desk()
    before.cross(80)
    owed = {"k": "threshold", **crossing(90, at=AT + 5)}
    told = {"k": "threshold", **crossing(80)}
    after = Desk(*before.records, told, owed)
    assert [(each["rung"], each["n"], each["at"]) for each in after.records] == [
        ("warned", 2, AT + 5)
    ]


def test_an_open_case_outlives_its_cycle_and_a_warning_does_not() -> None:
    desk = Desk()
    desk.cross(100, cycle=3)
    desk.cross(80, line="102", cycle=3)
    desk.cross(80, cycle=4)
    desk.cross(80, line="102", cycle=4)
    assert desk.ladders.find("101-3") is not None
    assert desk.ladders.find("101-4") is not None
    assert desk.ladders.find("102-3") is None


def test_a_record_that_nobody_can_read_is_told_and_passed_over() -> None:
    desk = Desk({"k": "case", "case": "101-3", "rung": "ladder"})
    assert [name for name, _ in desk.outbox.events] == ["case.unreadable"]
    assert desk.ladders.find("101-3") is None
