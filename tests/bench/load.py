"""SIPp as the callers, the phones and the registering devices.

A repetition counts only when the caller's SIPp and the callee's agree that every call was complete:
a caller alone can mistake a repeated 200 for the answer to its BYE.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from house import CALLEE, CARRIER, CARRIER_PORTS, PHONE, Address
from process import Process

SCENARIOS = Path(__file__).parent / "scenarios"
GRACE_S = 12.0  # beyond the time that a repetition should take


class LoadFailed(Exception):
    """SIPp saw a call fail, or did not end in time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What SIPp counted."""

    done: int
    failed: int
    retransmitted: int


@dataclass(frozen=True, slots=True)
class Load:
    """SIPp against one server: `users` is its table, `core` where it runs."""

    server: Address
    users: Path
    work: Path
    core: int
    turn: Iterator[int] = field(default_factory=itertools.count)

    def register(self, count: int, rate: float, source: Address = CALLEE) -> Outcome:
        """Register `count` times from an address, the callee's by default: the lines in order."""
        run = self._sipp("register", source, count, rate)
        run.start()
        return self._end([run], count, count / rate + GRACE_S)[0]

    def call(
        self, count: int, rate: float, *, digest: bool = False, hold_s: float = 0.0
    ) -> Outcome:
        """Make `count` complete calls; returns when both sides have counted them."""
        runs = self.begin_calls(count, rate, digest=digest, hold_s=hold_s)
        caller, callee = self._end(runs, count, count / rate + hold_s + GRACE_S)
        return Outcome(caller.done, caller.failed, caller.retransmitted + callee.retransmitted)

    def call_out(self, count: int, rate: float, scenario: str) -> Outcome:
        """Make `count` calls of phones that leave by the first trunk: "known" ones or "phone"."""
        callee = self._sipp("callee", CARRIER, count, 0)
        callee.start()
        time.sleep(0.25)
        caller = self._sipp(scenario, PHONE, count, rate)
        caller.start()
        called, calling = self._end([callee, caller], count, count / rate + GRACE_S)
        return Outcome(calling.done, calling.failed, calling.retransmitted + called.retransmitted)

    def begin_more_than_can_be(self, count: int, rate: float) -> list[Process]:
        """Calls of phones with digest, which go on when some are refused."""
        callee = self._sipp("callee", CALLEE, count, 0)
        callee.start()
        time.sleep(0.25)
        port = PHONE[1] + next(self.turn) % CARRIER_PORTS
        caller = self._sipp("ordinary", (PHONE[0], port), count, rate)
        caller.start()
        return [caller, callee]

    def begun(self, run: Process) -> int:
        """How many calls a SIPp has begun."""
        return _last(self.work / f"{run.log.stem}.csv").get("TotalCallCreated", 0)

    def begin_calls(
        self, count: int, rate: float, *, digest: bool = False, hold_s: float = 0.0
    ) -> list[Process]:
        """Start the callee and the caller."""
        callee = self._sipp("callee", CALLEE, count, 0)
        callee.start()
        time.sleep(0.25)
        name, source = ("phone", PHONE) if digest else ("caller", CARRIER)
        port = source[1] + next(self.turn) % CARRIER_PORTS  # nothing late from the call before
        caller = self._sipp(name, (source[0], port), count, rate, hold_s)
        caller.start()
        return [caller, callee]

    def held(self, runs: list[Process]) -> list[int]:
        """How many calls each SIPp says are up now; 0 for one that has ended."""
        return [
            0 if run.has_ended else _last(self.work / f"{run.log.stem}.csv").get("CurrentCall", 0)
            for run in runs
        ]

    def finish(self, runs: list[Process], count: int, seconds: float) -> None:
        """Wait for what `begin_calls` started."""
        self._end(runs, count, seconds)

    def _sipp(
        self, name: str, source: Address, count: int, rate: float, hold_s: float = 0.0
    ) -> Process:
        statistics = self.work / f"{name}.csv"
        statistics.unlink(missing_ok=True)
        command = [
            "sipp", "-sf", str(SCENARIOS / f"{name}.xml"), "-i", source[0], "-p", str(source[1]),
            "-m", str(count), "-nostdin", "-trace_stat", "-stf", str(statistics), "-fd", "1",
            "-watchdog_interval", "0", "-max_retrans", "8", "-buff_size", "4194304",
        ]  # fmt: skip
        if name != "callee":
            command += [
                f"{self.server[0]}:{self.server[1]}", "-inf", str(self.users),
                "-r", str(max(1, round(rate))), "-l", str(count), "-d", str(int(hold_s * 1000)),
                "-recv_timeout", str(int(hold_s * 1000) + 10_000),
            ]  # fmt: skip
        return Process(command, self.core, self.work / f"{name}.log")

    def _end(self, runs: list[Process], count: int, seconds: float) -> list[Outcome]:
        deadline = time.monotonic() + seconds
        outcomes = []
        try:
            for run in runs:
                status = run.wait(max(0.0, deadline - time.monotonic()))
                outcome = _read(self.work / f"{run.log.stem}.csv")
                if status != 0 or outcome.done != count or outcome.failed:
                    raise LoadFailed(
                        f"{run.log.stem} of {self.server[0]}: status {status}, "
                        f"{outcome.done} of {count} complete, {outcome.failed} failed"
                    )
                outcomes.append(outcome)
        finally:
            for run in runs:
                run.stop()
        return outcomes


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether `condition` came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def _last(path: Path) -> dict[str, int]:
    """The last row of SIPp's statistics: its whole numbers."""
    rows = path.read_text().splitlines() if path.exists() else []
    if len(rows) < 2:
        return {}
    pairs = zip(rows[0].split(";"), rows[-1].split(";"), strict=False)
    return {name: int(value) for name, value in pairs if value.isdigit()}


def _read(path: Path) -> Outcome:
    """How it went."""
    last = _last(path)
    names = ("SuccessfulCall(C)", "FailedCall(C)", "Retransmissions(C)")
    return Outcome(*(last.get(name, 0) for name in names))
