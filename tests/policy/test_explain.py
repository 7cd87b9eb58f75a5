"""Decisions in words and in JSON."""

import json
from pathlib import Path

from policy.account_state import DEFAULT_PERMISSIONS
from policy.engine import Rules, decide
from policy.explain import as_dict, render
from policy.model import CallRequest, Decision, Facts, Line, LineState, Location, Says, Signal
from switch.routing.dialplan import load

PLAN = load(Path(__file__).parents[2] / "dialplans" / "fr.toml")
RULES = Rules(PLAN.plan, PLAN.emergency)
HOME = Location("75108", {})
LINE = Line(
    "101", "demo", "+33199000101", LineState.ACTIVE, "", DEFAULT_PERMISSIONS, HOME, None, HOME
)
GERMANY = Signal("source_country", "DE", Says.ABROAD)


def _explain(dialled: str, *signals: Signal) -> tuple[Decision, str]:
    request = CallRequest(dialled, "101", "127.0.2.1", 0.0)
    facts = Facts(LINE, signals, {("demo", "101"): LINE})
    decision = decide(request, facts, RULES)
    return decision, render(decision, request)


def test_json_has_the_keys_of_the_contract() -> None:
    decision, _ = _explain("18", GERMANY)
    found = as_dict(decision)
    assert json.loads(json.dumps(found)) == found
    assert found["class"] == "emergency_vital"
    assert (found["action"], found["reason"], found["clause"]) == ("block", "abroad", "1(c)")
    assert found["evidence"] == {
        "level": "E5",
        "signals": [{"kind": "source_country", "value": "DE", "says": "abroad", "age_s": 0.0}],
    }
    assert found["announcement"] == "abroad"
    steps = found["steps"]
    assert isinstance(steps, list)
    assert set(steps[0]) == {"rule", "verdict", "because"}


def test_words_name_verdict_evidence_and_every_rule() -> None:
    decision, text = _explain("18", GERMANY)
    assert "line 101 dials 18 from 127.0.2.1" in text
    assert "block (abroad), terms 1(c)" in text
    assert "source_country DE says abroad" in text
    assert "key 1 connects" in text
    assert all(step.because in text for step in decision.steps)


def test_every_kind_of_destination_has_words() -> None:
    assert "INSEE 75108" in _explain("18")[1]
    assert "+33145678901 (national) by route 'national'" in _explain("0145678901")[1]
    assert "destination: line 101" in _explain("101")[1]
    assert "service 'echo'" in _explain("*43")[1]
    assert "destination" not in _explain("999")[1]
