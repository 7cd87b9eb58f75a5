"""The controller on whole fleets, in jumped time: stages, soak, bad images, kills, a rollback."""

import random
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from switch.provisioning import gate, rollout, stages
from switch.provisioning.gate import Progress, Step
from switch.provisioning.reach import Reach, advance, take_back
from switch.provisioning.rollout import Event, Limits, Rollout, State

OLD, NEW = "1.0.0", "1.1.0"
FLEET = [f"dev-{number:06d}" for number in range(10_000)]
SOAK_MS = 60_000
LIMITS = Limits(soak_s=SOAK_MS / 1000, max_under_way=10**6)

Answer = Callable[[Progress], Step]


def started(fleet: list[str], limits: Limits = LIMITS, **values: object) -> Reach:
    asked = Rollout("r-1", "model", NEW, limits, 0, **values)  # type: ignore[arg-type]
    running = asked.on(Event.APPROVE, 0, "person").on(Event.START, 0, "person")
    reach = Reach.of(running, fleet)
    for progress in reach.devices.values():
        progress.online, progress.version = True, OLD
    return reach


def confirm(progress: Progress) -> Step:
    return Step.CONFIRMED


def play(reach: Reach, answer: Answer = confirm, turns: int = 60) -> int:
    """Let every offered device come to its end in each turn of a minute; the time when it stands."""
    now = 0
    for _ in range(turns):
        now += SOAK_MS
        for progress in advance(reach, now).changed:
            if progress.step is Step.OFFERED:
                end = answer(progress)
                progress.move(end, now, NEW if end is Step.CONFIRMED else OLD)
        if reach.rollout.is_over or reach.rollout.state is State.PAUSED:
            break
    return now


def steps(reach: Reach) -> dict[Step, int]:
    found: dict[Step, int] = {}
    for progress in reach.devices.values():
        found[progress.step] = found.get(progress.step, 0) + 1
    return found


def test_a_good_image_reaches_everybody_by_stages() -> None:
    reach = started(FLEET)
    reached = []
    now = 0
    while not reach.rollout.is_over:
        now += SOAK_MS
        for progress in advance(reach, now).changed:
            progress.move(Step.CONFIRMED, now, NEW)
        if reach.rollout.state is State.SOAKING:
            reached.append(len(list(reach.reached())) / len(FLEET))
    assert reach.rollout.state is State.COMPLETED
    assert reached == pytest.approx([0.01, 0.05, 0.25, 1.0], rel=0.2)
    assert steps(reach) == {Step.CONFIRMED: len(FLEET)}


@pytest.mark.parametrize("seed", range(5))
def test_an_image_that_is_bad_for_three_percent_stops_in_its_stage(seed: int) -> None:
    bad = set(random.Random(seed).sample(FLEET, len(FLEET) * 3 // 100))
    reach = started(FLEET)
    play(reach, lambda each: Step.ROLLED_BACK if each.device in bad else Step.CONFIRMED)
    assert reach.rollout.state is State.PAUSED
    assert reach.rollout.why.startswith("health")
    assert reach.rollout.stage <= 1  # at most 5 % of the fleet ever got it
    touched = [each for each in reach.devices.values() if each.step is not Step.PENDING]
    assert len(touched) <= 0.06 * len(FLEET)
    failed = {each.device for each in touched if each.step is Step.ROLLED_BACK}
    assert failed and failed <= bad
    assert all(each.version == OLD for each in touched if each.step is Step.ROLLED_BACK)


def test_a_stage_that_fails_while_it_soaks_stops_too() -> None:
    reach = started(FLEET)
    for progress in advance(reach, 1).changed:
        progress.move(Step.CONFIRMED, 1, NEW)
    advance(reach, 2)
    assert reach.rollout.state is State.SOAKING
    for progress in list(reach.reached())[:5]:
        progress.registered = False
    moves = advance(reach, 3)
    assert moves.events == [Event.UNHEALTHY]


def test_devices_that_vanish_after_the_reboot_are_failures() -> None:
    reach = started(FLEET)
    for number, progress in enumerate(advance(reach, 1).changed):
        progress.move(Step.REBOOTING if number < 10 else Step.CONFIRMED, 1, NEW)
    advance(reach, 2)
    assert reach.rollout.state is State.RUNNING
    advance(reach, round(LIMITS.deadline_s * 1000) + 2)
    assert reach.rollout.state is State.PAUSED
    assert steps(reach)[Step.LOST] == 10


def test_devices_that_are_away_do_not_hold_it_up() -> None:
    reach = started(FLEET)
    away = set(random.Random(7).sample(FLEET, len(FLEET) // 2))
    for name in away:
        reach.devices[name].online = False
    play(reach)
    assert reach.rollout.stage == 3
    assert reach.rollout.state is State.RUNNING  # the last stage waits for them
    assert steps(reach) == {Step.CONFIRMED: len(FLEET) - len(away), Step.PENDING: len(away)}
    for name in away:
        reach.devices[name].online = True
    play(reach)
    assert reach.rollout.state is State.COMPLETED


def test_no_more_than_allowed_are_under_way() -> None:
    reach = started(FLEET, replace(LIMITS, stages=(100.0,), max_under_way=50))
    assert len(advance(reach, 1).changed) == 50
    assert not advance(reach, 2).changed
    for progress in list(reach.devices.values()):
        if progress.step is Step.OFFERED:
            progress.move(Step.CONFIRMED, 2, NEW)
    assert len(advance(reach, 3).changed) == 50
    assert reach.rollout.state is State.RUNNING


def test_canaries_come_first() -> None:
    canaries = (FLEET[17], FLEET[4711])
    reach = started(FLEET, canaries=canaries)
    assert set(canaries) <= {each.device for each in advance(reach, 1).changed}


def test_a_device_keeps_its_stage_whoever_joins() -> None:
    before = {name: stages.stage_of("r-1", name, LIMITS.stages) for name in FLEET[:100]}
    reach = started(FLEET[:100])
    reach.join(Progress("dev-new"))
    after = {each.device: n for n, found in enumerate(reach.by_stage) for each in found}
    assert {name: after[name] for name in before} == before
    assert stages.plan("r-2", FLEET[:100], LIMITS.stages) != stages.plan(
        "r-1", FLEET[:100], LIMITS.stages
    )


def test_a_device_that_runs_it_already_is_confirmed_at_once() -> None:
    reach = started(FLEET[:5], replace(LIMITS, stages=(100.0,)))
    reach.devices[FLEET[0]].version = NEW
    advance(reach, 1)
    assert reach.devices[FLEET[0]].step is Step.CONFIRMED


def test_a_pause_takes_back_what_is_not_installed() -> None:
    reach = started(FLEET[:3], replace(LIMITS, stages=(100.0,)))
    first, second, third = advance(reach, 1).changed
    first.move(Step.DOWNLOADING, 1)
    second.move(Step.TRIAL, 1)
    third.move(Step.CONFIRMED, 1, NEW)
    reach.rollout = reach.rollout.on(Event.PAUSE, 2, "person")
    take_back(reach, 2)
    assert [each.step for each in (first, second, third)] == [
        *(Step.PENDING, Step.TRIAL, Step.CONFIRMED)
    ]
    assert [reach.wanted(each.device) for each in (first, second, third)] == [None, NEW, NEW]


def test_a_rollback_concerns_those_who_installed() -> None:
    reach = started(FLEET)
    play(reach, turns=4)
    touched = {each.device for each in reach.devices.values() if each.step is Step.CONFIRMED}
    assert 0 < len(touched) < len(FLEET)
    reach.rollout = reach.rollout.on(Event.ROLL_BACK, 10**9, "person")
    take_back(reach, 10**9)
    assert {name for name in FLEET if reach.wanted(name) == OLD} == touched
    for name in touched:
        reach.devices[name].version = OLD
    advance(reach, 10**9 + 1)
    assert reach.rollout.state is State.ROLLED_BACK
    assert steps(reach)[Step.ROLLED_BACK] == len(touched)


def test_it_ends_when_its_time_is_over() -> None:
    reach = started(FLEET, expires_at=5000)
    advance(reach, 1)
    assert advance(reach, 5000).events == [Event.EXPIRE]
    assert all(reach.wanted(name) is None for name in FLEET)


def test_a_scheduled_one_starts_at_its_time() -> None:
    asked = Rollout("r-1", "model", NEW, LIMITS, 0, starts_at=1000)
    reach = Reach.of(asked.on(Event.APPROVE, 0, "p").on(Event.SCHEDULE, 0, "p"), FLEET[:10])
    assert not advance(reach, 999).events
    assert advance(reach, 1000).events[0] is Event.START


def test_stages_of_a_small_fleet_that_hold_nobody_take_no_time() -> None:
    reach = started(["dev-only-one"])
    for now in range(1, 10):
        advance(reach, now)
    assert steps(reach) == {Step.OFFERED: 1}


@pytest.mark.parametrize("killed_at", range(1, 24))
def test_a_controller_that_is_killed_anywhere_goes_on(killed_at: int) -> None:
    """The records are written as the steps are taken; whichever is the last to reach the disk, the
    rollout ends as if nothing had happened, and no device is offered anything twice."""
    reach, records = started(FLEET[:300]), []
    offers: dict[str, int] = {}
    now, written = 0, 0
    rollouts = [reach.rollout.record()]
    while not reach.rollout.is_over and now < 100 * SOAK_MS:
        now += SOAK_MS // 2
        moves = advance(reach, now)
        written += 1
        if moves.events:
            rollouts.append(reach.rollout.record())
        for progress in moves.changed:
            if progress.step is Step.OFFERED:
                offers[progress.device] = offers.get(progress.device, 0) + 1
            records.append(progress.record("r-1"))
        if written == killed_at:
            known: dict[str, Progress] = {}
            for record in records:
                known[record["device"]] = gate.read(record)
            reach = Reach.of(rollout.read(rollouts[-1]), FLEET[:300], known.values())
            for progress in reach.devices.values():
                progress.online, progress.version = True, progress.version or OLD
        for progress in reach.devices.values():
            if progress.step is Step.OFFERED and progress.move(Step.CONFIRMED, now, NEW):
                records.append(progress.record("r-1"))
    assert reach.rollout.state is State.COMPLETED
    assert set(offers.values()) == {1} and len(offers) == 300
    assert steps(reach) == {Step.CONFIRMED: 300}


def test_a_hundred_thousand_devices_are_planned_and_judged_in_time() -> None:
    fleet = [f"dev-{number:08d}" for number in range(100_000)]
    began = time.process_time()
    reach = started(fleet)
    planned_s = time.process_time() - began
    for progress in reach.devices.values():
        progress.move(Step.CONFIRMED, 1, NEW)
    reach.rollout = replace(reach.rollout, stage=3)
    began = time.process_time()
    advance(reach, 2)
    judged_s = time.process_time() - began
    assert reach.rollout.state is State.SOAKING
    assert planned_s <= 1.0
    assert judged_s <= 0.1
