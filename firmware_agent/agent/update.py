"""An update of the firmware, driven by the table: what each row means in progress kept, reported, and
asked of the driver. Pauses double from 5 s to 5 min, each device with its own jitter."""

import random
from dataclasses import replace
from typing import Protocol

from firmware_agent.agent.commands import (
    Command,
    ConfirmTrial,
    Discard,
    Download,
    FetchMetadata,
    Install,
    Publish,
    Reboot,
    SelfTest,
)
from firmware_agent.agent.kept import Progress
from firmware_agent.agent.table import BEFORE_REBOOT, ENDED, TABLE, Do, UpdateEvent, step
from firmware_agent.messages.desired import FirmwareWanted
from firmware_agent.messages.image import ImageCustom
from firmware_agent.messages.reported import Ota, Problem, UpdateState
from firmware_agent.messages.topics import Kind
from firmware_agent.slots import Boot, Image

TRIAL_LIMIT_S = 300.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
FORGED_LIMIT = 5
"""Metadata that are wrongly signed, replayed or oversize: so often in one attempt, then REJECTED."""
REPORT_STEP = 20
"""Per cent of a download between two reports."""


class Owner(Protocol):
    """What an update needs of the agent."""

    def emit(self, command: Command) -> None:
        """Ask the driver."""

    def keep(self) -> None:
        """Have the state stored before the next command."""


class Update:
    """One update at a time. `running`: what was booted; `trial_s`: how long its trial may take."""

    def __init__(
        self, owner: Owner, kept: Progress, running: Boot, trial_s: float, chance: random.Random
    ) -> None:
        self.progress = kept
        self.running = running
        self.custom: ImageCustom | None = None
        self.retry_at: float | None = None
        self.trial_ends: float | None = None
        self._owner = owner
        self._trial_s = trial_s
        self._chance = chance
        self._pauses = 0
        self._forged = 0

    @property
    def state(self) -> UpdateState:
        """Where it is."""
        return self.progress.state

    @property
    def wanted(self) -> FirmwareWanted:
        """What it is about; there is one in every state that has work under way."""
        assert self.progress.wanted is not None
        return self.progress.wanted

    @property
    def is_under_way(self) -> bool:
        """Whether it is between an offer and an end."""
        return self.state not in ENDED

    # -- events --------------------------------------------------------------------------------

    def on_boot(self, now: float, utc: float) -> None:
        """Which image was booted, said to the table."""
        boot, wanted = self.running, self.progress.wanted
        if boot.is_trial:
            if (self.state, UpdateEvent.BOOTED_TRIAL) in TABLE:
                self.trial_ends = now + self._trial_s
                self._step(UpdateEvent.BOOTED_TRIAL, now, utc)
        elif boot.fell_back:
            self._step(
                UpdateEvent.FELL_BACK, now, utc, _problem("boots", "the trial never came up")
            )
        elif wanted is not None and boot.image.sha256 == wanted.sha256:
            if self.state in ENDED or self.state in (UpdateState.REBOOTING, UpdateState.TRIAL):
                self._step(UpdateEvent.BOOTED_NEW, now, utc)
            else:
                self.consider(wanted, now, utc)
        else:
            self._step(UpdateEvent.BOOTED_OLD, now, utc, self.progress.err)
        if self.state is UpdateState.SUSPENDED:
            self.retry_at = now

    def consider(
        self, wanted: FirmwareWanted | None, now: float, utc: float, again: bool = False
    ) -> None:
        """This is desired. `again`: also what was tried and failed."""
        if self.state not in ENDED and self.state not in BEFORE_REBOOT:
            return  # on trial: asked again when that is over
        if wanted is None or wanted.sha256 == self.running.image.sha256:
            if self.is_under_way:
                self._step(UpdateEvent.WITHDRAWN, now, utc)
            return
        tried = self.progress.wanted
        if tried is not None and _same_image(tried, wanted) and self.state != UpdateState.IDLE:
            if not again or self.is_under_way:
                if tried != wanted:  # another window or rollout for the same image
                    self.progress = replace(self.progress, wanted=wanted)
                    self._owner.keep()
                return
            attempt = self.progress.attempt + 1
        else:
            attempt = 1
        if self.is_under_way:
            self._owner.emit(Discard())
        self.custom, self._pauses, self._forged = None, 0, 0
        seq = self.progress.seq
        self.progress = Progress(self.state, wanted, attempt=attempt, seq=seq)
        self._step(UpdateEvent.OFFER, now, utc)

    def on_metadata(self, custom: ImageCustom, now: float, utc: float) -> None:
        """The signed metadata agrees with what is desired."""
        self.custom = custom
        self._step(UpdateEvent.META_GOOD, now, utc)

    def on_metadata_refused(
        self, problem: Problem, may_pass: bool, is_forged: bool, now: float, utc: float
    ) -> None:
        """The metadata don't allow it. Whoever sits on the path can forge them, so that alone ends an
        update only when it goes on; what isn't reachable or has expired is asked for without end."""
        self._forged += is_forged
        if may_pass and self._forged < FORGED_LIMIT:
            self._step(UpdateEvent.META_LATER, now, utc, problem)
        else:
            self._step(UpdateEvent.META_BAD, now, utc, problem)

    def on_progress(self, pct: int, now: float, utc: float) -> None:
        """So much of the image is here, durably."""
        step_before = self.progress.pct // REPORT_STEP
        if self.state in (UpdateState.META_VERIFIED, UpdateState.DOWNLOADING):
            if self.state is UpdateState.DOWNLOADING and pct // REPORT_STEP == step_before:
                return
            self.progress = replace(self.progress, pct=pct)
            self._step(UpdateEvent.PROGRESS, now, utc)

    def on_wrong_hash(self, now: float, utc: float) -> None:
        """What was fetched is not the image: fetched anew once, then never again."""
        problem = _problem("hash", "what was downloaded is not the image announced")
        if self.progress.fetched_anew:
            self._step(UpdateEvent.WRONG_HASH_AGAIN, now, utc, problem)
        else:
            self.progress = replace(self.progress, fetched_anew=True, pct=0)
            self._step(UpdateEvent.WRONG_HASH, now, utc, problem)

    def on_event(
        self, event: UpdateEvent, now: float, utc: float, problem: Problem | None = None
    ) -> None:
        """Any other event of the table."""
        self._step(event, now, utc, problem)

    def on_tick(self, now: float, utc: float) -> None:
        """Pauses that are over."""
        if self.retry_at is not None and now >= self.retry_at:
            self.retry_at = None
            if self.state in (UpdateState.OFFERED, UpdateState.SUSPENDED):
                self._step(UpdateEvent.RETRY, now, utc)

    # -- inside --------------------------------------------------------------------------------

    def _step(
        self, event: UpdateEvent, now: float, utc: float, problem: Problem | None = None
    ) -> None:
        row = step(self.state, event)
        if row is None:
            return
        before = self.progress
        state, do = row
        if event in (UpdateEvent.META_LATER, UpdateEvent.INTERRUPTED):
            self.retry_at = now + self._pause()
        elif event is UpdateEvent.PROGRESS:
            self._pauses = 0
        seq = before.seq + 1
        self.progress = replace(before, state=state, seq=seq, err=problem)
        self._owner.keep()
        if before.wanted is not None and (state is not before.state or _is_news(before, self)):
            self.report()
        self._do(do, utc)

    def report(self) -> None:
        """Tell where it is."""
        progress, wanted = self.progress, self.progress.wanted
        if wanted is None:
            return
        version = self.running.image.version
        ota = Ota(
            rollout=wanted.rollout,
            target=wanted.target,
            state=progress.state,
            pct=progress.pct,
            attempt=progress.attempt,
            seq=progress.seq,
            version=version,
            err=progress.err,
        )
        self._owner.emit(Publish(Kind.OTA, ota))

    def _do(self, do: Do, utc: float) -> None:
        emit = self._owner.emit
        match do:
            case Do.FETCH_METADATA:
                emit(FetchMetadata(self.wanted, utc))
            case Do.DOWNLOAD | Do.DOWNLOAD_ANEW:
                assert self.custom is not None
                emit(Download(self.wanted, self.custom, anew=self.progress.fetched_anew))
            case Do.INSTALL:
                emit(Install(self._image()))
            case Do.REBOOT_INTO_TRIAL:
                emit(Reboot("update", arm=True))
            case Do.ROLL_BACK:
                emit(Reboot("rollback", leave_trial=True))
            case Do.CONFIRM:
                emit(ConfirmTrial())
                emit(Discard())
            case Do.SELF_TEST:
                emit(SelfTest())
            case Do.DISCARD:
                self.retry_at = None
                emit(Discard())
            case Do.NOTHING:
                pass

    def _image(self) -> Image:
        wanted, custom = self.wanted, self.custom
        assert custom is not None
        return Image(
            wanted.target,
            custom.version,
            custom.model,
            wanted.sha256,
            wanted.len,
            custom.security_version,
        )

    def _pause(self) -> float:
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._pauses, 10))
        self._pauses += 1
        return float(longest * self._chance.uniform(0.5, 1.0))


def _same_image(one: FirmwareWanted, other: FirmwareWanted) -> bool:
    return (one.target, one.sha256, one.len) == (other.target, other.sha256, other.len)


def _is_news(before: Progress, update: Update) -> bool:
    now = update.progress
    return (before.pct, before.err, before.attempt) != (now.pct, now.err, now.attempt)


def _problem(code: str, message: str) -> Problem:
    return Problem(code, "", message)
