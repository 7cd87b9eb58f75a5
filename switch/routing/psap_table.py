"""Which centre answers for a commune: emergency number + INSEE code -> the centre's long number.

In France the préfecture of each département says so in a plan (PDAAU: plan départemental
d'acheminement des appels d'urgence); operators get these plans under confidence, so none is shipped.
The file format is ours (docs/emergency.md): UTF-8 CSV with the columns number, insee, long_number and,
for people, name. One row per pair; lines that begin with # are comments.

Tables are values that are swapped whole, so that the way of a call meets no half of one. Deliberately
absent: patterns (a new commune must not silently go to whoever answered for its neighbours), files
and versions (store/psap_tables.py).
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from io import StringIO
from types import MappingProxyType
from typing import Final

from switch.routing.numbers import country_of, parse_number

COLUMNS: Final = ("number", "insee", "long_number")
OPTIONAL_COLUMNS: Final = ("name",)
MAX_PROBLEMS: Final = 20  # a file of another kind has as many as it has lines

_NUMBER = re.compile(r"\d{2,6}")
_INSEE = re.compile(r"\d{5}|2[AB]\d{3}")


class PsapTableError(ValueError):
    """A file that is no table; `problems` are (line, what is wrong), line 0 for the file."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        self.problems = problems
        super().__init__(
            "; ".join(f"line {line}: {text}" if line else text for line, text in problems)
        )


@dataclass(frozen=True, slots=True)
class PsapTable:
    """Long numbers (E.164) by emergency number and INSEE code.

    `version` counts imports from 1, 0 is no table; `digest` is of the file, for audits.
    """

    version: int = 0
    digest: str = ""
    long_numbers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Count the pairs that it covers."""
        return sum(map(len, self.long_numbers.values()))

    def find(self, number: str, insee: str) -> str:
        """The long number for a call to `number` from a commune, "" when the table has none.

        An arrondissement of Paris, Lyon or Marseille that has no row of its own is answered for by
        its city's.
        """
        by_commune = self.long_numbers.get(number)
        if by_commune is None:
            return ""
        return by_commune.get(insee) or by_commune.get(whole_city(insee), "")


NO_TABLE: Final = PsapTable()


@dataclass(frozen=True, slots=True)
class TableDiff:
    """What a new table changes. Pairs are (emergency number, INSEE code).

    `changed` maps a pair to (old, new) long number. `lost_share` is the largest share of pairs that
    is lost, of the whole table and of each emergency number; `lost_departments` are (emergency number,
    département) that were covered and are not any more at all.
    """

    added: tuple[tuple[str, str], ...]
    removed: tuple[tuple[str, str], ...]
    changed: Mapping[tuple[str, str], tuple[str, str]]
    lost_share: float
    lost_departments: tuple[tuple[str, str], ...]

    def refusal(self, max_shrink: float) -> str:
        """Why it must not be applied when at most the share `max_shrink` may be lost; "" if it may."""
        if self.lost_share > max_shrink:
            return (
                f"the coverage shrinks by {self.lost_share:.1%}, more than {max_shrink:.1%}:"
                f" {len(self.removed)} pairs are lost"
            )
        if self.lost_departments and max_shrink < 1:
            number, department = self.lost_departments[0]
            count = len(self.lost_departments)
            return f"{number} is lost for the whole département {department} ({count} such losses)"
        return ""


def read_table(content: bytes, numbers: Collection[str] = (), version: int = 0) -> PsapTable:
    """Read a CSV. `numbers` are the emergency numbers there are, () = any; PsapTableError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PsapTableError([(0, "not UTF-8 text")]) from None
    problems: list[tuple[int, str]] = []
    found: dict[str, dict[str, str]] = {}
    # 35,000 communes x 8 numbers repeat the same few texts: each is judged and kept once.
    insee_codes: dict[str, str] = {}
    long_numbers: dict[str, str] = {}
    for line, (number, insee, written) in _rows(text):
        of_number = found.get(number)
        long_number = long_numbers.get(written)
        problem = ""
        if of_number is None or long_number is None or insee not in insee_codes:
            problem = _problem(number, insee, written, numbers)
            of_number = found.setdefault(number, {})
            long_number = long_numbers[written] = parse_number(written, "national")
            insee_codes[insee] = insee
        if problem or insee in of_number:
            problems.append((line, problem or f"{number} of {insee} stands twice"))
            if len(problems) == MAX_PROBLEMS:
                break
        of_number[insee_codes[insee]] = long_number
    if not found and not problems:
        problems.append((0, "the table is empty"))
    if problems:
        raise PsapTableError(problems)
    frozen = {number: MappingProxyType(rows) for number, rows in found.items()}
    return PsapTable(version, sha256(content).hexdigest(), MappingProxyType(frozen))


def compare(old: PsapTable, new: PsapTable) -> TableDiff:
    """What replacing `old` by `new` would change."""
    before, after = dict(_pairs(old)), dict(_pairs(new))
    removed = tuple(sorted(before.keys() - after.keys()))
    lost = Counter(number for number, _ in removed)
    shares = [lost[number] / len(old.long_numbers[number]) for number in lost]
    shares.append(len(removed) / len(before) if before else 0.0)
    areas = {(number, department(insee)) for number, insee in after}
    return TableDiff(
        tuple(sorted(after.keys() - before.keys())),
        removed,
        {
            pair: (before[pair], long_number)
            for pair, long_number in after.items()
            if before.get(pair, long_number) != long_number
        },
        max(shares),
        tuple(sorted({(number, department(insee)) for number, insee in removed} - areas)),
    )


def department(insee: str) -> str:
    """The département of a commune: "75", "2A", "974"."""
    return insee[:3] if insee.startswith(("97", "98")) else insee[:2]


def whole_city(insee: str) -> str:
    """The commune that an arrondissement of Paris, Lyon or Marseille belongs to, else "" (INSEE)."""
    if insee[:3] == "751":
        return "75056"
    if insee[:4] == "6938":
        return "69123"
    return "13055" if insee[:3] == "132" else ""


def _rows(text: str) -> Iterator[tuple[int, tuple[str, str, str]]]:
    """Line number and the three values of each row. PsapTableError for a wrong head."""
    positions: list[int] | None = None
    reader = csv.reader(StringIO(text, newline=""))
    try:
        for row in reader:
            if not row or row[0].lstrip().startswith("#"):
                continue
            if positions is None:
                positions = _positions([cell.strip() for cell in row], reader.line_num)
                first, second, third = positions
                continue
            if len(row) <= max(positions):
                raise PsapTableError([(reader.line_num, "a value is missing")])
            yield reader.line_num, (row[first].strip(), row[second].strip(), row[third].strip())
    except csv.Error as error:
        raise PsapTableError([(reader.line_num, str(error))]) from None


def _positions(head: list[str], line: int) -> list[int]:
    if missing := [name for name in COLUMNS if name not in head]:
        raise PsapTableError([(line, f"the first row lacks the column {missing[0]}")])
    if strange := [name for name in head if name not in (*COLUMNS, *OPTIONAL_COLUMNS)]:
        raise PsapTableError([(line, f"unknown column {strange[0]!r}")])
    return [head.index(name) for name in COLUMNS]


def _problem(number: str, insee: str, long_number: str, numbers: Collection[str]) -> str:
    if not _NUMBER.fullmatch(number) or (numbers and number not in numbers):
        return f"{number!r} is no emergency number"
    if not _INSEE.fullmatch(insee):
        return f"{insee!r} is no INSEE commune code (5 digits; 2A and 2B in Corsica)"
    if not country_of(parse_number(long_number, "national")):
        return f"{long_number!r} is no French number (+33145678901 or 0145678901)"
    return ""


def _pairs(table: PsapTable) -> Iterator[tuple[tuple[str, str], str]]:
    for number, by_commune in table.long_numbers.items():
        for insee, long_number in by_commune.items():
            yield (number, insee), long_number
