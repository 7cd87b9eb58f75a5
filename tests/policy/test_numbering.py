"""Patterns and plans, by example and by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.model import NumberClass
from policy.numbering import (
    DIALLABLE,
    SETS,
    NumberingPlan,
    NumberRule,
    Pattern,
    PatternError,
    bare,
)

DIGIT = st.sampled_from(SETS["X"])
FIXED = st.one_of(
    st.sampled_from([*DIALLABLE, *SETS]),
    st.tuples(DIGIT, DIGIT).map(lambda pair: f"[{min(pair)}-{max(pair)}]"),
    st.sets(DIGIT, min_size=1).map(lambda digits: f"[{''.join(sorted(digits))}]"),
)
PATTERN = st.tuples(st.lists(FIXED, min_size=1, max_size=6), st.sampled_from(["", ".", "!"])).map(
    lambda parts: "".join(parts[0]) + parts[1]
)
DIALLED = st.text(DIALLABLE, max_size=9)


def _rule(text: str, name: str = "", priority: int = 100) -> NumberRule:
    return NumberRule(name or text, Pattern.parse(text), NumberClass.NATIONAL, priority=priority)


def _plan(*texts: str) -> NumberingPlan:
    return NumberingPlan.compile(map(_rule, texts))


def _reference_match(pattern: Pattern, dialled: str) -> bool:
    """The meaning of a pattern, spelt out without a regular expression."""
    head, rest = dialled[: len(pattern.positions)], dialled[len(pattern.positions) :]
    if len(head) < len(pattern.positions):
        return False
    fits = all(c in chars for c, chars in zip(head, pattern.positions, strict=True))
    return fits and (not rest if pattern.open_end is None else len(rest) >= pattern.open_end)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("0[1-5]XXXXXXXX", ["0145678901"], ["0645678901", "014567890", "01456789012", ""]),
        ("ZXX", ["101", "999"], ["012", "10", "1000"]),
        ("N!", ["2", "29"], ["1", "", "0"]),
        ("N.", ["29", "2#"], ["2", "19"]),
        ("_[135-79]0", ["10", "50", "60", "90"], ["20", "80"]),
        ("*43", ["*43"], ["043", "*4", "*433"]),
        ("+33!", ["+33", "+331"], ["33", "+3"]),
    ],
)
def test_pattern(pattern: str, yes: list[str], no: list[str]) -> None:
    parsed = Pattern.parse(pattern)
    assert [d for d in yes if not parsed.matches(d)] == []
    assert [d for d in no if parsed.matches(d)] == []


@pytest.mark.parametrize(
    "text", ["", "0[1-5", "0[]X", "0[5-1]", "0[a]", "0a", "0.1", "0!X", "A", "[1-]"]
)
def test_bad_pattern_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        Pattern.parse(text)


@given(text=PATTERN, dialled=DIALLED)
def test_a_pattern_means_what_it_says(text: str, dialled: str) -> None:
    pattern = Pattern.parse(text)
    assert pattern.matches(dialled) == _reference_match(pattern, dialled)


@given(texts=st.lists(PATTERN, max_size=8), dialled=DIALLED)
def test_the_index_finds_what_a_full_search_finds(texts: list[str], dialled: str) -> None:
    unique = {(p.positions, p.open_end): p for p in map(Pattern.parse, texts)}
    rules = [_rule(p.text) for p in unique.values()]
    plan = NumberingPlan.compile(rules)
    text = plan.canonical(dialled)
    ordered = sorted(rules, key=lambda rule: rule.pattern.specificity)
    expected = next((r.name for r in ordered if _reference_match(r.pattern, text)), "")
    assert plan.classify(dialled).rule == expected


@given(dialled=st.text())
def test_nothing_that_can_be_dialled_raises(dialled: str) -> None:
    found = _plan("0X.", "+X.").classify(dialled)
    assert found.number_class in (NumberClass.NATIONAL, NumberClass.UNKNOWN)


@given(national=st.from_regex(r"0[1-9][0-9]{8}", fullmatch=True))
def test_every_spelling_of_a_national_number_is_one_number(national: str) -> None:
    rule = NumberRule("all", Pattern.parse("0ZXXXXXXXX"), NumberClass.NATIONAL, strip=1,
                      prefix="+33")  # fmt: skip
    plan = NumberingPlan.compile([rule])
    spelled = (national, "+33" + national[1:], "0033" + national[1:], f"tel:+33{national[1:]}",
               f"tel:{national};phone-context=+33", ".".join(national))  # fmt: skip
    assert {plan.classify(one).number for one in spelled} == {"+33" + national[1:]}


def test_more_specific_wins_whatever_the_order() -> None:
    texts = ["0X.", "01.", "0123", "012X", "01[12]3", "+!", "+4!", "+49!"]
    for order in (texts, texts[::-1]):
        plan = _plan(*order)
        found = {d: plan.classify(d).rule for d in ("0999", "01999", "0123", "0124", "0113")}
        assert found == {"0999": "0X.", "01999": "01.", "0123": "0123", "0124": "012X",
                         "0113": "01[12]3"}  # fmt: skip
        assert _plan("0!", "0.").classify("01").rule == "0."
        assert [plan.classify(d).rule for d in ("+1", "+41", "+491")] == ["+!", "+4!", "+49!"]


def test_priority_overrules_specificity() -> None:
    plan = NumberingPlan.compile([_rule("012345"), _rule("0!", priority=1)])
    assert plan.classify("012345").rule == "0!"


def test_two_equal_rules_are_refused() -> None:
    with pytest.raises(PatternError, match="same pattern"):
        NumberingPlan.compile([_rule("0[12]X", "one"), _rule("0[1-2]X", "two")])


def test_forbidden_caller_ids() -> None:
    plan = NumberingPlan.compile([_rule("0!")], forbidden_caller_prefixes=["+336", "+337"])
    assert not plan.may_present("+33612345678")
    assert plan.may_present("+33199000101")


def test_e164_is_e164_already_or_not_a_number() -> None:
    rule = NumberRule("all", Pattern.parse("0ZXXXXXXXX"), NumberClass.NATIONAL, strip=1,
                      prefix="+33")  # fmt: skip
    plan = NumberingPlan.compile([rule])
    assert plan.e164("0800112112") == "+33800112112"
    assert plan.e164("+441632960123") == "+441632960123"
    assert plan.e164("anonymous") == "anonymous"


@pytest.mark.parametrize(
    ("dialled", "text"),
    [
        ("tel:+33-1-45.67(89)01;ext=1", "+33145678901"),
        ("%2B33145678901", "+33145678901"),
        ("0145678901;phone-context=+33", "0145678901"),
        ("18", "18"),
    ],
)
def test_bare(dialled: str, text: str) -> None:
    assert bare(dialled) == text
