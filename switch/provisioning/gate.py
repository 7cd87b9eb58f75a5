"""What the devices of a rollout came to, and whether it may go on.

A device that never began is pending, however long it is away; one that rebooted into the new image and
is not heard again by its deadline is lost, and that is a failure. A confirmed device counts as failed
when it does worse than it did before: its line isn't registered, its calls sound worse, it reboots.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from switch.provisioning.rollout import Limits


class Step(StrEnum):
    """Where a device stands in a rollout: the states of FIRMWARE.md section 3, put together as far as
    the service needs to tell them apart. `pending` is a device that was not reached yet."""

    PENDING = "pending"
    OFFERED = "offered"
    DOWNLOADING = "downloading"
    INSTALLED = "installed"  # in the other slot; waits for its window
    REBOOTING = "rebooting"
    TRIAL = "trial"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    LOST = "lost"  # never heard of after its reboot
    WITHDRAWN = "withdrawn"  # not offered any more, before it installed


UNDER_WAY: Final = frozenset(
    {Step.OFFERED, Step.DOWNLOADING, Step.INSTALLED, Step.REBOOTING, Step.TRIAL}
)
FAILURES: Final = frozenset({Step.FAILED, Step.REJECTED, Step.ROLLED_BACK, Step.LOST})
AFTER_REBOOT: Final = frozenset({Step.REBOOTING, Step.TRIAL})
# Whoever has the new image in a slot, or had.
INSTALLED: Final = frozenset({Step.INSTALLED, Step.REBOOTING, Step.TRIAL, Step.CONFIRMED})
KIND: Final = "rollout_device"


@dataclass(slots=True)
class Progress:
    """A device in a rollout. `at` is since when (UTC ms), `online` whether it is connected.

    `before` is what it ran when it was offered the version, `version` what it runs now; the baselines
    are of the same moment: MOS 0 = no call to judge by.
    """

    device: str
    step: Step = Step.PENDING
    at: int = 0
    before: str = ""
    version: str = ""
    detail: str = ""
    online: bool = False
    registered: bool = True
    mos: float = 0.0
    mos_before: float = 0.0
    reboots: int = 0
    reboots_before: int = 0

    def move(self, step: Step, at: int, version: str = "", detail: str = "") -> bool:
        """Take a step; False when it is the one that is known already."""
        if step is self.step and detail == self.detail:
            return False
        self.step, self.at, self.detail = step, at, detail
        self.version = version or self.version
        return True

    def is_worse(self, limits: Limits) -> bool:
        """Whether a confirmed device does worse than before the update."""
        if not self.registered:
            return True
        if self.mos and self.mos_before and self.mos_before - self.mos > limits.max_mos_drop:
            return True
        return self.reboots - self.reboots_before > limits.max_more_reboots

    def record(self, rollout: str) -> dict[str, Any]:
        """The step as the journal and the database keep it."""
        return {
            "k": KIND,
            "rollout": rollout,
            "device": self.device,
            "step": self.step.value,
            "at": self.at,
            "before": self.before,
            "version": self.version,
            "detail": self.detail,
            "mos_before": self.mos_before,
            "reboots_before": self.reboots_before,
        }


def read(record: Mapping[str, Any]) -> Progress:
    """The step of a record. KeyError, TypeError, ValueError for one that nobody can read."""
    return Progress(
        device=str(record["device"]),
        step=Step(record["step"]),
        at=int(record["at"]),
        before=str(record["before"]),
        version=str(record["version"]),
        detail=str(record["detail"]),
        mos_before=float(record["mos_before"]),
        reboots_before=int(record["reboots_before"]),
    )


class Verdict(StrEnum):
    """What the gate says."""

    WAIT = "wait"
    SETTLED = "settled"
    UNHEALTHY = "unhealthy"
    OVER_BUDGET = "over_budget"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many devices of the stages so far are where."""

    total: int
    pending: int
    under_way: int
    confirmed: int
    failed: int

    @property
    def sample(self) -> int:
        """How many came to an end."""
        return self.confirmed + self.failed

    @property
    def failure_rate(self) -> float:
        """Which part of the sample failed."""
        return self.failed / self.sample if self.sample else 0.0


def count(devices: Iterable[Progress], limits: Limits) -> Tally:
    """Count the devices that a rollout has reached."""
    total = pending = under_way = confirmed = failed = 0
    for each in devices:
        total += 1
        step = each.step
        if step is Step.CONFIRMED:
            if each.is_worse(limits):
                failed += 1
            else:
                confirmed += 1
        elif step in FAILURES:
            failed += 1
        elif step in AFTER_REBOOT or (step in UNDER_WAY and each.online):
            under_way += 1
        else:
            pending += 1
    return Tally(total, pending, under_way, confirmed, failed)


def judge(tally: Tally, limits: Limits) -> Verdict:
    """Whether the stage may be left, must stop, or isn't through yet."""
    if tally.failed > limits.failure_budget:
        return Verdict.OVER_BUDGET
    needed = min(limits.min_sample, tally.total)
    # More failures than the rate allows in the whole stage need no larger sample to be too many.
    is_certain = tally.failed > limits.max_failure_rate * max(tally.total, limits.min_sample)
    if tally.failed and tally.sample >= needed and tally.failure_rate > limits.max_failure_rate:
        return Verdict.UNHEALTHY
    if is_certain:
        return Verdict.UNHEALTHY
    if tally.under_way or tally.sample < needed:
        return Verdict.WAIT
    return Verdict.SETTLED


def lost(progress: Progress, limits: Limits, now: int) -> bool:
    """Whether a device missed its deadline after the reboot."""
    return progress.step in AFTER_REBOOT and now - progress.at > limits.deadline_s * 1000
