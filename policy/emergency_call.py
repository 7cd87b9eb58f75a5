"""One emergency call decided: connected with a location, blocked with a warning, or not ours.

The rows of the decision table are tried in their order: credentials, evidence, and then the
location that goes with the call. Terms 1(b)-1(e). Trying the next route when a trunk fails is the
switch's business; whether a block stands when its warning can't be heard is decided here.
"""

from dataclasses import replace

from policy.account_state import DEAD, Refusal
from policy.emergency import (
    TABLE,
    EmergencyNumber,
    EmergencyRules,
    Row,
    place,
    rests_on_address_alone,
    weigh,
)
from policy.model import (
    Action,
    CallRequest,
    Decision,
    Evidence,
    EvidenceLevel,
    Line,
    LineState,
    NumberClass,
    Signal,
    Step,
    ToEmergency,
)

UNKNOWN_LINE = Refusal("unknown_line", "2(b)", "", "no known line with valid credentials")
DEFAULT_LOCATION_ALARM = "operator:default_location:P1"

BARRED_STATE_KEEPS = {
    state: Step("line_state", "pass", f"{state}: never bars an emergency call (2(k))")
    for state in LineState
}
NOT_IN_SERVICE = Step(
    "device",
    "pass",
    "the device hasn't acknowledged the location: the newest registered one is sent",
)
OWN_ADDRESS = Step("location", "pass", "the line's own registered location")
SITE_ADDRESS = Step("location", "replace", "no validated address: the site's location is sent")
DEFAULT_ADDRESS = Step("location", "replace", "no validated address: the default location is sent")
OVERRIDDEN = Step("abroad_override", "connect", "the caller says they are in France")
REDIALLED = Step("abroad_override", "connect", "dialled again after a warning nobody could hear")
UNHEARD_CONNECTS = Step(
    "warning_unplayable", "connect", "only the address says abroad, and the warning can't be played"
)
UNHEARD_BLOCKS = Step(
    "warning_unplayable", "block", "the device or the customer says abroad; refused without words"
)
ROW_WORDS = {
    EvidenceLevel.E0: "on the network of the registered building",
    EvidenceLevel.E1: "in France, on a usual network",
    EvidenceLevel.E2: "in France, on a new network",
    EvidenceLevel.E3: "no evidence of the place: connected",
    EvidenceLevel.E4: "a foreign signal is contradicted by a French one: connected",
    EvidenceLevel.E5: "positive evidence of being abroad and none of being in France",
}
ROW_STEPS = {
    level: Step("evidence", "block" if row.blocks else "connect", f"{level}: {ROW_WORDS[level]}")
    for level, row in TABLE.items()
}


def decide_emergency(
    number: EmergencyNumber,
    request: CallRequest,
    line: Line | None,
    signals: tuple[Signal, ...],
    rules: EmergencyRules,
) -> Decision:
    """Decide a call to `number` by a line; `line` is None for unknown credentials."""
    found = Step("emergency_number", "match", f"{number.number} is {number.urn}")
    evidence = weigh(signals, rules)
    dead = UNKNOWN_LINE if line is None else DEAD.get(line.state)
    if line is None or dead is not None:
        return _not_ours(number, dead or UNKNOWN_LINE, evidence, found)
    steps: tuple[Step, ...] = (found,)
    if line.state is not LineState.ACTIVE:
        steps = (found, BARRED_STATE_KEEPS[line.state])
    if not line.in_service:
        steps = (*steps, NOT_IN_SERVICE)
    row = TABLE[evidence.level]
    if row.blocks:
        return _abroad(number, request, line, evidence, rules, row, steps)
    return _connect(number, line, evidence, rules, row, steps)


def _connect(
    number: EmergencyNumber,
    line: Line,
    evidence: Evidence,
    rules: EmergencyRules,
    row: Row,
    steps: tuple[Step, ...],
) -> Decision:
    location, own = place(line)
    target = rules.spoken(number)
    address = OWN_ADDRESS
    if not own:
        address = DEFAULT_ADDRESS if line.site_location is None else SITE_ADDRESS
    return Decision(
        number.number_class,
        Action.CONNECT,
        "ok",
        row.rule,
        "1(b)" if own else "1(d)",
        ToEmergency(target.number, target.urn, location),
        evidence,
        number.voice,
        "",
        row.audit if own else "default_location",
        "emergency",
        line.number,
        number.number_class is not NumberClass.EMERGENCY_VITAL,
        row.alerts if own else (*row.alerts, DEFAULT_LOCATION_ALARM),
        (*steps, ROW_STEPS[evidence.level], address),
    )


def _abroad(
    number: EmergencyNumber,
    request: CallRequest,
    line: Line,
    evidence: Evidence,
    rules: EmergencyRules,
    row: Row,
    steps: tuple[Step, ...],
) -> Decision:
    connected = _connect(number, line, evidence, rules, row, steps)
    key = rules.abroad.override_key
    warned = request.warned_at
    since = -1.0 if warned is None else request.at - warned
    if key and 0 <= since <= rules.abroad.redial_s:
        return _override(connected, REDIALLED)
    return Decision(
        connected.number_class,
        Action.BLOCK,
        "abroad",
        row.rule,
        "1(c)",
        connected.destination,
        evidence,
        "abroad",
        key,
        row.audit,
        "emergency",
        line.number,
        connected.may_withhold,
        connected.alerts,
        connected.steps,
    )


def override(blocked: Decision) -> Decision:
    """What a block becomes when the caller presses the key: connected, and logged as such.

    The destination is the block's own; raises ValueError for any other decision.
    """
    if blocked.action is not Action.BLOCK or not blocked.override_key:
        raise ValueError("only a block with an override key can be overridden")
    return _override(blocked, OVERRIDDEN)


def _override(blocked: Decision, step: Step) -> Decision:
    return replace(
        blocked,
        action=Action.CONNECT,
        reason="abroad_overridden",
        rule=step.rule,
        clause="1(c)",
        announcement="",
        override_key="",
        audit="override_connected",
        steps=(*blocked.steps, step),
    )


def without_warning(blocked: Decision) -> Decision:
    """What a block becomes when its warning can't be played (no worker, no common codec).

    If the source address alone says abroad the call connects, for a database can err and nobody
    would hear why; a declared or device-reported foreign place blocks at once.
    """
    if not rests_on_address_alone(blocked.evidence):
        return replace(
            blocked, announcement="", override_key="", steps=(*blocked.steps, UNHEARD_BLOCKS)
        )
    return replace(
        blocked,
        action=Action.CONNECT,
        reason="ok",
        rule=UNHEARD_CONNECTS.rule,
        clause="1(b)",
        announcement="",
        override_key="",
        audit="suspect_abroad",
        alerts=("operator:suspect_abroad", "operator:media_failed"),
        steps=(*blocked.steps, UNHEARD_CONNECTS),
    )


def _not_ours(
    number: EmergencyNumber, refusal: Refusal, evidence: Evidence, found: Step
) -> Decision:
    step = Step("credentials", "refuse", f"{refusal.because}: never routed")
    return Decision(
        number.number_class,
        Action.REFUSE,
        refusal.reason,
        step.rule,
        refusal.clause,
        None,
        evidence,
        audit="stolen" if refusal.reason == "stolen" else "unauthenticated",
        steps=(found, step),
    )
