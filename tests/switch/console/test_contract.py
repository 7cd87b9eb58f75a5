"""Changes of a line's contract: what the terms allow on which day, and what the customer is told."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from policy.model import LineState
from policy.rio import Rio
from policy.transitions import Wait
from switch.console.commands import CommandRefused
from switch.terms.days import effective_on
from tests.switch.console.contract_desk import TEXT, Desk, demo


@pytest.mark.parametrize("ground", [f"2(k)({letter})" for letter in "abcdef"])
def test_a_suspension_cites_its_ground_and_is_told(ground: str) -> None:
    desk = Desk()
    assert desk.do("suspend", ground=ground)["ground"] == ground
    assert desk.state() is LineState.SUSPENDED
    [notice] = desk.notices
    assert (notice["kind"], notice["audience"], notice["clause"]) == (
        "suspended",
        "customer",
        ground,
    )
    assert desk.performed == 1


def test_a_ground_that_the_terms_do_not_have_is_refused() -> None:
    assert Desk().refused("suspend", ground="2(k)(z)") == (
        "bad_args: --ground 2(k)(z): one of 2(i), 2(k)(a), 2(k)(b), 2(k)(c), 2(k)(d), 2(k)(e), 2(k)(f), "
        "4(e), fraud_hold"
    )


@pytest.mark.parametrize("name", ["insolvency", "convenience", "activated", "stolen", "reinstated"])
def test_a_suspension_is_nothing_else(name: str) -> None:
    assert Desk().refused("suspend", ground=name).startswith(f"bad_args: --ground {name}")


def test_a_person_may_hold_a_line_for_fraud_and_let_it_go() -> None:
    desk = Desk()
    assert desk.do("suspend", ground="fraud_hold")["state"] == "fraud_hold"
    assert desk.do("resume")["state"] == "active"


def test_arrears_need_a_warning_of_an_earlier_day() -> None:
    assert "needs a warning on file" in Desk().refused("suspend", ground="4(e)")
    assert "needs a warning" in Desk().refused("suspend", ground="4(e)", warned="2026-05-12")
    desk = Desk()
    desk.do("suspend", ground="4(e)", warned="2026-04-20")
    assert desk.state() is LineState.UNPAID


def test_reinstated_and_back_with_new_hardware() -> None:
    desk = Desk()
    assert desk.do("resume", "105") | {"since": 0} == {
        "line": "105",
        "state": "active",
        "ground": "",
        "since": 0,
    }
    assert desk.notices[0]["kind"] == "reinstated"
    assert Desk().refused("resume") == "unchanged: line 101 is active already"
    assert Desk().refused("resume", "106").startswith("not_allowed: reinstated doesn't apply")


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


def test_an_uncured_breach_and_arrears() -> None:
    assert "cure date" in Desk().refused("terminate", way="uncured_breach", noticed="2026-05-01")
    dates = {"noticed": "2026-05-01", "cure_by": "2026-05-10"}
    assert Desk().do("terminate", way="uncured_breach", **dates)["ground"] == "2(l)(iv)(2)"
    assert "warning on file" in Desk().refused("terminate", way="for_arrears")


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


# -- activation --------------------------------------------------------------------------------------


def pending(desk: Desk, line: str = "101") -> Desk:
    """A line that isn't activated yet."""
    desk.lives.change(line, LineState.PENDING, "1(d)", "a test", 0)
    return desk


def test_no_line_is_activated_without_terms_location_and_mail() -> None:
    desk = pending(pending(Desk()), "107")  # 107 has no validated address
    desk.give_mail("")
    assert "needs the acceptance of the terms, an e-mail" in desk.refused("activate")
    desk.accept()
    assert "needs an e-mail address of the account" in desk.refused("activate")
    desk.give_mail()
    assert desk.do("activate")["state"] == "active"
    assert desk.kinds == ["activated"]
    assert "a validated location" in desk.refused("activate", "107")


def test_an_acceptance_stays_on_file() -> None:
    desk = Desk()
    desk.accept()
    desk.restart()
    shown = desk.account()
    assert isinstance(shown, dict)
    assert shown["terms"]["version"] == "2017-04-01"
    assert shown["terms"]["by"] == "M. Durand"
    assert shown["terms"]["how"] == f"version 2017-04-01, sha256 {TEXT}, from 192.0.2.7"
    for args, slug in (
        ({"account": "nobody", "hash": TEXT}, "unknown_account"),
        ({"account": "demo", "hash": "ab"}, "bad_args"),
    ):
        with pytest.raises(CommandRefused) as refusal:
            desk.accounts.accept({"version": "1", "by": "x", **args})
        assert refusal.value.slug == slug


def test_billing_starts_on_the_seventh_day_after_the_request() -> None:
    desk = Desk()
    shown = desk.account()
    assert isinstance(shown, dict)
    requested = date.fromisoformat(shown["activation_requested"])
    assert shown["billing_starts"] == (requested + timedelta(days=7)).isoformat()


# -- warnings ----------------------------------------------------------------------------------------


def test_no_end_for_arrears_without_a_warning_on_file() -> None:
    desk = Desk()
    for ground in ("2(l)(iii)", "2(l)(iv)(1)", "for_arrears"):
        key = "way" if ground == "for_arrears" else "ground"
        assert "a warning on file" in desk.refused("terminate", **{key: ground})
    assert desk.do("warn", about="unpaid")["warned_at"]
    assert desk.kinds == ["warning_unpaid"]
    desk.restart()
    desk.go_to(date(2026, 5, 12))
    assert desk.do("terminate", way="for_arrears")["state"] == "terminated"


def test_who_was_warned_has_the_operators_time_to_pay() -> None:
    desk = Desk(date(2026, 5, 11), pay_within_days=8)
    desk.do("warn", about="unpaid")
    desk.go_to(date(2026, 5, 18))
    for command, args in (("suspend", {"ground": "4(e)"}), ("terminate", {"way": "for_arrears"})):
        refusal = desk.refused(command, **args)
        assert "warned on 2026-05-11: the customer has until 2026-05-19 to pay" in refusal
    desk.go_to(date(2026, 5, 19))
    assert desk.do("suspend", ground="4(e)")["state"] == "unpaid"
    assert desk.do("terminate", way="for_arrears")["state"] == "terminated"
    on_paper = Desk(date(2026, 5, 11), pay_within_days=8)
    assert on_paper.do("suspend", ground="4(e)", warned="2026-05-03")["state"] == "unpaid"


@pytest.mark.parametrize("settled_by", ["settle", "resume"])
def test_a_warning_serves_once(settled_by: str) -> None:
    desk = Desk()
    desk.do("warn", about="unpaid")
    desk.go_to(date(2026, 5, 13))
    if settled_by == "resume":
        desk.do("suspend", ground="4(e)", asked_by="billing")
    assert "warned_at" not in desk.do(settled_by)
    desk.go_to(date(2026, 6, 13))
    assert "a warning on file" in desk.refused("terminate", way="for_arrears")


def test_a_breach_has_its_day() -> None:
    desk = Desk()
    desk.do("warn", about="breach", cure_by="2026-05-20")
    assert desk.notices[0]["fields"] == {"cure_by": "2026-05-20"}
    desk.go_to(date(2026, 5, 19))
    assert "cure date" in desk.refused("terminate", way="uncured_breach")
    desk.go_to(date(2026, 5, 20))
    assert desk.do("terminate", way="uncured_breach")["ground"] == "2(l)(iv)(2)"
    unnamed = Desk()
    unnamed.do("warn", about="breach")
    assert unnamed.notices[0]["fields"] == {"cure_by": "2026-05-26"}, "15 days, as configured"
    assert "bad_args: --about weather" in unnamed.refused("warn", about="weather")


# -- who asks ----------------------------------------------------------------------------------------


def test_who_asks_is_held_to_the_table() -> None:
    desk = Desk()
    message = desk.refused("suspend", ground="2(k)(b)", asked_by="billing")
    assert message == "not_allowed: 2(k)(b) (2(k)(b)) is for person, not for billing"
    assert desk.do("terminate", way="payment_stopped", asked_by="billing")["ground"] == "4(d)"
    assert "bad_args: --asked-by switch" in desk.refused("stolen", asked_by="switch")


def test_every_change_leaves_its_audit_row() -> None:
    desk = Desk()
    desk.do("suspend", ground="2(k)(c)", because="requisition 12")
    [step] = desk.steps
    del step["at"]
    assert step == {
        "k": "contract", "line": "101", "account": "demo", "name": "2(k)(c)", "actor": "person",
        "by": "claire", "clause": "2(k)(c)", "because": "requisition 12", "before": "active",
        "before_ground": "", "to": "suspended", "number": "+33199000101", "until": None, "way": "",
        "notice": "suspended",
    }  # fmt: skip


def test_the_switch_bars_for_fraud_by_its_own_row_only() -> None:
    desk = Desk()
    desk.contract.bar_for_fraud("101", "D14 toll fraud")
    assert desk.state() is LineState.FRAUD_HOLD
    assert (desk.steps[0]["actor"], desk.steps[0]["clause"]) == ("switch", "2(k)(e)")
    assert desk.kinds == ["fraud_hold"]
    assert desk.do("resume")["state"] == "active"


def test_the_per_minute_plan_is_kept_for_good() -> None:
    desk = Desk()
    acts = desk.acts
    assert desk.exchange.facts.lines["101"].plan == "unlimited"
    acts.change_plan("101", "101-4", "claire")
    assert desk.exchange.facts.lines["101"].plan == "per_minute"
    [step] = desk.steps
    assert (step["name"], step["clause"], step["because"]) == ("per_minute", "3(a)", "case 101-4")
    desk.restart()
    desk.do("suspend", ground="2(k)(a)")
    desk.do("resume")
    assert desk.exchange.facts.lines["101"].plan == "per_minute"
    assert desk.exchange.facts.lines["102"].plan == "unlimited"


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


def test_fewer_calls_at_once_before_anything_harder() -> None:
    desk = Desk()
    assert desk.do("limit", channels=1)["channels"] == 1
    assert desk.exchange.facts.lines["101"].channels == 1
    assert desk.kinds == ["limited"]
    desk.restart()
    assert desk.exchange.facts.lines["101"].channels == 1
    assert desk.refused("limit", channels=0).startswith("bad_args: --channels: from 1 to")
    assert "channels" not in desk.do("limit")
    assert desk.exchange.facts.lines["101"].channels == demo().snapshot({}).lines["101"].channels


def test_one_callee_is_protected_and_no_emergency_number() -> None:
    desk = Desk()
    assert desk.do("block", number="0145678901")["blocked"] == ["+33145678901"]
    assert (desk.steps[0]["clause"], desk.steps[0]["way"]) == ("2(d)", "+33145678901")
    desk.restart()
    assert desk.exchange.facts.lines["101"].policy.blocked == {"+33145678901"}
    for number in ("112", "15", "116117", "3114", "+80044331345", "abc"):
        assert "can't be blocked" in desk.refused("block", number=number)
    desk.do("block", number="+33 1 45 67 89 01".replace(" ", ""), lift=True)
    assert not desk.exchange.facts.lines["101"].policy.blocked


# -- theft and tampering -------------------------------------------------------------------------------


def test_stolen_hardware_is_replaced_and_the_line_is_what_it_was() -> None:
    desk = Desk()
    assert desk.do("stolen", asked_by="customer")["ground"] == "2(b)"
    done = desk.do("resume")
    assert done["state"] == "active"
    [warning] = done["warnings"]
    assert "knows the line's password" in warning
    assert desk.asked == [("101", "new hardware")], "where does it stand?"
    desk.do("suspend", ground="2(k)(a)")
    desk.do("stolen")
    desk.restart()
    assert desk.do("resume") | {"since": 0} == {
        "line": "101", "state": "suspended", "ground": "2(k)(a)", "since": 0, "warnings": [warning],
    }, "a theft is no way out of a suspension"  # fmt: skip


def test_a_line_whose_secret_is_its_devices_is_not_warned_of_the_files() -> None:
    desk = Desk()
    desk.lives.keep_secret("101", {"MD5": "1" * 32}, {}, 5)
    desk.do("stolen")
    assert "warnings" not in desk.do("resume")


def test_tampering_suspends_and_ends_by_a_person_only() -> None:
    desk = Desk()
    assert desk.do("suspend", ground="2(i)")["ground"] == "2(i)"
    assert "is for person" in desk.refused("terminate", way="tampering", asked_by="billing")
    assert desk.do("terminate", way="tampering")["ground"] == "2(i)"


# -- numbers -----------------------------------------------------------------------------------------


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
