"""The processes of `make bench-fleet`: the switch with its broker, and those that play the devices."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from switch.console import socket as control
from tests.bench.members import ROOT
from tests.bench.process import cpu_s
from tests.wire.rig import die_with_parent

PLAYERS = 2
LIMIT_S = 240.0


def until(test: Callable[[], object], what: str, every_s: float = 0.05) -> float:
    """Wait for something; seconds that it took."""
    began = time.monotonic()
    while not test():
        if time.monotonic() - began > LIMIT_S:
            raise TimeoutError(f"not within {LIMIT_S:g} s: {what}")
        time.sleep(every_s)
    return time.monotonic() - began


def memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else 0.0


class Clock:
    """CPU seconds since it was made: of processes, by name, and of all else on the machine."""

    def __init__(self, pids: dict[str, list[int]]) -> None:
        self._pids = pids
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        found = {name: sum(map(cpu_s, pids)) for name, pids in self._pids.items()}
        ticks = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]))
        busy = (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        return {**found, "others": busy - sum(found.values())}

    def __str__(self) -> str:
        spent = ((name, at - self._before[name]) for name, at in self._now().items())
        return "CPU: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent)


class Players:
    """The processes that play devices, and what they said last. They boot at once, and connect when
    they are told to."""

    def __init__(self, file: Path, log: Path) -> None:
        self.told: list[dict[str, Any]] = [{} for _ in range(PLAYERS)]
        self._log = log.open("wb")
        self.processes = [self._play(file, f"{number}/{PLAYERS}") for number in range(PLAYERS)]
        for number, process in enumerate(self.processes):
            threading.Thread(target=self._read, args=(number, process), daemon=True).start()

    def _play(self, file: Path, share: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "firmware_agent", "fleet", "--file", str(file)),
                *("--share", share, "--hold", "--every", "0.25", "--at-once", "100"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            preexec_fn=die_with_parent(),
        )

    def _read(self, number: int, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            self.told[number] = {**self.told[number], told["event"]: told}

    def all_said(self, event: str) -> bool:
        """Whether all of them came that far: "booted", "connected"."""
        return all(event in each for each in self.told)

    def connect(self) -> None:
        """Have them begin."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()

    def longest_s(self, event: str) -> float:
        """The seconds of who needed most for it."""
        return max(float(each[event]["seconds"]) for each in self.told)

    def total(self, key: str) -> int:
        """What they count now."""
        return sum(int(each.get("counts", {}).get(key, 0)) for each in self.told)

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)


class Switch:
    """`vigie run`, and its database."""

    def __init__(self, home: Path, data: Path) -> None:
        self.data = data
        self._out = (data.parent / "out").open("wb")
        self.log = data.parent / "log"
        self._err = self.log.open("wb")
        self._base: sqlite3.Connection | None = None
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "switch", "run"),
                *("--config", str(home), "--data", str(data)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            cwd=ROOT,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        until(
            lambda: b"\nready " in b"\n" + Path(self._out.name).read_bytes(), "the switch is ready"
        )

    def ask(self, command: str, **args: object) -> Any:
        return control.ask(self.data / "control.sock", command, args, timeout_s=60)

    def scalar(self, query: str) -> int:
        """One number of what is committed; 0 while there is no such table."""
        try:
            if self._base is None:
                path = f"file:{self.data}/vigie.sqlite?mode=ro"
                self._base = sqlite3.connect(path, uri=True, timeout=5)
            return int(self._base.execute(query).fetchone()[0] or 0)
        except sqlite3.OperationalError:
            return 0

    def broker(self) -> int:
        """The child's pid, by what the log said last."""
        lines = self.log.read_text("utf-8").splitlines()
        ready = [line for line in lines if '"mqtt.broker_ready"' in line]
        return int(orjson.loads(ready[-1])["pid"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
