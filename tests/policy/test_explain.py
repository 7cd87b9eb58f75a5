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
GERMANY = Signal("source_country", "DE", Says.ABROAD, source="table 1a2b")


def _explain(dialled: str, *signals: Signal) -> tuple[Decision, str]:
    request = CallRequest(dialled, "101", "127.0.2.1", 0.0)
    facts = Facts(LINE, signals, {("demo", "101"): LINE})
    decision = decide(request, facts, RULES)
    said = {"line": "101", "dialled": dialled, "source_ip": "127.0.2.1"}
    return decision, "\n".join(render({**said, **as_dict(decision)}))


def test_json_has_the_keys_of_the_contract() -> None:
    decision, _ = _explain("18", GERMANY)
    found = as_dict(decision)
    assert json.loads(json.dumps(found)) == found
    assert found["class"] == "emergency_vital"
    assert (found["action"], found["reason"], found["clause"]) == ("block", "abroad", "1(c)")
    assert found["evidence"] == {
        "level": "E5",
        "signals": [
            {
                "kind": "source_country",
                "value": "DE",
                "says": "abroad",
                "age_s": 0.0,
                "max_age_s": 5,
                "counts": True,
                "source": "table 1a2b",
            }
        ],
    }
    assert found["announcement"] == "abroad"
    steps = found["steps"]
    assert isinstance(steps, list)
    assert set(steps[0]) == {"rule", "verdict", "because"}


def test_words_name_verdict_evidence_and_every_rule() -> None:
    decision, text = _explain("18", GERMANY)
    assert text.startswith("Line 101 dials 18 from 127.0.2.1.\nNot connected: ")
    assert "press 1 to be connected" in text
    assert "terms 1(c)" in text
    assert "country of the address: DE, abroad [table 1a2b]" in text
    assert "customer: blocked abroad" in text
    assert all(step.because in text for step in decision.steps)


def test_an_old_signal_is_shown_with_its_age_and_its_limit() -> None:
    old = Signal("device_report", "FR", Says.FRANCE, 1200.0)
    _, text = _explain("18", GERMANY, old)
    assert (
        "reported by the device: FR, in France but doesn't count: 20 min old, limit 15 min" in text
    )
    declared = Signal("declared_location", "FR", Says.FRANCE, 3 * 86_400.0)
    _, text = _explain("18", declared, Signal("horoscope", "?", Says.FRANCE))
    assert "declared by the customer: FR, in France, 3 days old" in text
    assert "horoscope: ?, in France but doesn't count" in text


def test_every_kind_of_destination_has_words() -> None:
    assert "INSEE 75108, version 1" in _explain("18")[1]
    assert "+33145678901 (national) by route 'national'" in _explain("0145678901")[1]
    assert "Connected to line 101" in _explain("101")[1]
    assert "service 'echo'" in _explain("*43")[1]
    assert "Refused (unknown_number)" in _explain("999")[1]
    assert "after the announcement '114-voice'" in _explain("114")[1]


def test_ways_and_the_address_are_read_out() -> None:
    decision, _ = _explain("18")
    civic = {"country": "FR", "A3": "Paris", "PC": "75008", "RD": "rue X", "HNO": "1", "FLR": "3"}
    ways = [
        {"trunk": "a", "request_uri": "sip:18@a", "headers": {"H": "1"}, "body_types": ["x", "y"]},
        {"trunk": "b", "request_uri": "sip:18@b", "headers": {"H": "1"}, "body_types": ["x"]},
    ]
    answer = as_dict(decision) | {"line": "101", "dialled": "18", "source_ip": "x", "targets": ways}
    answer["location"] = {"insee": "75108", "version": 2, "civic": civic}
    text = "\n".join(render(answer))
    assert "with the address: 1 rue X, 75008 Paris FR, floor 3" in text
    assert "1. a: sip:18@a, address in the message\n     H: 1" in text
    assert "2. b: sip:18@b (header fields as in 1)" in text
