"""Watching a demo switch's calls: CDRs in; alerts, cases and a bar out."""

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from policy.acceptable_use.watch import Settings
from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.settings import HostPort
from switch.terms.ladders import Ladders
from switch.terms.outline import Circumstances
from switch.terms.watching import Watching

DEMO = Path(__file__).parents[3] / "configs" / "demo"
START = 1_775_548_800_000  # Tuesday 7 April 2026, 08:00 UTC


@cache
def demo() -> config.Configuration:
    return config.load(DEMO)


class House:
    """A demo exchange that is watched."""

    def __init__(self, *, shadow: bool) -> None:
        listening = {"UDP": [HostPort("127.0.0.1", 5060)]}
        found = demo()
        self.exchange = build_exchange(found, {}, NoAnnouncer(), listening, b"a key of 16 bytes")
        self.ladders = Ladders(self.exchange.outbox, lambda line: "demo")
        self.bars: list[tuple[Any, ...]] = []
        self.records: list[dict[str, Any]] = []
        self.watching = Watching(
            self.exchange,
            self.ladders,
            Settings(shadow=shadow),
            lambda *change: self.bars.append(change),
        )

    def record(self, n: int, **changes: Any) -> dict[str, Any]:
        return {
            "k": "cdr",
            "call_id": f"c{n}",
            "line": "101",
            "direction": "outbound",
            "src": "+33199000101",
            "dst": f"+3314268{n * 37 % 10_000:04d}",
            "start": START + n * 25_000,
            "answer": START + n * 25_000 + 4_000,
            "end": START + n * 25_000 + 24_000 + n % 7 * 100,
            "hangup_by": "callee",
            "sip_status": 200,
            **changes,
        }

    def call(self, n: int, **changes: Any) -> None:
        record = self.record(n, **changes)
        self.records.append(record)
        self.watching.feed([b'{"k":"beat"}', orjson.dumps(record)])
        self.watching.look()

    @property
    def alerts(self) -> list[tuple[str, str]]:
        return [
            (each["detector"], each["reached"])
            for name, each in self.exchange.outbox.events
            if name == "use.alert"
        ]


def test_in_the_shadow_alerts_are_told_and_nothing_follows() -> None:
    house = House(shadow=True)
    for n in range(120):
        house.call(n)
    assert {"D1", "D9"} <= {detector for detector, _ in house.alerts}
    assert len(house.alerts) == len(set(house.alerts))
    assert not house.ladders.open_cases()
    assert not house.bars


def test_out_of_it_two_detectors_open_a_case_that_names_features_and_calls() -> None:
    house = House(shadow=False)
    for n in range(120):
        house.call(n)
    [step] = house.ladders.open_cases()
    assert step.ladder.line == "101"
    assert step.clause == "3(b)"
    assert "_share" in step.because
    assert "calls c" in step.because
    kinds = [each["kind"] for name, each in house.exchange.outbox.events if name == "notice.due"]
    assert kinds == ["fair_use_detected"]
    assert not house.bars  # neither of the two is about fraud


def test_toll_fraud_bars_what_costs_money_and_says_why() -> None:
    house = House(shadow=False)
    for n in range(6):
        times = {"start": START + n, "answer": START + n + 4_000, "end": START + 3_600_000 + n}
        house.call(n, dst=f"+53712345{n:02d}", **times)
    [(line, because)] = house.bars
    assert line == "101"
    assert because.startswith("D14 toll fraud: together_to_one_range 4")
    assert "calls c0, c1" in because


def test_what_was_known_before_a_start_is_known_again_without_a_word() -> None:
    before, after = House(shadow=False), House(shadow=False)
    for n in range(520):  # D11: that many different numbers
        before.call(n, dst=f"+331426{n:05d}", start=START + n * 60_000, answer=None,
                    end=START + n * 60_000 + 20_000)  # fmt: skip
    assert "D11" in before.watching.watch.levels("101")

    async def remembered() -> AsyncIterator[dict[str, Any]]:
        for record in before.records:
            # A call that ends meanwhile waits until all that came before it is known.
            after.watching.look()
            yield record

    assert asyncio.run(after.watching.recall(remembered())) == 520
    assert after.watching.watch.levels("101") == before.watching.watch.levels("101")
    assert after.exchange.outbox.events == []
    assert not after.bars
    assert not after.ladders.open_cases()


def test_a_phone_is_no_news_because_the_switch_was_restarted() -> None:
    house = House(shadow=False)
    day_ms = 86_400_000

    async def remembered() -> AsyncIterator[dict[str, Any]]:
        for n in range(20):
            yield house.record(n, start=START - (20 - n) * day_ms, answer=None,
                               end=START - (20 - n) * day_ms + 9)  # fmt: skip

    asyncio.run(house.watching.recall(remembered()))
    times = {"start": START, "answer": START + 1, "end": START + 60_000}
    house.watching._around = lambda line, record, ended_since: Circumstances(  # type: ignore[method-assign]
        "Europe/Paris", 0, "Yealink", "192.0.2"
    )
    house.call(21, dst="+442079460000", **times)
    assert "D18" not in house.watching.watch.levels("101")


def test_a_phone_that_sends_and_hears_nothing_for_long_is_no_conversation() -> None:
    house = House(shadow=True)
    legs = [{"sip_call_id": "a@phone"}, {"sip_call_id": "b@switch"}]
    times = {"start": START, "answer": START, "end": START + 3_000_000, "legs": legs}
    said = {"line": "101", "sip_call_id": "a@phone", "sent_ms": 2_900_000, "received_ms": 1_000}
    for n, (name, fields) in enumerate([
        ("call.end", said),
        ("call.media", {**said, "line": "102"}),  # another line's word on a call between them
        ("call.media", {**said, "sip_call_id": "c@phone"}),  # of another call
    ]):  # fmt: skip
        house.watching.on_events([(name, fields)])
        house.call(n, **times)
    assert house.alerts == [], "nothing is known of these calls, and unknown is not silent"
    for n in range(3, 5):
        house.watching.on_events([("call.media", said)])
        house.call(n, **times)
    assert house.alerts == [("D10", "soft")]
    house.call(6, **times)
    assert house.watching.watch._lines["101"].profile.day.silent == 2, "it was said of those calls"


def test_calls_that_end_within_a_second_were_up_together() -> None:
    house = House(shadow=True)
    seen: list[tuple[str, int]] = []
    house.watching.watch.add = lambda line, call: (
        seen.append(  # type: ignore[assignment]
            (call.call_id, call.concurrent)
        )
        or []
    )
    for n, line in enumerate(("101", "102", "101", "101")):
        times = {"start": START, "answer": START + 9, "end": START + 60_000 + n}
        house.watching.feed([orjson.dumps(house.record(n, line=line, **times))])
    missed = house.record(4, start=START, answer=None, end=START + 60_004)
    later = house.record(5, start=START, answer=START + 60_003, end=START + 61_000)
    house.watching.feed([orjson.dumps(missed), orjson.dumps(later)])
    house.watching.look()
    assert seen == [("c0", 3), ("c1", 1), ("c2", 2), ("c3", 1), ("c4", 2), ("c5", 1)]


def test_many_calls_at_once_are_looked_at_by_and_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop waits for a look: emergency calls, too."""
    monkeypatch.setattr("switch.terms.watching.AT_ONCE", 40)
    house = House(shadow=True)
    for n in range(100):
        house.watching.feed([orjson.dumps(house.record(n))])
    counts = []
    for _ in range(4):
        house.watching.look()
        counts.append(house.watching.watch._lines["101"].profile.attempts)
    assert counts == [40, 80, 100, 100]


def test_with_all_detectors_off_nothing_is_kept() -> None:
    house = House(shadow=True)
    house.watching = Watching(
        house.exchange, house.ladders, Settings(detectors=()), lambda *change: None
    )
    house.call(1)

    async def remembered() -> AsyncIterator[dict[str, Any]]:
        yield house.record(2)

    assert asyncio.run(house.watching.recall(remembered())) == 0
    assert len(house.watching.watch) == 0


@pytest.mark.parametrize("line", [None, "999"])
def test_calls_of_no_line_of_ours_are_passed_over(line: str | None) -> None:
    house = House(shadow=True)
    house.call(1, line=line)
    assert len(house.watching.watch) == 0


def test_records_that_nobody_looks_at_do_not_pile_up_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(shadow=True)
    monkeypatch.setattr(house.watching, "_waiting", type(house.watching._waiting)(maxlen=3))
    house.watching.feed([b'{"k":"cdr","line":null}'] * 10)
    assert len(house.watching._waiting) == 3
    house.watching.look()
    house.watching.look()
    assert not house.watching._waiting
    assert house.exchange.outbox.events == [("use.skipped", {"calls": 7})]
