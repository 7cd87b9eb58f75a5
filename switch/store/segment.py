"""One file of the journal: preallocated, written front to back, read up to where writing ended.

Lines of JSON end with a newline. What was preallocated and never written reads as NUL bytes; a line
that was torn by a power loss isn't JSON. Both are skipped when reading.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

_NAME_DIGITS: Final = 10


def segment_path(directory: Path, number: int) -> Path:
    """Return the path of the segment `number`."""
    return directory / f"{number:0{_NAME_DIGITS}d}.journal"


def segment_numbers(directory: Path) -> list[int]:
    """Return the numbers of the segments there are, ascending."""
    return sorted(int(path.stem) for path in directory.glob("*.journal") if path.stem.isdigit())


def preallocate(path: Path, size: int) -> int:
    """Create a segment of `size` bytes and return its descriptor; raises OSError (disk full).

    Reserving the blocks now means that a full disk is met here, ahead of need, and not in the
    middle of a call.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return descriptor


def read_segment(path: Path) -> Iterator[dict[str, Any] | None]:
    """Yield the records of a segment in order, and None for each line that can't be read."""
    try:
        content = path.read_bytes().rstrip(b"\0")
    except FileNotFoundError:  # dropped since it was listed: the database holds it
        return
    for line in content.split(b"\n"):
        text = line.strip(b"\0")
        if not text:
            continue
        try:
            record = orjson.loads(text)
        except orjson.JSONDecodeError:
            record = None
        yield record if isinstance(record, dict) else None


def trim(path: Path) -> None:
    """Give back what was preallocated and never used of a segment that is no longer written."""
    size = path.stat().st_size
    with path.open("r+b") as segment:
        segment.seek(max(0, size - 1))
        if size and segment.read(1) != b"\0":
            return
        segment.seek(0)
        used = len(segment.read().rstrip(b"\0"))
        segment.truncate(used)
    if not used:
        path.unlink()
