"""Where log lines leave the process: written at once or kept, never waited for.

A reader of our stderr that stops (a terminal on hold, a full pipe, a hung collector) must not stop
calls. So what can't be written now is kept up to a limit, and beyond it dropped and counted; the
count is told in the log itself once the reader is back.

A pipe or terminal is opened anew for writing without blocking: the flag belongs to the open file
description, which other processes share. A socket (systemd's journal) takes a flag per write. A
regular file never blocks in this sense.
"""

import contextlib
import os
import socket
import stat
from collections import deque
from typing import Final

import orjson

#: A few thousand lines: minutes of a quiet node, a second of a busy one.
LIMIT_BYTES: Final = 1024 * 1024


class Pipe:
    """A binary stream, as far as a log needs one. `dropped` only grows."""

    def __init__(self, descriptor: int = 2, limit_bytes: int = LIMIT_BYTES) -> None:
        """Write to what `descriptor` is open on; keep at most `limit_bytes` that it doesn't take."""
        self.dropped = 0
        self._told = 0
        self._limit = limit_bytes
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._socket: socket.socket | None = None
        self._descriptor = descriptor
        self._open(descriptor)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the reader has not taken yet."""
        return self._size

    def write(self, line: bytes) -> int:
        """Take one line with its end."""
        if self._waiting and self._size + len(line) > self._limit:
            self.dropped += 1
        else:
            self._waiting.append(line)
            self._size += len(line)
        return len(line)

    def flush(self) -> None:
        """Write what the reader takes now; never waits, never raises."""
        waiting = self._waiting
        while waiting:
            line = waiting[0]
            try:
                written = self._send(line)
            except BlockingIOError:
                return
            except OSError:  # nobody will ever read it
                self.dropped += len(waiting)
                waiting.clear()
                self._size = 0
                return
            self._size -= written
            if written < len(line):
                waiting[0] = line[written:]
                return
            waiting.popleft()
            if not waiting and self._told < self.dropped:
                self._tell()

    def _tell(self) -> None:
        """Say how much is missing, now that somebody reads again."""
        told = {"event": "log.dropped", "level": "warning", "lines": self.dropped - self._told}
        self._told = self.dropped
        self.write(orjson.dumps(told) + b"\n")

    def _send(self, line: bytes) -> int:
        if self._socket is not None:
            return self._socket.send(line, socket.MSG_DONTWAIT)
        return os.write(self._descriptor, line)

    def _open(self, descriptor: int) -> None:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(descriptor))
        elif stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            path = f"/proc/self/fd/{descriptor}"
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            with contextlib.suppress(OSError):  # another user's: better a log that waits than none
                self._descriptor = os.open(path, flags)
