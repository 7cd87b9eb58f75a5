"""The table of rollouts: every row, and what stands in none."""

from dataclasses import replace

import pytest

from switch.provisioning import rollout
from switch.provisioning.rollout import TABLE, Event, Limits, NotAllowedError, Rollout, State


def in_state(state: State, stage: int = 0) -> Rollout:
    return Rollout("r-1", "model", "1.1.0", Limits(), 0, state=state, stage=stage, since=5)


@pytest.mark.parametrize(("state", "event"), TABLE, ids=lambda each: each.value)
def test_every_row(state: State, event: Event) -> None:
    after = in_state(state).on(event, 9, "somebody", "why")
    assert after.state is TABLE[state, event]
    assert (after.since, after.by) == (9, "somebody")
    assert after.stage == (1 if event is Event.SOAKED else 0)


@pytest.mark.parametrize("state", State)
def test_what_stands_in_no_row_is_refused(state: State) -> None:
    others = [event for event in Event if (state, event) not in TABLE]
    assert others
    for event in others:
        with pytest.raises(NotAllowedError, match=event.value):
            in_state(state).on(event, 9, "somebody")


def test_a_pause_says_which_kind() -> None:
    running = in_state(State.RUNNING)
    assert running.on(Event.PAUSE, 9, "a").why == "manual"
    assert running.on(Event.UNHEALTHY, 9, "a", "3 of 20 failed").why == "health: 3 of 20 failed"
    assert running.on(Event.OVER_BUDGET, 9, "a").why == "budget"


def test_no_stage_follows_the_last() -> None:
    last = in_state(State.SOAKING, stage=3)
    with pytest.raises(NotAllowedError):
        last.on(Event.SOAKED, 9, "controller")
    assert last.on(Event.FINISHED, 9, "controller").state is State.COMPLETED


def test_a_clock_set_back_does_not_make_it_older() -> None:
    assert in_state(State.RUNNING).on(Event.PAUSE, 1, "a").since == 5


def test_a_record_brings_it_back() -> None:
    made = Rollout(
        "r-1", "model", "1.1.0", Limits(stages=(10, 100)), 1, ("dev-1",), ("02:00", "05:00"), 3, 4
    )
    assert rollout.read(made.record()) == made


@pytest.mark.parametrize(
    "wrong", [{"id": "a name"}, {"id": ""}, {"id": "x" * 49}, {"window": ("2", "5")}]
)
def test_what_devices_could_not_read(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"name|window"):
        replace(in_state(State.DRAFT), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"stages": ()}, {"stages": (5, 1)}, {"stages": (5, 101)}, {"stages": (0, 5)},
     {"max_failure_rate": 1.0}, {"min_sample": 0}, {"max_under_way": 0}],
)  # fmt: skip
def test_limits_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"stages|gate"):
        Limits(**wrong)  # type: ignore[arg-type]
