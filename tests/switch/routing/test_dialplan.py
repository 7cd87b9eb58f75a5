"""Every plan in dialplans/ loads and passes its own tests; broken ones say where they are broken."""

from pathlib import Path

import pytest

from policy.model import NumberClass
from switch.routing.dialplan import load
from switch.toml import ConfigError

DIALPLANS = Path(__file__).parents[3] / "dialplans"
FR = DIALPLANS / "fr.toml"
TRUNKS = ("carrier-1", "carrier-2")


def _broken(tmp_path: Path, old: str, new: str, count: int = 1) -> Path:
    text = FR.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "fr.toml"
    path.write_text(text.replace(old, new, count), encoding="utf-8")
    return path


def _line_of(path: Path, text: str) -> int:
    return path.read_text(encoding="utf-8").splitlines().index(text) + 1


@pytest.mark.parametrize("path", sorted(DIALPLANS.glob("*.toml")), ids=lambda path: path.name)
def test_each_plan_passes_its_own_tests(path: Path) -> None:
    plan = load(path)
    assert plan.tests
    assert [str(problem) for problem in plan.run_tests()] == []


def test_every_rule_of_the_french_plan_is_tested() -> None:
    plan = load(FR, TRUNKS)
    tested = {plan.classify(test.dial).rule for _, test in plan.tests}
    assert {rule.name for rule in plan.plan.rules} - tested == set()


def test_a_wrong_expectation_fails_with_its_line(tmp_path: Path) -> None:
    path = _broken(tmp_path, 'number = "+33145678901"', 'number = "+33145678902"')
    problems = load(path, TRUNKS).run_tests()
    assert len(problems) == 1
    assert problems[0].file == path
    assert path.read_text(encoding="utf-8").splitlines()[problems[0].line - 1] == "[[test]]"
    assert "expected '+33145678902', got '+33145678901'" in str(problems[0])


@pytest.mark.parametrize("wrong", ["class", "route", "tariff"])
def test_each_key_of_a_test_is_compared(tmp_path: Path, wrong: str) -> None:
    block = '[[test]]\ndial = "0145678901"\nclass = "national"\n'
    other = {
        "class": block.replace("national", "mobile"),
        "route": block + 'rule = "nomadic"\n',
        "tariff": block.replace("0145678901", "0899123456"),
    }[wrong]
    assert len(load(_broken(tmp_path, block, other)).run_tests()) >= 1


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ('["09XXXXXXXX"]', '["09XX[XX"]', "rule[1].patterns", "']'"),
        ('tariff = "mobile"', 'tariff = "moblie"', "rule[2].tariff", "no tariff named 'moblie'"),
        ('route = "mobile"', 'route = "moblie"', "rule[2].route", "no route named 'moblie'"),
        ('trunk = "carrier-1"', 'trunk = "carrier-9"', "route[0].hops", "carrier-9"),
        ('name = "nomadic"', 'nane = "nomadic"', "rule[1].nane", "unknown key"),
        ('name = "nomadic"', 'name = "geographic"', "rule[1].name", "there twice"),
        ('number = "15"', 'number = "17"', "emergency.number[2].number", "there twice"),
        ('feature = "echo"', 'feature = "eco"', ".feature", "'echo' or 'readback'"),
        ('name = "nomadic"', 'name = "nomadic"\nfeature = "echo"', "rule[1]", "feature is for"),
        ('["09XXXXXXXX"]', '["09XXXXXXXX", "0[1-5]XXXXXXXX"]', "rule", "same pattern"),
        ('class = "mobile"', 'class = "mobil"', "rule[2].class", "Input should be"),
        ('["*43"]', '["18"]', "patterns", "'18' is the emergency number 18"),
        ('["933"]', '["11X"]', "patterns", "is the emergency number"),
        ('["ZXX"]', '["ZXX", "115"]', "patterns", "'115' is the emergency number 115"),
        ('default_number = "112"', 'default_number = "113"', "emergency", "lacks 113"),
        ('name = "emergency"', 'name = "emergencies"', "route", "no route named 'emergency'"),
        ('name = "mobile"\nhops', 'name = "national"\nhops', "route[2].name", "there twice"),
        ("schema_version = 1", "schema_version = 2", "schema_version", "Input should be"),
        ('class = "directory"\ntariff', 'class = "emergency_vital"\ntariff', "rule", "never"),
    ],
)  # fmt: skip
def test_errors_name_file_line_and_key(
    tmp_path: Path, old: str, new: str, key: str, message: str
) -> None:
    path = _broken(tmp_path, old, new)
    with pytest.raises(ConfigError) as caught:
        load(path, TRUNKS)
    found = [p for p in caught.value.problems if key in p.key and message in p.message]
    assert found, str(caught.value)
    assert found[0].file == path
    assert found[0].line > 0


def test_the_line_of_an_error_is_the_line_of_its_key(tmp_path: Path) -> None:
    path = _broken(tmp_path, 'tariff = "mobile"', 'tariff = "moblie"')
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [p.line for p in caught.value.problems] == [_line_of(path, 'tariff = "moblie"')]


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("[[rule]\n")
    with pytest.raises(ConfigError, match=r"x\.toml:1"):
        load(path)


@pytest.mark.parametrize("extension", ["18", "112", "015", "+33112", "119", "116000", "1-1-2"])
def test_no_extension_equals_an_emergency_number(extension: str) -> None:
    assert load(FR).refuse_extension(extension)


@pytest.mark.parametrize("extension", ["101", "1120", "933", "200", "1512"])
def test_other_extensions_are_free(extension: str) -> None:
    assert load(FR).refuse_extension(extension) is None


def test_routes_are_ordered_and_caller_ids_checked() -> None:
    plan = load(FR, TRUNKS)
    assert plan.routes["national"].order(lambda: 0.5) == TRUNKS
    assert plan.routes["emergency"].order(lambda: 0.5) == TRUNKS
    assert not plan.plan.may_present("+33612345678")
    found = plan.classify("0033112")
    assert found.number_class is NumberClass.EMERGENCY_VITAL
    assert (found.route, found.caller_id) == ("emergency", "shown")


def test_hops_are_sorted_by_priority(tmp_path: Path) -> None:
    path = _broken(tmp_path, '"carrier-1", priority = 1', '"carrier-1", priority = 3')
    assert load(path).routes["emergency"].order(lambda: 0.5) == ("carrier-2", "carrier-1")


def test_the_override_can_be_switched_off(tmp_path: Path) -> None:
    assert load(FR).emergency.abroad.override_key == "1"
    path = _broken(tmp_path, "override = true", "override = false")
    assert load(path).emergency.abroad.override_key == ""
