"""Number formats per trunk, in and out: +33, 33, 0033 and 0 for the same E.164 number.

Portability prefixes (RFC 4694's routing numbers, and the digits that carriers put in front of a
ported number) are taken off what comes in, so that the plan, CDRs and signatures see the number that
was dialled; they are never put on what goes out: without a portability database of ours, the carrier
does that.

Deliberately absent: which number is allowed (policy.numbering), what a caller may show (caller_id).
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import unquote

FORMATS: Final = ("e164", "plain", "international", "national")
HOME_COUNTRY: Final = "33"
NATIONAL_DIGITS: Final = 9  # of a French number after 0 or +33, overseas included
MIN_E164_DIGITS: Final = 8  # shorter digits are short numbers and extensions
MAX_E164_DIGITS: Final = 15

# Overseas numbers are dialled with 0 like metropolitan ones and have country codes of their own.
# Ranges of the French plan, without the 0; a test compares them with dialplans/fr.toml.
_OVERSEAS: Final = {
    "262": (
        *("262", "263", "269", "9762", "9763", "9769", "9478", "9479"),
        *("639", "692", "693", "7092", "70935", "70936", "70937"),
    ),
    "590": ("590", "9760", "9761", "9768", "9475", "690", "691", "7090"),
    "594": ("594", "9764", "9765", "9476", "694", "70930", "70931", "70932", "70933"),
    "596": ("596", "9766", "9767", "9477", "696", "697", "7091"),
    "508": ("7084", "7085"),
}
_COUNTRY_OF: Final = {start: code for code, starts in _OVERSEAS.items() for start in starts}
_LONGEST_START: Final = max(map(len, _COUNTRY_OF))
# Fixed numbers of Saint-Pierre-et-Miquelon have six digits after the code: 0508 41 12 34 is
# +508 41 12 34.
_MIQUELON: Final = "508"
_MIQUELON_DIGITS: Final = 6
_SEPARATORS: Final = str.maketrans("", "", "-.() ")  # RFC 3966 §5.1.1


def format_number(number: str, style: str) -> str:
    """An E.164 number with `+` as a trunk wants it; short numbers and extensions stay as they are.

    `e164`: +33145678901; `plain`: 33145678901; `international`: 0033145678901;
    `national`: 0145678901 for France and overseas, 00 and the country code for the rest.
    """
    if not number.startswith("+"):
        return number
    digits = number[1:]
    match style:
        case "plain":
            return digits
        case "international":
            return "00" + digits
        case "national":
            return _national(digits)
        case _:
            return number


def parse_number(number: str, style: str, portability_prefixes: Collection[str] = ()) -> str:
    """The E.164 form of what a trunk wrote as the user of a URI; other digits stay as they are.

    Parameters (RFC 3966, RFC 4694), escapes and visual separators are read and taken off. `style`
    is what the trunk is configured for: it decides where the same digits could be two numbers.
    """
    text = unquote(number) if "%" in number else number
    digits, _, parameters = text.partition(";")
    if not digits.strip("+-.() 0123456789"):
        digits = digits.translate(_SEPARATORS)
    if parameters and not digits.startswith("+"):
        digits = _in_context(digits, parameters)
    ported = _without_prefix(digits, portability_prefixes)
    return _to_e164(digits, style) if ported is None else ported


def country_of(number: str) -> str:
    """The country code of an E.164 number that is French, overseas included; "" for another."""
    digits = number.removeprefix("+")
    if digits == number:
        return ""
    for code in (HOME_COUNTRY, *_OVERSEAS):
        if digits.startswith(code) and len(digits) == len(code) + NATIONAL_DIGITS:
            return code
    is_miquelon = digits.startswith(_MIQUELON) and len(digits) == len(_MIQUELON) + _MIQUELON_DIGITS
    return _MIQUELON if is_miquelon else ""


def _national(digits: str) -> str:
    """E.164 digits as they are dialled in France, with 0 where that can be read back."""
    code = country_of("+" + digits)
    is_long = len(digits) > len(_MIQUELON) + _MIQUELON_DIGITS
    significant = digits[len(code) :] if is_long else digits
    # No French number has 0 after its trunk prefix: 00 would be read as the international prefix.
    is_readable = significant[:1] != "0" and _from_national(significant) == "+" + digits
    if code and is_readable:
        return "0" + significant
    return "00" + digits


def _from_national(significant: str) -> str:
    """E.164 of the nine digits after the trunk prefix 0."""
    if significant.startswith(_MIQUELON):
        return "+" + significant
    for length in range(_LONGEST_START, 2, -1):
        country = _COUNTRY_OF.get(significant[:length])
        if country is not None:
            return f"+{country}{significant}"
    return f"+{HOME_COUNTRY}{significant}"


def _in_context(digits: str, parameters: str) -> str:
    """A local number with the country that `phone-context=+33` gives (RFC 3966 §5.1.5)."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.lower() == "phone-context" and value.startswith("+") and value[1:].isdigit():
            return value + digits.removeprefix("0")
    return digits


def _without_prefix(digits: str, prefixes: Collection[str]) -> str | None:
    """E.164 of a number behind a portability prefix; None without one.

    A prefix can also begin an ordinary number, which then has too few digits left.
    """
    for prefix in sorted(prefixes, key=len, reverse=True):
        if not digits.startswith(prefix):
            continue
        rest = digits[len(prefix) :]
        if rest.isdigit() and len(rest) == NATIONAL_DIGITS and rest[0] != "0":
            return _from_national(rest)
        if len(rest.lstrip("+")) > NATIONAL_DIGITS:
            return _to_e164(rest, "plain")
    return None


def _to_e164(digits: str, style: str) -> str:
    if not digits.isascii() or not digits.isdigit():
        return digits  # already +, or nothing that can be dialled
    if digits.startswith("00"):
        return _international(digits[2:], digits)
    if digits[0] == "0":  # E.164 never begins with 0: a national number, whatever the style
        if len(digits) == NATIONAL_DIGITS + 1:
            return _from_national(digits[1:])
        return digits
    if style == "plain":
        return _international(digits, digits)
    return digits


def _international(digits: str, otherwise: str) -> str:
    if MIN_E164_DIGITS <= len(digits) <= MAX_E164_DIGITS and digits[0] != "0":
        return "+" + digits
    return otherwise
