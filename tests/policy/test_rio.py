"""RIO: two known ones, and that the key catches what people get wrong on the telephone."""

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policy.rio import ALPHABET, BUSINESS, RESIDENTIAL, Rio, is_valid_on

CONTRACTS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=6, max_size=6)
NUMBERS = st.from_regex(r"0[1-9][0-9]{8}", fullmatch=True)


@pytest.mark.parametrize(
    ("operator", "kind", "contract", "number", "key"),
    [
        ("01", RESIDENTIAL, "123456", "0612345678", "36Q"),
        ("02", BUSINESS, "ABCDEF", "0142685300", "3UD"),
    ],
)
def test_known_keys(operator: str, kind: str, contract: str, number: str, key: str) -> None:
    rio = Rio.issue(operator, kind, contract, number)
    assert str(rio) == operator + kind + contract + key
    assert rio.fits(number)
    assert Rio.parse(str(rio)) == rio


def test_what_a_customer_dictates_is_read_with_spaces_and_in_small_letters() -> None:
    assert Rio.parse(" 02 e abcdef 3ud ") == Rio.issue("02", "E", "ABCDEF", "0142685300")


@given(CONTRACTS, NUMBERS, st.integers(0, 9), st.sampled_from(ALPHABET[26:36]))
def test_one_wrong_digit_of_the_number_is_noticed(
    contract: str, number: str, place: int, digit: str
) -> None:
    wrong = number[:place] + digit + number[place + 1 :]
    assume(wrong != number)
    assert not Rio.issue("VG", "E", contract, number).fits(wrong)


@given(CONTRACTS, NUMBERS, st.integers(0, 8))
def test_two_digits_swapped_are_noticed(contract: str, number: str, place: int) -> None:
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assume(swapped != number)
    assert not Rio.issue("VG", "E", contract, number).fits(swapped)


@pytest.mark.parametrize(
    "text", ["", "01P12345636", "01X12345636Q", "01P1234563 6Q9", "01P123+5636Q"]
)
def test_what_is_no_rio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="12 characters"):
        Rio.parse(text)


@pytest.mark.parametrize(
    ("operator", "kind", "contract", "number", "message"),
    [
        ("1", "P", "123456", "0612345678", "2 operator characters"),
        ("01", "X", "123456", "0612345678", "P or E"),
        ("01", "P", "12345", "0612345678", "6 contract characters"),
        ("01", "P", "12345é", "0612345678", "alphabet"),
        ("01", "P", "123456", "+33612345678", "national number"),
        ("01", "P", "123456", "0012345678", "national number"),
    ],
)
def test_what_has_no_rio_is_refused(
    operator: str, kind: str, contract: str, number: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Rio.issue(operator, kind, contract, number)


def test_a_number_can_be_taken_along_until_40_days_after_the_end() -> None:
    ended = date(2026, 1, 31)
    assert is_valid_on(date(2030, 1, 1), None)
    assert is_valid_on(date(2026, 3, 12), ended)
    assert not is_valid_on(date(2026, 3, 13), ended)
