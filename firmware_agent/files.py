"""The storage of a device, as small as it can be: named files, writes at an offset, fsync.

Everything durable goes through here, so that a test can cut the power at each write and fsync. `write`
may be torn or lost until `fsync` of the same file returned. `replace` is the one atomic operation.
Deliberately absent: directories, locks, and any file but the device's own.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Protocol


class Files(Protocol):
    """Files by name."""

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes | None:
        """Up to `size` bytes from `offset` (-1: all of the rest); None when there is no such file."""

    def size(self, name: str) -> int | None:
        """Bytes, or None."""

    def write(self, name: str, content: bytes, offset: int = 0) -> None:
        """Write at `offset`, making the file when it is missing. Not durable yet."""

    def truncate(self, name: str, size: int = 0) -> None:
        """Cut to `size` bytes, making the file when it is missing. Not durable yet."""

    def fsync(self, name: str) -> None:
        """Return once what was written to `name` is durable."""

    def replace(self, name: str, content: bytes) -> None:
        """Durably and atomically: afterwards `name` is wholly the old or wholly the new."""

    def remove(self, name: str) -> None:
        """Remove, durably; harmless when it is missing."""


class DiskFiles:
    """Files in one directory, readable by their owner only."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = root

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes | None:
        """See `Files`."""
        try:
            with (self.root / name).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except FileNotFoundError:
            return None

    def size(self, name: str) -> int | None:
        """See `Files`."""
        try:
            return (self.root / name).stat().st_size
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes, offset: int = 0) -> None:
        """See `Files`."""
        with self._opened(name) as file:
            file.seek(offset)
            file.write(content)

    def truncate(self, name: str, size: int = 0) -> None:
        """See `Files`."""
        with self._opened(name) as file:
            file.truncate(size)

    def fsync(self, name: str) -> None:
        """See `Files`."""
        with self._opened(name) as file:
            os.fsync(file.fileno())
        self._sync_names()

    def replace(self, name: str, content: bytes) -> None:
        """See `Files`."""
        fresh = f"{name}.new"
        self.truncate(fresh)
        self.write(fresh, content)
        self.fsync(fresh)
        (self.root / fresh).replace(self.root / name)
        self._sync_names()

    def remove(self, name: str) -> None:
        """See `Files`."""
        (self.root / name).unlink(missing_ok=True)
        self._sync_names()

    def _opened(self, name: str) -> BinaryIO:
        return os.fdopen(os.open(self.root / name, os.O_RDWR | os.O_CREAT, 0o600), "r+b")

    def _sync_names(self) -> None:
        directory = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


class MemoryFiles:
    """Files of a played device. What can share bytes does: an image written whole is not copied."""

    def __init__(self, content: Mapping[str, bytes | bytearray] = MappingProxyType({})) -> None:
        self.content = dict(content)

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes | None:
        """See `Files`."""
        found = self.content.get(name)
        if found is None:
            return None
        if not offset and (size < 0 or size >= len(found)):
            return bytes(found)  # of bytes: the same object
        return bytes(found[offset:] if size < 0 else found[offset : offset + size])

    def size(self, name: str) -> int | None:
        """See `Files`."""
        found = self.content.get(name)
        return None if found is None else len(found)

    def write(self, name: str, content: bytes, offset: int = 0) -> None:
        """See `Files`."""
        found = self.content.get(name, b"")
        if not offset and len(content) >= len(found):
            self.content[name] = content
            return
        grown = found if isinstance(found, bytearray) else bytearray(found)
        if offset > len(grown):
            grown.extend(bytes(offset - len(grown)))
        grown[offset : offset + len(content)] = content
        self.content[name] = grown

    def truncate(self, name: str, size: int = 0) -> None:
        """See `Files`."""
        found = self.content.get(name, b"")
        self.content[name] = bytes(found[:size]).ljust(size, b"\0")

    def fsync(self, name: str) -> None:
        """See `Files`."""

    def replace(self, name: str, content: bytes) -> None:
        """See `Files`."""
        self.content[name] = content

    def remove(self, name: str) -> None:
        """See `Files`."""
        self.content.pop(name, None)
