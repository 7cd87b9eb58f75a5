"""All rollouts, over the devices: who is offered what, and what came of it.

It keeps the records of `rollout` and `gate`, hands `reach` what devices say, and has documents published
when an offer changes. Deliberately absent: any waiting. `look` is called now and then, and may be called
after any crash.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from firmware_agent.messages.desired import FirmwareWanted
from firmware_agent.messages.reported import Ota, RunningFirmware, UpdateState
from switch.clock import boottime
from switch.provisioning import documents, gate, reach, rollout
from switch.provisioning.devices import Twin
from switch.provisioning.fleet import Fleet
from switch.provisioning.gate import Progress, Step
from switch.provisioning.reach import Reach
from switch.provisioning.repository import Image
from switch.provisioning.rollout import Event, NotAllowedError, Rollout, State

KINDS: Final = (rollout.KIND, gate.KIND)
Record = Mapping[str, Any]

STEP_OF: Final[Mapping[UpdateState, Step]] = {
    UpdateState.OFFERED: Step.OFFERED,
    UpdateState.META_VERIFIED: Step.OFFERED,
    UpdateState.DOWNLOADING: Step.DOWNLOADING,
    UpdateState.SUSPENDED: Step.DOWNLOADING,
    UpdateState.VERIFIED: Step.DOWNLOADING,
    UpdateState.INSTALLING: Step.DOWNLOADING,
    UpdateState.WAIT_WINDOW: Step.INSTALLED,
    UpdateState.REBOOTING: Step.REBOOTING,
    UpdateState.TRIAL: Step.TRIAL,
    UpdateState.CONFIRMED: Step.CONFIRMED,
    UpdateState.REJECTED: Step.REJECTED,
    UpdateState.FAILED: Step.FAILED,
    UpdateState.ROLLING_BACK: Step.REBOOTING,
    UpdateState.ROLLED_BACK: Step.ROLLED_BACK,
}
# A report tells a state without its rollout: only an end is worth believing.
_ENDS: Final = frozenset(
    {UpdateState.CONFIRMED, UpdateState.REJECTED, UpdateState.FAILED, UpdateState.ROLLED_BACK}
)


_ON_TRIAL: Final = frozenset({UpdateState.REBOOTING, UpdateState.TRIAL, UpdateState.ROLLING_BACK})


@dataclass(slots=True)
class Rollouts:
    """The rollouts of a fleet, oldest first. `images` gives what is signed, `floor` the lowest security
    version that a model may run."""

    fleet: Fleet
    write: Callable[[Record], None]
    images: Callable[[], Mapping[tuple[str, str], Image]]
    floor: Callable[[str], int] = lambda model: 0
    reaches: dict[str, Reach] = field(default_factory=dict)
    _dirty: set[str] = field(default_factory=set)
    _looked: dict[str, float] = field(default_factory=dict)

    # -- what a device shall run ---------------------------------------------------------------

    def firmware_for(self, twin: Twin) -> FirmwareWanted | None:
        """The newest rollout that wants something of a device decides; None: it keeps what it runs."""
        device, model = twin.device.id, twin.device.model
        for each in reversed(self.reaches.values()):
            version = each.wanted(device)
            if version is None:
                continue
            image = self.images().get((model, version))
            if image is None or image.security_version < self.floor(model):
                return None
            name = each.rollout.id
            if version != each.rollout.version:
                name = f"{name}-back"
            return self._wanted(twin, image, name, each.rollout.window)
        return None

    def _wanted(
        self, twin: Twin, image: Image, name: str, window: tuple[str, str] | None
    ) -> FirmwareWanted:
        line = self.fleet.line_of(twin)
        facts = self.fleet.exchange.facts
        zone = facts.accounts[line.account].time_zone if line is not None else "UTC"
        text = f"{window[0]}-{window[1]}" if window is not None else twin.definition.window
        return FirmwareWanted(
            target=image.target,
            version=image.version,
            sha256=image.sha256,
            len=image.length,
            security_version=image.security_version,
            rollout=name,
            window=documents.window_of(text, zone),
        )

    # -- what people ask -----------------------------------------------------------------------

    def plan(self, asked: Rollout) -> Rollout:
        """Keep a draft. NotAllowedError when its image isn't signed, or its id is taken."""
        if (asked.model, asked.version) not in self.images():
            raise NotAllowedError(f"no signed image of {asked.model} {asked.version}")
        if asked.id in self.reaches:
            raise NotAllowedError(f"there is a rollout {asked.id} already")
        self.reaches[asked.id] = self._reach(asked, ())
        self.write(asked.record())
        return asked

    def move(self, name: str, event: Event, by: str, why: str = "") -> Rollout:
        """A person moves a rollout. KeyError for an unknown one, NotAllowedError."""
        found, at = self.reaches[name], self.fleet.now_ms()
        found.rollout = found.rollout.on(event, at, by, why)
        if event is Event.START:
            self._supersede(found.rollout, at)
        state = found.rollout.state
        changed = [] if state in (State.RUNNING, State.APPROVED) else reach.take_back(found, at)
        self._tell(found, changed)
        self.look_at(found)
        return found.rollout

    def _supersede(self, newer: Rollout, at: int) -> None:
        """One rollout a model: a newer one that starts ends those before it."""
        for each in self.reaches.values():
            before = each.rollout
            is_rival = before.model == newer.model and before.id != newer.id
            if is_rival and before.state in (State.RUNNING, State.SOAKING, State.PAUSED):
                each.rollout = before.on(Event.SUPERSEDE, at, reach.CONTROLLER, f"by {newer.id}")
                self._tell(each, reach.take_back(each, at))

    # -- what devices say ----------------------------------------------------------------------

    def on_ota(self, twin: Twin, ota: Ota) -> None:
        """Progress of an update."""
        name = ota.rollout.removesuffix("-back")
        found = self.reaches.get(name)
        detail = f"{ota.pct} %" if ota.state is UpdateState.DOWNLOADING else ""
        if ota.err is not None:
            detail = f"{ota.err.code} {ota.err.msg}".strip()
        self._story(twin, ota, detail)
        if found is None or name != ota.rollout:
            return
        progress = found.devices.get(twin.device.id)
        if progress is None or progress.step is Step.PENDING:
            return  # taken back meanwhile
        self._describe(progress, twin)
        progress.version = ota.version
        step = STEP_OF.get(ota.state, progress.step)
        self._step(found, progress, step, ota.version, detail if step in gate.FAILURES else "")

    def on_reported(self, twin: Twin) -> None:
        """A full report, or a connection that came or went."""
        for found in self.reaches.values():
            progress = found.devices.get(twin.device.id)
            if progress is None:
                if twin.device.model == found.rollout.model and not found.rollout.is_over:
                    progress = Progress(twin.device.id)
                    found.join(progress)
                else:
                    continue
            self._describe(progress, twin)
            self._dirty.add(found.rollout.id)
            if twin.reported is not None and progress.step in gate.UNDER_WAY:
                self._catch_up(found, progress, twin.reported.fw)

    def _catch_up(self, found: Reach, progress: Progress, runs: RunningFirmware) -> None:
        """What a report tells of an update whose own messages didn't come: it ended meanwhile, or the
        device ran the image already."""
        if runs.version == found.rollout.version and runs.state not in _ON_TRIAL:
            self._step(found, progress, Step.CONFIRMED, runs.version, "")
        elif runs.state in _ENDS and progress.step is not Step.OFFERED:
            self._step(found, progress, STEP_OF[runs.state], runs.version, "")

    def _step(
        self, found: Reach, progress: Progress, step: Step, version: str, detail: str
    ) -> None:
        """Take a step, unless it claims success for another version than the wanted one."""
        if step is Step.CONFIRMED and version != found.rollout.version:
            return
        if progress.move(step, self.fleet.now_ms(), version, detail):
            self.write(progress.record(found.rollout.id))
            self._dirty.add(found.rollout.id)

    def _story(self, twin: Twin, ota: Ota, detail: str) -> None:
        last = next((each for each in reversed(twin.happenings) if each.kind == "update"), None)
        told = (ota.state.value, ota.version)
        if last is None or (last.state, last.version) != told:
            at = self.fleet.now_ms()
            self.fleet.devices.happened(
                twin, "update", at, state=told[0], version=told[1], detail=detail
            )

    def _describe(self, progress: Progress, twin: Twin) -> None:
        """What the gate is told of a device."""
        line = self.fleet.line_of(twin)
        progress.online, progress.mos, progress.reboots = twin.online, twin.mos, twin.reboots
        progress.version = twin.version or progress.version
        lines = twin.reported.lines if twin.reported is not None else ()
        # Who is away as a whole says nothing of the new image's SIP: a cable, a night, our own restart.
        is_judged = twin.online and line is not None
        progress.registered = not is_judged or all(each.registered for each in lines)

    # -- the controller ------------------------------------------------------------------------

    def look(self, *, every_s: float = 1.0) -> None:
        """Move every rollout as far as it goes; those that nothing happened to are left for a while."""
        now = boottime()
        for found in list(self.reaches.values()):
            name = found.rollout.id
            pause_s = every_s if name in self._dirty else every_s * 5
            if not self._is_done(found) and now - self._looked.get(name, 0.0) >= pause_s:
                self.look_at(found)

    def look_at(self, found: Reach) -> None:
        """Move one rollout."""
        name = found.rollout.id
        self._dirty.discard(name)
        self._looked[name] = boottime()
        moves = reach.advance(found, self.fleet.now_ms())
        if moves.changed or moves.events:
            self._tell(found, moves.changed, is_moved=bool(moves.events))
            self._dirty.add(name)

    def _is_done(self, found: Reach) -> bool:
        return found.rollout.is_over or found.rollout.state in (State.DRAFT, State.APPROVED)

    def _tell(self, found: Reach, changed: Iterable[Progress], *, is_moved: bool = True) -> None:
        """Keep what changed, and have the documents follow."""
        state = found.rollout
        if is_moved:
            self.write(state.record())
            self.fleet.note(
                "firmware.rollout",
                rollout=state.id,
                state=state.state.value,
                stage=state.stage,
                why=state.why,
            )
        concerned = {progress.device for progress in changed}
        for progress in changed:
            self.write(progress.record(state.id))
        if is_moved and state.state in (State.ROLLING_BACK, State.ABORTED, State.SUPERSEDED):
            concerned |= found.devices.keys()
        self.fleet.have_published(concerned & self.fleet.devices.by_id.keys())

    # -- the journal ---------------------------------------------------------------------------

    def records(self) -> Iterator[Record]:
        """Restate everything."""
        for found in self.reaches.values():
            yield found.rollout.record()
            for progress in found.devices.values():
                if progress.at:
                    yield progress.record(found.rollout.id)

    def restore(self, records: Iterable[Record]) -> None:
        """Take records back, in any order; the later of two about the same thing counts."""
        rollouts: dict[str, Rollout] = {}
        steps: dict[str, dict[str, Progress]] = defaultdict(dict)
        for record in records:
            try:
                if record.get("k") == rollout.KIND:
                    read = rollout.read(record)
                    known = rollouts.get(read.id)
                    if known is None or known.since <= read.since:
                        rollouts[read.id] = read
                elif record.get("k") == gate.KIND:
                    progress = gate.read(record)
                    of = steps[str(record["rollout"])]
                    before = of.get(progress.device)
                    if before is None or before.at <= progress.at:
                        of[progress.device] = progress
            except (KeyError, TypeError, ValueError) as error:
                self.fleet.note("firmware.unreadable", reason=repr(error))
        for each in sorted(rollouts.values(), key=lambda found: found.created_at):
            self.reaches[each.id] = self._reach(each, steps[each.id].values())

    def _reach(self, of: Rollout, known: Iterable[Progress]) -> Reach:
        twins = self.fleet.devices.by_id.values()
        found = Reach.of(of, (t.device.id for t in twins if t.device.model == of.model), known)
        for progress in found.devices.values():
            twin = self.fleet.devices.by_id[progress.device]
            self._describe(progress, twin)
        return found
