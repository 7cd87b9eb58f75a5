"""The same number in every carrier's writing."""

import tomllib
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.numbering import Pattern
from switch.routing.numbers import FORMATS, country_of, format_number, parse_number

PLAN = Path(__file__).parents[3] / "dialplans" / "fr.toml"

WRITTEN = [
    # E.164, plain, international, national
    ("+33145678901", "33145678901", "0033145678901", "0145678901"),
    ("+4930123456", "4930123456", "004930123456", "004930123456"),
    ("+262262123456", "262262123456", "00262262123456", "0262123456"),
    ("+596696123456", "596696123456", "00596696123456", "0696123456"),
    ("+508411234", "508411234", "00508411234", "0508411234"),
    ("+508708412345", "508708412345", "00508708412345", "0708412345"),
]


@pytest.mark.parametrize("row", WRITTEN)
def test_a_number_is_written_as_the_trunk_wants_it(row: tuple[str, ...]) -> None:
    assert tuple(format_number(row[0], style) for style in FORMATS) == row


@pytest.mark.parametrize("row", WRITTEN)
@pytest.mark.parametrize(("place", "style"), list(enumerate(FORMATS)))
def test_what_was_written_is_read_again(row: tuple[str, ...], place: int, style: str) -> None:
    assert parse_number(row[place], style) == row[0]


@given(
    st.from_regex(r"(33|262|590|508|[1-9])[0-9]{6,12}", fullmatch=True), st.sampled_from(FORMATS)
)
@example("33000000000", "national")
def test_every_e164_number_survives_every_style(digits: str, style: str) -> None:
    if len(digits) >= 8:
        assert parse_number(format_number("+" + digits, style), style) == "+" + digits


@pytest.mark.parametrize("short", ["18", "3631", "118712", "101", "*43"])
@pytest.mark.parametrize("style", FORMATS)
def test_short_numbers_and_codes_stay(short: str, style: str) -> None:
    assert format_number(short, style) == short
    assert parse_number(short, style) == short


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("written", ["0145678901", "0033145678901", "+33145678901"])
def test_a_sloppy_carrier_is_understood_where_only_one_number_fits(
    written: str, style: str
) -> None:
    assert parse_number(written, style) == "+33145678901"


def test_plain_digits_are_a_country_code_only_where_the_trunk_says_so() -> None:
    assert parse_number("33145678901", "plain") == "+33145678901"
    assert parse_number("33145678901", "e164") == "33145678901"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+33-1.45(67)8901", "+33145678901"),
        ("%2B33145678901", "+33145678901"),
        ("+33145678901;npdi", "+33145678901"),
        ("+33145678901;npdi;rn=+3360012", "+33145678901"),
        ("145678901;phone-context=+33", "+33145678901"),
        ("0145678901;phone-context=+33", "+33145678901"),
        ("0145678901;phone-context=example.com", "+33145678901"),
        ("alice", "alice"),
        ("", ""),
        ("00", "00"),
        ("0000000000000", "0000000000000"),
        ("1" * 20, "1" * 20),
        ("٣٣١٤٥٦٧٨٩٠١", "٣٣١٤٥٦٧٨٩٠١"),
    ],
)
def test_parameters_and_separators_are_read_and_nonsense_is_left(written: str, number: str) -> None:
    assert parse_number(written, "plain") == number


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+3360012145678901", "+33145678901"),
        ("60012145678901", "+33145678901"),
        ("6001212345", "6001212345"),  # nothing complete is left: it was no prefix
        ("D0121+33145678901", "+33145678901"),
        ("D012133145678901", "+33145678901"),
        ("D01210145678901", "+33145678901"),
        ("D0121262123456", "+262262123456"),
        ("+33600121456", "+33600121456"),  # an ordinary number that begins like the prefix
        ("+33145678901", "+33145678901"),
    ],
)
def test_portability_prefixes_come_off(written: str, number: str) -> None:
    prefixes = ("60012", "+3360012", "D0121", "D01")
    assert parse_number(written, "e164", prefixes) == number


def test_the_longest_prefix_is_taken() -> None:
    assert parse_number("D0121145678901", "e164", ("D0", "D0121")) == "+33145678901"


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+33145678901", "33"),
        ("+262692123456", "262"),
        ("+508411234", "508"),
        ("+33145", ""),
        ("+4930123456", ""),
        ("0145678901", ""),
    ],
)
def test_french_numbers_are_told_from_others(number: str, country: str) -> None:
    assert country_of(number) == country


def test_overseas_ranges_are_those_of_the_dial_plan() -> None:
    rules = tomllib.loads(PLAN.read_text(encoding="utf-8"))["rule"]
    overseas = [rule for rule in rules if rule.get("prefix", "").startswith(("+262", "+5"))]
    assert len(overseas) == 10
    for rule in overseas:
        for pattern in rule["patterns"]:
            for positions in product(
                *(chars[:9] for chars in Pattern.parse(pattern).positions[:7])
            ):
                dialled = "".join(positions) + "0" * (10 - len(positions))
                expected = rule["prefix"] + dialled[rule["strip"] :]
                assert parse_number(dialled, "national") == expected, pattern
