"""The journal: what the machines did, on disk before the datagrams that say so leave.

`write` is one os.write per wake-up of the loop. The page cache survives kill -9; for power loss a
thread syncs the file ten times a second. Segments are preallocated and rotated; every start of the
process begins a new one, so a torn tail is never written after. A checkpoint restates all live
state at the head of a new segment; older ones go once the database holds what they hold
(`drop_before`), save a few that let a lost database be filled again.

Deliberately absent: any knowledge of the records but {"k": "checkpoint"} and {"k":
"checkpoint_end"}.
"""

import asyncio
import errno
import fcntl
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from switch.store.alarm import Alarm, quiet
from switch.store.segment import (
    preallocate,
    read_segment,
    segment_numbers,
    segment_path,
    trim,
)

SEGMENT_BYTES: Final = 16 * 1024 * 1024
SYNC_INTERVAL_S: Final = 0.1
# Segments kept although the database holds them: an hour or so of a busy node.
KEPT_SEGMENTS: Final = 4
# What a full disk may leave waiting in memory. Beyond, the oldest goes: calls matter more than
# records.
_BACKLOG_BYTES: Final = 32 * 1024 * 1024

_CHECKPOINT: Final = b'{"k":"checkpoint"}'
_CHECKPOINT_END: Final = b'{"k":"checkpoint_end"}'


class JournalInUseError(Exception):
    """Another process writes to this journal."""


class Journal:
    """The segments in `directory`, one of them open for writing.

    `alarm(name, fields)` is told once when writing starts to fail and once when it works again.
    """

    def __init__(
        self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES, alarm: Alarm = quiet
    ) -> None:
        """Open for writing; raises JournalInUseError, or OSError when the first segment can't be made."""
        self.directory = directory
        self.torn = 0
        self.lost = 0
        self._alarm = alarm
        self._segment_bytes = segment_bytes
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = self._take_lock()
        for number in segment_numbers(directory):
            trim(segment_path(directory, number))
        self._number = max(segment_numbers(directory), default=0) + 1
        self._descriptor = preallocate(segment_path(directory, self._number), segment_bytes)
        self._offset = 0
        self._backlog = b""
        self._dirty = False
        self._failing = False
        # Shared with the syncing thread: the next segment made ahead of need, and those that are
        # full.
        self._sharing = threading.Lock()
        self._spare: tuple[int, int] | None = None
        self._full: list[tuple[int, int]] = []
        self._unlisted = (
            True  # the directory doesn't surely list the present segment after a power loss
        )

    @property
    def number(self) -> int:
        """The number of the segment that is written to."""
        return self._number

    def replay_starts_at(self) -> int:
        """Return the number of the segment that `replay` begins with. Reads files."""
        numbers = segment_numbers(self.directory)
        return numbers[self._last_checkpoint(numbers)]

    @property
    def backlog_bytes(self) -> int:
        """Bytes that couldn't be written yet (a gauge; 0 unless the disk fails)."""
        return len(self._backlog)

    def write(self, records: list[bytes]) -> bool:
        """Append records, each a JSON object without a line end; return whether they are on file.

        Never raises for the disk: what can't be written is kept, up to a limit, and tried again
        with the next records.
        """
        if not records:
            return not self._backlog
        content = b"\n".join(records) + b"\n"
        if self._backlog:
            content = self._backlog + content
            self._backlog = b""
        try:
            if self._offset and self._offset + len(content) > self._segment_bytes:
                self._rotate()
            self._append(content)
        except OSError as error:
            self._keep(content, error)
            return False
        if self._failing:
            self._failing = False
            self._alarm("journal.recovered", {"lost": self.lost})
        return True

    def checkpoint(self, live_records: Iterable[bytes]) -> int:
        """Restate all live state at the head of a new segment; return its number, for `drop_before`.

        Raises OSError when it can't be written; the older segments then remain what a restart
        reads.
        """
        content = b"\n".join([_CHECKPOINT, *live_records, _CHECKPOINT_END]) + b"\n"
        if self._backlog:
            self._append(self._backlog)
            self._backlog = b""
        self._rotate()
        self._append(content)
        return self._number

    def drop_before(self, number: int, keep: int = KEPT_SEGMENTS) -> None:
        """Sync, then remove segments older than `number`, all but the last `keep` of them.

        Raises OSError when syncing fails; nothing is removed then.
        """
        self.sync()
        older = [each for each in segment_numbers(self.directory) if each < number]
        for each in older[: max(0, len(older) - keep)]:
            segment_path(self.directory, each).unlink(missing_ok=True)

    def remove_older(self, before: float) -> int:
        """Remove segments that were last written before `before` (UTC s) and that no restart reads;
        return how many. Reads files."""
        first = self.replay_starts_at()
        older = [
            number
            for number in segment_numbers(self.directory)
            if number < first and segment_path(self.directory, number).stat().st_mtime < before
        ]
        for number in older:
            segment_path(self.directory, number).unlink(missing_ok=True)
        return len(older)

    def replay(self, *, whole: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the records of all segments in order, from the last complete checkpoint on.

        `whole` starts at the oldest segment instead, for filling a database. Records that can't be
        read are skipped and counted in `torn`. What is written meanwhile may or may not be
        included.
        """
        numbers = segment_numbers(self.directory)
        first = 0 if whole else self._last_checkpoint(numbers)
        for number in numbers[first:]:
            for record in read_segment(segment_path(self.directory, number)):
                if record is None:
                    self.torn += 1
                elif record.get("k") not in ("checkpoint", "checkpoint_end"):
                    yield record

    def sync(self) -> None:
        """Bring what was written to the disk itself, for power loss. Safe in another thread."""
        with self._sharing:
            full, self._full = self._full, []
            current = os.dup(self._descriptor) if self._dirty else None
            self._dirty = False
            unlisted, self._unlisted = self._unlisted, False
            spare_wanted = self._spare is None and self._offset * 2 > self._segment_bytes
            number = self._number + 1
        for descriptor, used in full:
            os.ftruncate(descriptor, used)
            os.fdatasync(descriptor)
            os.close(descriptor)
        if current is not None:
            os.fdatasync(current)
            os.close(current)
        if unlisted:
            self._sync_directory()
        if spare_wanted:
            self._prepare_spare(number)

    async def keep_synced(self) -> None:
        """Sync ten times a second, off the loop, until cancelled."""
        while True:
            await asyncio.sleep(SYNC_INTERVAL_S)
            if self._dirty or self._full:
                try:
                    await asyncio.to_thread(self.sync)
                except OSError as error:
                    self._alarm("journal.sync_failed", {"error": error.strerror})

    def close(self) -> None:
        """Sync, give back unused space, and let another process write here."""
        self._full.append((self._descriptor, self._offset))
        self._dirty = False
        self._offset = 0
        self.sync()
        if self._spare is not None:
            number, descriptor = self._spare
            os.close(descriptor)
            segment_path(self.directory, number).unlink(missing_ok=True)
        os.close(self._lock)

    def _append(self, content: bytes) -> None:
        """Write at the end of the segment; a part written before an error is overwritten next time."""
        written = 0
        try:
            while written < len(content):
                written += os.write(self._descriptor, content[written:] if written else content)
        except OSError:
            os.lseek(self._descriptor, self._offset, os.SEEK_SET)
            raise
        self._offset += written
        self._dirty = True

    def _rotate(self) -> None:
        """Go on in the next segment; the syncing thread finishes the present one."""
        with self._sharing:
            spare, self._spare = self._spare, None
        if spare is None:
            spare = self._make_next(self._number + 1)
        with self._sharing:
            self._full.append((self._descriptor, self._offset))
            self._number, self._descriptor = spare
            self._offset = 0
            self._unlisted = True

    def _sync_directory(self) -> None:
        """Make sure that a new segment is found after a power loss."""
        directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _make_next(self, number: int) -> tuple[int, int]:
        """Make a segment; if the syncing thread is making that very one, the number after it."""
        try:
            return number, preallocate(segment_path(self.directory, number), self._segment_bytes)
        except FileExistsError:
            return self._make_next(number + 1)

    def _prepare_spare(self, number: int) -> None:
        """Make the next segment ahead of need; if the loop has gone on meanwhile, undo it."""
        path = segment_path(self.directory, number)
        try:
            descriptor = preallocate(path, self._segment_bytes)
        except FileExistsError:
            return
        except OSError as error:
            self._alarm("journal.no_space_ahead", {"error": error.strerror})
            return
        with self._sharing:
            if self._number < number:
                self._spare = (number, descriptor)
                return
        os.close(descriptor)
        path.unlink(missing_ok=True)

    def _keep(self, content: bytes, error: OSError) -> None:
        """Hold what couldn't be written; beyond the limit whole records go, the oldest first."""
        if len(content) > _BACKLOG_BYTES:
            cut = content.index(b"\n", len(content) - _BACKLOG_BYTES) + 1
            self.lost += content.count(b"\n", 0, cut)
            content = content[cut:]
        self._backlog = content
        if not self._failing:
            self._failing = True
            name = errno.errorcode.get(error.errno or 0, "EIO")
            self._alarm("journal.failing", {"error": name, "number": self._number})

    def _last_checkpoint(self, numbers: list[int]) -> int:
        """Return the index of the newest segment that begins with a complete checkpoint; 0 if none."""
        for index in range(len(numbers) - 1, -1, -1):
            records = read_segment(segment_path(self.directory, numbers[index]))
            head = next(records, None) or {}
            kinds = (record["k"] for record in records if record and "k" in record)
            if head.get("k") == "checkpoint" and "checkpoint_end" in kinds:
                return index
        return 0

    def _take_lock(self) -> int:
        """Lock the directory against a second process; the kernel frees the lock when we die."""
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise JournalInUseError(str(self.directory)) from None
        return lock
