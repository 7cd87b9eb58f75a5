"""Starts the simulated carrier, or finds the one that a switch before this one has started.

DATA/carrier.pid names it by pid and start time, so that a pid that was given to another process since is
never taken for it. The carrier isn't a child: it has its own session and outlives a killed switch.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from switch.demo.control import CARRIER_SOCKET

_PID_FILE: Final = "carrier.pid"
_LOG_FILE: Final = "carrier.log"
_START_LIMIT_S: Final = 10.0
_STOP_LIMIT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class CarrierProcess:
    """A carrier that runs: `start` is field 22 of /proc/PID/stat, clock ticks since boot."""

    pid: int
    start: int
    listen: list[str]


class CarrierFailed(Exception):  # noqa: N818 (a state of affairs, told to the operator)
    """The carrier didn't come up; the message says why, in one line."""


def ensure(
    data: Path, listen: Sequence[tuple[str, int]], sleep: Callable[[float], None] = time.sleep
) -> CarrierProcess:
    """The running carrier on these addresses, adopted or started. Blocks until it listens.

    Raises CarrierFailed, for instance when an address is taken.
    """
    wanted = [f"{host}:{port}" for host, port in listen]
    running = find(data)
    if running is not None and running.listen == wanted:
        return running
    if running is not None:
        stop(data, sleep)
    return _start(data, wanted, sleep)


def find(data: Path) -> CarrierProcess | None:
    """The carrier of this data directory, None if it doesn't run."""
    try:
        known = CarrierProcess(**orjson.loads((data / _PID_FILE).read_bytes()))
    except (OSError, orjson.JSONDecodeError, TypeError):
        return None
    return known if start_time(known.pid) == known.start else None


def stop(data: Path, sleep: Callable[[float], None] = time.sleep) -> None:
    """End the carrier of this data directory; after 3 s by force. Nothing if it doesn't run."""
    running = find(data)
    if running is None:
        return
    os.kill(running.pid, signal.SIGTERM)
    until = time.monotonic() + _STOP_LIMIT_S
    while start_time(running.pid) == running.start:
        if time.monotonic() > until:
            os.kill(running.pid, signal.SIGKILL)
            break
        sleep(0.02)
    (data / _PID_FILE).unlink(missing_ok=True)


def _start(data: Path, listen: list[str], sleep: Callable[[float], None]) -> CarrierProcess:
    data.mkdir(parents=True, exist_ok=True)
    data = data.absolute()
    command = [sys.executable, "-m", "switch", "demo", "carrier-run", "--data", str(data)]
    for address in listen:
        command += ["--listen", address]
    log = data / _LOG_FILE
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (our own module)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=Path(__file__).resolve().parents[2],
        )
    started = CarrierProcess(process.pid, start_time(process.pid) or 0, listen)
    until = time.monotonic() + _START_LIMIT_S
    while not (data / CARRIER_SOCKET).is_socket() or b"carrier.ready" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            process.wait()
            raise CarrierFailed(f"the simulated carrier didn't start: {last_words(log)}")
        sleep(0.02)
    (data / _PID_FILE).write_bytes(orjson.dumps(asdict(started)))
    return started


def start_time(pid: int) -> int | None:
    """When a process was started; None if there is none, or only its remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] == "Z" else int(fields[19])


def last_words(log: Path) -> str:
    """The last line of a log, or what it says is wrong."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if not lines:
        return f"{log} is empty"
    try:
        return str(orjson.loads(lines[-1]).get("error", lines[-1]))
    except orjson.JSONDecodeError:
        return lines[-1]
