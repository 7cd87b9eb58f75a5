"""Reads a dial plan file: number rules, emergency table, routes, and the tests beside them.

The file is TOML (see dialplans/fr.toml); what comes out is compiled and frozen. Errors name file,
line and key. Deliberately absent: extensions and trunks, which the configuration owns; it asks
`refuse_extension` and passes the trunks' ids to have routes checked.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from policy.emergency import AbroadRules, EmergencyNumber, EmergencyRules
from policy.model import NumberClass
from policy.numbering import (
    Classified,
    NumberingPlan,
    NumberRule,
    Pattern,
    PatternError,
    bare,
)
from switch.routing.plan_file import (
    EmergencySection,
    PlanFile,
    RouteSection,
    RuleSection,
    TestSection,
)
from switch.routing.route import Route, RouteHop
from switch.toml import ConfigError, Document, Key, Problem, words
from switch.toml import load as load_toml

EMERGENCY_ROUTE = "emergency"


@dataclass(frozen=True, slots=True)
class DialPlan:
    """A compiled dial plan. `tests` are pairs of the line in the file and the test."""

    path: Path
    name: str
    plan: NumberingPlan
    emergency: EmergencyRules
    routes: Mapping[str, Route]
    tariffs: Mapping[str, str]
    tests: tuple[tuple[int, TestSection], ...]

    def classify(self, dialled: str) -> Classified:
        """What a dialled string is, emergency numbers included."""
        found = self.emergency.classify(dialled)
        if found is None:
            return self.plan.classify(dialled)
        number = self.emergency.spoken(found).number
        return Classified(found.number_class, number, EMERGENCY_ROUTE, "free", "shown", "emergency")

    def run_tests(self) -> list[Problem]:
        """Run the [[test]] blocks; what comes back is one problem per wrong expectation."""
        problems = []
        for index, (line, test) in enumerate(self.tests):
            found = self.classify(test.dial)
            for key, expected, actual in _compare(test, found):
                note = f" ({test.note})" if test.note else ""
                message = f"{test.dial}: expected {expected!r}, got {actual!r}{note}"
                problems.append(Problem(self.path, line, f"test[{index}].{key}", message))
        return problems

    def refuse_extension(self, extension: str) -> str | None:
        """Why a line, speed dial or feature code may not have this number; None if it may."""
        found = self.emergency.classify(extension) or self.emergency.classify(bare(extension))
        if found is None:
            return None
        return f"{extension} is a spelling of the emergency number {found.number}"


def _compare(test: TestSection, found: Classified) -> Iterator[tuple[str, str, str]]:
    actual = {
        "class": str(found.number_class),
        "number": found.number,
        "route": found.route,
        "tariff": found.tariff,
        "rule": found.rule,
    }
    expected = test.model_dump(by_alias=True, exclude_none=True)
    for key, value in actual.items():
        if key in expected and str(expected[key]) != value:
            yield key, str(expected[key]), value


def load(
    path: Path, trunks: Collection[str] | None = None, content: Path | None = None
) -> DialPlan:
    """Read and compile a plan; `trunks` are the ids that routes may name, None = don't check;
    `content` is where the file's content is, if not there.

    Raises ConfigError with every problem found. Tests are not run: call `run_tests`.
    """
    document = load_toml(path, content)
    try:
        file = PlanFile.model_validate(document.content)
    except ValidationError as error:
        raise ConfigError(
            document.problem(entry["loc"], words(entry))
            for entry in error.errors(include_url=False, include_input=False)
        ) from None
    return _compile(document, file, trunks)


def _compile(document: Document, file: PlanFile, trunks: Collection[str] | None) -> DialPlan:
    emergency = _emergency(document, file.emergency)
    rules, problems = _rules(document, file)
    problems += _unknown_names(document, file, trunks)
    problems += _doubles(document, file)
    problems += _emergency_shadows(document, file, emergency)
    if problems:
        raise ConfigError(problems)
    numbering = file.numbering
    try:
        plan = NumberingPlan.compile(
            rules,
            numbering.country_code,
            numbering.international_prefix,
            numbering.national_prefix,
            file.caller_id.forbidden,
        )
    except PatternError as error:
        raise ConfigError([document.problem(("rule",), str(error))]) from None
    tests = ((document.line_of(("test", index)), test) for index, test in enumerate(file.test))
    routes = {section.name: _route(section) for section in file.route}
    return DialPlan(document.path, file.name, plan, emergency, routes, file.tariffs, tuple(tests))


def _emergency(document: Document, section: EmergencySection) -> EmergencyRules:
    abroad = section.abroad
    key = abroad.override_key if abroad.override else ""
    try:
        return EmergencyRules.compile(
            section.effective,
            (
                EmergencyNumber(
                    entry.number, entry.number_class, entry.urn, entry.voice, entry.voice_number
                )
                for entry in section.number
            ),
            section.french_countries,
            {str(kind): age_s for kind, age_s in section.max_age_s.items()},
            AbroadRules(abroad.signals, key, abroad.redial_s),
            section.default_number,
        )
    except ValueError as error:
        raise ConfigError([document.problem(("emergency",), str(error))]) from None


def _rules(document: Document, file: PlanFile) -> tuple[list[NumberRule], list[Problem]]:
    rules, problems = [], []
    for index, section in enumerate(file.rule):
        for position, text in enumerate(section.patterns):
            try:
                rules.append(_rule(section, text))
            except PatternError as error:
                key = ("rule", index, "patterns", position)
                problems.append(document.problem(key, str(error)))
    return rules, problems


def _rule(section: RuleSection, pattern: str) -> NumberRule:
    return NumberRule(
        section.name,
        Pattern.parse(pattern),
        section.number_class,
        section.route,
        section.tariff,
        section.strip,
        section.prefix,
        section.caller_id,
        section.priority,
        section.feature,
    )


def _route(section: RouteSection) -> Route:
    hops = (RouteHop(hop.trunk, hop.priority, hop.weight) for hop in section.hops)
    return Route(section.name, tuple(sorted(hops, key=lambda hop: hop.priority)))


def _unknown_names(
    document: Document, file: PlanFile, trunks: Collection[str] | None
) -> Iterator[Problem]:
    """Routes, tariffs and trunks that are named but not there."""
    routes = {section.name for section in file.route}
    if EMERGENCY_ROUTE not in routes:
        yield document.problem(("route",), f"there is no route named {EMERGENCY_ROUTE!r}")
    for index, rule in enumerate(file.rule):
        if rule.route and rule.route not in routes:
            yield document.problem(("rule", index, "route"), f"no route named {rule.route!r}")
        if rule.tariff and rule.tariff not in file.tariffs:
            yield document.problem(("rule", index, "tariff"), f"no tariff named {rule.tariff!r}")
    for index, route in enumerate(file.route):
        for position, hop in enumerate(route.hops):
            if trunks is not None and hop.trunk not in trunks:
                key = ("route", index, "hops", position, "trunk")
                yield document.problem(key, f"no trunk named {hop.trunk!r}")


def _doubles(document: Document, file: PlanFile) -> Iterator[Problem]:
    """What stands twice: the second would take the first one's place, or be taken for it."""
    names: list[tuple[Key, str]] = [
        *((("rule", n, "name"), rule.name) for n, rule in enumerate(file.rule)),
        *((("route", n, "name"), route.name) for n, route in enumerate(file.route)),
        *(
            (("emergency", "number", n, "number"), entry.number)
            for n, entry in enumerate(file.emergency.number)
        ),
    ]
    seen: set[tuple[object, str]] = set()
    for key, name in names:
        if (key[0], name) in seen:
            yield document.problem(key, f"{name!r} is there twice")
        seen.add((key[0], name))


def _emergency_shadows(
    document: Document, file: PlanFile, emergency: EmergencyRules
) -> Iterator[Problem]:
    """Feature codes and single extensions that are emergency numbers.

    A range of extensions may span one (1XX and 112): emergency is classified first, and a line
    can't have it, see `refuse_extension`.
    """
    for index, rule in enumerate(file.rule):
        is_code = rule.number_class in (NumberClass.FEATURE, NumberClass.TEST)
        for position, text in enumerate(rule.patterns):
            try:
                pattern = Pattern.parse(text)
            except PatternError:
                continue  # reported where the rules are read
            single = pattern.open_end is None and all(len(c) == 1 for c in pattern.positions)
            if not (is_code or (rule.number_class is NumberClass.INTERNAL and single)):
                continue
            for spelling in emergency.spellings:
                if pattern.matches(spelling):
                    key = ("rule", index, "patterns", position)
                    yield document.problem(key, f"{text!r} is the emergency number {spelling}")
