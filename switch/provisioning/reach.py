"""A rollout at work: the devices that it reaches, stage by stage, and what is to happen next.

`advance` is the controller. It changes steps of devices and the rollout, and tells which of them changed;
it keeps nothing but what their records say, so it may be killed anywhere and started again from them.
Deliberately absent: documents, and when to look (the service looks every second and at each report).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from switch.provisioning import gate, stages
from switch.provisioning.gate import Progress, Step, Tally, Verdict
from switch.provisioning.rollout import Event, Rollout, State

CONTROLLER = "controller"
# What an offer leads to until the new image boots: what can still be taken back without a trace.
_REVOCABLE = frozenset({Step.OFFERED, Step.DOWNLOADING, Step.INSTALLED})
# Whoever ran the new image, or may do so.
_TOUCHED = frozenset({Step.REBOOTING, Step.TRIAL, Step.CONFIRMED, Step.LOST})
# States in which nobody is offered anything any more.
_ENDS = frozenset(
    {State.PAUSED, State.ABORTED, State.SUPERSEDED, State.EXPIRED, State.ROLLING_BACK}
)


@dataclass(slots=True)
class Reach:
    """The devices of one rollout. `by_stage` holds each in the first stage that it belongs to."""

    rollout: Rollout
    by_stage: list[list[Progress]] = field(default_factory=list)
    devices: dict[str, Progress] = field(default_factory=dict)

    @classmethod
    def of(
        cls, rollout: Rollout, devices: Iterable[str], known: Iterable[Progress] = ()
    ) -> "Reach":
        """Draw the devices of the model, and take what is known of some of them."""
        found = cls(rollout, [[] for _ in rollout.limits.stages])
        before = {each.device: each for each in known}
        for device in devices:
            found.join(before.get(device) or Progress(device))
        return found

    def join(self, progress: Progress) -> None:
        """Take a device in, also one that was claimed while the rollout ran."""
        rollout = self.rollout
        place = stages.stage_of(
            rollout.id, progress.device, rollout.limits.stages, rollout.canaries
        )
        if place < len(self.by_stage) and progress.device not in self.devices:
            self.by_stage[place].append(progress)
            self.devices[progress.device] = progress

    def reached(self) -> Iterator[Progress]:
        """The devices of all stages up to the present one."""
        return chain.from_iterable(self.by_stage[: self.rollout.stage + 1])

    def tally(self) -> Tally:
        """How they stand."""
        return gate.count(self.reached(), self.rollout.limits)

    def wanted(self, device: str) -> str | None:
        """The version that this rollout wants a device to run, None for nothing."""
        progress = self.devices.get(device)
        if progress is None or progress.step in (Step.PENDING, Step.WITHDRAWN):
            return None
        match self.rollout.state:
            case State.RUNNING | State.SOAKING | State.PAUSED | State.COMPLETED:
                return self.rollout.version
            case State.ROLLING_BACK | State.ROLLED_BACK if progress.before:
                return progress.before if progress.step in _TOUCHED else None
        return None


@dataclass(slots=True)
class Moves:
    """What a look led to: `changed` devices have another step, `events` moved the rollout."""

    changed: list[Progress] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def advance(reach: Reach, now: int) -> Moves:
    """Look at a rollout at `now` (UTC ms) and move it as far as it goes."""
    moves, rollout = Moves(), reach.rollout
    may_expire = not rollout.is_over and rollout.state is not State.ROLLING_BACK
    if may_expire and rollout.expires_at is not None and now >= rollout.expires_at:
        _move(reach, moves, Event.EXPIRE, now, "its time is over")
        return moves
    if rollout.state is State.SCHEDULED and now >= (rollout.starts_at or 0):
        _move(reach, moves, Event.START, now)
    match reach.rollout.state:
        case State.RUNNING | State.SOAKING:
            _run(reach, moves, now)
        case State.ROLLING_BACK:
            _return(reach, moves, now)
    return moves


def take_back(reach: Reach, now: int) -> list[Progress]:
    """After a pause, an abort or an end: offers that can still be taken back are, at once."""
    changed = [each for each in reach.devices.values() if each.step in _REVOCABLE]
    for progress in changed:
        progress.move(Step.PENDING, now, detail="taken back")
    return changed


def _run(reach: Reach, moves: Moves, now: int) -> None:
    limits = reach.rollout.limits
    for progress in reach.reached():
        if gate.lost(progress, limits, now):
            silent = f"silent for {limits.deadline_s:g} s after its reboot"
            progress.move(Step.LOST, now, detail=silent)
            moves.changed.append(progress)
    tally = reach.tally()
    verdict = gate.judge(tally, limits)
    if verdict in (Verdict.UNHEALTHY, Verdict.OVER_BUDGET):
        why = f"{tally.failed} of {tally.sample} failed"
        event = Event.UNHEALTHY if verdict is Verdict.UNHEALTHY else Event.OVER_BUDGET
        _move(reach, moves, event, now, why)
        return
    if reach.rollout.state is State.SOAKING:
        # A stage that nobody was drawn for has nothing to be watched.
        if not tally.sample or now - reach.rollout.since >= limits.soak_s * 1000:
            last = reach.rollout.is_last_stage
            _move(reach, moves, Event.FINISHED if last else Event.SOAKED, now)
            _run_on(reach, moves, now)
        return
    left = _offer(reach, moves, limits.max_under_way - tally.under_way, now)
    is_whole = not reach.rollout.is_last_stage or tally.pending == 0
    if verdict is Verdict.SETTLED and not left and not moves.changed and is_whole:
        _move(reach, moves, Event.STAGE_SETTLED, now)


def _run_on(reach: Reach, moves: Moves, now: int) -> None:
    """The next stage is offered at once."""
    if reach.rollout.state is State.RUNNING:
        tally = reach.tally()
        _offer(reach, moves, reach.rollout.limits.max_under_way - tally.under_way, now)


def _offer(reach: Reach, moves: Moves, room: int, now: int) -> bool:
    """Offer the version to those who are there; whether some must wait for room."""
    for progress in reach.reached():
        if progress.step is Step.PENDING and progress.online:
            if room <= 0:
                return True
            room -= 1
            progress.mos_before, progress.reboots_before = progress.mos, progress.reboots
            progress.before = progress.before or progress.version
            runs_it = progress.version == reach.rollout.version
            progress.move(Step.CONFIRMED if runs_it else Step.OFFERED, now)
            moves.changed.append(progress)
    return False


def _return(reach: Reach, moves: Moves, now: int) -> None:
    """Whoever runs the old version again is through; those who never left it have nothing to do."""
    waiting = 0
    for progress in reach.devices.values():
        if progress.step in _TOUCHED:
            if progress.version == progress.before:
                progress.move(Step.ROLLED_BACK, now, detail="fleet rollback")
                moves.changed.append(progress)
            else:
                waiting += 1
    if not waiting:
        _move(reach, moves, Event.RETURNED, now)


def _move(reach: Reach, moves: Moves, event: Event, now: int, why: str = "") -> None:
    reach.rollout = reach.rollout.on(event, now, CONTROLLER, why)
    moves.events.append(event)
    if reach.rollout.state is not State.RUNNING:
        moves.changed += take_back(reach, now) if reach.rollout.state in _ENDS else []
