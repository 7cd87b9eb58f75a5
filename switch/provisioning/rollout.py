"""A rollout: what an operator asked for, where it stands, and the table by which it moves.

FIRMWARE.md names the states. A rollout is a frozen value: it is replaced by each row that fits and kept
by one record of the journal, so that a controller that is killed goes on from the last one. What a
stage holds is in `stages`, what its devices came to in `gate`, and who decides to move in `advance`.
Deliberately absent: devices, clocks, and what is sent.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class State(StrEnum):
    """Where a rollout stands."""

    DRAFT = "draft"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    SOAKING = "soaking"
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    COMPLETED = "completed"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


class Event(StrEnum):
    """What moves it. The first seven are a person's, the others the controller's."""

    APPROVE = "approve"
    SCHEDULE = "schedule"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    ROLL_BACK = "roll_back"
    STAGE_SETTLED = "stage_settled"  # nobody of the stage is under way any more
    SOAKED = "soaked"  # and stayed healthy for long enough: the next stage
    FINISHED = "finished"  # the same after the last stage
    UNHEALTHY = "unhealthy"  # too many of the sample failed
    OVER_BUDGET = "over_budget"  # too many failed altogether
    RETURNED = "returned"  # everybody who installed is back
    SUPERSEDE = "supersede"  # another rollout of the same model started
    EXPIRE = "expire"


_OPEN: Final = (
    State.DRAFT,
    State.APPROVED,
    State.SCHEDULED,
    State.RUNNING,
    State.SOAKING,
    State.PAUSED,
)
_LIVE: Final = (State.RUNNING, State.SOAKING)

TABLE: Final[Mapping[tuple[State, Event], State]] = {
    (State.DRAFT, Event.APPROVE): State.APPROVED,
    (State.APPROVED, Event.SCHEDULE): State.SCHEDULED,
    (State.APPROVED, Event.START): State.RUNNING,
    (State.SCHEDULED, Event.START): State.RUNNING,
    (State.RUNNING, Event.STAGE_SETTLED): State.SOAKING,
    (State.SOAKING, Event.SOAKED): State.RUNNING,
    (State.SOAKING, Event.FINISHED): State.COMPLETED,
    **{(state, Event.PAUSE): State.PAUSED for state in _LIVE},
    **{(state, Event.UNHEALTHY): State.PAUSED for state in _LIVE},
    **{(state, Event.OVER_BUDGET): State.PAUSED for state in _LIVE},
    (State.PAUSED, Event.RESUME): State.RUNNING,
    **{(state, Event.ABORT): State.ABORTED for state in _OPEN},
    # A completed rollout can still be taken back; a draft has nothing to take back.
    **{
        (state, Event.ROLL_BACK): State.ROLLING_BACK
        for state in (*_LIVE, State.PAUSED, State.ABORTED, State.COMPLETED)
    },
    (State.ROLLING_BACK, Event.RETURNED): State.ROLLED_BACK,
    **{(state, Event.SUPERSEDE): State.SUPERSEDED for state in _OPEN},
    **{(state, Event.EXPIRE): State.EXPIRED for state in _OPEN},
}

WHY_PAUSED: Final[Mapping[Event, str]] = {
    Event.PAUSE: "manual",
    Event.UNHEALTHY: "health",
    Event.OVER_BUDGET: "budget",
}


class NotAllowedError(ValueError):
    """An event that the table doesn't know in this state; the rollout stays as it is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rollout is held to. Durations in seconds; rates are parts of 1.

    `stages` are percentages of the fleet. The gate opens when nobody of the stage is under way, at
    least `min_sample` (or the whole stage, if smaller) came to an end, and no more than
    `max_failure_rate` of these failed. `failure_budget` counts failures of all stages. `deadline_s` is
    how long a device may be silent after its reboot. `max_mos_drop` and `max_more_reboots` are against
    the device's own baseline.
    """

    stages: tuple[float, ...] = (1.0, 5.0, 25.0, 100.0)
    soak_s: float = 3600.0
    min_sample: int = 20
    max_failure_rate: float = 0.01
    failure_budget: int = 100
    max_under_way: int = 1000
    deadline_s: float = 900.0
    max_mos_drop: float = 0.4
    max_more_reboots: int = 2

    def __post_init__(self) -> None:
        stages = self.stages
        if (
            not stages
            or list(stages) != sorted(set(stages))
            or not 0 < stages[0] <= stages[-1] <= 100
        ):
            raise ValueError("stages are percentages that grow, from over 0 up to 100")
        if not 0 <= self.max_failure_rate < 1 or self.min_sample < 1 or self.max_under_way < 1:
            raise ValueError("a gate needs a sample of 1 or more, and a failure rate under 1")


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout of firmware `version` for a hardware model. Instants are UTC milliseconds.

    `window` is (first, last) local time of day in which devices may reboot, "HH:MM" each, None = any
    time. `canaries` are device ids of the first stage. `stage` counts from 0; `since` is when the state
    began, `why` what led to it.
    """

    id: str
    model: str
    version: str
    limits: Limits
    created_at: int
    canaries: tuple[str, ...] = ()
    window: tuple[str, str] | None = None
    starts_at: int | None = None
    expires_at: int | None = None
    state: State = State.DRAFT
    stage: int = 0
    since: int = 0
    why: str = ""
    by: str = ""

    def __post_init__(self) -> None:
        # Both travel to devices, which refuse a whole document for what they can't read in it.
        if not _NAME.fullmatch(self.id):
            raise ValueError("a rollout's name has up to 48 letters, digits, '.', '_' and '-'")
        if self.window is not None and not all(map(_TIME.fullmatch, self.window)):
            raise ValueError('a window is written "02:00-05:00"')

    @property
    def is_over(self) -> bool:
        """Whether nothing moves it any more but a rollback."""
        over = (State.ROLLED_BACK, State.COMPLETED, State.ABORTED, State.SUPERSEDED, State.EXPIRED)
        return self.state in over

    @property
    def is_last_stage(self) -> bool:
        """Whether no stage follows."""
        return self.stage + 1 >= len(self.limits.stages)

    def on(self, event: Event, at: int, by: str, why: str = "") -> "Rollout":
        """The rollout after an event. NotAllowedError when the table has no row for it."""
        to = TABLE.get((self.state, event))
        if to is None or (event is Event.SOAKED and self.is_last_stage):
            raise NotAllowedError(f"{event} doesn't apply to a rollout that is {self.state}")
        stage = self.stage + 1 if event is Event.SOAKED else self.stage
        if event in WHY_PAUSED:
            why = f"{WHY_PAUSED[event]}: {why}" if why else WHY_PAUSED[event]
        return replace(self, state=to, stage=stage, since=max(at, self.since), why=why, by=by)

    def record(self) -> dict[str, Any]:
        """The rollout as the journal and the database keep it."""
        return {"k": KIND, **asdict(self), "state": self.state.value, "changed_at": self.since}


KIND: Final = "rollout"


def read(record: Mapping[str, Any]) -> Rollout:
    """The rollout of a record. KeyError, TypeError, ValueError for one that nobody can read."""
    limits = dict(record["limits"])
    limits["stages"] = tuple(limits["stages"])
    window = record.get("window")
    return Rollout(
        id=str(record["id"]),
        model=str(record["model"]),
        version=str(record["version"]),
        limits=Limits(**limits),
        created_at=int(record["created_at"]),
        canaries=tuple(record["canaries"]),
        window=None if window is None else (str(window[0]), str(window[1])),
        starts_at=record.get("starts_at"),
        expires_at=record.get("expires_at"),
        state=State(record["state"]),
        stage=int(record["stage"]),
        since=int(record["since"]),
        why=str(record["why"]),
        by=str(record["by"]),
    )
