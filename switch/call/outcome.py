"""What became of an emergency call, for counters, alarms and the operator.

Each route that was tried is an event ("emergency.attempt"), and so is the end of the call
("emergency.outcome"). A call that no route took, and one that only a later route took, are told to the
operator as notices of their own: the first at once, since the next caller may fare no better.

Deliberately absent: the audit record (record.py), the standing alarm and the metrics (observe/), which
are made of these events.
"""

from typing import TYPE_CHECKING, Final

from policy.model import Action

if TYPE_CHECKING:
    from switch.call.call import Call
    from switch.call.callee_leg import CalleeLeg

ANSWERED: Final = "answered"
CANCELLED: Final = "cancelled"  # the caller hung up before
BLOCKED: Final = "blocked"  # abroad, or the contract ended meanwhile: words were all there was
FAILED: Final = "failed"  # no route took it


def attempted(call: "Call", leg: "CalleeLeg", status: int, ms: int) -> None:
    """A route of an emergency call gave its final response, or was given up (408, 487)."""
    call.exchange.outbox.note(
        "emergency.attempt",
        call_id=call.id,
        trunk=leg.target.label,
        outcome=_attempt_outcome(leg, status),
        sip_status=status,
        ms=ms,
    )


def ended(call: "Call", slug: str) -> None:
    """The emergency call is over."""
    outcome = outcome_of(call, slug)
    tried = [attempt for _, attempt, _ in call.record.attempts if attempt.trunk is not None]
    ways = ", ".join(f"{attempt.trunk} {attempt.status}" for attempt in tried)
    note = call.exchange.outbox.note
    note("emergency.outcome", call_id=call.id, outcome=outcome, ending=slug, tried=ways)
    if outcome == ANSWERED:
        note("emergency.answered", call_id=call.id)
    if outcome == FAILED:
        note("emergency.failed", call_id=call.id, ending=slug, tried=ways or "no trunk at all")
        _tell(call, "emergency_failed", ways)
    elif outcome == ANSWERED and len(tried) > 1:
        note("emergency.failover", call_id=call.id, trunk=tried[-1].trunk, tried=ways)
        _tell(call, "emergency_failover", ways)


def outcome_of(call: "Call", slug: str) -> str:
    """One of the four words for an emergency call that ended by `slug`."""
    if call.record.answer is not None:
        return ANSWERED
    if call.decision.action is not Action.CONNECT and not call.record.override:
        return BLOCKED
    return CANCELLED if slug == "cancelled" else FAILED


def _attempt_outcome(leg: "CalleeLeg", status: int) -> str:
    if status < 300:
        return ANSWERED
    if status == 487:
        return CANCELLED
    return "silent" if leg.is_silent else "refused"


def _tell(call: "Call", kind: str, ways: str) -> None:
    """A notice to the operator; `ways` are the trunks that were tried and what they said."""
    request, exchange = call.request, call.exchange
    known = exchange.facts.lines.get(request.line or "")
    exchange.outbox.note(
        "notice.due",
        id=f"{kind} {call.id} operator",
        kind=kind,
        audience="operator",
        line=request.line or "",
        account=known.account if known else "",
        call_id=call.id,
        at=round(request.at * 1000),
        clause="1(b)",
        fields={"dialled": request.dialled, "tried": ways or "-"},
    )
