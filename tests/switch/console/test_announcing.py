"""Changes of terms and prices, and unpaid sums: what a customer must know, and by when."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from switch.console.commands import CommandRefused
from switch.terms.settings import ContractSettings, Rate
from tests.switch.console.contract_desk import Desk

TODAY = date(2026, 11, 27)


def announced(desk: Desk, **args: object) -> Any:
    told = {"about": "prices", "version": "2027", "effective": "2026-12-27", "by": "claire", **args}
    return desk.announcing.announce(told)


def refused(desk: Desk, **args: object) -> str:
    with pytest.raises(CommandRefused) as refusal:
        announced(desk, **args)
    assert desk.notices == []
    assert desk.steps == []
    return f"{refusal.value.slug}: {refusal.value.message}"


def test_a_harmful_change_has_its_month() -> None:
    assert refused(Desk(TODAY), effective="2026-12-26") == (
        "not_allowed: account demo: a change noticed on 2026-11-27 can't hold on 2026-12-26: "
        "from 2026-12-27 on, a month after its notice (5)"
    )
    desk = Desk(TODAY)
    [item] = announced(desk)
    [change] = item["changes"]
    assert (change["about"], change["version"], change["effective"]) == (
        "prices",
        "2027",
        "2026-12-27",
    )
    assert change["may_leave_until"] == "2026-12-27"
    [notice] = desk.notices
    assert (notice["kind"], notice["audience"], notice["clause"]) == (
        "prices_change",
        "customer",
        "5",
    )
    assert notice["fields"]["effective"] == "2026-12-27"
    assert desk.steps[0]["by"] == "claire"


def test_a_notice_on_paper_began_on_its_day() -> None:
    desk = Desk(TODAY)
    announced(desk, effective="2026-12-01", noticed="2026-11-01")
    assert "from 2026-12-02 on" in refused(
        Desk(TODAY), effective="2026-12-01", noticed="2026-11-02"
    )


def test_a_harmless_change_needs_no_month_and_opens_no_door() -> None:
    desk = Desk(TODAY)
    [item] = announced(desk, about="terms", effective="2026-11-27", harmless=True)
    assert "may_leave_until" not in item["changes"][0]
    assert desk.kinds == ["terms_change_harmless"]
    assert "the day of its notice" in refused(Desk(TODAY), effective="2026-11-26", harmless=True)


def test_what_was_announced_is_on_file_over_a_restart() -> None:
    desk = Desk(TODAY)
    announced(desk)
    announced(desk, about="terms", version="2027-01", effective="2027-01-15")
    desk.restart()
    desk.go_to(date(2026, 12, 28))
    prices, terms = desk.account()["changes"]
    assert "may_leave_until" not in prices, "its day has come"
    assert (terms["version"], terms["may_leave_until"]) == ("2027-01", "2027-01-15")
    assert desk.announcing.told_prices("demo") == {date(2026, 12, 27)}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"about": "weather"}, "bad_args: --about weather: terms or prices"),
        ({"effective": None}, "bad_args: --effective"),
        ({"effective": "soon"}, "bad_args: --effective soon"),
        ({"noticed": "2026-11-28"}, "bad_args: --noticed 2026-11-28: that day has yet to come"),
        ({"account": "nobody"}, "unknown_account"),
    ],
)
def test_wrong_use(args: dict[str, object], message: str) -> None:
    assert refused(Desk(TODAY), **args).startswith(message)


# -- unpaid sums --------------------------------------------------------------------------------------


def claimed(desk: Desk, **args: object) -> dict[str, str]:
    told = {
        "account": "demo",
        "amount": "1000.00",
        "due": "2025-12-31",
        "paid": "2026-01-31",
        **args,
    }
    done = desk.contract.table()["account.claim"](told)
    assert isinstance(done, dict)
    return done


def test_an_unpaid_sum_grows_by_the_rate_and_the_costs() -> None:
    """31 days of 2026 at 2.15 + 10 percent."""
    assert claimed(Desk(TODAY)) == {
        "account": "demo", "amount": "1000.00", "due": "2025-12-31", "until": "2026-01-31",
        "interest": "10.32", "costs": "40.00", "total": "1050.32", "clause": "4(e)",
    }  # fmt: skip
    in_time = claimed(Desk(TODAY), paid="2025-12-31")
    assert (in_time["interest"], in_time["costs"], in_time["total"]) == ("0.00", "0.00", "1000.00")


def test_a_rate_that_is_not_known_is_asked_for() -> None:
    with pytest.raises(CommandRefused, match=r"rate of 2027-01-01 .* \[contract\] refinancing"):
        claimed(Desk(TODAY), due="2026-12-31", paid="2027-01-02")


@pytest.mark.parametrize("amount", ["-1", "0", "many", "NaN", "1.005", "Infinity"])
def test_a_sum_is_euros_and_cents(amount: str) -> None:
    with pytest.raises(CommandRefused, match="euros and cents"):
        claimed(Desk(TODAY), amount=amount)


def test_a_warning_says_what_is_owed() -> None:
    desk = Desk(date(2026, 3, 1))
    desk.do("warn", about="unpaid", amount="120.00", due="2026-01-30")
    [notice] = desk.notices
    assert (notice["kind"], notice["clause"]) == ("warning_unpaid_sum", "4(e)")
    assert notice["fields"] == {
        "amount": "120.00", "due": "2026-01-30", "interest": "1.20", "costs": "40.00",
        "total": "161.20", "until": "2026-03-01",
    }  # fmt: skip
    assert desk.steps[0]["because"] == "120.00 euros due on 2026-01-30"
    assert desk.contracts.file("101").warned_at is not None
    assert "euros and cents" in Desk().refused("warn", about="unpaid", amount="x", due="2026-01-30")
    assert "a date is" in Desk().refused("warn", about="unpaid", amount="5")


def test_rates_are_of_half_years() -> None:
    later = Rate(since=date(2026, 7, 1), percent=Decimal("2.40"))
    rates = ContractSettings(refinancing=(later,)).rates
    assert rates[date(2026, 7, 1)] == Decimal("2.40")
    assert rates[date(2026, 1, 1)] == Decimal("2.15")
    assert all((day.month, day.day) in {(1, 1), (7, 1)} for day in rates)
    with pytest.raises(ValueError, match="begins no half-year"):
        Rate.model_validate({"since": "2026-02-01", "percent": "2.15"})
