"""The official geography: which communes there are, under which INSEE code, with which postcodes.

A packed table (see `geography_build`) of all communes of today, the arrondissements of Paris, Lyon
and Marseille, the overseas collectivities, and the parts of merged communes, whose codes are no
longer those of a commune. It is read when first asked, takes about 1 MB of memory, and is never
asked in the path of a call. A postcode doesn't give a commune: two of three belong to several.
Deliberately absent: streets and house numbers.
"""

import lzma
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("geography.txt.xz")
LICENCE: Final = Path(__file__).with_name("geography.LICENSE")
# Which country code stands for a département or collectivity overseas (ISO 3166-1); else it is FR.
OVERSEAS: Final[Mapping[str, str]] = {
    "971": "GP",
    "972": "MQ",
    "973": "GF",
    "974": "RE",
    "975": "PM",
    "976": "YT",
    "977": "BL",
    "978": "MF",
    "984": "TF",
    "986": "WF",
    "987": "PF",
    "988": "NC",
    "989": "CP",
}
# Paris, Lyon and Marseille: the law (82-1169) gives nobody else municipal arrondissements.
TOWNS: Final = frozenset({"75056", "69123", "13055"})
_ARRONDISSEMENT = re.compile(r"(\d+e?r?) arrondissement", re.IGNORECASE)


class Kind(StrEnum):
    """What a code of the table stands for; the value is what the table says."""

    COMMUNE = "c"
    ARRONDISSEMENT = "m"  # of Paris, Lyon or Marseille
    DELEGATED = "d"  # a part of a merged commune
    ASSOCIATED = "a"  # the same, of older mergers
    DEPARTEMENT = "D"
    REGION = "R"


@dataclass(frozen=True, slots=True)
class Place:
    """One row: `part_of` is the code of the town of an arrondissement, of the commune that a former
    one belongs to, or of a département's region."""

    code: str
    kind: Kind
    name: str
    postcodes: tuple[str, ...] = ()
    part_of: str = ""

    @property
    def is_current(self) -> bool:
        """Whether an address may carry the code today."""
        return self.kind in (Kind.COMMUNE, Kind.ARRONDISSEMENT)


def version() -> str:
    """The source of the table: "@etalab/decoupage-administratif 6.0.0"."""
    return _table()["#"][2:-1].decode()


def find(insee: str) -> Place | None:
    """What an INSEE commune code stands for, None for an unknown one."""
    return _find(insee) if len(insee) == 5 else None


def arrondissements(town: str) -> tuple[Place, ...]:
    """The arrondissements of Paris, Lyon or Marseille; () elsewhere."""
    if town not in TOWNS:
        return ()
    return tuple(place for place in parts(town) if place.kind is Kind.ARRONDISSEMENT)


@cache
def parts(insee: str) -> tuple[Place, ...]:
    """The arrondissements of a town, or the former communes that a merged one is made of."""
    return tuple(place for place in _of(insee[:2]) if place.part_of == insee)


def of_postcode(postcode: str) -> tuple[Place, ...]:
    """Communes (arrondissements, where there are some) of a postcode, by code."""
    if len(postcode) != 5 or not postcode.isdigit():
        return ()
    found = (_place(row) for rows in _table().values() for row in _with(postcode.encode(), rows))
    return tuple(
        place for place in found if postcode in place.postcodes and not arrondissements(place.code)
    )


def country_of(insee: str) -> str:
    """The country code of an address in the commune: FR, or that of its territory overseas."""
    return OVERSEAS.get(insee[:3], "FR")


def departement_of(insee: str) -> Place | None:
    """The département or collectivity of a commune."""
    return _find(insee[:3] if insee[:3] in OVERSEAS else insee[:2])


def region_of(insee: str) -> Place | None:
    """The region of a commune."""
    departement = departement_of(insee)
    return None if departement is None else _find(departement.part_of, Kind.REGION)


def ordinal(place: Place) -> str:
    """What A4 says of an arrondissement: "8e arrondissement"; "" for other places."""
    found = _ARRONDISSEMENT.search(place.name)
    return f"{found[1]} arrondissement" if found else ""


def within(departement: str) -> tuple[Place, ...]:
    """All that lies in a département or overseas collectivity ("75", "2A", "974"), by code."""
    return tuple(place for place in _of(departement[:2]) if place.code.startswith(departement))


@cache
def _find(code: str, kind: Kind | None = None) -> Place | None:
    """Cached: ten thousand lines are in far fewer communes."""
    mark = f"\n{code};{kind or ''}".encode()
    chunk = _table().get(code[:2], b"")
    while (start := chunk.find(mark)) >= 0:
        end = chunk.index(b"\n", start + 1)
        found = _place(chunk[start + 1 : end])
        if kind is not None or found.kind is not Kind.REGION:
            return found
        chunk = chunk[end:]  # regions and départements share codes
    return None


def _of(prefix: str) -> Iterator[Place]:
    """The communes under the first two characters of their code."""
    for row in _table().get(prefix, b"").splitlines():
        if row.find(b";") == 5:  # no region or département
            yield _place(row)


def _with(text: bytes, rows: bytes) -> Iterator[bytes]:
    """The rows that hold a text."""
    at = rows.find(text)
    while at >= 0:
        end = rows.index(b"\n", at)
        yield rows[rows.rfind(b"\n", 0, at) + 1 : end]
        at = rows.find(text, end)


def _place(row: bytes) -> Place:
    code, kind, name, *rest = row.decode().split(";")
    postcodes, part_of = [*rest, "", ""][:2]
    return Place(code, Kind(kind), name, tuple(postcodes.split()), part_of)


@cache
def _table() -> Mapping[str, bytes]:
    """The rows under the first two characters of their code, each led and followed by a line end;
    the heading under "#". Raises OSError, lzma.LZMAError."""
    chunks: dict[str, list[bytes]] = {}
    for row in lzma.decompress(TABLE.read_bytes()).splitlines():
        chunks.setdefault("#" if row[:1] == b"#" else row[:2].decode(), []).append(row)
    return {
        prefix: (b"" if prefix == "#" else b"\n") + b"\n".join(rows) + b"\n"
        for prefix, rows in chunks.items()
    }
