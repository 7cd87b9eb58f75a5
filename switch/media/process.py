"""A worker process as the pool sees it: a pid, a socket that speaks JSON lines, an end.

Nothing here waits: lines are read when the loop says so, and a killed process is reaped
when the pool next looks. Deliberately absent: when to start or replace one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Sequence

import orjson

from switch.media.lifeline import child_environment

_LONGEST_LINE = 4096
"""A worker's lines are under 200 bytes; more without a newline is a fault."""


class WorkerProcess:
    """One running `switch.media.worker`. Raises OSError when it cannot be started."""

    def __init__(self, arguments: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        try:
            self._child = subprocess.Popen(  # noqa: S603 -- our own program
                [
                    *(sys.executable, "-m", "switch.media.worker"),
                    *("--fd", str(theirs.fileno())),
                    *("--parent", str(os.getpid())),
                    *arguments,
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # pjlib prints its first lines whatever its log level; our stdout is a contract
                stdout=subprocess.DEVNULL,
                env=child_environment(),
                process_group=0,  # a terminal's Ctrl-C is for the switch, which ends its workers
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._socket = ours
        self._rest = b""

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    def fileno(self) -> int:
        """The socket's descriptor, for the loop's add_reader."""
        return self._socket.fileno()

    def read(self) -> list[dict[str, object]] | None:
        """The lines that have come; None when the worker is gone or talks nonsense."""
        try:
            chunk = self._socket.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            return None
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if not chunk or len(self._rest) > _LONGEST_LINE:
            return None
        try:
            read = [orjson.loads(line) for line in lines]
        except orjson.JSONDecodeError:
            return None
        return [line for line in read if isinstance(line, dict)]

    def is_gone(self) -> bool:
        """Whether the process has ended; reaps it then."""
        return self._child.poll() is not None

    def kill(self) -> None:
        """SIGKILL, and close the socket. `is_gone` reaps."""
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()

    def dismiss(self) -> None:
        """Close the socket: the worker takes that as the order to end by itself."""
        self._socket.close()

    def join(self, limit_s: float) -> None:
        """Wait for the end, and kill after `limit_s`. Only for the end of the switch."""
        try:
            self._child.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
