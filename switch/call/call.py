"""A call: the caller's leg, the targets that are tried, and the one that answered.

The B2BUA's middle (RFC 3261 §16.7 for the choice of a response, RFC 7092 for its role). It moves words
of the vocabulary from leg to leg by one table (`steps`), and asks `hunt` for the next targets. It sends no
message, and knows neither SDP nor headers.
"""

from policy.model import Action, CallRequest, Decision, ToEmergency, ToFeature, ToLine
from switch.call import afterwards, callback, outcome, race
from switch.call.announced import is_announcement, retarget, say_last_words
from switch.call.callee_leg import CalleeLeg
from switch.call.caller_leg import CallerLeg
from switch.call.destination import destination_groups, is_vital
from switch.call.ending import ENDINGS, status_for_caller
from switch.call.exchange import Exchange
from switch.call.forking import best_failure
from switch.call.hunt import Hunt
from switch.call.identity import Caller
from switch.call.journal import setup_record
from switch.call.leg import Leg
from switch.call.record import CallRecord
from switch.call.relay import answer_relay
from switch.call.state import CallState
from switch.call.steps import TABLE
from switch.call.vocabulary import Event, Fail, Lost, Relay, Relayed
from switch.clock import Timer
from switch.routing.target import Target, TargetKind

PHONE_RETURNS_S = 2.0  # a phone whose connection broke registers again within this time, or is gone
PHONE_POLL_S = 0.2
ANNOUNCEMENT_LIMIT_S = 90.0  # twice the longest one: beyond, its worker has lost it


class Call:
    """One call from its INVITE to its CDR."""

    __slots__ = (
        "branches",
        "callee",
        "caller",
        "crossed",
        "decision",
        "exchange",
        "failures",
        "hunt",
        "id",
        "identity",
        "is_emergency",
        "last_words",
        "lived_until",
        "max_forwards",
        "record",
        "request",
        "state",
        "timer",
    )

    def __init__(
        self,
        call_id: str,
        exchange: Exchange,
        request: CallRequest,
        decision: Decision,
        identity: Caller,
        record: CallRecord,
    ) -> None:
        self.id = call_id
        self.exchange = exchange
        self.request = request
        self.decision = decision
        self.identity = identity
        self.record = record
        # Also when it is blocked; neither a stranger's, nor the test number.
        self.is_emergency = isinstance(decision.destination, ToEmergency)
        self.state = CallState.TRYING
        self.caller: Leg | None = None
        self.callee: Leg | None = None
        self.branches: list[CalleeLeg] = []
        self.failures: list[Fail] = []
        self.crossed: list[tuple[str, str]] = []
        self.max_forwards = 70
        self.hunt: Hunt | None = None
        self.timer: Timer | None = None
        # How the call ends after the last announcement, "dial 112 on a mobile".
        self.last_words: tuple[str, int] | None = None
        # After a restart: the last sign of life before it, until a leg is heard again.
        self.lived_until: float | None = None

    # -- from the legs -------------------------------------------------------------------------

    def receive(self, leg: Leg, event: Event, now: float) -> None:
        """Take what happened on `leg`: one row of the table, or nothing where none stands."""
        if self.lived_until is not None and not isinstance(event, Lost):
            self.lived_until = None
        row = TABLE.get((self.state, type(event)))
        if row is not None:
            row(self, leg, event, now)
        elif isinstance(event, Relay):
            answer_relay(Relayed(event.transaction, 481, None), now)

    def start(self, hunt: Hunt, now: float) -> None:
        """Try the first targets."""
        self.hunt = hunt
        self.try_next(now)

    @property
    def has_next(self) -> bool:
        """Whether there is another target to try."""
        return self.hunt is not None and not self.hunt.is_empty

    @property
    def caller_leg(self) -> CallerLeg:
        """The caller's leg while it is ours to answer (a restored call has a plain one)."""
        assert isinstance(self.caller, CallerLeg)
        return self.caller

    @property
    def is_feature(self) -> bool:
        """Whether a service of the switch itself was dialled: *43, 933."""
        return isinstance(self.decision.destination, ToFeature)

    @property
    def is_callback(self) -> bool:
        """Whether a PSAP calls a line back."""
        return self.decision.exempt_reason == callback.EXEMPT

    @property
    def called_line(self) -> str | None:
        """The line of this switch that is called, None if the call leaves it."""
        destination = self.decision.destination
        return destination.line if isinstance(destination, ToLine) else None

    def lose_announcement(self, address: tuple[str, int], now: float) -> None:
        """A media worker died: what it played for this call ends here."""
        for leg in (*self.branches, self.callee):
            if leg is not None and leg.flow.remote == address and is_announcement(leg):
                self.exchange.outbox.note("media.announcement", announcement="", outcome="lost")
                if isinstance(leg, CalleeLeg) and leg.is_open:
                    leg.fail(Fail(503, "media_failed"), now)
                else:
                    leg.lose("media_failed", now)

    def opened(self) -> None:
        """The call is known from now on, and takes a channel of its line or carrier."""
        self.exchange.calls[self.id] = self
        self.exchange.count_line(self.request.line, +1)
        if self.is_emergency:
            self.exchange.count_emergency(self.request.line, +1)
        self.exchange.count_trunk(self.request.trunk, +1)
        self.exchange.outbox.note(
            "call.start",
            call_id=self.id,
            line=self.request.line or "",
            rule=self.decision.rule,
            outcome=self.decision.reason,
            number_class=self.decision.number_class.value,
        )

    def refuse(self, status: int, slug: str, headers: list[tuple[str, str]], now: float) -> None:
        """End the call before any target was tried."""
        self.finish(slug, status, now, headers)

    def await_phone(self, now: float) -> None:
        """The called phone lost its connection a moment ago: give it time to come back."""
        self.arm("phone", PHONE_POLL_S, now)

    def hang_up(self, slug: str, now: float) -> None:
        """End the call from the switch's side, whatever its state."""
        if self.state in (CallState.CONNECTED, CallState.HEARING):
            self.cancel_branches(now)
            self.disconnect_all(slug, now)
            self.end(slug, "switch", now)
        elif self.state is CallState.TRYING:
            self.finish(slug, ENDINGS[slug].status, now)

    def on_cap_reached(self, now: float) -> None:
        """A cap of the line is used up: it must not cost more. Emergency calls cost nothing."""
        if not self.is_emergency:
            self.hang_up("limit", now)

    def on_timer(self, name: str, now: float) -> None:
        """The hunt's times: nobody answers, or an emergency route stays silent."""
        self.timer = None
        if self.state not in (CallState.TRYING, CallState.HEARING):
            return
        if name == "phone":
            self._look_for_phone(now)
            return
        if name == "spoken":
            for branch in [branch for branch in self.branches if branch.is_open]:
                branch.cancel(now, keep_answer=True)
                branch.fail(Fail(408, "media_failed"), now)
            return
        if name == "ring":
            self.cancel_branches(now)
            if self.is_emergency and self.state is CallState.TRYING:
                self.finish_with(Fail(408, "no_answer"), now)
            else:
                self.hang_up("no_answer", now)
            return
        if name == "callback":
            self.try_next(now)
            return
        if name == "retarget":
            retarget(self, now)
            return
        race.on_timer(self, name, now)

    def _look_for_phone(self, now: float) -> None:
        """Is the called phone back? For two seconds the caller hears nothing of its absence."""
        request = self.request
        groups = destination_groups(
            self.exchange, self.decision, request.line, self.id, request.at, now
        )
        if groups:
            self.start(Hunt(groups), now)
        elif now - self.record.start < PHONE_RETURNS_S:
            self.arm("phone", PHONE_POLL_S, now)
        else:
            self.finish("unreachable", ENDINGS["unreachable"].status, now)

    # -- inside --------------------------------------------------------------------------------

    def note(self, record: bytes) -> None:
        """Write to the journal."""
        self.exchange.outbox.journal.append(record)

    def other_leg(self, leg: Leg) -> Leg | None:
        """The leg across: before the answer, the only target that is open, if it is one."""
        if leg is not self.caller:
            return self.caller
        if self.callee is not None:
            return self.callee
        live = [branch for branch in self.branches if branch.is_open]
        return live[0] if len(live) == 1 else None

    def try_next(self, now: float) -> None:
        """Start the next group of targets, or end the call when none is left."""
        assert self.hunt is not None
        targets = self.hunt.take()
        if not targets:
            if not any(branch.is_open for branch in self.branches):
                self.finish_with(best_failure(self.failures), now)
            return
        if self.state is CallState.TRYING:
            self.caller_leg.open_new_early_dialog()
        self.record.ringing_relayed = False
        started = [self._branch(target) for target in targets]
        for branch in started:
            # A branch may fail at once (no path) and end the call under our feet.
            if self.state is not CallState.ENDED:
                self._start_branch(branch, now)
        if self.state is CallState.ENDED or not any(branch.is_open for branch in self.branches):
            return
        self.note(setup_record(self))
        self._watch(targets[0], now)

    def _watch(self, target: Target, now: float) -> None:
        """The INVITEs of a group have left, `target`'s first: how long to wait for them."""
        if self.is_emergency and target.is_trunk:
            race.watch(self, now)
            if not self.record.has_left:
                self.record.has_left = True
                afterwards.left(self, now)
        elif self.timer is None:
            if target.kind is TargetKind.ANNOUNCEMENT:
                self.arm("spoken", ANNOUNCEMENT_LIMIT_S, now)
            elif self.is_callback and self.has_next:
                self.arm("callback", callback.ALONE_S, now)
            else:
                self.arm("ring", self.exchange.settings.ring_timeout_s, now)

    def _branch(self, target: Target) -> CalleeLeg:
        branch = CalleeLeg(self.exchange, self, target)
        self.branches.append(branch)
        return branch

    def _start_branch(self, branch: CalleeLeg, now: float) -> None:
        caller, target = self.caller, branch.target
        if target.shortfall:
            self.exchange.outbox.note(
                "emergency.shortfall", call_id=self.id, trunk=target.label, why=target.shortfall
            )
        announcement = is_announcement(branch)
        # A caller that is answered already gets the target's offer by re-INVITE.
        body = caller.in_body if caller is not None and self.state is CallState.TRYING else None
        # Of several phones' offers the caller could answer one: without its own, none is asked for early.
        reliable = isinstance(caller, CallerLeg) and caller.takes_reliable and not announcement
        reliable = reliable and (body is not None or len(self.branches) == 1)
        branch.start(
            self.identity,
            body,
            [] if announcement else self.crossed,
            self.max_forwards,
            reliable,
            now,
        )

    def cancel_branches(self, now: float, but: Leg | None = None, reason: str = "") -> None:
        """Give up all targets that are open, but one; `reason` is the CANCELs' Reason."""
        for branch in list(self.branches):
            if branch is but:
                continue
            if is_announcement(branch) and branch.is_open:
                self.record.spoke(branch, "", now)
                self.exchange.announcer.release(branch.target.flow.remote[1])
            elif branch.is_open:
                self.record.attempted(self, branch, 487, now)
            keep = self.is_emergency and but is not None and self.callee is None
            branch.cancel(now, reason, keep_answer=keep)

    def finish_with(self, failure: Fail | None, now: float) -> None:
        """Every target failed: the caller gets the best of their answers."""
        slug, status = "no_route", ENDINGS["no_route"].status
        if failure is not None:
            slug = "rejected" if failure.status < 400 else failure.slug
            status = status_for_caller(failure.status, slug)
        if (
            self.is_emergency
            and is_vital(self.decision)
            and say_last_words(self, slug, status, now)
        ):
            return
        if self.state is CallState.HEARING:
            self.hang_up(slug, now)
        else:
            self.finish(slug, status, now)

    def give_up(self, now: float) -> None:
        """The caller hung up before an answer. A refusal stays one, however much of it was heard."""
        self.finish(self.slug_of_hangup, 487, now, by="caller")

    @property
    def slug_of_hangup(self) -> str:
        """How the call ended for a caller that hung up before an answer."""
        refused = self.decision.action is not Action.CONNECT and not self.record.override
        return self.decision.reason if refused else "cancelled"

    def finish(
        self,
        slug: str,
        status: int,
        now: float,
        headers: list[tuple[str, str]] | None = None,
        by: str = "switch",
    ) -> None:
        """The call ends before it was answered, by the caller or the switch."""
        if self.state is CallState.ENDED:
            return
        self.cancel_branches(now)
        self.state = CallState.ENDED
        if isinstance(self.caller, CallerLeg):
            self.caller.fail(status, slug, now, headers)
        self._close(slug, by, status, now)

    def disconnect_all(self, slug: str, now: float) -> None:
        """BYE to both sides."""
        for leg in (self.caller, self.callee):
            if leg is not None:
                leg.disconnect(slug, now)

    def end(self, slug: str, hangup_by: str, at: float) -> None:
        """The answered call ends at boottime `at`."""
        self.state = CallState.ENDED
        self._close(slug, hangup_by, 200, at)

    def _close(self, slug: str, hangup_by: str, status: int, at: float) -> None:
        self.disarm()
        if self.is_emergency:
            afterwards.ended(self, hangup_by, at)
        self.record.closed(self, slug, hangup_by, status, at)
        self.exchange.calls.pop(self.id, None)
        self.exchange.count_line(self.request.line, -1)
        if self.is_emergency:
            self.exchange.count_emergency(self.request.line, -1)
            outcome.ended(self, slug)
        self.exchange.count_trunk(self.request.trunk, -1)
        for leg in (self.caller, self.callee):
            if leg is not None:
                leg.call = None
        self.caller = self.callee = self.hunt = None
        self.branches.clear()

    def arm(self, name: str, delay_s: float, now: float) -> None:
        """Set the call's one timer."""
        self.disarm()
        self.timer = self.exchange.wheel.arm(now + delay_s, self, name)

    def disarm(self) -> None:
        """Stop it."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
