"""What machines note reaches the log whole, whatever it is."""

import ast
from pathlib import Path

from switch.observe.metrics import Metrics
from switch.observe.observer import Observer

SWITCH = Path(__file__).parents[3] / "switch"
# What the log itself says of each line, and the arguments of the call that writes it.
OWN = {"level", "event", "ts", "node", "room", "self", "name"}


def noted() -> list[tuple[str, set[str]]]:
    """The fields of each fact that is noted anywhere in the switch, with its place."""
    found = []
    for path in sorted(SWITCH.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "note":
                fields = {keyword.arg for keyword in node.keywords if keyword.arg}
                found.append((f"{path.relative_to(SWITCH)}:{node.lineno}", fields))
    return found


def test_no_fact_takes_a_field_of_the_log_s_own() -> None:
    facts = noted()
    assert len(facts) > 50
    assert [(place, fields & OWN) for place, fields in facts if fields & OWN] == []


def test_an_alert_of_a_forbidden_use_is_logged_and_counted() -> None:
    metrics = Metrics()
    alert = {"line": "101", "detector": "D14", "reached": "hard", "values": {"x": 1.0}}
    Observer(metrics)([("use.alert", alert)])
    assert metrics.counted("use_alerts", "D14", "hard") == 1
