"""The audit record of an emergency attempt: which facts decided, what was tried, and how it ended.

One record a call, at its end; what decided is fixed when the decision is taken and is in the call's
journal record, so it outlives a kill -9. A PSAP's call-back adds a record of its own to the emergency
call that it answers. Every decision with a word for the audit leaves one, so the test number and a
terminated line do too, and so does who dials an emergency number with wrong credentials (not once it
is locked out: guesses must not fill the chain). Deliberately absent: the chain (store/audit.py), and the
address itself: the record names its version, which the store keeps.
"""

from typing import TYPE_CHECKING, Any, Final

import orjson

from policy.explain import signals_as_dicts
from policy.model import Evidence, Location, Says
from switch.call.outcome import FAILED, outcome_of
from switch.sip.ids import new_call_id
from switch.sip.message import Request

if TYPE_CHECKING:
    from switch.call.call import Call
    from switch.call.exchange import Exchange

CALLBACK: Final = "callback"
SIP_SCHEMES: Final = ("sip:", "sips")


def facts(call: "Call") -> dict[str, Any]:
    """What decided, as it was when the decision was taken; after a restart, as the journal has it."""
    record = call.record
    if record.facts is None or record.decided is not call.decision:
        record.facts, record.decided = _facts(call), call.decision
    return record.facts


def _facts(call: "Call") -> dict[str, Any]:
    """Number, line, location, signals, and the version of the rules."""
    decision, request, exchange = call.decision, call.request, call.exchange
    location = getattr(decision.destination, "location", None)
    line = exchange.facts.lines.get(request.line or "")
    return {
        "at": round(exchange.wall(call.record.start) * 1000),
        "line": request.line,
        "number": line.number if line else None,
        "account": line.account if line else None,
        "state": line.state.value if line else None,
        "source_ip": request.source_ip,
        "dialled": request.dialled,
        "class": decision.number_class.value,
        "level": decision.evidence.level.value,
        "audit": decision.audit,
        "insee": location.insee if location else None,
        "address_version": location.version if location else None,
        "address_state": address_state(location) if location else None,
        "address_age_s": _age_s(location, request.at),
        "signals": signals_as_dicts(decision.evidence),
        "contradictions": contradictions(decision.evidence),
        "rule": decision.rule,
        "rules_version": exchange.rules.version,
        "routes_version": exchange.psap.version,
        "clause": decision.clause,
        "alerts": list(decision.alerts),
    }


def address_state(location: Location) -> str:
    """How far the address is known to be right (terms 1(d))."""
    if not location.validated:
        return "unvalidated"
    return "confirmed" if location.confirmed else "unconfirmed"


def _age_s(location: Location | None, at: float) -> int | None:
    """For how long the address has stood, at UTC seconds `at`; None when that isn't known."""
    if location is None or location.registered_at is None:
        return None
    return round(at - location.registered_at)


def contradictions(evidence: Evidence) -> list[dict[str, str]]:
    """Each pair of signals that count and don't agree: one says abroad, the other France."""
    told = [signal for signal in evidence.signals if evidence.counts(signal)]
    return [
        {"abroad": f"{one.kind} {one.value}", "france": f"{other.kind} {other.value}"}
        for one in told
        if one.says is Says.ABROAD
        for other in told
        if other.says in (Says.FRANCE, Says.SITE)
    ]


def verdict(call: "Call", slug: str) -> str:
    """The word of the decision table, or what the caller or the carriers made of it. A call that no
    route took has failed, whatever was known of its place."""
    if call.is_emergency and outcome_of(call, slug) == FAILED:
        return FAILED
    return "override_connected" if call.record.override else call.decision.audit


def attempt_record(call: "Call", slug: str, hangup_by: str) -> bytes:
    """The whole attempt, when it has ended."""
    record, decision = call.record, call.decision
    callee = next((leg.sip_call_id for leg in reversed(record.legs) if leg.trunk), None)
    return orjson.dumps(
        {
            "k": "audit",
            "call_id": call.id,
            "sip_call_ids": {"caller": record.sip_call_id, "callee": callee},
            **facts(call),
            "verdict": record.verdict,
            "announcement": decision.announcement,
            "heard": record.heard,
            "override": record.override,
            "answered": record.answer is not None,
            "ending": slug,
            "hangup_by": hangup_by,
            "attempts": [
                {"trunk": a.trunk, "profile": profile, "status": a.status, "ms": a.ms}
                for _, a, profile in record.attempts
                if a.trunk
            ],
            "notices": [{"audience": who, "kind": kind} for who, kind in record.alerted],
        }
    )


def refused_record(exchange: "Exchange", invite: Request, source_ip: str, now: float) -> bytes:
    """Somebody without valid credentials dialled an emergency number: no call came of it, and `claimed`
    is whom it said it was."""
    return orjson.dumps(
        {
            "k": "audit",
            "call_id": new_call_id(),
            "sip_call_ids": {"caller": invite.call_id, "callee": None},
            "at": round(exchange.wall(now) * 1000),
            "line": None,
            "claimed": invite.from_.uri.user,
            "source_ip": source_ip,
            "dialled": invite.request_uri.user if invite.uri[:4] in SIP_SCHEMES else invite.uri,
            "verdict": "unauthenticated",
            "rules_version": exchange.rules.version,
            "ending": "bad_credentials",
        }
    )


def callback_record(call: "Call", emergency_call: str, slug: str) -> bytes:
    """A PSAP called back after `emergency_call`, and how far it came."""
    record = call.record
    return orjson.dumps(
        {
            "k": "audit",
            "id": call.id,
            "call_id": emergency_call,
            "event": CALLBACK,
            "at": round(call.exchange.wall(record.start) * 1000),
            "line": call.called_line,
            "trunk": call.request.trunk,
            "caller": call.request.caller,
            "answered": record.answer is not None,
            "ending": slug,
            "attempts": [
                {"contact": a.contact, "status": a.status, "ms": a.ms}
                for _, a, _ in record.attempts
            ],
        }
    )
