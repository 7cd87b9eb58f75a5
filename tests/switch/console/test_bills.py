"""What the per-minute plan makes of a line's calls: by class, to the cent, and of what it may be asked."""

import asyncio
from dataclasses import replace
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
from switch.usage.rating import Pulse, Tariff
from tests.switch.console.contract_desk import DEMO

TARIFFS = {
    NumberClass.NATIONAL: Tariff(Pulse.parse("60/60"), Decimal("0.02")),
    NumberClass.MOBILE: Tariff(Pulse.parse("60/1"), Decimal("0.12"), Decimal("0.10")),
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


def rate(state: LineState = LineState.ACTIVE, **args: Any) -> dict[str, Any]:
    exchange = build_exchange(config.load(DEMO), {}, NoAnnouncer(), {}, b"a key of 16 bytes")
    line = exchange.facts.lines["101"]
    line = replace(line, policy=replace(line.policy, state=state))
    exchange.facts = replace(exchange.facts, lines={**exchange.facts.lines, "101": line})
    bills = Bills(exchange, Rows(), lambda: TARIFFS)
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
