"""The versions of the emergency routing table: each import a file of its own, one of them in force.

    DATA/emergency-routes/000001.csv   as imported, never changed
    DATA/emergency-routes/current.json {version, digest, at, by, source, entries}

A version is written and synced first; `current.json` is then replaced in one step, so that a crash
leaves the old table or the new one. Reading it checks the digest: a damaged file is an error, never a
shorter table. Deliberately absent: what to do without a table (routing/emergency.py), deleting.
"""

import os
from pathlib import Path
from typing import Any, Final

import orjson

from switch.routing.psap_table import NO_TABLE, PsapTable, PsapTableError, read_table

DIRECTORY: Final = "emergency-routes"
_CURRENT: Final = "current.json"


class PsapTables:
    """All versions under one directory, made by the first import. OSError where the disk fails."""

    def __init__(self, data: Path) -> None:
        """`data` is the switch's data directory."""
        self._directory = data / DIRECTORY

    def current(self) -> dict[str, Any]:
        """What is known of the version in force: {} when none was ever imported. PsapTableError."""
        try:
            found = orjson.loads((self._directory / _CURRENT).read_bytes())
        except FileNotFoundError:
            if self.versions():
                raise PsapTableError([(0, f"{_CURRENT} is missing")]) from None
            return {}
        except orjson.JSONDecodeError:
            raise PsapTableError([(0, f"{_CURRENT} can't be read")]) from None
        if not isinstance(found, dict) or not isinstance(found.get("version"), int):
            raise PsapTableError([(0, f"{_CURRENT} can't be read")])
        return found

    def versions(self) -> list[int]:
        """The versions that are kept, oldest first."""
        return sorted(int(p.stem) for p in self._directory.glob("*.csv") if p.stem.isdigit())

    def load(self) -> PsapTable:
        """The table in force, NO_TABLE when none was ever imported. PsapTableError, OSError."""
        known = self.current()
        if not known:
            return NO_TABLE
        path = self._path(known["version"])
        table = read_table(path.read_bytes(), version=known["version"])
        if table.digest != known.get("digest"):
            raise PsapTableError([(0, f"{path.name} is not what was imported")])
        return table

    def add(self, content: bytes, table: PsapTable, facts: dict[str, object]) -> PsapTable:
        """Keep `content`, which reads as `table`, as the next version, and put it in force.

        `facts` ({at, by, source}) are kept beside it. Returns the table with its version.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        version = max(self.versions(), default=0) + 1
        self._write(self._path(version), content)
        entry = {"version": version, "digest": table.digest, "entries": len(table), **facts}
        self._write(self._directory / _CURRENT, orjson.dumps(entry, option=orjson.OPT_INDENT_2))
        return PsapTable(version, table.digest, table.long_numbers)

    def _path(self, version: int) -> Path:
        return self._directory / f"{version:06d}.csv"

    def _write(self, path: Path, content: bytes) -> None:
        """Whole or not at all, also when the power fails (fsync of file and directory)."""
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
