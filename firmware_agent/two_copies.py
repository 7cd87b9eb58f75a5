"""A small document in two copies with a CRC: one of them is whole whenever the power goes.

A copy is `CRC32 (8 hex digits) SEQUENCE payload`. A store overwrites the older copy first, in place, and
the second only when the first is durable. So a torn write never takes the newest state with it: after a
store that came half way, the old copy is the one that is overwritten next.
"""

import zlib

from firmware_agent.files import Files


class TwoCopies:
    """The document `name`, in the files NAME.0 and NAME.1."""

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._names = (f"{name}.0", f"{name}.1")

    def load(self) -> bytes | None:
        """The newest whole copy; None when there is none."""
        copies = [each for each in map(self._copy, self._names) if each is not None]
        return max(copies)[1] if copies else None

    def store(self, payload: bytes) -> None:
        """Durable when this returns; until then the old payload or the new one is found."""
        found = [self._copy(name) for name in self._names]
        sequences = [-1 if each is None else each[0] for each in found]
        body = b"%d " % (max(sequences) + 1) + payload
        whole = b"%08x " % zlib.crc32(body) + body
        older = sequences.index(min(sequences))
        for index in (older, 1 - older):
            name = self._names[index]
            self._files.write(name, whole)
            self._files.truncate(name, len(whole))
            self._files.fsync(name)

    def _copy(self, name: str) -> tuple[int, bytes] | None:
        whole = self._files.read(name)
        if whole is None or len(whole) < 9:
            return None
        crc, body = whole[:8], whole[9:]
        if crc != b"%08x" % zlib.crc32(body):
            return None
        sequence, _, payload = body.partition(b" ")
        return int(sequence), payload
