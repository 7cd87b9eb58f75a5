"""A decision as plain values for JSON, and those values in sentences for people.

What is added by the caller: who dialled (`line`, `dialled`, `source_ip`) and `targets`, since which
trunk or phone a destination becomes is no policy.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policy.emergency_call import ROW_WORDS
from policy.model import (
    Decision,
    Destination,
    Evidence,
    EvidenceLevel,
    ToEmergency,
    ToFeature,
    ToLine,
    ToNumber,
)

KINDS = {
    "enrolled_network": "network of the building",
    "usual_network": "usual network of the line",
    "source_country": "country of the address",
    "declared_location": "declared by the customer",
    "device_report": "reported by the device",
    "device_address": "address that the device reports",
}
SAYS = {
    "site": "in the building",
    "france": "in France",
    "abroad": "abroad",
    "nothing": "says nothing",
}
# Civic address elements (RFC 5139) in the order in which an address is read aloud.
_STREET = ("HNO", "HNS", "RD")
_TOWN = ("PC", "A3", "A4", "country")
_INSIDE = (("NAM", ""), ("BLD", "building "), ("FLR", "floor "), ("ROOM", "room "), ("LOC", ""))


def as_dict(decision: Decision) -> dict[str, object]:
    """The object of `explain call --json` but for what the caller adds; ages in seconds."""
    location = getattr(decision.destination, "location", None)
    return {
        "class": str(decision.number_class),
        "action": str(decision.action),
        "reason": decision.reason,
        "rule": decision.rule,
        "clause": decision.clause,
        "evidence": {
            "level": str(decision.evidence.level),
            "signals": signals_as_dicts(decision.evidence),
        },
        "destination": "" if decision.destination is None else _destination(decision.destination),
        "location": location
        and {
            "insee": location.insee,
            "version": location.version,
            "civic": dict(location.civic),
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


def signals_as_dicts(evidence: Evidence) -> list[dict[str, object]]:
    """Every signal that was looked at: what it says, how old it is and may be, if it counted, and the
    version of the table or database that told."""
    return [
        {
            "kind": signal.kind,
            "value": signal.value,
            "says": str(signal.says),
            "age_s": round(signal.age_s, 3),
            "max_age_s": evidence.max_age_s.get(signal.kind),
            "counts": evidence.counts(signal),
            "source": signal.source,
        }
        for signal in evidence.signals
    ]


def render(answer: Mapping[str, Any]) -> Iterator[str]:
    """Lines of English from `as_dict` and what the caller added; the first two are the verdict."""
    yield f"Line {answer['line']} dials {answer['dialled']} from {answer['source_ip']}."
    yield _verdict(answer)
    yield ""
    yield "Where is the phone?"
    level = EvidenceLevel(answer["evidence"]["level"])
    yield f"  {level}: {ROW_WORDS[level]}"
    for signal in answer["evidence"]["signals"]:
        yield _signal(signal)
    yield from _route(answer)
    if answer["alerts"]:
        yield ""
        yield "Who is told after the call?"
        for alert in answer["alerts"]:
            who, what, *_ = str(alert).split(":")
            yield f"  {who}: {what.replace('_', ' ')}"
    yield ""
    yield "Rules, in the order in which they were tried"
    for number, step in enumerate(answer["steps"], 1):
        yield f"  {number}. {step['rule']}: {step['because']} -> {step['verdict']}"


def _verdict(answer: Mapping[str, Any]) -> str:
    kind = str(answer["class"]).replace("_", " ")
    match answer["action"]:
        case "connect":
            verdict = f"Connected to {answer['destination']}"
            if answer["announcement"]:
                verdict += f", after the announcement {answer['announcement']!r}"
        case "block":
            verdict = f"Not connected: the caller hears the warning {answer['announcement']!r}"
            if answer["override_key"]:
                verdict += f" and can press {answer['override_key']} to be connected"
        case _:
            verdict = f"Refused ({answer['reason']})"
            if answer["announcement"]:
                verdict += f", the caller hears {answer['announcement']!r}"
    clause = f", terms {answer['clause']}" if answer["clause"] else ""
    return f"{verdict}. Class {kind}, rule {answer['rule']}{clause}."


def _signal(signal: Mapping[str, Any]) -> str:
    words = SAYS[signal["says"]]
    if signal["says"] != "nothing" and not signal["counts"]:
        limit = signal["max_age_s"]
        words += " but doesn't count" + (
            f": {_span(signal['age_s'])} old, limit {_span(limit)}" if limit is not None else ""
        )
    elif signal["age_s"] >= 1:
        words += f", {_span(signal['age_s'])} old"
    source = f" [{signal['source']}]" if signal["source"] else ""
    return f"  - {KINDS.get(signal['kind'], signal['kind'])}: {signal['value']}, {words}{source}"


def _route(answer: Mapping[str, Any]) -> Iterator[str]:
    location, targets = answer["location"], answer.get("targets") or []
    if location is None and not targets:
        return
    yield ""
    pressed = f" once {answer['override_key']} is pressed" if answer["action"] == "block" else ""
    yield f"Where does it go{pressed}?"
    if location is not None:
        yield f"  with the address: {_address(location['civic'])}"
        yield f"  INSEE {location['insee']}, version {location['version']} of the line's address"
    first: dict[str, int] = {}
    for number, target in enumerate(targets, 1):
        with_place = ", address in the message" if len(target["body_types"]) > 1 else ""
        headers = [f"     {name}: {value}" for name, value in target["headers"].items()]
        same = first.setdefault("\n".join(headers), number)
        again = f" (header fields as in {same})" if headers and same != number else ""
        yield f"  {number}. {target['trunk'] or 'phone'}: {target['request_uri']}{with_place}{again}"
        if not again:
            yield from headers


def _address(civic: Mapping[str, str]) -> str:
    def joined(names: Sequence[str]) -> str:
        return " ".join(civic[name] for name in names if civic.get(name))

    inside = [word + civic[name] for name, word in _INSIDE if civic.get(name)]
    return ", ".join(part for part in (joined(_STREET), joined(_TOWN), *inside) if part)


def _span(seconds: float) -> str:
    """ "45 s", "20 min", "3 h", "12 days"."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


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
