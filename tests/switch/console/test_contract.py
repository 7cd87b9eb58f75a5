"""Changes of a line's contract: what the terms allow on which day, and what the customer is told."""

from datetime import date, timedelta

import pytest

from policy.model import LineState
from switch.console.commands import CommandRefused
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
