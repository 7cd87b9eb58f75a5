"""What a block becomes when overridden or unheard, and the invariants over all facts."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.emergency_call import decide_emergency, override, without_warning
from policy.engine import Rules, decide
from policy.model import (
    Action,
    CallRequest,
    Decision,
    EvidenceLevel,
    Facts,
    Line,
    LineState,
    Location,
    NumberClass,
    Says,
    Signal,
    ToEmergency,
)
from switch.routing.dialplan import load

PLAN = load(Path(__file__).parents[2] / "dialplans" / "fr.toml")
RULES = Rules(PLAN.plan, PLAN.emergency)
HOME = Location("75108", {})
LINE = Line("101", "demo", "+33199000101", LineState.ACTIVE, "", frozenset(), HOME, None, HOME)
GERMANY = Signal("source_country", "DE", Says.ABROAD)
DECLARED = Signal("declared_location", "DE", Says.ABROAD, 3600)
SIGNAL = st.builds(
    Signal,
    st.sampled_from(list(PLAN.emergency.max_age_s)),
    st.just(""),
    st.sampled_from(Says),
    st.floats(allow_nan=False),
)
LINES = st.builds(
    Line,
    st.just("101"),
    st.just("demo"),
    st.just("+33199000101"),
    st.sampled_from(LineState),
    st.text(max_size=5),
    st.frozensets(st.sampled_from(NumberClass)),
    st.one_of(
        st.none(), st.builds(Location, st.just("75108"), st.just({}), validated=st.booleans())
    ),
    st.one_of(st.none(), st.just(Location("75101", {}))),
    st.just(Location("75056", {})),
)


def _decide(*signals: Signal, dialled: str = "18", rules: Rules = RULES) -> Decision:
    return decide(CallRequest(dialled, "101", "127.0.0.1", 0.0), Facts(LINE, signals), rules)


def test_the_key_connects_to_the_blocked_destination() -> None:
    blocked = _decide(GERMANY)
    connected = override(blocked)
    assert (blocked.action, connected.action) == (Action.BLOCK, Action.CONNECT)
    assert connected.destination == blocked.destination
    assert (connected.reason, connected.audit) == ("abroad_overridden", "override_connected")
    assert (connected.announcement, connected.override_key) == ("", "")
    assert connected.alerts == blocked.alerts
    assert connected.steps[:-1] == blocked.steps


def test_without_a_key_there_is_no_override() -> None:
    off = replace(PLAN.emergency, abroad=replace(PLAN.emergency.abroad, override_key=""))
    blocked = _decide(GERMANY, rules=replace(RULES, emergency=off))
    assert blocked.override_key == ""
    with pytest.raises(ValueError, match="override"):
        override(blocked)
    redial = CallRequest("18", "101", "127.0.0.1", 10.0, warned_at=5.0)
    again = decide(redial, Facts(LINE, (GERMANY,)), replace(RULES, emergency=off))
    assert again.action is Action.BLOCK


def test_only_a_block_can_be_overridden() -> None:
    with pytest.raises(ValueError, match="override"):
        override(_decide())


def test_an_unheard_warning_on_the_address_alone_connects() -> None:
    unheard = without_warning(_decide(GERMANY))
    assert (unheard.action, unheard.reason) == (Action.CONNECT, "ok")
    assert unheard.audit == "suspect_abroad"
    assert "operator:media_failed" in unheard.alerts
    assert isinstance(unheard.destination, ToEmergency)


def test_an_unheard_warning_with_a_declared_place_blocks_without_words() -> None:
    unheard = without_warning(_decide(GERMANY, DECLARED))
    assert (unheard.action, unheard.reason) == (Action.BLOCK, "abroad")
    assert (unheard.announcement, unheard.audit) == ("", "blocked_abroad")


@given(
    line=LINES,
    signals=st.lists(SIGNAL, max_size=4).map(tuple),
    dialled=st.sampled_from(sorted(PLAN.emergency.spellings)),
)
def test_nothing_but_evidence_keeps_a_line_in_contract_from_help(
    line: Line, signals: tuple[Signal, ...], dialled: str
) -> None:
    decision = decide(CallRequest(dialled, "101", "", 0.0), Facts(line, signals), RULES)
    if line.state in (LineState.TERMINATED, LineState.STOLEN):
        assert (decision.action, decision.destination) == (Action.REFUSE, None)
        return
    assert isinstance(decision.destination, ToEmergency)
    is_abroad = decision.evidence.level is EvidenceLevel.E5
    assert decision.action is (Action.BLOCK if is_abroad else Action.CONNECT)
    assert decision.exempt_reason == "emergency"
    assert decision.caller_number == line.number
    assert decision.audit


def test_unknown_credentials_need_no_line() -> None:
    number = PLAN.emergency.spellings["18"]
    request = CallRequest("18", None, "", 0.0)
    decision = decide_emergency(number, request, None, (), PLAN.emergency)
    assert (decision.action, decision.reason) == (Action.REFUSE, "unknown_line")
