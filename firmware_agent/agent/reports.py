"""What the agent tells of itself: `reported`, always the whole, when anything in it changed; telemetry once
a minute, and at once when a line, a call or the place changed."""

import zlib
from dataclasses import dataclass, replace

from firmware_agent.agent.commands import Publish
from firmware_agent.agent.config import Configuration
from firmware_agent.agent.lines import Lines
from firmware_agent.agent.outbox import Outbox
from firmware_agent.agent.quiet import Quiet
from firmware_agent.agent.signals import Place
from firmware_agent.agent.update import TRIAL_LIMIT_S, Update
from firmware_agent.messages.reported import (
    Attest,
    ClockState,
    Reported,
    RunningFirmware,
    Tlm,
    TufState,
    UpdateState,
)
from firmware_agent.messages.topics import Kind
from firmware_agent.slots import Boot
from firmware_agent.trusted_time import Moment, TrustedTime

TELEMETRY_S = 60.0
DESIRED_PATIENCE_S = 0.3
"""The retained document comes right after a connection; the report waits for it, so that it is one."""


@dataclass(frozen=True, slots=True)
class Start:
    """How this run began. `build`: build time of the firmware, UTC seconds; `floor`: of the slots;
    `trial_s`: how long a trial may take."""

    boot: Boot
    boot_id: str
    reason: str
    build: int
    floor: int = 0
    trial_s: float = TRIAL_LIMIT_S


@dataclass(frozen=True, slots=True)
class Parts:
    """What is reported of."""

    start: Start
    out: Outbox
    time: TrustedTime
    config: Configuration
    update: Update
    lines: Lines
    quiet: Quiet


class Reports:
    """The last report, and when telemetry is due."""

    def __init__(
        self, parts: Parts, certificate_sha256: str | None, place: Place, at: Moment
    ) -> None:
        self.place = place
        self.tuf = TufState(0, 0)
        self.sound: tuple[float, float] | None = None
        """MOS and jitter (ms) of a call since the last telemetry."""
        self.is_leaving = False
        self.held_until: float | None = None
        self._parts = parts
        self.certificate_sha256 = certificate_sha256
        self._last: Reported | None = None
        self._booted_at = at.now
        # Devices that boot together don't speak together.
        self._period = TELEMETRY_S * (0.9 + zlib.crc32(parts.start.boot_id.encode()) % 200 / 1000)
        self._telemetry_at = at.now + self._period

    @property
    def telemetry_at(self) -> float | None:
        """When the next sample is due; None while it can't be sent, or waits for the document."""
        can_be_sent = self._parts.out.is_connected and self.held_until is None
        return self._telemetry_at if can_be_sent else None

    @property
    def is_emergency_ready(self) -> bool:
        """Whether 112 would work now, with a location."""
        is_rebooting = self._parts.update.state in (UpdateState.REBOOTING, UpdateState.ROLLING_BACK)
        return self._parts.lines.has_one and not self.is_leaving and not is_rebooting

    def repeat(self) -> None:
        """Report next time although nothing changed."""
        self._last = None

    def hold(self, at: Moment) -> None:
        """A connection began: wait a little for the document that is retained."""
        self._last = None
        self.held_until = at.now + DESIRED_PATIENCE_S

    def release(self) -> None:
        """The document is here."""
        self.held_until = None

    def report(self, at: Moment) -> None:
        """Report if anything changed; telemetry if it is time."""
        out = self._parts.out
        if self.held_until is not None and at.now >= self.held_until:
            self.held_until = None
        if not out.is_connected or self.held_until is not None:
            return
        last = self._last
        fresh = self._whole(at, last)
        if fresh != last:
            self._last = replace(fresh, seq=out.next_seq())
            out.emit(Publish(Kind.REPORTED, self._last))
        if at.now >= self._telemetry_at:
            self._sample(at)

    def want_telemetry(self, at: Moment) -> None:
        """A sample is due now. Several reasons for one at once, as at the start, are one sample."""
        self._telemetry_at = at.now

    def _sample(self, at: Moment) -> None:
        self._telemetry_at = at.now + self._period
        mos, jitter_ms = self.sound or (None, None)
        self.sound = None
        parts, place = self._parts, self.place
        sample = Tlm(
            at=int(parts.time.utc(at)),
            uptime_s=int(at.now - self._booted_at),
            boot_reason=parts.start.reason,
            registered=parts.lines.has_one,
            calls=parts.quiet.calls,
            emergency_ready=self.is_emergency_ready,
            public_ip=place.public_ip,
            network=place.network,
            country=place.country,
            mos=mos,
            jitter_ms=jitter_ms,
        )
        parts.out.emit(Publish(Kind.TLM, sample))

    def _whole(self, at: Moment, last: Reported | None) -> Reported:
        """The whole state, with the `seq` and `skew_s` of the last report, which are no news."""
        start, config, update, time = (
            self._parts.start,
            self._parts.config,
            self._parts.update,
            self._parts.time,
        )
        image, active = start.boot.image, config.active
        skew_s = last.clock.skew_s if last else round(at.system - time.utc(at))
        return Reported(
            seen_rev=config.kept.seen_rev,
            applied_rev=config.applied_rev,
            state=config.kept.state,
            boot_id=start.boot_id,
            seq=last.seq if last else 0,
            fw=RunningFirmware(
                start.boot.slot.value,
                image.version,
                image.security_version,
                image.sha256,
                update.state,
                update.progress.attempt,
            ),
            lines=tuple(self._parts.lines.states()),
            tuf=self.tuf,
            clock=ClockState(time.source(at), skew_s),
            attest=Attest(active.sha256 if active else None, self.certificate_sha256),
            emergency_ready=self.is_emergency_ready,
            err=config.kept.err,
        )
