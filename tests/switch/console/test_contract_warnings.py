"""Warnings of arrears and breaches: what they allow, from which day on, and how often."""

from datetime import date

import pytest

from policy.model import LineState
from tests.switch.console.contract_desk import Desk


def test_arrears_need_a_warning_of_an_earlier_day() -> None:
    assert "needs a warning on file" in Desk().refused("suspend", ground="4(e)")
    assert "needs a warning" in Desk().refused("suspend", ground="4(e)", warned="2026-05-12")
    desk = Desk()
    desk.do("suspend", ground="4(e)", warned="2026-04-20")
    assert desk.state() is LineState.UNPAID


def test_an_uncured_breach_and_arrears() -> None:
    assert "cure date" in Desk().refused("terminate", way="uncured_breach", noticed="2026-05-01")
    dates = {"noticed": "2026-05-01", "cure_by": "2026-05-10"}
    assert Desk().do("terminate", way="uncured_breach", **dates)["ground"] == "2(l)(iv)(2)"
    assert "warning on file" in Desk().refused("terminate", way="for_arrears")


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
