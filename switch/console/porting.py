"""The RIO of a line's number: given to its holder at any time, checked for who brings one.

A number of mainland France has one while the contract runs and for 40 days after its end, whatever is
unpaid. Deliberately absent: the porting order itself.
"""

from datetime import date
from typing import Final
from zlib import crc32

from policy.rio import BUSINESS, Rio, is_valid_on
from switch.console.commands import CommandRefused
from switch.facts.line import Line

_CONTRACT_CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def rio_of(
    line: Line, operator: str, today: date, ended: date | None, given: str | None = None
) -> dict[str, object]:
    """Return {rio}, or {rio, fits} for a RIO that was `given`. Raises CommandRefused where there is none."""
    if not line.number.startswith("+33"):
        raise CommandRefused("not_allowed", f"{line.number} is not a number of mainland France")
    national = f"0{line.number[3:]}"
    if given is not None:
        try:
            brought = Rio.parse(given)
        except ValueError as error:
            raise CommandRefused("bad_args", f"--check {given}: {error}") from None
        return {"rio": str(brought), "fits": brought.fits(national)}
    if not is_valid_on(today, ended):
        raise CommandRefused(
            "not_allowed", f"the contract ended on {ended}: a RIO serves for 40 days after that"
        )
    return {"rio": str(Rio.issue(operator, BUSINESS, _reference(line.id), national))}


def _reference(line: str) -> str:
    """The six characters of a contract in a RIO: ours to choose, the same for ever."""
    number, characters = crc32(line.encode()), ""
    for _ in range(6):
        number, place = divmod(number, len(_CONTRACT_CHARACTERS))
        characters += _CONTRACT_CHARACTERS[place]
    return characters
