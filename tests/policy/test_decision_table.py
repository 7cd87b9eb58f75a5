"""The emergency decision table of cases/decision_table.txt: every cell is decided and compared."""

from collections import Counter
from pathlib import Path

import pytest

from policy.engine import decide
from policy.model import CallRequest, Decision, Facts, NumberClass
from tests.policy.test_cases import LINES, LOCATIONS, NOW, RULES, SIGNALS

LEVELS = ("E0", "E1", "E2", "E3", "E4", "E5")
COLUMNS = (
    "action", "reason", "audit", "clause", "announcement", "override_key", "location", "alerts",
)  # fmt: skip


def _sections() -> dict[str, tuple[list[str], list[list[str]]]]:
    """Of each [section] the words of its heading and its rows as words."""
    found: dict[str, tuple[list[str], list[list[str]]]] = {}
    rows: list[list[str]] = []
    text = (Path(__file__).parent / "cases" / "decision_table.txt").read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            name, _, rest = line[1:].partition("]")
            rows = []
            found[name] = (rest.split(), rows)
        elif line.strip() and not line.startswith("#"):
            rows.append(line.split())
    return found


SECTIONS = _sections()
BUNDLES = {row[0]: row[1:] for row in SECTIONS["levels"][1]}
VERDICTS = {
    row[0]: dict(zip(COLUMNS, ("" if word == "-" else word for word in row[1:]), strict=True))
    for row in SECTIONS["verdicts"][1]
}
ROWS = [
    pytest.param(name, numbers, row, id=f"{name}: {' '.join(row[:-6])}")
    for name, (numbers, rows) in SECTIONS.items()
    if name not in ("levels", "verdicts")
    for row in rows
]
PLACES = {location.insee: name for name, location in LOCATIONS.items()}


def _decide(number: str, line: str, bundle: str) -> Decision:
    request = CallRequest(number, line, "127.0.0.1", NOW)
    return decide(request, Facts(LINES.get(line), SIGNALS[bundle]), RULES)


def _seen(decision: Decision) -> dict[str, str]:
    location = getattr(decision.destination, "location", None)
    place = "" if location is None else PLACES[location.insee].replace("unacknowledged", "own")
    seen = {
        name: str(getattr(decision, name)) for name in COLUMNS if name not in ("location", "alerts")
    }
    return seen | {"location": place, "alerts": ",".join(decision.alerts)}


@pytest.mark.parametrize(("name", "numbers", "row"), ROWS)
def test_row(name: str, numbers: list[str], row: list[str]) -> None:
    for level, word in zip(LEVELS, row[-6:], strict=True):
        for number in numbers:
            for bundle in BUNDLES[level]:
                decision = _decide(number, row[0], bundle)
                cell = f"{number} from {row[0]} with {bundle}"
                expected, seen = dict(VERDICTS[word]), _seen(decision)
                if expected["location"] == "any":
                    expected["location"] = seen["location"]
                    assert seen["location"] in ("site", "default"), cell
                assert seen == expected, cell
                if row[0] in LINES:  # what strangers dial is looked at for emergency only
                    assert decision.number_class is NumberClass(name), cell
                if name.startswith("emergency"):
                    assert decision.evidence.level == level, cell


def test_the_table_is_complete() -> None:
    """Every state of a line, every number of both classes, every level; each word is used."""
    used: Counter[str] = Counter()
    for name in ("emergency_vital", "emergency_social"):
        numbers, rows = SECTIONS[name]
        voice = {entry.number for entry in RULES.emergency.numbers
                 if entry.number_class is NumberClass(name) and not entry.voice}  # fmt: skip
        assert set(numbers) == voice, "114 has a case file of its own"
        states = {LINES[row[0]].state for row in rows if row[0] in LINES}
        assert len(states) == 6
    for _name, (_, rows) in list(SECTIONS.items())[2:]:
        for row in rows:
            used.update(row[-6:])
    assert set(used) == set(VERDICTS)
    assert set(BUNDLES) == set(LEVELS)


def test_a_wrong_cell_is_seen() -> None:
    with pytest.raises(AssertionError, match="18 from 101 with site"):
        test_row("emergency_vital", ["18"], ["101", *["blocked_abroad"] * 6])
