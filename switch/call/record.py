"""What a call leaves behind: its meters while it lives, its CDR, audit and log line at its end.

All instants that the CDR shows are UTC milliseconds; the arguments `now` and `at` are boottime.
"""

from typing import TYPE_CHECKING

import orjson

from policy.model import ToEmergency, ToFeature, ToLine, ToNumber
from switch.call.callee_leg import CalleeLeg
from switch.call.capping import start_capped
from switch.call.exchange import Exchange
from switch.routing.target import TargetKind
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


class MeteredLeg:
    """One leg in the CDR. `line` or `trunk` names its far end."""

    __slots__ = ("counted_ms", "direction", "exempt_reason", "id", "line", "sip_call_id", "trunk")

    def __init__(
        self,
        leg_id: str,
        line: str | None,
        trunk: str | None,
        direction: Direction,
        sip_call_id: str,
        exempt_reason: str | None,
    ) -> None:
        self.id = leg_id
        self.line = line
        self.trunk = trunk
        self.direction = direction
        self.sip_call_id = sip_call_id
        self.exempt_reason = exempt_reason
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
        "answer",
        "attempts",
        "caller_trunk",
        "dst_raw",
        "estimated",
        "legs",
        "override",
        "rang_at",
        "ringing_relayed",
        "sip_call_id",
        "start",
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
        self.verdict = ""

    def overridden(self) -> None:
        """The caller pressed the key of the abroad warning."""
        self.override = True

    def rang(self, now: float) -> None:
        """The first 18x of the call."""
        if self.rang_at is None:
            self.rang_at = now

    def attempted(self, leg: CalleeLeg, status: int, now: float) -> None:
        """A target gave its final response (or 408 or 503 in its place)."""
        target = leg.target
        ms = round((now - leg.started_at) * 1000)
        trunk = target.label if target.kind is TargetKind.TRUNK else None
        contact = None if trunk else target.label
        self.attempts.append((None, CdrAttempt(trunk, contact, status, ms), target.profile))

    def answered(self, call: "Call", leg: CalleeLeg, now: float) -> None:
        """The call was answered: legs of lines start to be metered, provisionally."""
        exchange = call.exchange
        at = self.answer = exchange.received_at
        request, decision, target = call.request, call.decision, leg.target
        exempt = decision.exempt_reason
        caller_id, callee_id = self.sip_call_id, leg.dialog.call_id if leg.dialog else ""
        self.legs = [
            MeteredLeg(
                f"{call.id}/a",
                request.line,
                self.caller_trunk or None,
                "outbound" if request.line else "inbound",
                caller_id,
                exempt,
            )
        ]
        destination = decision.destination
        called = destination.line if isinstance(destination, ToLine) else None
        trunk = target.label if target.kind is TargetKind.TRUNK else None
        self.legs.append(
            MeteredLeg(
                f"{call.id}/b",
                called,
                trunk,
                "inbound" if called else "outbound",
                callee_id,
                exempt,
            )
        )
        wall = exchange.wall(at)
        for metered in self.legs:
            if metered.line is not None:
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
        # Without the caller's ACK there was no call: nothing counts (S2).
        never_acked = call.caller is not None and not call.caller.has_acked
        for metered in self.legs:
            if metered.line is None:
                continue
            if never_acked:
                exchange.meters.cancel(metered.id)
            else:
                metered.counted_ms = exchange.meters.stop(metered.id, at, estimated=self.estimated)
        exchange.caps.stop(call.id, at)
        if call.is_emergency:
            self._audit(call, slug)
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
            setup_s=(self.rang_at or self.answer or at) - self.start,
        )

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

        def utc_ms(moment: float) -> int:
            return round(exchange.wall(moment) * 1000)

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
            dst=_destination_number(call),
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
            estimated=self.estimated,
            legs=tuple(leg.as_cdr(answered, ended) for leg in self.legs),
            attempts=tuple(attempt for _, attempt, _ in self.attempts),
        )
        exchange.outbox.journal.append(cdr.to_record())

    def _line_concerned(self, call: "Call") -> str | None:
        if call.request.line is not None:
            return call.request.line
        destination = call.decision.destination
        return destination.line if isinstance(destination, ToLine) else None

    def _audit(self, call: "Call", slug: str) -> None:
        """The record of an emergency attempt (append-only; facts that were used, in full)."""
        decision, request, exchange = call.decision, call.request, call.exchange
        destination = decision.destination
        location = getattr(destination, "location", None)
        self.verdict = decision.audit
        if self.override:
            self.verdict = "override_connected"
        elif decision.audit == "connected" and self.answer is None and slug != "cancelled":
            self.verdict = "failed"
        record = {
            "k": "audit",
            "call_id": call.id,
            "at": round(exchange.wall(self.start) * 1000),
            "line": request.line,
            "dialled": request.dialled,
            "class": decision.number_class.value,
            "level": decision.evidence.level.value,
            "verdict": self.verdict,
            "insee": location.insee if location else None,
            "address_version": location.version if location else None,
            "signals": [
                {"kind": s.kind, "value": s.value, "says": s.says.value, "age_s": s.age_s}
                for s in decision.evidence.signals
            ],
            "rule": decision.rule,
            "clause": decision.clause,
            "announcement": decision.announcement,
            "ending": slug,
            "attempts": [
                {"trunk": a.trunk, "profile": profile, "status": a.status, "ms": a.ms}
                for _, a, profile in self.attempts
                if a.trunk
            ],
        }
        exchange.outbox.journal.append(orjson.dumps(record))


def _destination_number(call: "Call") -> str:
    destination = call.decision.destination
    if isinstance(destination, ToLine):
        return call.exchange.facts.lines[destination.line].number
    number = getattr(destination, "number", "")
    return number or call.request.dialled
