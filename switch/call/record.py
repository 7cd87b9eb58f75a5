"""What a call leaves behind: its meters while it lives, its CDR, audit and log line at its end.

All instants that the CDR shows are UTC milliseconds; the arguments `now` and `at` are boottime.
"""

from typing import TYPE_CHECKING, Any

from policy.model import Decision, ToEmergency, ToFeature, ToLine, ToNumber
from switch.call import audit, outcome
from switch.call.callee_leg import CalleeLeg
from switch.call.capping import start_capped
from switch.call.exchange import Exchange
from switch.routing.target import TargetKind
from switch.sip.sdp import has_fax
from switch.usage.cdr import Cdr, CdrAttempt, CdrLeg, Direction, Disposition
from switch.usage.cycle import Calendar

if TYPE_CHECKING:
    from switch.call.call import Call

_DISPOSITIONS: dict[str, Disposition] = {
    "busy": "busy",
    "no_answer": "no_answer",
    "cancelled": "cancelled",
    "no_route": "failed",
    "unreachable": "failed",
    "media_failed": "failed",
    "switch_error": "failed",
    "switch_restarted": "failed",
    "overload": "failed",
    "incompatible": "failed",
}


def calendar_of(exchange: Exchange, line: str) -> Calendar:
    """The billing calendar of a line's account."""
    account = exchange.facts.accounts[exchange.facts.lines[line].account]
    return exchange.calendar(account)


def plan_of(exchange: Exchange, line: str | None) -> str | None:
    """The plan of a line now; None without a line."""
    known = exchange.facts.lines.get(line or "")
    return known.plan if known is not None else None


class MeteredLeg:
    """One leg in the CDR. `trunk` names a far end that is a carrier, `line` whose minutes it is: the
    far end, or the line on whose behalf the leg was opened. `plan` is the line's at the answer.
    """

    __slots__ = (
        "counted_ms",
        "direction",
        "exempt_reason",
        "id",
        "line",
        "plan",
        "sip_call_id",
        "trunk",
    )

    def __init__(
        self,
        leg_id: str,
        line: str | None,
        trunk: str | None,
        direction: Direction,
        sip_call_id: str,
        exempt_reason: str | None,
        plan: str | None = None,
    ) -> None:
        self.id = leg_id
        self.line = line
        self.trunk = trunk
        self.direction = direction
        self.sip_call_id = sip_call_id
        self.exempt_reason = exempt_reason
        self.plan = plan
        self.counted_ms = 0

    def as_cdr(self, answered: int | None, ended: int) -> CdrLeg:
        """The leg as the CDR shows it; instants are UTC milliseconds."""
        return CdrLeg(
            self.id,
            self.line,
            self.trunk,
            self.sip_call_id,
            self.direction,
            answered,
            ended,
            self.counted_ms,
            self.exempt_reason,
        )


class CallRecord:
    """The growing record of one call."""

    __slots__ = (
        "alerted",
        "answer",
        "attempts",
        "caller_trunk",
        "decided",
        "dst_raw",
        "estimated",
        "facts",
        "forwarded_by",
        "has_left",
        "heard",
        "is_fax",
        "legs",
        "offset_ms",
        "override",
        "rang_at",
        "ringing_relayed",
        "sip_call_id",
        "start",
        "tried",
        "verdict",
    )

    def __init__(self, start: float, dst_raw: str, sip_call_id: str, caller_trunk: str) -> None:
        self.start = start
        self.rang_at: float | None = None
        self.answer: float | None = None
        self.dst_raw = dst_raw
        self.sip_call_id = sip_call_id
        self.caller_trunk = caller_trunk
        self.attempts: list[tuple[CalleeLeg | None, CdrAttempt, str]] = []
        self.legs: list[MeteredLeg] = []
        self.ringing_relayed = False
        self.override = False
        self.estimated = False  # the end is the last sign of life, not a BYE
        self.is_fax = False
        self.forwarded_by: str | None = None  # the line that had the second leg opened
        # UTC minus boottime at the answer: a step of the wall clock later moves no instant.
        self.offset_ms: int | None = None
        self.verdict = ""
        self.has_left = False  # an emergency INVITE is on a trunk
        # What decided an audited call, for the audit, and the decision that it is of.
        self.facts: dict[str, Any] | None = None
        self.decided: Decision | None = None
        self.heard: list[dict[str, object]] = []  # announcements, see `spoke`
        self.tried: dict[str, int] = {}  # place in `attempts` by the leg's tag
        self.alerted: list[tuple[str, str]] = []  # (audience, kind) of those who were told

    def overridden(self) -> None:
        """The caller pressed the key of the abroad warning."""
        self.override = True

    def agreed(self, offer: bytes, answer: bytes) -> None:
        """Both sides agreed on media: whether they are a fax is what is kept of it."""
        self.is_fax = self.is_fax or (has_fax(answer) and has_fax(offer))

    def rang(self, now: float) -> None:
        """The first 18x of the call."""
        if self.rang_at is None:
            self.rang_at = now

    def attempted(self, call: "Call", leg: CalleeLeg, status: int, now: float) -> None:
        """A target gave its final response (or 408 or 503 in its place), or was given up.

        It counts once; only an answer that comes after all takes the place of what stood there.
        """
        target = leg.target
        place = self.tried.setdefault(leg.local_tag, len(self.attempts))
        if place < len(self.attempts) and status >= 300:
            return
        ms = round((now - leg.started_at) * 1000)
        trunk = target.label if target.kind is TargetKind.TRUNK else None
        contact = None if trunk else target.label
        attempt = CdrAttempt(trunk, contact, status, ms)
        self.attempts[place : place + 1] = [(None, attempt, target.profile)]
        if target.is_emergency:
            outcome.attempted(call, leg, status, ms)

    def answered(self, call: "Call", leg: CalleeLeg, now: float) -> None:
        """The call was answered: legs of lines start to be metered, provisionally."""
        exchange = call.exchange
        at = self.answer = exchange.received_at
        request, decision, target = call.request, call.decision, leg.target
        exempt = decision.exempt_reason
        wall = exchange.wall(at)
        self.offset_ms = round(wall * 1000) - round(at * 1000)
        caller_id, callee_id = self.sip_call_id, leg.dialog.call_id if leg.dialog else ""
        self.legs = [
            MeteredLeg(
                f"{call.id}/a",
                request.line,
                self.caller_trunk or None,
                "outbound" if request.line else "inbound",
                caller_id,
                exempt,
                plan_of(exchange, request.line),
            )
        ]
        destination = decision.destination
        called = destination.line if isinstance(destination, ToLine) else None
        trunk = target.label if target.kind is TargetKind.TRUNK else None
        direction: Direction = "inbound" if called else "outbound"
        if target.on_behalf_of:
            # Forwarded: the line left the call, and pays for the leg that goes on.
            self.forwarded_by = called = target.on_behalf_of
            direction = "outbound"
        self.legs.append(
            MeteredLeg(
                f"{call.id}/b",
                called,
                trunk,
                direction,
                callee_id,
                exempt,
                plan_of(exchange, called),
            )
        )
        for metered in self.legs:
            if metered.line is not None and metered.line in exchange.facts.lines:
                calendar = calendar_of(exchange, metered.line)
                cycle = calendar.cycle_at(round(wall * 1000))
                exchange.meters.start(
                    metered.id, metered.line, metered.direction, at, wall, exempt, cycle
                )
        start_capped(call, at)

    def acknowledged(self, call: "Call", now: float) -> None:
        """The caller's ACK: what was provisional counts, from the 200 on."""
        for metered in self.legs:
            if metered.line is not None:
                call.exchange.meters.confirm(metered.id)

    def closed(self, call: "Call", slug: str, hangup_by: str, status: int, at: float) -> None:
        """The call is over: stop its meters, write CDR and audit, tell the log."""
        exchange = call.exchange
        bodies = [leg.in_body for leg in (call.caller, call.callee) if leg is not None]
        if len(bodies) == 2 and bodies[0] is not None and bodies[1] is not None:
            self.agreed(bodies[0].content, bodies[1].content)  # also from the first offer on
        # Without the caller's ACK there was no call: nothing counts.
        never_acked = call.caller is not None and not call.caller.has_acked
        for metered in self.legs:
            if metered.line is None:
                continue
            if never_acked:
                exchange.meters.cancel(metered.id)
            elif metered.id in exchange.meters:
                metered.counted_ms = exchange.meters.stop(metered.id, at, estimated=self.estimated)
        exchange.caps.stop(call.id, at)
        if call.decision.audit:
            self.verdict = audit.verdict(call, slug)
            exchange.outbox.journal.append(audit.attempt_record(call, slug, hangup_by))
        elif call.is_callback:
            self._audit_callback(call, slug)
        lines = [metered for metered in self.legs if metered.line is not None]
        if len(lines) == 2 and self._accounts_differ(call):
            for metered in lines:
                self._write(call, metered, slug, hangup_by, status, at)
        else:
            self._write(call, lines[0] if lines else None, slug, hangup_by, status, at)
        exchange.outbox.note(
            "call.end",
            call_id=call.id,
            line=call.request.line or "",
            rule=call.decision.rule,
            outcome=slug,
            sip_status=status,
            number_class=call.decision.number_class.value,
            emergency=call.is_emergency,
            answered=self.answer is not None,
            verdict=self.verdict,
            rang=self.rang_at is not None or self.answer is not None,
            setup_s=(self.rang_at or self.answer or at) - self.start,
        )

    def spoke(self, leg: CalleeLeg, key: str, now: float) -> None:
        """An announcement of the call is over: the caller heard so many ms of it, or pressed `key`."""
        if leg.dialog is None:
            return  # the worker never began
        ms = round((now - leg.started_at) * 1000)
        self.heard.append(
            {"announcement": leg.target.label.removeprefix("announcement:"), "ms": ms, "key": key}
        )

    def _audit_callback(self, call: "Call", slug: str) -> None:
        exchange, line = call.exchange, call.called_line or ""
        window = exchange.callbacks.of(line, exchange.wall(self.start))
        if window is not None:
            exchange.outbox.journal.append(audit.callback_record(call, window.call_id, slug))

    def destination(self, call: "Call") -> list[object] | None:
        """The decision's destination as the journal keeps it."""
        match call.decision.destination:
            case ToLine(line):
                return ["line", line]
            case ToNumber(number):
                return ["number", number]
            case ToEmergency(number, urn, location):
                return ["emergency", number, urn, location.insee, location.version]
            case ToFeature(name):
                return ["feature", name]
            case _:
                return None

    def _accounts_differ(self, call: "Call") -> bool:
        lines = call.exchange.facts.lines
        accounts = {lines[leg.line].account for leg in self.legs if leg.line and leg.line in lines}
        return len(accounts) == 2

    def _write(
        self, call: "Call", of: MeteredLeg | None, slug: str, hangup_by: str, status: int, at: float
    ) -> None:
        exchange, decision, request = call.exchange, call.decision, call.request
        line = of.line if of else self._line_concerned(call)
        known = exchange.facts.lines.get(line or "")

        offset_ms = self.offset_ms

        def utc_ms(moment: float) -> int:
            if offset_ms is None:
                return round(exchange.wall(moment) * 1000)
            return round(moment * 1000) + offset_ms

        disposition: Disposition = "answered"
        if self.answer is None:
            disposition = _DISPOSITIONS.get(slug, "refused")
        ended, answered = utc_ms(at), utc_ms(self.answer) if self.answer is not None else None
        direction: Direction = of.direction if of else ("outbound" if request.line else "inbound")
        cdr = Cdr(
            call_id=call.id,
            line=line,
            account=known.account if known else None,
            direction=direction,
            src=call.identity.number,
            dst=destination_number(call),
            dst_raw=self.dst_raw,
            start=utc_ms(self.start),
            answer=answered,
            end=ended,
            counted_ms=of.counted_ms if of else 0,
            exempt_reason=decision.exempt_reason,
            disposition=disposition,
            ending="abroad_overridden" if self.override and slug == "ok" else slug,
            hangup_by=hangup_by,
            sip_status=status,
            rule=decision.rule,
            clause=decision.clause or None,
            emergency=call.is_emergency,
            forwarded_by=self.forwarded_by,
            estimated=self.estimated,
            plan=of.plan if of else None,
            feature="fax" if self.is_fax else None,
            legs=tuple(leg.as_cdr(answered, ended) for leg in self.legs),
            attempts=tuple(attempt for _, attempt, _ in self.attempts),
        )
        exchange.outbox.journal.append(cdr.to_record())

    def _line_concerned(self, call: "Call") -> str | None:
        if call.request.line is not None:
            return call.request.line
        destination = call.decision.destination
        return destination.line if isinstance(destination, ToLine) else None


def destination_number(call: "Call") -> str:
    """The number that the call is for, by the dial plan; what was dialled where it leads nowhere."""
    destination = call.decision.destination
    if isinstance(destination, ToLine):
        return call.exchange.facts.lines[destination.line].number
    number = getattr(destination, "number", "")
    return number or call.request.dialled
