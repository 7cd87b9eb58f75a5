"""What holds for every emergency decision, on generated lines, signals, settings and numbers.

The expectation is the sentence of the rule, worked out from the signals themselves.
"""

import random
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.emergency import AbroadRules, place
from policy.emergency_call import override, without_warning
from policy.engine import Rules, decide
from policy.model import (
    Action,
    CallRequest,
    Decision,
    EvidenceLevel,
    Facts,
    LineState,
    NumberClass,
    Says,
    Signal,
    ToEmergency,
)
from tests.policy.test_cases import LINES, LOCATIONS, NOW, RULES

EXAMPLES = 1_000
COMBINATIONS = 10_000
KINDS = (*RULES.emergency.max_age_s, "horoscope")
NUMBERS = [entry.number for entry in RULES.emergency.numbers]
DEAD = (LineState.TERMINATED, LineState.STOLEN)
SIGNALS = st.lists(
    st.builds(
        Signal,
        st.sampled_from(KINDS),
        st.just("?"),
        st.sampled_from(Says),
        st.one_of(
            st.sampled_from([0.0, -1.0, 5.0, 6.0, 900.0, 901.0, 7_776_000.0, 7_776_001.0]),
            st.floats(allow_nan=True),
        ),
    ),
    max_size=6,
).map(tuple)


def _rules(signals: int, key: str) -> Rules:
    return replace(RULES, emergency=replace(RULES.emergency, abroad=AbroadRules(signals, key)))


def _fresh(signal: Signal) -> bool:
    return signal.age_s <= RULES.emergency.max_age_s.get(signal.kind, float("-inf"))


def _is_french(signals: tuple[Signal, ...]) -> bool:
    return any(s.says in (Says.FRANCE, Says.SITE) and _fresh(s) for s in signals)


def _is_foreign(signals: tuple[Signal, ...]) -> bool:
    return any(s.says is Says.ABROAD and _fresh(s) and s.age_s >= 0 for s in signals)


def _check(decision: Decision, state: LineState, signals: tuple[Signal, ...], rules: Rules) -> None:
    blocked = decision.action is Action.BLOCK
    if state in DEAD:
        assert decision.action is Action.REFUSE and decision.destination is None
        return
    assert decision.action is not Action.REFUSE, "no state bars an emergency call"
    if blocked:
        assert _is_foreign(signals) and not _is_french(signals)
        assert decision.evidence.level is EvidenceLevel.E5
        assert decision.override_key == rules.emergency.abroad.override_key
    elif rules.emergency.abroad.signals == 1 and decision.reason == "ok":
        assert not _is_foreign(signals) or _is_french(signals)
    assert isinstance(decision.destination, ToEmergency)
    assert decision.destination.location.insee
    assert decision.exempt_reason == "emergency"
    assert decision.steps and decision.audit
    if decision.number_class is NumberClass.EMERGENCY_VITAL:
        assert not decision.may_withhold


def _decided(
    number: str,
    line: str,
    state: LineState,
    signals: tuple[Signal, ...],
    warned_s_ago: float | None,
    rules: Rules,
) -> Decision:
    caller = replace(LINES[line], state=state)
    warned_at = None if warned_s_ago is None else NOW - warned_s_ago
    request = CallRequest(number, line, "192.0.2.1", NOW, warned_at=warned_at)
    return decide(request, Facts(caller, signals), rules)


@settings(max_examples=EXAMPLES)
@given(
    number=st.sampled_from(NUMBERS),
    line=st.sampled_from([name for name in LINES if name != "201"]),
    state=st.sampled_from(LineState),
    signals=SIGNALS,
    warned_s_ago=st.sampled_from([None, -5.0, 0.0, 59.0, 60.0, 61.0]),
    needed=st.integers(1, 3),
    key=st.sampled_from(["", "1"]),
)
def test_every_decision(
    number: str,
    line: str,
    state: LineState,
    signals: tuple[Signal, ...],
    warned_s_ago: float | None,
    needed: int,
    key: str,
) -> None:
    rules = _rules(needed, key)
    decision = _decided(number, line, state, signals, warned_s_ago, rules)
    _check(decision, state, signals, rules)
    if decision.action is Action.BLOCK:
        unheard = without_warning(decision)
        by_address = all(
            s.kind in ("source_country", "usual_network", "enrolled_network", "device_address")
            for s in signals
            if s.says is Says.ABROAD and _fresh(s) and s.age_s >= 0
        )
        assert (unheard.action is Action.CONNECT) == by_address
        if key:
            pressed = override(decision)
            assert pressed.action is Action.CONNECT
            assert pressed.destination == decision.destination
            assert pressed.audit == "override_connected"


@settings(max_examples=500)
@given(signals=SIGNALS, more=SIGNALS)
def test_evidence_is_monotonous(signals: tuple[Signal, ...], more: tuple[Signal, ...]) -> None:
    """More French signals never make a block, more foreign ones never take one away."""
    french = tuple(s for s in more if s.says in (Says.FRANCE, Says.SITE))
    foreign = tuple(s for s in more if s.says is Says.ABROAD)
    rules = _rules(1, "1")

    def blocks(found: tuple[Signal, ...]) -> bool:
        return _decided("18", "101", LineState.ACTIVE, found, None, rules).action is Action.BLOCK

    if not blocks(signals):
        assert not blocks(signals + french)
    else:
        assert blocks(signals + foreign)


def test_ten_thousand_combinations_of_state_evidence_and_settings() -> None:
    """The same rule on many more, drawn by a fixed seed: how often each outcome was seen is told, so
    that a draw that never blocks would be noticed."""
    draw, seen = random.Random(20_261_124), Counter[str]()
    ages = (0.0, -1.0, 5.0, 6.0, 899.0, 901.0, 2_591_999.0, 2_592_001.0, 7_775_999.0, 7_776_001.0)
    for _ in range(COMBINATIONS):
        signals = tuple(
            Signal(draw.choice(KINDS), "?", draw.choice(list(Says)), draw.choice(ages))
            for _ in range(draw.randrange(5))
        )
        state, rules = draw.choice(list(LineState)), _rules(draw.choice((1, 1, 2)), "1")
        decision = _decided(draw.choice(NUMBERS), draw.choice(["101", "107", "112x", "113"]),
                            state, signals, None, rules)  # fmt: skip
        _check(decision, state, signals, rules)
        seen[f"{decision.action} {decision.evidence.level}"] += 1
    print(dict(sorted(seen.items())))
    assert all(seen[f"connect E{level}"] > 50 for level in (0, 1, 2, 3, 4))
    assert seen["block E5"] > 300
    assert sum(seen.values()) == COMBINATIONS


def test_a_location_always_goes_along() -> None:
    for line in LINES.values():
        location, is_own = place(line)
        assert location in LOCATIONS.values()
        assert is_own == (line.location is not None and line.location.validated)
