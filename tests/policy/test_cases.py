"""Runs the case files of tests/policy/cases: a note, a request, facts, the expected decision."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from policy.account_state import DEFAULT_PERMISSIONS
from policy.engine import Rules, decide
from policy.model import (
    CallRequest,
    Decision,
    Facts,
    Line,
    LineState,
    Location,
    NumberClass,
    Says,
    Signal,
    ToEmergency,
    ToFeature,
    ToLine,
    ToNumber,
)
from switch.call.destination import is_vital
from switch.routing.dialplan import load
from switch.routing.emergency import FALLBACK_NUMBER

CASES = Path(__file__).parent / "cases"
WORLD = tomllib.loads((CASES / "world.toml").read_text(encoding="utf-8"))
PLAN = load(Path(__file__).parents[2] / "dialplans" / "fr.toml")
RULES = Rules(PLAN.plan, PLAN.emergency)
NOW = 1_800_000_000.0
_ABROAD = PLAN.emergency.abroad
SETTINGS = {
    None: RULES,
    "no_override": replace(
        RULES, emergency=replace(PLAN.emergency, abroad=replace(_ABROAD, override_key=""))
    ),
    "two_signals": replace(
        RULES, emergency=replace(PLAN.emergency, abroad=replace(_ABROAD, signals=2))
    ),
}
AXES = ("dial", "line", "signals", "caller", "priority", "warned_s_ago", "settings")
LOCATIONS = {
    name: Location(place["insee"], {"country": "FR"}, place.get("version", 1),
                   place.get("validated", True), place.get("confirmed", True))
    for name, place in WORLD["locations"].items()
}  # fmt: skip


def _line(name: str, given: dict[str, Any]) -> Line:
    return Line(
        name,
        given.get("account", "demo"),
        given.get("number", f"+33199000{name[:3]}"),
        LineState(given.get("state", "active")),
        given.get("ground", ""),
        frozenset(map(NumberClass, given.get("permissions", DEFAULT_PERMISSIONS))),
        LOCATIONS.get(given.get("location", "own")),
        LOCATIONS.get(given.get("site_location", "")),
        LOCATIONS["default"],
    )


LINES = {name: _line(name, given) for name, given in WORLD["lines"].items()}
SIGNALS = {
    name: tuple(
        Signal(entry["kind"], entry["value"], Says(entry["says"]), float(entry.get("age_s", 0)))
        for entry in bundle
    )
    for name, bundle in WORLD["signals"].items()
}


def _cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.toml")):
        for case in tomllib.loads(path.read_text(encoding="utf-8")).get("case", ()):
            axes = [case.get(axis) for axis in AXES]
            for values in product(*(v if isinstance(v, list) else [v] for v in axes)):
                single = {**case, **dict(zip(AXES, values, strict=True))}
                of = "-".join(str(value) for value in values if value is not None)
                yield pytest.param(single, id=f"{path.stem}: {case['note']} [{of}]")


def _decide(case: dict[str, Any]) -> Decision:
    line = LINES.get(case["line"] or "")
    ago = case["warned_s_ago"]
    request = CallRequest(
        case["dial"],
        case["line"] or None,
        "127.0.0.1",
        NOW,
        case.get("trunk"),
        case.get("trunk_trusted", False),
        case["caller"] or "",
        case["priority"] or "",
        None if ago is None else NOW - ago,
    )
    extensions = {(known.account, known.id): known for known in LINES.values()
                  if WORLD["lines"][known.id].get("extension", True)}  # fmt: skip
    numbers = {known.number: known for known in LINES.values() if known.id.isdigit()}
    return decide(request, Facts(line, SIGNALS[case["signals"] or "none"], extensions, numbers),
                  SETTINGS[case["settings"]])  # fmt: skip


def _seen(decision: Decision) -> dict[str, object]:
    """The decision in the words of the case files."""
    seen: dict[str, object] = {
        "class": str(decision.number_class),
        "action": str(decision.action),
        "level": str(decision.evidence.level),
        "exempt_reason": decision.exempt_reason or "",
        "alerts": list(decision.alerts),
        "last_resort": "",
    }
    for name in ("reason", "rule", "clause", "announcement", "override_key", "audit",
                 "caller_number", "may_withhold"):  # fmt: skip
        seen[name] = getattr(decision, name)
    match decision.destination:
        case None:
            seen["destination"] = "none"
        case ToLine(line):
            seen["to_line"] = line
        case ToNumber(number, number_class, route):
            assert number_class is decision.number_class
            seen |= {"external": number, "route": route}
        case ToEmergency(number, urn, location):
            seen |= {"number": number, "urn": urn, "insee": location.insee}
            seen["last_resort"] = FALLBACK_NUMBER if is_vital(decision) else ""
        case ToFeature(name):
            seen["feature"] = name
    return seen


@pytest.mark.parametrize("case", list(_cases()))
def test_case(case: dict[str, Any]) -> None:
    decision = _decide(case)
    seen = _seen(decision)
    assert {key: seen.get(key) for key in case["expect"]} == case["expect"]
    assert decision.steps, "a decision without a reason"
    if decision.reason == "ok" and decision.announcement == "":
        assert decision.destination is not None


def test_the_runner_sees_a_wrong_expectation() -> None:
    case = dict.fromkeys(AXES) | {"dial": "18", "line": "101", "signals": "site"}
    with pytest.raises(AssertionError):
        test_case({**case, "expect": {"action": "refuse"}})
