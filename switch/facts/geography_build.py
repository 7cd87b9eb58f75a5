"""Makes `geography.txt.xz`, the table behind `geography.py`: run it once a year, `make geography`.

The source is the npm package @etalab/decoupage-administratif (MIT licence, whose text is kept beside
the table): the communes of INSEE's official geographic code with the postcodes of La Poste. npm
fetches it from the registry that the machine is set up with.
Deliberately absent: anything that the switch itself runs.
"""

import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from switch.facts.geography import LICENCE, TABLE, Kind

PACKAGE: Final = "@etalab/decoupage-administratif"
_KINDS: Final[Mapping[str, Kind]] = {
    "commune-actuelle": Kind.COMMUNE,
    "arrondissement-municipal": Kind.ARRONDISSEMENT,
    "commune-deleguee": Kind.DELEGATED,
    "commune-associee": Kind.ASSOCIATED,
}
# The whole text fits in the dictionary, which is the memory that reading takes (preset 9: 64 MB).
_FILTERS: Final = [
    {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 2 << 20}
]
Entry = Mapping[str, object]


def main() -> int:
    """Fetch the package and write the table and its licence. The version may be given: `6.0.0`."""
    wanted = "@".join([PACKAGE, *sys.argv[1:2]])
    with tempfile.TemporaryDirectory() as directory:
        packed = _pack(wanted, Path(directory))
        with tarfile.open(packed) as archive:
            archive.extractall(directory, filter="data")
        content = Path(directory) / "package"
        version = json.loads((content / "package.json").read_text("utf-8"))["version"]
        text = "\n".join([f"# {PACKAGE} {version}", *rows(content / "data")]) + "\n"
        TABLE.write_bytes(lzma.compress(text.encode(), filters=_FILTERS))
        LICENCE.write_bytes((content / "LICENSE").read_bytes())
    sys.stdout.write(f"{TABLE.name}: {text.count(chr(10))} rows of {PACKAGE} {version}\n")
    return 0


def rows(data: Path) -> Iterator[str]:
    """The lines of the table from the package's files: regions, départements, then communes."""
    for region in _read(data / "regions.json"):
        yield f"{region['code']};{Kind.REGION};{region['nom']}"
    for entry in _read(data / "departements.json"):
        yield f"{entry['code']};{Kind.DEPARTEMENT};{entry['nom']};;{entry['region']}"
    yield from communes(_read(data / "communes.json"))


def communes(entries: Iterable[Entry]) -> Iterator[str]:
    """One line per code, sorted. A code that is both a commune of today and a part of it (its former
    centre) stands for the commune."""
    found: dict[str, str] = {}
    for entry in entries:
        code, kind = str(entry["code"]), _KINDS[str(entry["type"])]
        if code in found and kind in (Kind.DELEGATED, Kind.ASSOCIATED):
            continue
        given = entry.get("codesPostaux")
        postcodes = " ".join(sorted(given)) if isinstance(given, list) else ""
        part_of = entry.get("commune") or entry.get("chefLieu") or ""
        found[code] = f"{code};{kind};{entry['nom']};{postcodes};{part_of}".rstrip(";")
    yield from (found[code] for code in sorted(found))


def _pack(wanted: str, directory: Path) -> Path:
    command = ["npm", "pack", "--silent", "--pack-destination", str(directory), wanted]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (our own words)
    return next(directory.glob("*.tgz"))


def _read(path: Path) -> list[Entry]:
    found: list[Entry] = json.loads(path.read_text("utf-8"))
    return found


if __name__ == "__main__":
    sys.exit(main())
