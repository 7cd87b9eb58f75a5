"""The RIO of a number: what its holder gives to another operator to take the number along.

Twelve characters OO Q RRRRRR CCC: the operator's two, the kind of customer (P residential, E
business), the contract's six, and a key over all of it and the number. The French operators'
portability rules define it; the holder gets it on demand, also with an unpaid bill, and until 40 days
after the contract's end. Deliberately absent: asking for a port, and who may be told.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+"
BUSINESS: Final = "E"
RESIDENTIAL: Final = "P"
# How long after the end of a contract its number may still be taken along.
VALID_AFTER_END: Final = timedelta(days=40)

_PLACE = {character: place for place, character in enumerate(ALPHABET)}
_FORM = re.compile(r"([A-Z0-9]{2})([PE])([A-Z0-9]{6})([A-Z0-9+]{3})")
_NATIONAL = re.compile(r"0[1-9][0-9]{8}")


@dataclass(frozen=True, slots=True)
class Rio:
    """One RIO, taken apart; `str` joins it."""

    operator: str
    kind: str
    contract: str
    key: str

    def __str__(self) -> str:
        """As it is dictated: 12 characters."""
        return self.operator + self.kind + self.contract + self.key

    @classmethod
    def issue(cls, operator: str, kind: str, contract: str, number: str) -> Self:
        """Make the RIO of a national `number` (0123456789). Raises ValueError for what has no RIO."""
        key = _key(operator, kind, contract, number)
        rio = cls(operator, kind, contract, key)
        if not _FORM.fullmatch(str(rio)):
            raise ValueError("a RIO has 2 operator characters, P or E, and 6 contract characters")
        return rio

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a customer dictated: spaces and case don't matter. Raises ValueError."""
        found = _FORM.fullmatch(re.sub(r"\s", "", text).upper())
        if found is None:
            raise ValueError("a RIO has 12 characters: OO Q RRRRRR CCC, with Q = P or E")
        return cls(*found.groups())

    def fits(self, number: str) -> bool:
        """Whether this is a RIO of that national number: the key says so."""
        try:
            return self.key == _key(self.operator, self.kind, self.contract, number)
        except ValueError:
            return False


def is_valid_on(day: date, ended: date | None) -> bool:
    """Whether a number can still be taken along: the contract runs, or ended at most 40 days ago."""
    return ended is None or day <= ended + VALID_AFTER_END


def _key(operator: str, kind: str, contract: str, number: str) -> str:
    if not _NATIONAL.fullmatch(number):
        raise ValueError("a RIO belongs to a national number of ten digits")
    first = second = third = 0
    for character in operator + kind + contract + number:
        place = _PLACE.get(character)
        if place is None:
            raise ValueError(f"{character!r} is not in a RIO's alphabet")
        first = (first + place) % len(ALPHABET)
        second = (2 * second + place) % len(ALPHABET)
        third = (4 * third + place) % len(ALPHABET)
    return ALPHABET[first] + ALPHABET[second] + ALPHABET[third]
