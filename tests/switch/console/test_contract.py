"""Changes of a line's contract: what the terms allow on which day, and what the customer is told."""

from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from policy.model import LineState
from policy.rio import Rio
from policy.transitions import Wait
from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.clock import boottime
from switch.console.commands import CommandRefused
from switch.console.contract import Contract, effective_on
from switch.console.line_life import LineLives

DEMO = Path(__file__).parents[3] / "configs" / "demo"


@cache
def demo() -> config.Configuration:
    return config.load(DEMO)


class Desk:
    """The contract's use cases on a day of choice."""

    def __init__(self, day: date = date(2026, 5, 11)) -> None:
        self.exchange = build_exchange(demo(), {}, NoAnnouncer(), {}, b"a key of 16 bytes")
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
        self.exchange.wall = lambda now: at + now - boottime()
        self.performed = 0
        lives = LineLives(self.exchange, demo().snapshot)
        self.contract = Contract(self.exchange, lives, self.perform)

    def perform(self) -> None:
        self.performed += 1

    def do(self, command: str, line: str = "101", **args: object) -> dict[str, Any]:
        done = self.contract.table()[f"line.{command}"]({"line": line, "by": "claire", **args})
        assert isinstance(done, dict)
        return done

    def refused(self, command: str, line: str = "101", **args: object) -> str:
        before = self.exchange.facts
        with pytest.raises(CommandRefused) as refusal:
            self.do(command, line, **args)
        assert self.exchange.facts is before
        assert not self.notices
        return f"{refusal.value.slug}: {refusal.value.message}"

    def state(self, line: str = "101") -> LineState:
        return self.exchange.facts.lines[line].state

    @property
    def notices(self) -> list[dict[str, Any]]:
        return [fields for name, fields in self.exchange.outbox.events if name == "notice.due"]


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
    assert Desk().refused("suspend", ground="2(k)(z)").startswith("not_allowed: there is no change")


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


def test_a_termination_with_notice_waits_for_its_day() -> None:
    early = {"way": "by_customer", "noticed": "2026-04-30"}
    assert "takes effect on 2026-05-11" in Desk(date(2026, 5, 10)).refused("terminate", **early)
    desk = Desk(date(2026, 5, 11))
    assert desk.do("terminate", **early)["ground"] == "2(m)"
    assert desk.state() is LineState.TERMINATED
    assert "needs the date of its notice" in Desk().refused("terminate", way="convenience")
    assert "2026-05-12" in Desk().refused("terminate", way="convenience", noticed="2026-04-27")


def test_ways_that_take_effect_at_once() -> None:
    for way, clause in (("upstream_ended", "2(l)(ii)"), ("insolvency", "2(l)(iv)(3)")):
        assert Desk().do("terminate", way=way)["ground"] == clause
    assert Desk().do("terminate")["ground"] == "2(l)"


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
