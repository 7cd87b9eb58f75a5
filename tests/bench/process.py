"""A process under measurement: pinned to one core, its CPU time and memory with all its children.

CPU time is read from the process's own clock, in nanoseconds, so a busy machine costs time but hardly
any accuracy. Only processes that were started here are ever ended, by their id.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_CPUCLOCK_SCHED = 2


def cpu_s(pid: int) -> float:
    """CPU seconds that process `pid` has used since it began. OSError when it is gone."""
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def children(pid: int) -> list[int]:
    """`pid` and all its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def pss_kb(pid: int, kind: str = "Pss") -> int:
    """Proportional set size of one process (shared pages divided by their users), or its `kind`."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1])
    raise OSError(f"no Pss of {pid}")


class Process:
    """One program on one core, from `start` to `stop`."""

    def __init__(
        self,
        command: Sequence[str],
        core: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = list(command)
        self.core = core
        self.log = log
        self._environment = {**os.environ, **(environment or {})}
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its output goes to the log."""
        with self.log.open("wb") as out:
            self._popen = subprocess.Popen(
                ["taskset", "-c", str(self.core), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )

    @property
    def pid(self) -> int:
        """Its id (taskset replaces itself by the program)."""
        assert self._popen is not None
        return self._popen.pid

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._popen is None or self._popen.poll() is not None

    def wait(self, seconds: float) -> int | None:
        """Its exit status, None when it still runs after `seconds`."""
        assert self._popen is not None
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def cpu_s(self) -> float:
        """CPU seconds of the process and its children."""
        return sum(cpu_s(pid) for pid in children(self.pid))

    def pss_kb(self) -> int:
        """Memory of the process and its children."""
        return sum(pss_kb(pid) for pid in children(self.pid))

    def own_kb(self) -> int:
        """The same without shared memory between them."""
        return self.pss_kb() - sum(pss_kb(pid, "Pss_Shmem") for pid in children(self.pid))

    def tail(self, lines: int = 8) -> str:
        """The end of its log, for a message about why it failed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """End it at once: SIPp would first wait for its calls."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()

    def stop(self) -> None:
        """End it and wait; SIGKILL when SIGTERM is not heard in 8 s."""
        if self._popen is None or self._popen.poll() is not None:
            return
        self._popen.send_signal(signal.SIGTERM)
        if self.wait(8) is None:
            for pid in reversed(children(self.pid)):
                os.kill(pid, signal.SIGKILL)
            self._popen.wait()
