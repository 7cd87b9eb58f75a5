"""A decision in words for people, and as plain values for JSON.

Targets are added by the caller: which trunk or phone a destination becomes is no policy.
"""

from policy.model import (
    CallRequest,
    Decision,
    Destination,
    ToEmergency,
    ToFeature,
    ToLine,
    ToNumber,
)


def as_dict(decision: Decision) -> dict[str, object]:
    """The object of `explain call --json` but for `targets`; JSON types only, ages in seconds."""
    return {
        "class": str(decision.number_class),
        "action": str(decision.action),
        "reason": decision.reason,
        "rule": decision.rule,
        "clause": decision.clause,
        "evidence": {
            "level": str(decision.evidence.level),
            "signals": [
                {
                    "kind": signal.kind,
                    "value": signal.value,
                    "says": str(signal.says),
                    "age_s": signal.age_s,
                }
                for signal in decision.evidence.signals
            ],
        },
        "announcement": decision.announcement,
        "override_key": decision.override_key,
        "audit": decision.audit,
        "exempt_reason": decision.exempt_reason,
        "alerts": list(decision.alerts),
        "steps": [
            {"rule": step.rule, "verdict": step.verdict, "because": step.because}
            for step in decision.steps
        ],
    }


def render(decision: Decision, request: CallRequest) -> str:
    """Several lines of English: who dialled what, what becomes of it, and each rule on the way."""
    caller = f"line {request.line}" if request.line else f"trunk {request.trunk}"
    verdict = f"{decision.action} ({decision.reason})"
    if decision.clause:
        verdict += f", terms {decision.clause}"
    lines = [
        f"{caller} dials {request.dialled} from {request.source_ip}",
        f"class {decision.number_class}: {verdict}",
    ]
    if decision.destination is not None:
        lines.append(f"destination: {_destination(decision.destination)}")
    if decision.announcement:
        key = f", key {decision.override_key} connects" if decision.override_key else ""
        lines.append(f"announcement: {decision.announcement}{key}")
    lines.append(f"evidence: {decision.evidence.level}")
    lines += [
        f"  {signal.kind} {signal.value} says {signal.says} ({signal.age_s:.0f} s old)"
        for signal in decision.evidence.signals
    ]
    lines.append("rules tried:")
    lines += [f"  {step.rule}: {step.verdict}, {step.because}" for step in decision.steps]
    return "\n".join(lines)


def _destination(destination: Destination) -> str:
    match destination:
        case ToLine(line):
            return f"line {line}"
        case ToNumber(number, number_class, route):
            return f"{number} ({number_class}) by route {route!r}"
        case ToEmergency(number, urn, location):
            return f"emergency {number} ({urn}) with INSEE {location.insee}"
        case ToFeature(name):
            return f"service {name!r}"
