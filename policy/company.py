"""The numbers of a French company (terms 2(j)), SIRET and VAT number, and whether they can be right.

A SIRET is the SIREN (9 digits) and the establishment (5), with a check digit by Luhn over all 14; of La Poste
(SIREN 356 000 000) the sum of the digits is a multiple of five instead. A French VAT number is FR, a key and
the SIREN; the key is (12 + 3 * (SIREN mod 97)) mod 97, unless it has letters, which the tax office gives
without a rule. Deliberately absent: asking a register whether the company exists.
"""

import re

LA_POSTE = "356000000"
_SIRET = re.compile(r"[0-9]{14}")
_VAT = re.compile(r"[A-Z]{2}[0-9A-Z]{2,12}")
_FRENCH_VAT = re.compile(r"FR([0-9A-HJ-NP-Z]{2})([0-9]{9})")


def siret(text: str) -> str:
    """A SIRET without its spaces; ValueError for one that nobody has."""
    found = re.sub(r"\s", "", text)
    if not _SIRET.fullmatch(found):
        raise ValueError(f"{text!r}: a SIRET has 14 digits")
    is_right = _luhn(found)
    if found.startswith(LA_POSTE):
        is_right = is_right or sum(map(int, found)) % 5 == 0
    if not is_right:
        raise ValueError(f"{text!r} is no SIRET: its check digit is wrong")
    return found


def vat_number(text: str) -> str:
    """A VAT number of the Union without its spaces; ValueError for one that nobody has."""
    found = re.sub(r"[\s.]", "", text).upper()
    if not _VAT.fullmatch(found):
        raise ValueError(f"{text!r}: a VAT number is two letters and up to 12 digits or letters")
    if not found.startswith("FR"):
        return found
    parts = _FRENCH_VAT.fullmatch(found)
    if parts is None:
        raise ValueError(f"{text!r}: a French VAT number is FR, a key of two, and the SIREN")
    key, siren = parts.groups()
    if key.isdecimal() and int(key) != (12 + 3 * (int(siren) % 97)) % 97:
        raise ValueError(f"{text!r} is no VAT number: its key is wrong")
    return found


def _luhn(digits: str) -> bool:
    doubled = (int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
