"""A target image from the running one and a patch, and the one place that knows detools.

A patch on the wrong base makes wrong bytes without an error, so the base's hash is checked before and the
result's after. The patch came by its signed hash, and still the result may not grow past what is announced.
Where detools is not installed (it has to be compiled) the whole image is fetched, at the cost of bytes only.
"""

import importlib
import io
from typing import Any, BinaryIO

from firmware_agent.files import Files
from firmware_agent.slots import sha256_of


def _load() -> Any:
    try:
        return importlib.import_module("detools")
    except ImportError:
        return None


detools: Any = _load()
"""The library, or None where it is not installed."""


class DeltaError(Exception):
    """The patch doesn't lead from this base to that target; the whole image has to be fetched."""


class _Bounded(io.RawIOBase):
    """What a patch writes: into a file, up to a length."""

    def __init__(self, files: Files, name: str, length: int) -> None:
        self._files, self._name, self._length, self.offset = files, name, length, 0

    def write(self, content: bytes) -> int:  # type: ignore[override]
        if self.offset + len(content) > self._length:
            raise DeltaError(f"more than the {self._length} bytes announced")
        self._files.write(self._name, bytes(content), self.offset)
        self.offset += len(content)
        return len(content)


def apply(
    files: Files, base: str, base_sha256: str, patch: str, target: str, sha256: str, length: int
) -> None:
    """Make the file `target` from the files `base` and `patch`; durable. Raises DeltaError."""
    if detools is None:
        raise DeltaError("detools is not installed")
    if sha256_of(files, base) != base_sha256:
        raise DeltaError("the base is not the one of the patch")
    files.truncate(target)
    out = _Bounded(files, target, length)
    try:
        detools.apply_patch(_reader(files, base), _reader(files, patch), out)
    except (detools.Error, ValueError, EOFError, OSError, MemoryError, OverflowError) as error:
        raise DeltaError(f"{type(error).__name__}: {error}") from None
    files.fsync(target)
    if out.offset != length or sha256_of(files, target) != sha256:
        raise DeltaError("the result is not the target")


def _reader(files: Files, name: str) -> BinaryIO:
    return io.BytesIO(files.read(name) or b"")
