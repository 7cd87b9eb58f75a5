"""What counts as success and failure, and when a stage may be left."""

import pytest

from switch.provisioning import gate
from switch.provisioning.gate import Progress, Step, Tally, Verdict, count, judge, lost
from switch.provisioning.rollout import Limits

LIMITS = Limits()


def tally(step: Step, **values: object) -> Tally:
    return count([Progress("dev", step, **values)], LIMITS)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", sorted(gate.FAILURES))
def test_failures(step: Step) -> None:
    assert tally(step).failed == 1


def test_offline_before_the_download_is_pending() -> None:
    for step in (Step.PENDING, Step.OFFERED, Step.DOWNLOADING, Step.INSTALLED):
        assert tally(step, online=False).pending == 1


def test_online_it_is_under_way_and_after_the_reboot_it_always_is() -> None:
    assert tally(Step.DOWNLOADING, online=True).under_way == 1
    assert tally(Step.REBOOTING, online=False).under_way == 1


@pytest.mark.parametrize(
    ("values", "fails"),
    [
        ({}, False),
        ({"registered": False}, True),
        ({"mos": 3.5, "mos_before": 4.2}, True),
        ({"mos": 4.0, "mos_before": 4.2}, False),
        ({"mos": 3.0, "mos_before": 0.0}, False),  # nothing to compare with
        ({"reboots": 9, "reboots_before": 3}, True),
        ({"reboots": 9, "reboots_before": 8}, False),
    ],
)
def test_a_confirmed_device_is_held_against_its_own_past(
    values: dict[str, object], fails: bool
) -> None:
    found = tally(Step.CONFIRMED, **values)
    assert (found.confirmed, found.failed) == (int(not fails), int(fails))


def test_a_device_is_lost_when_its_deadline_after_the_reboot_is_over() -> None:
    late = Progress("dev", Step.REBOOTING, at=0)
    assert not lost(late, LIMITS, 900_000)
    assert lost(late, LIMITS, 900_001)
    assert not lost(Progress("dev", Step.DOWNLOADING, at=0), LIMITS, 10**9)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Tally(100, 100, 0, 0, 0), Verdict.WAIT),
        (Tally(100, 81, 0, 19, 0), Verdict.WAIT),  # the sample is too small yet
        (Tally(100, 80, 0, 20, 0), Verdict.SETTLED),  # the others are away
        (Tally(100, 70, 10, 20, 0), Verdict.WAIT),
        (Tally(5, 0, 0, 5, 0), Verdict.SETTLED),  # the whole stage is smaller than the sample
        (Tally(100, 80, 0, 19, 1), Verdict.UNHEALTHY),
        (Tally(1000, 500, 100, 396, 4), Verdict.WAIT),  # 1 %
        (Tally(1000, 500, 100, 395, 5), Verdict.UNHEALTHY),
        (Tally(100, 90, 5, 3, 2), Verdict.UNHEALTHY),  # certain, whatever the rest does
        (Tally(10_000, 0, 0, 9_899, 101), Verdict.OVER_BUDGET),
    ],
)
def test_verdicts(found: Tally, verdict: Verdict) -> None:
    assert judge(found, LIMITS) is verdict


def test_a_record_brings_a_step_back() -> None:
    made = Progress("dev", Step.FAILED, 7, "1.0.0", "1.1.0", "no sound", mos_before=4.1)
    assert gate.read(made.record("r-1")) == made
