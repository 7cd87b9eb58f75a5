"""What the service says, verified and obeyed: desired documents, commands, the beacon.

A command is done once: its id is kept over reboots, and a repetition is acknowledged again. What is forged
changes nothing and is told, at most once a minute.
"""

from dataclasses import replace

from firmware_agent.agent.agent import Agent
from firmware_agent.agent.commands import Keep, Publish, RaiseFloor, Register
from firmware_agent.agent.config import RefusedError, Taken, applicable, problem_of, read
from firmware_agent.agent.kept import desired_file
from firmware_agent.certificate import RENEWED
from firmware_agent.messages.codec import MessageError
from firmware_agent.messages.desired import Beacon, Desired, Op
from firmware_agent.messages.desired import Command as Order
from firmware_agent.messages.envelope import Opened, SignatureError, open_signed
from firmware_agent.messages.reported import Ack, AckResult, Event, UpdateState
from firmware_agent.messages.topics import Kind
from firmware_agent.trusted_time import Moment

FORGED_PAUSE_S = 60.0
TIME_KEPT_EVERY_S = 3600
"""Flash wears: the floor of time is stored once an hour, not with each beacon."""


class Inbox:
    """Messages for one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._forged_at = -FORGED_PAUSE_S

    def on_message(self, kind: Kind, raw: bytes, at: Moment) -> None:
        """A message to this device."""
        try:
            if kind is Kind.DESIRED:
                self._on_desired(raw, at)
            elif kind is Kind.CMD:
                self._on_order(raw, at)
            elif kind is Kind.BEACON:
                self._on_beacon(raw, at)
        except MessageError as error:
            self._on_forged(kind.value, error, at)
        self._agent.settle(at)

    def _on_desired(self, raw: bytes, at: Moment) -> None:
        """An empty one is the retained document cleared; what is in effect stays until a wipe."""
        if not raw:
            return
        agent = self._agent
        agent.reports.release()
        identity, config = agent.identity, agent.config
        try:
            opened = read(raw, identity.device, identity.keys)
        except RefusedError as refused:
            if config.compare(refused.rev, refused.sha256) is Taken.NEW:
                config.refuse(refused.rev, refused.sha256, refused.problem)
                agent.keep()
            agent.reports.repeat()
            return
        rev = opened.document.rev
        match config.compare(rev, opened.sha256):
            case Taken.NEW:
                self._apply(opened, raw, at)
            case Taken.SAME:
                agent.reports.repeat()
            case Taken.CONFLICT:
                have = config.kept.seen_sha256 or ""
                agent.tell(Event.REV_CONFLICT, at, rev=rev, have=have, got=opened.sha256)
            case Taken.OLDER:
                pass

    def _apply(self, opened: Opened[Desired], raw: bytes, at: Moment) -> None:
        agent = self._agent
        identity, config = agent.identity, agent.config
        try:
            fresh = applicable(opened, identity.seal_key, identity.has_tls)
        except MessageError as error:
            problem = problem_of("not_applicable", error)
            config.refuse(opened.document.rev, opened.sha256, problem)
            agent.keep()
            return
        config.begin(fresh, at.now)
        agent.out.emit(Keep(desired_file(opened.sha256), raw))
        agent.keep()
        agent.configure()

    def _on_beacon(self, raw: bytes, at: Moment) -> None:
        agent = self._agent
        beacon = open_signed(Beacon, raw, agent.identity.keys).document
        agent.beacon_by = None
        if agent.time.is_old(beacon.time, at):
            agent.ask_time(at)
        kept = agent.kept.time_floor
        if agent.time.on_signed(beacon.time, at) and beacon.time - kept >= TIME_KEPT_EVERY_S:
            agent.keep()
        floor = beacon.floors.get(agent.identity.model, 0)
        if floor > agent.floor:
            agent.floor = floor
            agent.out.emit(RaiseFloor(floor))
        if beacon.tuf_ts > agent.reports.tuf.ts and agent.update.state is UpdateState.OFFERED:
            agent.update.retry_at = at.now

    def _on_order(self, raw: bytes, at: Moment) -> None:
        agent = self._agent
        order = open_signed(Order, raw, agent.identity.keys).document
        if order.device != agent.identity.device:
            raise MessageError("device", f"it is for {order.device}")
        if order.id in agent.kept.done:
            self._ack(order, AckResult.DONE)
        elif order.op is not Op.TIME and order.exp < agent.time.utc(at):
            self._ack(order, AckResult.EXPIRED)
        else:
            agent.kept = replace(agent.kept, done=(*agent.kept.done, order.id)[-64:])
            agent.keep()
            self._ack(order, self._obey(order, raw, at))

    def _obey(self, order: Order, raw: bytes, at: Moment) -> AckResult:
        agent = self._agent
        match order.op:
            case Op.REBOOT:
                agent.reboot_wanted = "command"
                return AckResult.ACCEPTED
            case Op.RESTART_UPDATE:
                agent.consider(at, again=True)
            case Op.REGISTER:
                agent.out.emit(Register())
            case Op.TIME:
                return self._on_time(order, at)
            case Op.CERTIFICATE:
                return self._on_certificate(order, raw)
            case Op.WIPE:  # an emergency call is never cut: it comes first
                agent.is_wipe_wanted = True
                return AckResult.ACCEPTED if agent.quiet.is_emergency else AckResult.DONE
        return AckResult.DONE

    def _on_time(self, order: Order, at: Moment) -> AckResult:
        agent = self._agent
        time, nonce = order.args.get("time"), order.args.get("nonce")
        if not isinstance(time, int) or nonce is None or nonce != agent.nonce:
            return AckResult.REFUSED
        agent.nonce = None
        agent.time.on_answer(time, at)
        agent.keep()
        return AckResult.DONE

    def _on_certificate(self, order: Order, raw: bytes) -> AckResult:
        """Kept as it came; the next connection shows it."""
        agent = self._agent
        try:
            fresh = agent.renewal.take(order.args.get("certificate"))
        except MessageError:
            return AckResult.REFUSED
        agent.out.emit(Keep(RENEWED, raw))
        agent.reports.certificate_sha256 = fresh.sha256
        return AckResult.DONE

    def _ack(self, order: Order, result: AckResult) -> None:
        self._agent.out.emit(Publish(Kind.ACK, Ack(order.id, result)))

    def _on_forged(self, what: str, error: MessageError, at: Moment) -> None:
        if at.now - self._forged_at < FORGED_PAUSE_S:
            return
        self._forged_at = at.now
        why = "signature" if isinstance(error, SignatureError) else "form or recipient"
        self._agent.tell(Event.FORGED, at, what=what, why=why, path=error.path[:64])
