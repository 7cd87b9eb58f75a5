"""`explain call` says what would refuse a call at this moment although the rules let it pass."""

import pytest

from policy.model import Step
from switch.console import rehearsal
from switch.facts.settings import CapSettings
from tests.flows.actors import World, established, hang_up
from tests.flows.test_caps import ABROAD, cap, limit_line


@pytest.fixture
def steps(world: World, monkeypatch: pytest.MonkeyPatch):
    """What `explain` adds for line 101."""
    monkeypatch.setattr(rehearsal, "boottime", lambda: world.now)

    def ask(dial: str) -> list[Step]:
        found = rehearsal.rehearse(world.exchange, {"dial": dial}, "101", "explain")
        return rehearsal.limits(world.exchange, found)

    return ask


def test_a_reached_cap_is_a_step(world: World, steps) -> None:
    cap(world, minutes_per_day=2)
    assert steps(ABROAD) == []
    caller, callee = established(world.phone("101"), world.carrier(1), ABROAD)
    world.after(120)
    assert caller.actor.got and callee.actor.got
    assert steps(ABROAD) == [
        Step("cap", "limit", "minutes_per_day of class international is reached")
    ]
    assert steps("0145678901") == []


def test_a_line_without_a_phone(world: World, steps) -> None:
    assert steps("102") == [Step("phones", "limit", "no phone of line 102 is registered")]
    world.phone("102")
    assert steps("102") == []


def test_a_route_without_a_carrier(world: World, steps) -> None:
    world.exchange.routes = {}
    assert steps("0145678901") == [
        Step("carriers", "limit", "no carrier of route 'national' is up")
    ]


def test_full_channels_are_a_step_but_not_for_18(world: World, steps) -> None:
    limit_line(world, channels=1, caps={"international": CapSettings()})
    caller, callee = established(world.phone("101"), world.carrier(1), "0145678901")
    assert [step.rule for step in steps("0145678901")] == ["channels"]
    assert steps("18") == []
    hang_up(caller, callee)
    assert steps("0145678901") == []
