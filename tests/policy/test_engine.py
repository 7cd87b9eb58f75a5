"""Properties of `decide` over anything that can be dialled, and its price."""

import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from policy.account_state import DEFAULT_PERMISSIONS
from policy.engine import Rules, decide
from policy.model import (
    Action,
    CallRequest,
    Facts,
    Line,
    LineState,
    Location,
    NumberClass,
    Says,
    Signal,
)
from switch.routing.dialplan import load

PLAN = load(Path(__file__).parents[2] / "dialplans" / "fr.toml")
RULES = Rules(PLAN.plan, PLAN.emergency)
HOME = Location("75108", {})
LINE = Line(
    "101", "demo", "+33199000101", LineState.ACTIVE, "", DEFAULT_PERMISSIONS, HOME, None, HOME
)
SITE = Signal("enrolled_network", "127.0.0.1/32", Says.SITE)
FACTS = Facts(LINE, (SITE,), {("demo", "101"): LINE}, {LINE.number: LINE})
# The budget is 15 us; a shared machine may be several times slower than a quiet one.
BUDGET_S = 15e-6
SLACK = 8
DIALLED = st.one_of(
    st.text(), st.text("0123456789+*#", max_size=16), st.sampled_from(["tel:", "urn:", "%", ";"])
)


@given(dialled=DIALLED, trunk=st.booleans(), trusted=st.booleans(), caller=st.text(max_size=12))
def test_every_string_gets_a_decision(
    dialled: str, trunk: bool, trusted: bool, caller: str
) -> None:
    request = CallRequest(dialled, None if trunk else "101", "", 0.0, "t" if trunk else None,
                          trusted, caller)  # fmt: skip
    decision = decide(request, FACTS, RULES)
    assert decision.steps
    assert (decision.destination is None) == (decision.action is Action.REFUSE)
    assert (decision.reason == "ok") == (decision.action is Action.CONNECT)


@given(dialled=DIALLED)
def test_emergency_is_exactly_what_the_table_says(dialled: str) -> None:
    decision = decide(CallRequest(dialled, "101", "", 0.0), FACTS, RULES)
    number = PLAN.emergency.classify(dialled)
    emergency = (NumberClass.EMERGENCY_VITAL, NumberClass.EMERGENCY_SOCIAL)
    assert (decision.number_class in emergency) == (number is not None)


def test_an_extension_cannot_take_an_emergency_number() -> None:
    facts = Facts(LINE, (SITE,), {("demo", "18"): LINE}, {})
    decision = decide(CallRequest("18", "101", "", 0.0), facts, RULES)
    assert decision.number_class is NumberClass.EMERGENCY_VITAL


def test_a_request_without_a_line_is_nobody_s() -> None:
    for dialled in ("18", "0145678901", "101"):
        decision = decide(CallRequest(dialled, None, "", 0.0), FACTS, RULES)
        assert (decision.action, decision.reason) == (Action.REFUSE, "unknown_line")


def test_the_price_of_a_decision() -> None:
    request = CallRequest("0145678901", "101", "127.0.0.1", 0.0)
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        for _ in range(500):
            decide(request, FACTS, RULES)
        best = min(best, (time.process_time() - start) / 500)
    assert best < BUDGET_S * SLACK
