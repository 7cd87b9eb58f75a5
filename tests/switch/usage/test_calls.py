"""Runs cases/calls.toml and cases/destinations.toml: the meter behind the whole switch, without I/O."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from policy.engine import decide
from policy.model import CallRequest
from switch import config
from switch.call.record import calendar_of
from switch.clock import boottime, wall
from tests.flows.actors import DEMO, World
from tests.switch.usage.placed import LINE, Placed, next_call, outcome

CASES = Path(__file__).parent / "cases"
CALLS = tomllib.loads((CASES / "calls.toml").read_text())["call"]
DESTINATIONS = tomllib.loads((CASES / "destinations.toml").read_text())["destination"]


@pytest.fixture(scope="module")
def demo() -> config.Configuration:
    return config.load(DEMO)


@pytest.mark.parametrize("case", CALLS, ids=lambda case: case["note"])
def test_call(
    demo: config.Configuration, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(demo)
    placed = Placed(world, case, monkeypatch)
    placed.place()
    if "renumbered" in case:
        placed.change(lambda line: replace(line, number=case["renumbered"]))
    if case.get("again"):
        placed.place()
    shown = outcome(world)
    expect = dict(case["expect"])
    for dialled, wanted in expect.pop("next", {}).items():
        assert next_call(placed, dialled) == wanted
    assert {key: shown[key] for key in expect} == expect


@pytest.mark.parametrize(
    ("case", "dialled"),
    [
        pytest.param(case, dialled, id=f"{dialled}: {case['note']}")
        for case in DESTINATIONS
        for dialled in case["dial"]
    ],
)
def test_destination(demo: config.Configuration, case: dict[str, Any], dialled: str) -> None:
    """The policy decides, the meter takes its word: as `CallRecord.answered` does."""
    exchange = World(demo).exchange
    inbound = "from" in case
    source, at, now = "127.0.0.1", wall(), boottime()
    request = CallRequest(
        dialled,
        None if inbound else LINE,
        source,
        at,
        trunk="carrier-1" if inbound else None,
        trunk_trusted=inbound,
        caller=case.get("from", ""),
        priority=case.get("priority", ""),
    )
    whereabouts = exchange.sightings.of(LINE)
    facts = exchange.facts.policy_facts(None if inbound else LINE, source, now, whereabouts)
    decision = decide(request, facts, exchange.rules)
    expect = case["expect"]
    if "emergency" in expect:
        assert decision.number_class.value.startswith("emergency") is expect["emergency"]
        return
    assert (decision.exempt_reason or False) in expect["exempt_reason"]
    cycle = calendar_of(exchange, LINE).cycle_at(round(at * 1000))
    direction = "inbound" if inbound else "outbound"
    exchange.meters.start("a", LINE, direction, now, at, decision.exempt_reason, cycle)  # type: ignore[arg-type]
    exchange.meters.confirm("a")
    assert exchange.meters.stop("a", now + 600) == expect["used_ms"]
    assert exchange.meters.used_ms(LINE, now + 600) == expect["used_ms"]
    (usage,) = (
        record for record in map(orjson.loads, exchange.outbox.journal) if record["k"] == "usage"
    )
    assert usage["ms"] == expect.get("leg_ms", 600_000)
