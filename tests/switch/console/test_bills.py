"""What the per-minute plan makes of a line's calls: by class, to the cent, and of what it may be asked."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from policy.model import LineState, NumberClass
from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.console.bills import Bills
from switch.console.commands import CommandRefused
from switch.usage.cdr import Cdr
from switch.usage.rating import Pulse, Tariff, tariff_on
from tests.switch.console.contract_desk import DEMO

TARIFFS = {
    NumberClass.NATIONAL: {date.min: Tariff(Pulse.parse("60/60"), Decimal("0.02"))},
    NumberClass.MOBILE: {date.min: Tariff(Pulse.parse("60/1"), Decimal("0.12"), Decimal("0.10"))},
}


def call(dst: str, ms: int, **changes: Any) -> Cdr:
    made = Cdr(
        "c", "101", "demo", "outbound", "+33199000101", dst, dst, 0, 1, 1 + ms, ms, None,
        "answered", "ok", plan="per_minute",
    )  # fmt: skip
    return replace(made, **changes)


CALLS = [
    call("+33145678901", 61_000),  # 2 minutes at 0.02
    call("+33612345678", 61_000),  # 61 s at 0.12, and 0.10
    call("+33145678901", 600_000, plan="unlimited"),
    call("+33145678901", 600_000, direction="inbound"),
    call("+33145678901", 0, exempt_reason="free"),
]


class Rows:
    async def cdrs(
        self, *, line: str, since: int | None, until: int | None, limit: int
    ) -> list[Cdr]:
        assert (line, since, until, limit) == ("101", 1, None, 0)
        return CALLS


def rate(
    state: LineState = LineState.ACTIVE, told: Collection[date] = (), **args: Any
) -> dict[str, Any]:
    exchange = build_exchange(config.load(DEMO), {}, NoAnnouncer(), {}, b"a key of 16 bytes")
    line = exchange.facts.lines["101"]
    line = replace(line, policy=replace(line.policy, state=state))
    exchange.facts = replace(exchange.facts, lines={**exchange.facts.lines, "101": line})
    bills = Bills(exchange, Rows(), lambda: TARIFFS, lambda account: told)
    found = asyncio.run(bills.rate({"line": "101", "since": 1, **args}))  # type: ignore[arg-type]
    assert isinstance(found, dict)
    return found


def test_calls_of_the_plan_are_rated_by_their_class() -> None:
    found = rate()
    assert found["classes"] == [
        {"class": "mobile", "calls": 1, "counted_ms": 61_000, "rated_s": 61, "euros": "0.22"},
        {"class": "national", "calls": 1, "counted_ms": 61_000, "rated_s": 120, "euros": "0.04"},
    ]
    assert (found["euros"], found["without_tariff"]) == ("0.26", [])


def test_back_rating_is_for_an_ended_contract_only() -> None:
    with pytest.raises(CommandRefused, match="3\\(a\\) rates back only at the end"):
        rate(back=True)
    found = rate(LineState.TERMINATED, back=True)
    assert [each["calls"] for each in found["classes"]] == [1, 2]
    assert found["euros"] == "0.46"


def test_a_class_without_a_tariff_is_named_and_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "CALLS", [*CALLS, call("+442079460000", 60_000)])
    found = rate()
    assert found["without_tariff"] == ["international"]
    assert found["classes"][0] | {"counted_ms": 0} == {
        "class": "international", "calls": 1, "counted_ms": 0, "rated_s": 0, "euros": None,
    }  # fmt: skip


def test_a_line_that_is_not_there() -> None:
    with pytest.raises(CommandRefused, match="no line 999"):
        rate(line="999")


def test_a_new_price_holds_from_its_day_for_who_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    day, zone = date(2027, 3, 1), 3_600_000
    new = Tariff(Pulse.parse("1/1"), Decimal("0.60"))
    dated = {**TARIFFS[NumberClass.NATIONAL], day: new}
    monkeypatch.setitem(globals(), "TARIFFS", {NumberClass.NATIONAL: dated})
    midnight = round(datetime(2027, 3, 1, tzinfo=UTC).timestamp() * 1000) - zone  # in Paris
    calls = [call("+33145678901", 60_000, answer=at) for at in (midnight - 1, midnight)]
    monkeypatch.setitem(globals(), "CALLS", calls)
    assert rate(told=[day])["euros"] == "0.62"
    assert rate()["euros"] == "0.04", "nobody told the customer"
    assert rate(told=[date(2027, 2, 1)])["euros"] == "0.04", "of another day"


def test_who_came_to_a_price_has_it() -> None:
    """The demo's account asked for its lines long after this price list."""
    old, new = (Tariff(Pulse.parse("1/1"), Decimal(price)) for price in ("1", "2"))
    tariffs = {NumberClass.NATIONAL: {date.min: old, date(2020, 1, 1): new}}
    day = date(2027, 1, 1)
    assert tariff_on(tariffs, NumberClass.NATIONAL, day, lambda since: True) is new
    assert tariff_on(tariffs, NumberClass.NATIONAL, day, lambda since: False) is old
    assert tariff_on(tariffs, NumberClass.MOBILE, day, lambda since: True) is None
