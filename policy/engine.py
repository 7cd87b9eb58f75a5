"""`decide`: what becomes of one call attempt, and why.

Emergency comes first and no later rule can take it back. Then: calls that a trunk brings, calls
that a line places. Every rule that was tried leaves a step in plain words. Fair use and acceptable
use (terms 3) are deliberately absent: they never refuse a call.
"""

from dataclasses import dataclass, replace

from policy.account_state import (
    DEAD,
    DEFAULT_PERMISSIONS,
    Refusal,
    refuse_being_called,
    refuse_calling,
)
from policy.emergency import EmergencyRules, weigh
from policy.emergency_call import UNKNOWN_LINE, decide_emergency
from policy.model import (
    Action,
    CallRequest,
    Decision,
    Destination,
    Evidence,
    EvidenceLevel,
    Facts,
    Line,
    NumberClass,
    Step,
    ToFeature,
    ToLine,
    ToNumber,
)
from policy.numbering import Classified, NumberingPlan

NO_EVIDENCE = Evidence(EvidenceLevel.E3, ())
PSAP_CALLBACK = "psap-callback"  # RFC 7090 §3

# Free for the caller, so outside the line's minutes.
EXEMPT = {
    NumberClass.SOCIAL: "free",
    NumberClass.SPECIAL_FREE: "free",
    NumberClass.SUPPORT: "support",
    NumberClass.FEATURE: "internal",
    NumberClass.TEST: "internal",
}
CLAUSES = {NumberClass.SUPPORT: "14", NumberClass.TEST: "7(g)", NumberClass.SOCIAL: "2(k)"}
# Longer than any extension, so whoever dialled it meant the public network and is owed words.
LONGEST_EXTENSION = 5

NOT_EMERGENCY = Step("emergency_number", "pass", "not an emergency number in any spelling")
KNOWN_LINE = Step("credentials", "pass", "an authenticated line whose contract runs")
NO_SERVICE_CODE = Step("service_code", "pass", "no feature code, test code or support number")
NO_EXTENSION = Step("extension", "pass", "no extension of this account")
STATE_PERMITS = Step("line_state", "pass", "state and permissions let the line call this class")
OFF_SWITCH = Step("own_number", "pass", "not a number of this switch")
NOT_PSAP = Step("psap_callback", "pass", "no PSAP call-back from a trusted trunk")
TAKES_CALLS = Step("callee_state", "connect", "the line takes calls")
CALLS_BACK = Step("psap_callback", "connect", "a PSAP calls back; no state of the line bars it")

NO_SUCH_NUMBER = Refusal("unknown_number", "", "unavailable_number", "no rule of the plan fits")
NO_SUCH_EXTENSION = Refusal("unknown_number", "", "", "no such extension")
NOT_OUR_NUMBER = Refusal("unknown_number", "", "", "not a number of this switch")


@dataclass(frozen=True, slots=True)
class Rules:
    """All that the operator configured and that a decision may lean on.

    `default_permissions` are for lines whose configuration names none: whoever builds a `Line`
    applies them. Support and PSAP call-back numbers are E.164 with `+`. `version` tells these rules from
    those before and after them, for the audit.
    """

    plan: NumberingPlan
    emergency: EmergencyRules
    version: str = ""
    readback_number: str = "933"
    echo_code: str = "*43"
    support_numbers: frozenset[str] = frozenset({"+80044331345"})
    psap_callback_numbers: frozenset[str] = frozenset({"+33800112112"})
    default_permissions: frozenset[NumberClass] = DEFAULT_PERMISSIONS


def decide(request: CallRequest, facts: Facts, rules: Rules) -> Decision:
    """Decide one call attempt. Pure; never raises for anything that can be dialled."""
    if request.line is None and request.trunk is not None:
        # A trunk has no emergency callers of ours: what it dials is a number of ours or nothing.
        return _inbound(request, facts, rules)
    number = rules.emergency.classify(request.dialled)
    line = facts.line if request.line is not None else None
    if number is not None:
        return decide_emergency(number, request, line, facts.signals, rules.emergency)
    if line is None:
        step = Step("credentials", "refuse", UNKNOWN_LINE.because)
        return _refuse(UNKNOWN_LINE, NumberClass.UNKNOWN, NO_EVIDENCE, (NOT_EMERGENCY, step))
    return _outbound(request, facts, line, rules)


def _outbound(request: CallRequest, facts: Facts, line: Line, rules: Rules) -> Decision:
    """Any other call of a known line."""
    evidence = weigh(facts.signals, rules.emergency)
    found, callee, seen = _classify(request.dialled, facts, line, rules)
    dead = DEAD.get(line.state)
    if dead is not None:
        step = Step("credentials", "refuse", dead.because)
        return _refuse(dead, found.number_class, evidence, (NOT_EMERGENCY, step))
    refusal = refuse_calling(
        line, found.number_class, found.number if callee is None else callee.number
    )
    if refusal is not None:
        step = Step("line_state", "refuse", refusal.because)
        return _refuse(refusal, found.number_class, evidence, (*seen, step))
    seen = (*seen, STATE_PERMITS)
    if callee is not None:
        return _to_line(line, callee, found, facts, evidence, seen)
    return _leave(line, found, evidence, seen, rules)


def _classify(
    dialled: str, facts: Facts, line: Line, rules: Rules
) -> tuple[Classified, Line | None, tuple[Step, ...]]:
    """What was dialled: an extension, a service of ours, or what the plan says; and whose it is."""
    callee = facts.extensions.get((line.account, dialled))
    if callee is not None:
        found = Classified(NumberClass.INTERNAL, dialled, rule="extension")
        step = Step("extension", "match", f"line {callee.id}")
        return found, callee, (NOT_EMERGENCY, KNOWN_LINE, step)
    text = rules.plan.canonical(dialled)
    service = _service(text, rules)
    if service is not None:
        step = Step("service_code", "match", f"{text} is of class {service.number_class}")
        return service, None, (NOT_EMERGENCY, KNOWN_LINE, NO_EXTENSION, step)
    found = rules.plan.classify_canonical(text)
    if found.rule:
        step = Step("number_plan", "match", f"rule {found.rule!r}: class {found.number_class}")
    else:
        step = Step("number_plan", "pass", NO_SUCH_NUMBER.because)
    callee = facts.numbers.get(found.number)
    if callee is not None and callee.account == line.account:
        found = Classified(NumberClass.INTERNAL, found.number, rule=found.rule)
    return found, callee, (NOT_EMERGENCY, KNOWN_LINE, NO_EXTENSION, NO_SERVICE_CODE, step)


def _service(text: str, rules: Rules) -> Classified | None:
    """The codes and numbers that the rules name themselves, whatever the plan says of them."""
    if text == rules.readback_number:
        return Classified(NumberClass.TEST, text, feature="readback")
    if text == rules.echo_code:
        return Classified(NumberClass.FEATURE, text, feature="echo")
    if text in rules.support_numbers:
        planned = rules.plan.classify_canonical(text)
        return replace(planned, number_class=NumberClass.SUPPORT, number=text, rule="support")
    return None


def _to_line(
    line: Line,
    callee: Line,
    found: Classified,
    facts: Facts,
    evidence: Evidence,
    seen: tuple[Step, ...],
) -> Decision:
    """A call from one line of this switch to another."""
    refusal = refuse_being_called(callee)
    if refusal is not None:
        # The caller's own line is in order: say only that the other one can't be reached.
        spoken = "unreachable" if refusal.announcement else ""
        refusal = Refusal(refusal.reason, refusal.clause, spoken, f"called: {refusal.because}")
        step = Step("callee_state", "refuse", refusal.because)
        return _refuse(refusal, found.number_class, evidence, (*seen, step))
    internal = found.number_class is NumberClass.INTERNAL
    # A colleague sees the extension, which can be dialled back; others the number.
    colleague = facts.extensions.get((line.account, line.id)) if internal else None
    own = colleague is not None and colleague.id == line.id
    step = Step("own_number", "connect", f"to line {callee.id} of this switch")
    return Decision(
        found.number_class,
        Action.CONNECT,
        "ok",
        "own_number",
        "",
        ToLine(callee.id),
        evidence,
        exempt_reason="internal" if internal else None,
        caller_number=line.id if own else line.number,
        steps=(*seen, step),
    )


def _leave(
    line: Line, found: Classified, evidence: Evidence, seen: tuple[Step, ...], rules: Rules
) -> Decision:
    """A call that ends in a service of the switch, or leaves by a trunk."""
    number_class = found.number_class
    if number_class is NumberClass.UNKNOWN or number_class is NumberClass.INTERNAL:
        refusal = NO_SUCH_NUMBER if _looks_external(found) else NO_SUCH_EXTENSION
        step = Step("number_plan", "refuse", refusal.because)
        return _refuse(refusal, number_class, evidence, (*seen, step))
    destination: Destination
    if found.feature:
        destination = ToFeature(found.feature)
        step = Step("feature", "connect", f"service {found.feature!r} of the switch")
    else:
        destination = ToNumber(found.number, number_class, found.route)
        step = Step("route", "connect", f"{found.number} by route {found.route!r}")
    return Decision(
        number_class,
        Action.CONNECT,
        "ok",
        step.rule,
        CLAUSES.get(number_class, ""),
        destination,
        evidence,
        audit="test" if number_class is NumberClass.TEST else "",
        exempt_reason=EXEMPT.get(number_class),
        caller_number=line.number if rules.plan.may_present(line.number) else "",
        may_withhold=found.caller_id != "shown",
        steps=(*seen, OFF_SWITCH, step),
    )


def _looks_external(found: Classified) -> bool:
    if found.number_class is NumberClass.INTERNAL:
        return False
    return found.number[:1] in ("0", "+") or len(found.number) > LONGEST_EXTENSION


def _inbound(request: CallRequest, facts: Facts, rules: Rules) -> Decision:
    """A call that a trunk brings: to a number of this switch, or refused."""
    number = rules.plan.e164(request.dialled)
    callee = facts.numbers.get(number)
    if callee is None:
        step = Step("own_number", "refuse", NOT_OUR_NUMBER.because)
        return _refuse(NOT_OUR_NUMBER, NumberClass.UNKNOWN, NO_EVIDENCE, (step,))
    found = Step("own_number", "match", f"{number} is line {callee.id}")
    callback = _is_psap_callback(request, rules)
    refusal = refuse_being_called(callee)
    ended = refusal is not None and refusal.reason == "unknown_number"
    if refusal is not None and (ended or not callback):
        step = Step("callee_state", "refuse", refusal.because)
        # The public hears the carrier's own words; why a customer is barred is not theirs to know.
        silent = Refusal(refusal.reason, refusal.clause, "", refusal.because)
        return _refuse(silent, NumberClass.NATIONAL, NO_EVIDENCE, (found, step))
    return Decision(
        NumberClass.NATIONAL,
        Action.CONNECT,
        "ok",
        "psap_callback" if callback else "own_number",
        "1(e)" if callback else "",
        ToLine(callee.id),
        NO_EVIDENCE,
        exempt_reason="psap_callback" if callback else None,
        caller_number=request.caller,
        steps=(found, CALLS_BACK) if callback else (found, NOT_PSAP, TAKES_CALLS),
    )


def _is_psap_callback(request: CallRequest, rules: Rules) -> bool:
    """RFC 7090, believed only from trusted trunks: a header or a number is easily forged."""
    if not request.trunk_trusted:
        return False
    if request.priority.strip().lower() == PSAP_CALLBACK:
        return True
    return rules.plan.e164(request.caller) in rules.psap_callback_numbers


def _refuse(
    refusal: Refusal, number_class: NumberClass, evidence: Evidence, steps: tuple[Step, ...]
) -> Decision:
    return Decision(
        number_class,
        Action.REFUSE,
        refusal.reason,
        steps[-1].rule,
        refusal.clause,
        None,
        evidence,
        announcement=refusal.announcement,
        steps=steps,
    )
