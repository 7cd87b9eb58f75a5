"""SIRET and VAT numbers by their check digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.company import siret, vat_number


@pytest.mark.parametrize(
    "text",
    [
        "73282932000074",  # the example of INSEE's own description
        "732 829 320 00074",
        "35600000049837",  # La Poste: by Luhn too
        "35600000000048",  # La Poste: its seat
        "35600000009075",  # La Poste: a post office, by the sum of its digits
    ],
)
def test_a_siret(text: str) -> None:
    assert siret(text) == text.replace(" ", "")


@pytest.mark.parametrize(
    "text", ["7328293200007", "73282932000075", "73282932O00074", "", "35600000009076"]
)
def test_no_siret(text: str) -> None:
    with pytest.raises(ValueError, match="SIRET"):
        siret(text)


@given(st.integers(0, 10**13 - 1), st.integers(0, 13), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(number: int, place: int, by: int) -> None:
    stem = f"{number:013d}"
    if stem.startswith("356000000"):
        return
    right = next(text for digit in "0123456789" if _is_siret(text := stem + digit))
    wrong = f"{right[:place]}{(int(right[place]) + by) % 10}{right[place + 1 :]}"
    assert not _is_siret(wrong) or wrong.startswith("356000000")


def _is_siret(text: str) -> bool:
    try:
        siret(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FR 44 732829320", "FR44732829320"),
        ("fr40303265045", "FR40303265045"),
        ("FRK7399859412", "FRK7399859412"),  # a key with a letter has no rule
        ("DE136695976", "DE136695976"),
        ("BE 0428.759.497", "BE0428759497"),
    ],
)
def test_a_vat_number(text: str, found: str) -> None:
    assert vat_number(text) == found


@pytest.mark.parametrize("text", ["FR45732829320", "FR44", "44732829320", "FRIO732829320", ""])
def test_no_vat_number(text: str) -> None:
    with pytest.raises(ValueError, match="VAT number"):
        vat_number(text)
