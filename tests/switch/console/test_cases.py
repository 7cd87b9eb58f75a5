"""A fair-use case for the people who decide it: what made it, what was told, and what comes next."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from policy.acceptable_use.detectors import DETECTORS, Level
from policy.acceptable_use.watch import Alert
from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.clock import boottime
from switch.console.case import summary
from switch.console.cases import Cases
from switch.console.commands import CommandRefused
from switch.terms.ladders import Ladders

DEMO = Path(__file__).parents[3] / "configs" / "demo"
NOW = 1_790_000_000_000
DAY_MS = 86_400_000
MINUTE_MS = 60_000


class Rows:
    """A database in which the line was used so many minutes in the last week."""

    def __init__(self) -> None:
        self.week_minutes = 2_000

    async def case_steps(self, case: str | None = None) -> list[dict[str, Any]]:
        return []

    async def longest_calls(self, line: str, since: int, limit: int) -> list[dict[str, Any]]:
        return [{"call_id": "c1", "counted_ms": 3_600_000}]

    async def notices(self, line: str, since: int) -> list[dict[str, Any]]:
        return [{"at": NOW, "kind": "fair_use", "percentage": 100, "state": "sent"}]

    async def counted_ms(self, line: str, since: int) -> int:
        return self.week_minutes * MINUTE_MS


class Desk:
    """A case that 100 % opened."""

    def __init__(self) -> None:
        self.exchange = build_exchange(
            config.load(DEMO), {}, NoAnnouncer(), {}, b"a key of 16 bytes"
        )
        self.now = NOW
        self.exchange.wall = lambda now: self.now / 1000 + now - boottime()
        self.ladders = Ladders(self.exchange.outbox, lambda line: "demo")
        self.rows = Rows()
        d5 = next(each for each in DETECTORS if each.id == "D5")
        alert = Alert("101", d5, Level.SOFT, NOW, {"erlang": 1.7}, ("c1",), False, False)
        self.cases = Cases(self.exchange, self.ladders, self.rows, lambda line: [alert])
        crossing = {"line": "101", "cycle": 4, "percentage": 100, "occurred_at": NOW}
        self.ladders([("usage.threshold", crossing)])

    def do(self, command: str, **args: object) -> dict[str, Any]:
        done = self.cases.table()[f"case.{command}"]({"case": "101-4", "by": "claire", **args})
        found = asyncio.run(done) if asyncio.iscoroutine(done) else done
        assert isinstance(found, dict)
        return found

    def after(self, days: float) -> None:
        self.now += round(days * DAY_MS)
        asyncio.run(self.cases.meet_deadlines())


def test_a_case_shows_what_a_person_needs() -> None:
    shown = Desk().do("show")
    assert (shown["rung"], shown["may_decide"]) == ("review_open", ["notify", "dismiss"])
    [feature] = shown["features"]
    assert (feature["detector"], feature["values"], feature["calls"]) == (
        "D5",
        {"erlang": 1.7},
        ["c1"],
    )
    assert feature["looks_like"] == "a reception desk with call waiting"
    assert shown["calls"][0]["call_id"] == "c1"
    assert shown["notices"][0]["percentage"] == 100
    assert "theft and takeover first" in shown["next"]


@pytest.mark.parametrize(
    ("answers", "week_minutes", "rung"),
    [
        (True, 100, "resolved"),
        (True, 2_000, "plan_change_proposed"),
        (False, 100, "plan_change_proposed"),
        (False, 2_000, "plan_change_proposed"),
    ],
)
def test_the_deadline_asks_for_both(answers: bool, week_minutes: int, rung: str) -> None:
    desk = Desk()
    desk.do("decide", decision="notify")
    if answers:
        desk.do("decide", decision="contacted")
    desk.rows.week_minutes = week_minutes
    desk.after(6.9)
    assert desk.do("show")["rung"] == "notified"
    desk.after(0.2)
    assert desk.do("show")["rung"] == rung


def test_the_plan_changes_only_when_a_person_says_so() -> None:
    desk = Desk()
    with pytest.raises(CommandRefused, match="approve doesn't apply"):
        desk.do("decide", decision="approve")
    desk.do("decide", decision="notify")
    desk.after(8)
    assert desk.do("decide", decision="approve")["rung"] == "per_minute"
    for decision in ("dismiss", "notify", "contacted"):
        with pytest.raises(CommandRefused):
            desk.do("decide", decision=decision)
    with pytest.raises(CommandRefused, match="there is no decision"):
        desk.do("decide", decision="forgive")


def test_an_approval_changes_the_plan_of_calls_that_are_answered_later() -> None:
    desk = Desk()
    changed: list[tuple[str, str, str]] = []
    desk.cases = Cases(
        desk.exchange, desk.ladders, desk.rows, change_plan=lambda *each: changed.append(each)
    )
    desk.do("decide", decision="notify")
    desk.after(8)
    desk.do("decide", decision="approve")
    assert changed == [("101", "101-4", "claire")]


def test_a_case_in_sentences() -> None:
    desk = Desk()
    assert summary(desk.do("show"), NOW)[2] == "The customer has not been asked yet."
    desk.do("decide", decision="notify")
    shown = desk.do("show") | {"used_ms": 5_120 * MINUTE_MS}
    said = summary(shown, NOW + DAY_MS)
    assert said[0].startswith(
        "Case 101-4 of line 101 (account demo) waits for the customer's answer"
    )
    assert said[1].startswith("Used in this cycle: 5120 of 5000 minutes. Last 7 days: 2000 minutes")
    assert said[1].endswith("which for a month is 8571: above the threshold.")
    assert said[2] == "The customer has not answered."
    assert said[3].endswith("(in 6.0 days).")
    assert said[-1] == "You may say: vigie case decide 101-4 dismiss | contacted"
