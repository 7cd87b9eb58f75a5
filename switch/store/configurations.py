"""Configurations that were in force, kept by content in the data directory, so that one can go back.

`applied.json` lists them, oldest first: when, and which content each file had; `files/` holds the
contents by their SHA-256, once each. Files may hold passwords, so only the switch's user reads them.
Deliberately absent: certificates, sounds and the country database, which are taken as they are now.
"""

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

KEPT: Final = 20  # a day of trying things out


class Applied(NamedTuple):
    """One configuration: its id, the file it starts from, and where the content of each file is."""

    id: str
    path: Path
    files: dict[Path, Path]


class Configurations:
    """A stack: `keep` puts one on top, `drop_last` takes it off. OSError when the disk fails."""

    def __init__(self, directory: Path) -> None:
        """Nothing is written before something is kept."""
        self._list = directory / "applied.json"
        self._files = directory / "files"

    def keep(self, sources: Iterable[Path], at_ms: int) -> str:
        """Put the files of a configuration on top, its own first, as they are now; its id."""
        contents = {path.absolute(): path.read_bytes() for path in sources}
        files = {str(path): sha256(content).hexdigest() for path, content in contents.items()}
        name = sha256(orjson.dumps(files)).hexdigest()[:12]
        entries = self._entries()
        if entries and entries[-1]["id"] == name:
            return name
        self._files.mkdir(parents=True, exist_ok=True, mode=0o700)
        for digest, content in zip(files.values(), contents.values(), strict=True):
            if not (self._files / digest).exists():
                _write(self._files / digest, content)
        self._store([*entries, {"id": name, "at": at_ms, "files": files}][-KEPT:])
        return name

    def previous(self) -> Applied | None:
        """The one below the top."""
        entries = self._entries()
        if len(entries) < 2:
            return None
        files = {Path(path): self._files / digest for path, digest in entries[-2]["files"].items()}
        return Applied(entries[-2]["id"], next(iter(files)), files)

    def drop_last(self) -> None:
        """Take the top off: what was below is in force again."""
        self._store(self._entries()[:-1])

    def _entries(self) -> list[dict[str, Any]]:
        """A list that can't be read is none: it is begun anew."""
        try:
            found = orjson.loads(self._list.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return []
        return found if isinstance(found, list) else []

    def _store(self, entries: list[dict[str, Any]]) -> None:
        _write(self._list, orjson.dumps(entries))
        needed = {digest for entry in entries for digest in entry["files"].values()}
        for path in self._files.iterdir():
            if path.name not in needed:
                path.unlink()


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and never readable by others."""
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    new.replace(path)
