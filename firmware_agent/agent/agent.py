"""The agent: what a device decides, except for what it is told (`inbox`).

Events in with a `Moment`, commands out by `out.take()`; `conclude` when no more happens at that moment. After
each event the device settles: a tried document that works is good, a trial that works is confirmed, what has
run out of time is reverted, a reboot that disturbs nobody is done. What changed is reported, always whole.
Deliberately absent: I/O, clocks, chance that can't be repeated.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent.agent.commands import Command, Configure, Forget, Publish, Reboot, Wipe
from firmware_agent.agent.config import Applicable, Configuration, RefusedError, applicable, read
from firmware_agent.agent.kept import Kept, desired_file
from firmware_agent.agent.lines import Lines
from firmware_agent.agent.outbox import Outbox
from firmware_agent.agent.quiet import AFTER_EMERGENCY_S, Quiet, is_open
from firmware_agent.agent.renewal import Renewal
from firmware_agent.agent.reports import Parts, Reports, Start
from firmware_agent.agent.signals import Place
from firmware_agent.agent.table import UpdateEvent
from firmware_agent.agent.update import Update
from firmware_agent.certificate import Certificate
from firmware_agent.messages.codec import MessageError
from firmware_agent.messages.envelope import Keys
from firmware_agent.messages.image import ImageCustom
from firmware_agent.messages.reported import Event, Problem, Status, TufState, UpdateState
from firmware_agent.messages.topics import Kind
from firmware_agent.trusted_time import Moment, TrustedTime

CRASH = "crash"
"""The boot reason after a fault of the program itself."""
BEACON_PATIENCE_S = 30.0
REBOOT_POLL_S = 30.0
"""How often a reboot that waits is looked at, for its window."""
_LOOK_S = 3600.0
"""Nothing is due: a tick at times costs nothing."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this device is, from its factory and its claim."""

    device: str
    model: str
    keys: Keys
    seal_key: X25519PrivateKey = field(repr=False)
    certificate_sha256: str | None = None
    has_tls: bool = False
    key: Ed25519PrivateKey | None = field(default=None, repr=False)
    certificate: Certificate | None = None


class Agent:
    """One device. `documents`: the desired envelopes that `kept` refers to, by hash."""

    def __init__(
        self,
        identity: Identity,
        kept: Kept,
        start: Start,
        documents: Mapping[str, bytes],
        at: Moment,
        chance: random.Random,
    ) -> None:
        self.identity = identity
        self.start = start
        self.kept = replace(kept, boots=kept.boots + 1)
        self._stored: Kept | None = None
        self.out = Outbox(start.boot_id)
        self.time = TrustedTime(start.build, kept.time_floor, at)
        left = kept.emergency_until - self.time.utc(at)
        self.quiet = Quiet(at.now + min(max(0.0, left), AFTER_EMERGENCY_S))
        good, trying = (
            self._restored(each, documents) for each in (kept.config.good, kept.config.trying)
        )
        self.config = Configuration(kept.config, good, trying)
        self.update = Update(self, kept.update, start.boot, start.trial_s, chance)
        self.lines = Lines(kept.generations)
        self.renewal = Renewal(identity.device, identity.key, identity.certificate)
        self.reports = Reports(
            Parts(start, self.out, self.time, self.config, self.update, self.lines, self.quiet),
            identity.certificate_sha256,
            Place(kept.network, kept.public_ip),
            at,
        )
        self.floor = start.floor
        self.nonce: str | None = None
        self.beacon_by: float | None = None
        self.reboot_wanted: str | None = None
        self.is_wipe_wanted = False
        self._chance = chance
        self._connects = 0
        self._audio: bool | None = None
        self._settled_at = at.now

    def _restored(self, sha256: str | None, documents: Mapping[str, bytes]) -> Applicable | None:
        """A document that was applicable before; None when its file is damaged."""
        raw = documents.get(sha256) if sha256 else None
        if raw is None:
            return None
        try:
            opened = read(raw, self.identity.device, self.identity.keys)
            return applicable(opened, self.identity.seal_key, self.identity.has_tls)
        except (MessageError, RefusedError):
            return None

    # -- life ----------------------------------------------------------------------------------

    def on_start(self, at: Moment) -> None:
        """The device is up."""
        boot, utc = self.start.boot, self.time.utc(at)
        self.keep()
        self.tell(Event.BOOT, at, reason=self.start.reason, slot=boot.slot.value)
        if self.start.reason == CRASH:
            self.tell(Event.CRASH, at, version=boot.image.version)
        if boot.lost:
            self.tell(Event.TAMPER, at, what="the good slot was unreadable")
        self.config.resume(at.now)
        self.configure()
        self.update.on_boot(at.now, utc)
        self.consider(at)
        self.settle(at)

    def next_sid(self) -> int:
        """A number for the next connection, higher than any before."""
        self._connects += 1
        return self.sid

    @property
    def sid(self) -> int:
        """The number of this connection."""
        return (self.kept.boots << 20) + self._connects

    def on_connected(self, at: Moment) -> None:
        """MQTT is connected and every subscription granted."""
        self.out.is_connected = True
        self.beacon_by = at.now + BEACON_PATIENCE_S
        self.nonce = None
        status = Status(True, self.sid, int(self.time.utc(at)))
        self.out.emit(Publish(Kind.STATUS, status))
        self.reports.hold(at)
        self.update.report()
        self.out.flush()
        self.reports.want_telemetry(at)
        self.settle(at)

    def on_disconnected(self, at: Moment) -> None:
        """MQTT is lost."""
        self.out.is_connected = False
        self.beacon_by = None
        self.settle(at)

    def on_tick(self, at: Moment) -> None:
        """Time has passed."""
        if self.beacon_by is not None and at.now >= self.beacon_by:
            self.beacon_by = None
            self.ask_time(at)
        self.update.on_tick(at.now, self.time.utc(at))
        self.settle(at)

    def next_at(self) -> float:
        """When to call `on_tick` at the latest (monotonic seconds)."""
        update = self.update
        waits = self.reboot_wanted is not None or update.state is UpdateState.WAIT_WINDOW
        times = (
            self.reports.telemetry_at,
            self.reports.held_until,
            self.config.deadline,
            update.retry_at,
            self._overdue_at(update.trial_ends),
            self.beacon_by,
            self._settled_at + REBOOT_POLL_S if waits else None,
        )
        return min((each for each in times if each is not None), default=self._settled_at + _LOOK_S)

    def _overdue_at(self, ends: float | None) -> float | None:
        """A trial whose time is up in a call is looked at again."""
        return None if ends is None else max(ends, self._settled_at + 1.0)

    # -- what the phone says -------------------------------------------------------------------

    def on_line(self, line: str, is_registered: bool, at: Moment) -> None:
        """A line was registered, or lost its registration."""
        if self.lines.on_line(line, is_registered):
            generation = self.lines.fresh_generation(line)
            if generation is not None:
                self.keep()
                self.tell(Event.SECRET_GENERATION, at, line=line, generation=generation)
            self.reports.want_telemetry(at)
        self.settle(at)

    def on_calls(self, calls: int, is_emergency: bool, at: Moment) -> None:
        """So many calls; `is_emergency` when one is an emergency call."""
        concerns = self.quiet.is_emergency or is_emergency
        self.quiet.on_calls(calls, is_emergency, at.now)
        if concerns:
            until = int(self.time.utc(at)) + AFTER_EMERGENCY_S
            self.kept = replace(self.kept, emergency_until=until)
            self.keep()
        self.settle(at)

    def on_sound(self, mos: float, jitter_ms: float) -> None:
        """A call ended that sounded so; the next telemetry tells."""
        self.reports.sound = (mos, jitter_ms)

    def on_self_test(self, is_passed: bool, at: Moment) -> None:
        """The audio path was tested."""
        self._audio = is_passed
        if not is_passed and self.update.trial_ends is not None:
            self.update.trial_ends = at.now
        self.settle(at)

    def on_place(self, seen: Place, at: Moment) -> None:
        """The network was looked at."""
        before = self.reports.place
        after = self.reports.place = before.seen(seen)
        moves, changed = before.moves(after), after != before
        if changed:
            self.keep()
        for move in moves:
            self.tell(Event.MOVED, at, what=move.what, before=move.before, after=move.after)
        if changed:
            self.reports.want_telemetry(at)
        self.settle(at)

    # -- what the work on an update says ----------------------------------------------------------

    def on_metadata(self, custom: ImageCustom, tuf: TufState, at: Moment) -> None:
        """The signed metadata agrees with what is desired."""
        self.reports.tuf = tuf
        self.update.on_metadata(custom, at.now, self.time.utc(at))
        self.settle(at)

    def on_metadata_refused(self, problem: Problem, may_pass: bool, at: Moment) -> None:
        """They are not to be had, or don't allow it."""
        is_forged = problem.code in ("metadata", "replayed", "oversize")
        if self.update.is_under_way and is_forged:
            self.tell(Event.FORGED, at, what="metadata", why=problem.code)
        utc = self.time.utc(at)
        self.update.on_metadata_refused(problem, may_pass, is_forged, at.now, utc)
        self.settle(at)

    def on_progress(self, pct: int, at: Moment) -> None:
        """So much of the image is here."""
        self.update.on_progress(pct, at.now, self.time.utc(at))
        self.settle(at)

    def on_update(self, event: UpdateEvent, at: Moment, problem: Problem | None = None) -> None:
        """Work on the update ended, well or not."""
        update, utc = self.update, self.time.utc(at)
        if update.is_under_way and event is UpdateEvent.DOWNGRADE:
            self.tell(Event.DOWNGRADE, at, target=update.wanted.target, floor=self.floor)
        if update.is_under_way and event is UpdateEvent.WRONG_HASH:
            self.tell(Event.FORGED, at, what="image", why="hash")
        if event is UpdateEvent.WRONG_HASH:
            update.on_wrong_hash(at.now, utc)
        else:
            update.on_event(event, at.now, utc, problem)
        self.settle(at)

    # -- for `update` and `inbox` ----------------------------------------------------------------

    def emit(self, command: Command) -> None:
        """Ask the driver."""
        self.out.emit(command)

    def tell(self, kind: Event, at: Moment, **detail: str | int) -> None:
        """An event, now or at the next connection."""
        self.out.tell(kind, self.time.utc(at), **detail)

    def keep(self) -> None:
        """Have the state stored before the next command, if it changed (flash wears), then drop
        documents that it no longer refers to."""
        before = set(self.kept.documents())
        self.kept = replace(
            self.kept,
            time_floor=max(self.kept.time_floor, self.time.floor),
            config=self.config.kept,
            update=self.update.progress,
            network=self.reports.place.network,
            public_ip=self.reports.place.public_ip,
            generations=dict(self.lines.told),
        )
        if self.kept == self._stored:
            return
        self._stored = self.kept
        self.out.store(self.kept)
        for sha256 in before - set(self.kept.documents()):
            self.out.emit(Forget(desired_file(sha256)))

    def configure(self) -> None:
        """The phone gets the lines of the document in effect."""
        active = self.config.active
        self.lines.configure(active)
        self.out.emit(Configure(active.lines if active else ()))

    def consider(self, at: Moment, again: bool = False) -> None:
        """The firmware of the good document is what is wanted."""
        if self.config.good is not None and self.config.trying is None:
            wanted = self.config.good.document.firmware
            self.update.consider(wanted, at.now, self.time.utc(at), again)

    def ask_time(self, at: Moment) -> None:
        """Have the time signed for a nonce of ours."""
        if self.nonce is None and self.out.is_connected:
            self.nonce = f"{self._chance.getrandbits(128):032x}"
            self.tell(Event.TIME_WANTED, at, nonce=self.nonce)

    def leave(self) -> None:
        """A reboot or a wipe is under way: nothing is concluded any more."""
        self.reports.is_leaving = True

    # -- settling ------------------------------------------------------------------------------

    def settle(self, at: Moment) -> None:
        """Draw the conclusions of an event."""
        self._settled_at = at.now
        if not self.reports.is_leaving:
            self._settle_config(at)
            self._settle_trial(at)
            self._settle_reboot(at)

    def conclude(self, at: Moment) -> None:
        """All that happened at once was told: report what came of it, once, and ask for what is due."""
        may_ask = self.renewal.own is not None and self.out.is_connected
        if may_ask and (csr := self.renewal.ask(at.now, self.time.utc(at))):
            self.tell(Event.CERTIFICATE_WANTED, at, csr=csr)
        self.reports.report(at)

    def _settle_config(self, at: Moment) -> None:
        config = self.config
        if config.trying is None:
            return
        if self.out.is_connected and self.lines.are_registered:
            config.succeed()
            self.keep()
            self.consider(at)
        elif config.deadline is not None and at.now >= config.deadline:
            lacking = "SIP" if self.out.is_connected else "MQTT"
            rev = config.revert(lacking)
            self.keep()
            self.tell(Event.REVERTED, at, rev=rev, to=config.applied_rev, lacking=lacking)
            self.configure()

    def _settle_trial(self, at: Moment) -> None:
        update, utc = self.update, self.time.utc(at)
        if update.state is not UpdateState.TRIAL:
            return
        lacking = self._lacking()
        if not lacking:
            update.trial_ends = None
            update.on_event(UpdateEvent.HEALTHY, at.now, utc)
            self.consider(at)
        elif (
            update.trial_ends is not None
            and at.now >= update.trial_ends
            and self.quiet.may_reboot(at.now)
        ):
            update.trial_ends = None
            problem = Problem("trial", "", "not regained: " + ", ".join(lacking))
            update.on_event(UpdateEvent.TRIAL_OVER, at.now, utc, problem)

    def _lacking(self) -> list[str]:
        """What a trial still lacks."""
        parts = {
            "MQTT": self.out.is_connected,
            "SIP": self.lines.are_registered,
            "audio": self._audio is True,
        }
        return [name for name, is_there in parts.items() if not is_there]

    def _settle_reboot(self, at: Moment) -> None:
        if self.is_wipe_wanted and not self.quiet.is_emergency:
            self.tell(Event.WIPED, at)
            self.leave()
            self.out.emit(Wipe())
            return
        if not self.quiet.may_reboot(at.now):
            return
        update, utc = self.update, self.time.utc(at)
        if update.state is UpdateState.WAIT_WINDOW:
            if is_open(update.wanted.window, utc):
                update.on_event(UpdateEvent.MAY_REBOOT, at.now, utc)
        elif self.reboot_wanted is not None and update.state is not UpdateState.TRIAL:
            self.leave()
            self.out.emit(Reboot(self.reboot_wanted))
