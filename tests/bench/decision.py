"""What a decision costs: `policy.decide` with the demonstration's rules and facts, in a timed loop.

Each figure is the median of short runs, of the process's CPU time; gathering the facts is part of it, as
for a live call. Deliberately absent: SIP.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from policy.engine import decide
from policy.model import Action, CallRequest
from switch import config

DEMO = Path(__file__).parents[2] / "configs" / "demo"
ORDINARY, HOME, ABROAD = "decide ordinary", "decide home", "decide abroad"
_CASES = {  # what line 101 dials from where, and what must come out
    ORDINARY: ("0145678901", "127.0.0.1", Action.CONNECT),
    HOME: ("18", "127.0.0.1", Action.CONNECT),
    ABROAD: ("18", "127.0.2.1", Action.BLOCK),
}
_RUNS, _EACH = 30, 300


def decision_us() -> dict[str, float]:
    """CPU microseconds of each kind of decision. ValueError when one isn't what it should be."""
    found = config.load(DEMO)
    facts, rules = found.snapshot({}), found.rules
    at = time.time()
    figures: dict[str, float] = {}
    for kind, (dialled, source, action) in _CASES.items():
        request = CallRequest(dialled=dialled, line="101", source_ip=source, at=at)

        def once(request: CallRequest = request, source: str = source) -> Action:
            return decide(request, facts.policy_facts("101", source, 0.0), rules).action

        if once() is not action:
            raise ValueError(f"{kind}: {once()}, not {action}")
        figures[kind] = statistics.median(_run_us(once) for _ in range(_RUNS))
    return figures


def _run_us(once: Callable[[], object]) -> float:
    begin = time.process_time()
    for _ in range(_EACH):
        once()
    return (time.process_time() - begin) / _EACH * 1e6
