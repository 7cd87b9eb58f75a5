"""How contracts end: with notice, at once, withdrawn, in bulk; and what becomes of the number."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from policy.model import LineState
from policy.rio import Rio
from policy.transitions import Wait
from switch.console.commands import CommandRefused
from switch.terms.days import effective_on
from tests.switch.console.contract_desk import Desk


def test_a_termination_with_notice_takes_effect_by_itself_on_its_day() -> None:
    desk = Desk(date(2026, 4, 30))
    ends = desk.do("terminate", way="by_customer", asked_by="customer")["ends"]
    midnight = datetime(2026, 5, 10, 22, tzinfo=UTC)  # of 11 May in Paris
    assert (ends["way"], ends["effective_at"]) == ("by_customer", midnight.timestamp() * 1000)
    assert desk.state() is LineState.ACTIVE, "until then the line works as before"
    assert desk.notices[0]["kind"] == "termination"
    assert desk.notices[0]["fields"]["effective"] == "2026-05-11"
    desk.restart()
    desk.go_to(date(2026, 5, 10))
    assert desk.state() is LineState.ACTIVE
    desk.go_to(date(2026, 5, 11))
    assert desk.state() is LineState.TERMINATED
    assert desk.exchange.facts.lines["101"].policy.ground == "2(m)"
    assert desk.kinds == ["terminated"]
    desk.go_to(date(2026, 5, 12))
    assert desk.kinds == ["terminated"], "once"


@pytest.mark.parametrize(("way", "days"), [("convenience", 15), ("by_customer", 7)])
def test_a_notice_that_went_by_paper_counts_from_its_day(way: str, days: int) -> None:
    noticed = date(2026, 6, 1)  # a Monday: five working days are a week
    desk = Desk(noticed + timedelta(days=days))
    assert desk.do("terminate", way=way, noticed="2026-06-01")["state"] == "terminated"
    desk = Desk(noticed + timedelta(days=days - 1))
    assert desk.do("terminate", way=way, noticed="2026-06-01")["state"] == "active"
    desk.go_to(noticed + timedelta(days=days))
    assert desk.state() is LineState.TERMINATED


def test_a_termination_is_withdrawn_before_its_day() -> None:
    desk = Desk()
    assert "no termination" in desk.refused("withdraw")
    desk.do("terminate", way="convenience")
    assert "ends" not in desk.do("withdraw")
    desk.do("terminate", way="convenience", noticed="2026-05-02")
    desk.do("withdraw")
    desk.restart()
    desk.go_to(date(2027, 1, 1))
    assert desk.state() is LineState.ACTIVE


def test_ways_that_take_effect_at_once() -> None:
    for way, clause in (("upstream_ended", "2(l)(ii)"), ("insolvency", "2(l)(iv)(3)")):
        assert Desk().do("terminate", way=way)["ground"] == clause
        assert Desk().do("terminate", way=way, now=True)["state"] == "terminated"
        assert Desk().do("terminate", ground=clause)["ground"] == clause


def test_without_a_way_a_line_ends_with_fifteen_days_notice() -> None:
    desk = Desk(date(2026, 5, 11))
    done = desk.do("terminate")
    assert (done["state"], done["ends"]["way"]) == ("active", "convenience")
    assert desk.notices[0]["clause"] == "2(l)(i)"
    assert desk.notices[0]["fields"]["effective"] == "2026-05-26"
    desk.go_to(date(2026, 5, 25))
    assert desk.state() is LineState.ACTIVE
    desk.go_to(date(2026, 5, 26))
    assert desk.state() is LineState.TERMINATED


@pytest.mark.parametrize("args", [{}, {"way": "convenience"}, {"way": "by_customer"}])
def test_a_way_with_notice_takes_no_effect_at_once(args: dict[str, str]) -> None:
    refusal = Desk().refused("terminate", now=True, **args)
    assert "has its notice; at once are upstream_ended" in refusal


def test_a_notice_is_not_put_off_by_a_later_one() -> None:
    desk = Desk(date(2026, 5, 11))
    desk.do("terminate", way="by_customer", asked_by="customer")
    assert desk.refused("terminate") == (
        "unchanged: line 101 ends on 2026-05-19 already (by_customer); withdraw that first"
    )
    desk = Desk(date(2026, 5, 11))
    desk.do("terminate")
    sooner = desk.do("terminate", way="by_customer", asked_by="customer")
    assert sooner["ends"]["way"] == "by_customer"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"way": "forgiven"}, "bad_args: --way forgiven: one of convenience"),
        ({"way": "fraud_hold"}, "bad_args"),
        ({"ground": "9(z)"}, "bad_args: --ground 9(z): one of 2(l)(iv)(1), "),
        ({"way": "convenience", "noticed": "yesterday"}, "bad_args: --noticed yesterday"),
        ({"line": "999"}, "unknown_line"),
    ],
)
def test_wrong_use(args: dict[str, str], message: str) -> None:
    assert Desk().refused("terminate", **args).startswith(message)


def test_the_rio_fits_the_number_and_is_the_same_for_ever() -> None:
    shown = [Desk().do("rio", line)["rio"] for line in ("101", "105", "106", "101")]
    assert shown[0] == shown[3]
    assert len(set(shown)) == 3
    assert Rio.parse(shown[0]).fits("0199000101")
    assert Desk().refused("rio", "999").startswith("unknown_line")


def test_when_notices_take_effect() -> None:
    day = date(2026, 12, 22)
    assert effective_on(day, Wait.WORKING) == date(2026, 12, 30)
    assert effective_on(day, Wait.WRITTEN) == date(2027, 1, 6)
    assert effective_on(day, Wait.NONE) == day


def test_a_payment_that_the_customer_stops_ends_the_account() -> None:
    desk = Desk()
    args = {"account": "demo", "way": "payment_stopped", "asked_by": "billing", "by": "billing"}
    ended = desk.accounts.terminate(args)
    assert isinstance(ended, list)
    assert {each["line"] for each in ended} == set(desk.exchange.facts.lines) - {"106"}
    assert {(each["state"], each["ground"]) for each in ended} == {("terminated", "4(d)")}
    assert desk.accounts.terminate(args) == []


def test_the_end_of_an_upstream_contract_ends_all_lines_at_once() -> None:
    desk = Desk()
    ended = desk.accounts.terminate({"account": "demo", "way": "upstream_ended", "by": "claire"})
    assert isinstance(ended, list)
    assert {(each["state"], each["ground"]) for each in ended} == {("terminated", "2(l)(ii)")}
    assert {line.state for line in desk.exchange.facts.lines.values()} == {LineState.TERMINATED}


def test_what_may_not_end_in_bulk_is_listed() -> None:
    desk = Desk()
    with pytest.raises(
        CommandRefused, match=r"no line may be ended: for_arrears .* needs a warning"
    ):
        desk.accounts.terminate({"account": "demo", "way": "for_arrears", "by": "claire"})
    desk.do("warn", about="unpaid")
    desk.go_to(date(2026, 5, 12))
    listed = desk.accounts.terminate({"account": "demo", "way": "for_arrears", "by": "claire"})
    assert isinstance(listed, list)
    assert [each["line"] for each in listed if each["state"] == "terminated"] == ["101"]
    refused = [each["refused"] for each in listed if "refused" in each]
    assert set(refused) == {"for_arrears (2(l)(iii)) needs a warning on file"}
    with pytest.raises(CommandRefused, match="--way nothing"):
        desk.accounts.terminate({"account": "demo", "way": "nothing"})


def test_a_number_rests_45_days_between_two_lines() -> None:
    desk = Desk()
    desk.do("terminate", way="insolvency")
    # The next configuration gives 101's number to 102 and has no 101 any more.
    facts = desk.exchange.facts
    heir = replace(facts.lines["102"], number=facts.lines["101"].number)
    desk.exchange.facts = replace(facts, lines={**facts.lines, "102": heir})
    desk.contract.hold_numbers()
    assert desk.state("102") is LineState.PENDING
    assert desk.notices[-1]["kind"] == "number_held"
    assert "quarantine until 2026-06-25" in desk.notices[-1]["fields"]["because"]
    desk.contract.hold_numbers()
    assert desk.kinds.count("number_held") == 1
    assert desk.state("103") is LineState.ACTIVE


def test_a_rio_serves_for_40_days_after_the_end() -> None:
    desk = Desk()
    rio = desk.do("rio")["rio"]
    assert desk.do("rio", check=rio.lower())["fits"] is True
    assert desk.do("rio", "102", check=rio)["fits"] is False
    assert desk.refused("rio", check="123").startswith("bad_args: --check 123: a RIO has 12")
    desk.do("terminate", way="insolvency")
    desk.go_to(date(2026, 6, 20))
    assert desk.do("rio")["rio"] == rio
    desk.go_to(date(2026, 6, 21))
    assert "the contract ended on 2026-05-11" in desk.refused("rio")
