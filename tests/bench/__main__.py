"""`make bench`: CPU per call and registration, memory per call and binding, beside two peers.

    switch     REGISTER, calls of a trunk, calls of phones (digest on INVITE)
    emergency  the switch again: calls of phones to a trunk, ordinary, challenged and emergency, by
               turns (ratio.py); decisions alone
    detectors  two switches by turns: the same calls with all detectors and with none (watched.py)
    Sippy      calls (a Python B2BUA without digest, policy, metering, CDR or log)
    Kamailio   REGISTER, calls, calls with digest (a proxy in C)

Each server has one core, SIPp the other. The first repetition is discarded, but tells the rate at
which the server uses `SHARE` of its core, or the most that SIPp can do; of the next three the median
counts, less what the idle process with its bindings uses. The table names the rates, since CPU per call
falls as a server gets busier. T1 is 50 ms, so that the last timers of a call end in the repetition
after it and are counted there (Sippy's later, uncounted).
Memory counts only when both SIPps, and the switch itself, have as many calls up as were to be held.
Exit code 0 only when every figure was measured. Arguments: --quick (one repetition, no memory),
--only SERVER.
"""

import argparse
import contextlib
import functools
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from decision import ABROAD, HOME, ORDINARY, decision_us
from house import (
    CALLEE,
    CARRIER,
    HTTP,
    KAMAILIO,
    LINES,
    PHONE,
    SIPPY,
    SWITCHES,
    Address,
    taken,
    write_users,
)
from load import Load, LoadFailed, Outcome
from process import Process
from ratio import BLOCK, CALLED_OUT, Phones, check_aftermath, compare
from servers import (
    NotStarted,
    data_of,
    gauge,
    kamailio_shm_kb,
    start_kamailio,
    start_sippy,
    start_switch,
    start_switch_with_carrier,
)
from table import ROWS, table
from watched import BLOCK_S, RATE, Side, ratios, rest

from policy.acceptable_use.detectors import DETECTORS

# Each notice is a new file, and where files were deleted in the last minutes ext4 without a journal looks
# long for its inode. So not in /tmp, and what a run leaves goes in a later one.
WORK = Path("var").resolve()
KEPT_S = 600
SERVER_CORE, SIPP_CORE = 0, 1
SHARE = 0.40  # of the server's core, so that peers are compared equally loaded
MOST_PER_S = 500.0  # SIPp loses messages above that on its core
REPETITION_S = 2.5
LINGER_S = 3.6  # 64*T1 and a bit: the last timer of a finished transaction (T1 = 50 ms)
HELD_CALLS = 2000
SIPPY_CALLS = 300
LIMIT_S = 385  # whole seconds; leaves time to end what runs within 400 s

ROUNDS = 5  # of a block of each kind of ratio.py
CALLING_LINES = round(RATE * BLOCK_S)  # each makes one call a block of watched.py
NO_DETECTORS = f"""
[acceptable_use]
off = {[detector.id for detector in DETECTORS]}
"""
OF = {"emergency": "switch", "detectors": "switch"}  # whose figures they are

CPU_KINDS = ("call", "call, digest", "register")
DECISIONS = (ORDINARY, HOME, ABROAD)
WANTED = {  # a figure that is missing makes the run a failure
    "switch": (*CPU_KINDS, "call KB", "binding KB"),
    "emergency": (
        *DECISIONS,
        "call out",
        "challenged",
        "challenge",
        "emergency",
        "emergency ratio",
    ),
    "detectors": ("detectors ratio",),
    "Sippy": ("call", "call KB"),
    "Kamailio": (*CPU_KINDS, "call KB", "binding KB"),
}


@dataclass(slots=True)
class Bench:
    """Results by server and kind of work; what went wrong, in words."""

    work: Path
    quick: bool
    results: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rates: dict[str, list[str]] = field(default_factory=dict)

    def load(self, server: Address, *, by_number: bool = False) -> Load:
        """SIPp for one server."""
        users = write_users(self.work / f"users-{server[1]}.csv", by_number=by_number)
        return Load(server, users, self.work, SIPP_CORE)

    def cpu(
        self,
        name: str,
        kind: str,
        process: Process,
        idle: float,
        run: Callable[[int, float], Outcome],
        first_rate: float,
    ) -> None:
        """Measure one kind of work, what its timers do after its end included."""
        rate, costs = first_rate, []
        for repetition in range(2 if self.quick else 4):
            count = max(50, round(rate * REPETITION_S))
            try:
                cost, outcome = cost_us(process, idle, run, count, rate)
            except LoadFailed as error:
                self.notes.append(f"{name}, {kind}: {error}")
                return
            say(f"{name}, {kind}: {cost:.0f} µs at {rate:.0f}/s")
            if repetition:
                costs.append(cost)
                if outcome.retransmitted > count // 100:
                    self.notes.append(f"{name}, {kind}: {outcome.retransmitted} retransmissions")
            else:
                rate = min(MOST_PER_S, SHARE / cost * 1e6)
                self.rates.setdefault(kind, []).append(f"{name} {rate:.0f}")
        self.found(name, kind, statistics.median(costs))
        time.sleep(LINGER_S)  # the next kind of work begins without timers of this one

    def cpu_of_all(
        self, name: str, process: Process, load: Load, first_rates: tuple[float, float, float]
    ) -> None:
        """Measure the three kinds of work of a server at which the lines are registered."""
        time.sleep(LINGER_S)
        idle = idle_share(process)
        runs = (load.call, functools.partial(load.call, digest=True), load.register)
        for kind, run, rate in zip(CPU_KINDS, runs, first_rates, strict=True):
            self.cpu(name, kind, process, idle, run, rate)

    def found(self, name: str, kind: str, figure: float) -> None:
        """Take down a result."""
        say(f"{name}, {kind}: {figure:.1f}")
        self.results.setdefault(name, {})[kind] = figure


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def cost_us(
    process: Process, idle: float, run: Callable[[int, float], Outcome], count: int, rate: float
) -> tuple[float, Outcome]:
    """CPU microseconds for each of `count` pieces of work, with the timers of those just before."""
    begin, cpu = time.monotonic(), process.cpu_s()
    outcome = run(count, rate)
    used = process.cpu_s() - cpu - idle * (time.monotonic() - begin)
    return used / count * 1e6, outcome


def idle_share(process: Process, seconds: float = 2.0) -> float:
    """CPU seconds per second of a process with nothing to do."""
    time.sleep(0.5)
    cpu = process.cpu_s()
    time.sleep(seconds)
    return (process.cpu_s() - cpu) / seconds


def bench_switch(bench: Bench) -> None:
    """CPU in one process, memory in a fresh one."""
    process = start_switch(bench.work, SWITCHES[0], SERVER_CORE)
    try:
        load = bench.load(SWITCHES[0], by_number=True)
        load.register(LINES, 400)
        bench.cpu_of_all("switch", process, load, (150, 150, 300))
    finally:
        process.stop()
    if bench.quick:
        return
    process = start_switch(bench.work, SWITCHES[1], SERVER_CORE, HTTP)
    try:
        load = bench.load(SWITCHES[1], by_number=True)
        gauge("calls_active")  # what the first page takes is no call's,
        time.sleep(LINGER_S)  # nor what opening the database does, just after the start
        empty = process.pss_kb()
        load.register(LINES, 400)
        time.sleep(LINGER_S)
        before = process.pss_kb()
        bench.found("switch", "binding KB", (before - empty) / LINES)
        with holding(load, HELD_CALLS, 300):
            after = process.pss_kb()
            if (active := gauge("calls_active")) != HELD_CALLS:
                raise LoadFailed(f"{active:.0f} calls in the switch, not {HELD_CALLS}")
            bench.found("switch", "call KB", (after - before) / HELD_CALLS)
    finally:
        process.stop()


def bench_emergency(bench: Bench) -> None:
    """A registered phone's call that leaves by a trunk, ordinary and emergency, by turns."""
    for kind, figure in decision_us().items():
        bench.found("switch", kind, figure)
    process = start_switch_with_carrier(bench.work, SWITCHES[2], SERVER_CORE)
    try:
        bench.load(SWITCHES[2]).register(LINES, 400, PHONE)
        phones = Phones.challenged(SWITCHES[2], bench.work)
        time.sleep(LINGER_S)
        idle = idle_share(process)

        def measure(run: Callable[[], object], count: int) -> float:
            begin, cpu = time.monotonic(), process.cpu_s()
            run()
            time.sleep(LINGER_S)
            used = process.cpu_s() - cpu - idle * (time.monotonic() - begin)
            say(f"switch, call of a phone to a trunk: {used / count * 1e6:.0f} µs")
            return used / count * 1e6

        costs = compare(phones, SIPP_CORE, 2 if bench.quick else ROUNDS, measure)
        check_aftermath(data_of(bench.work, SWITCHES[2]), BLOCK * len(costs.of["emergency"]))
        for kind in costs.of:
            bench.found("switch", kind, costs.median(kind))
        bench.found("switch", "challenge", costs.challenge)
        for kind, ordinary in (("emergency ratio", "challenged"), ("emergency bare", "call out")):
            beside = costs.ratios(ordinary)
            bench.found("switch", kind, statistics.median(beside))
            spread = (
                f"{min(beside):.2f} to {max(beside):.2f} in {len(beside)} rounds of {BLOCK} calls"
            )
            bench.notes.append(f"{ROWS[kind]}: {spread}")
        bench.notes.append(f"load average {os.getloadavg()[0]:.1f}")
    finally:
        process.stop()


def bench_detectors(bench: Bench) -> None:
    """The same calls with all detectors and with none, on two switches by turns."""
    on, off = SWITCHES[3:5]
    users = write_users(bench.work / "watched-users.csv", by_number=True, dialled=CALLED_OUT)
    with contextlib.ExitStack() as running:
        sides = []
        for listen, more in ((on, ""), (off, NO_DETECTORS)):
            process = start_switch_with_carrier(bench.work, listen, SERVER_CORE, more)
            running.callback(process.stop)
            load = Load(listen, users, bench.work, SIPP_CORE)
            load.register(CALLING_LINES, 400, PHONE)
            sides.append(Side(process, load))
        time.sleep(LINGER_S)
        rest(*sides)
        found, with_them, without = ratios(*sides, LINGER_S, say)
    bench.found("switch", "detectors ratio", statistics.median(found))
    bench.notes.append(
        f"detectors on and off, by turns in {len(found)} pairs of blocks at {RATE:.0f}/s: "
        f"{statistics.mean(with_them):.0f} and {statistics.mean(without):.0f} µs a call, "
        f"ratio {min(found):.2f} to {max(found):.2f}"
    )


def bench_sippy(bench: Bench) -> None:
    """Calls only: it is no registrar."""
    process = start_sippy(bench.work, SIPPY, SERVER_CORE)
    try:
        load = bench.load(SIPPY)
        bench.cpu("Sippy", "call", process, idle_share(process), load.call, 40)
        if not bench.quick:
            before = process.pss_kb()
            with holding(load, SIPPY_CALLS, 60):
                bench.found("Sippy", "call KB", (process.pss_kb() - before) / SIPPY_CALLS)
    finally:
        process.stop()


def bench_kamailio(bench: Bench) -> None:
    """The same work in C. Its memory is what it gave out of the shared pool, and its processes' own."""
    process = start_kamailio(bench.work, KAMAILIO, SERVER_CORE)
    load = bench.load(KAMAILIO)
    try:
        load.register(LINES, 400)
        bench.cpu_of_all("Kamailio", process, load, (400, 400, 400))
    finally:
        process.stop()
    if bench.quick:
        return
    process = start_kamailio(bench.work, KAMAILIO, SERVER_CORE, dialogs=True)
    try:
        empty = process.own_kb() + kamailio_shm_kb(bench.work)
        load.register(LINES, 400)
        time.sleep(LINGER_S)
        before = process.own_kb() + kamailio_shm_kb(bench.work)
        bench.found("Kamailio", "binding KB", (before - empty) / LINES)
        with holding(load, HELD_CALLS, 300):
            after = process.own_kb() + kamailio_shm_kb(bench.work)
            bench.found("Kamailio", "call KB", (after - before) / HELD_CALLS)
    finally:
        process.stop()


@contextlib.contextmanager
def holding(load: Load, count: int, rate: float) -> Iterator[None]:
    """`count` calls, established and settled. LoadFailed unless both SIPps hold them all."""
    runs = load.begin_calls(count, rate, hold_s=60)
    try:
        time.sleep(count / rate + LINGER_S + 1)
        if (held := load.held(runs)) != [count, count]:
            raise LoadFailed(f"callee and caller held {held}, not {count} each")
        yield
        if (held := load.held(runs)) != [count, count]:
            raise LoadFailed(f"callee and caller held {held} at the end, not {count} each")
    finally:
        for run in runs:
            run.stop()


@contextlib.contextmanager
def work_directory() -> Iterator[Path]:
    """A directory of its own; those of runs some time ago are removed, after this one."""
    WORK.mkdir(exist_ok=True)
    old = [path for path in WORK.glob("bench-*") if time.time() - path.stat().st_mtime > KEPT_S]
    yield Path(tempfile.mkdtemp(prefix="bench-", dir=WORK))
    for path in old:
        shutil.rmtree(path)


def main() -> int:
    """Run it; 0 when every figure was measured, 1 else, 2 for a taken port."""
    parser = argparse.ArgumentParser(prog="bench", description="CPU and memory beside two peers")
    parser.add_argument("--quick", action="store_true", help="one repetition, no memory")
    parser.add_argument("--only", choices=("switch", "emergency", "detectors", "sippy", "kamailio"))
    chosen = parser.parse_args()
    if shutil.which("sipp") is None or shutil.which("taskset") is None:
        say("sipp (Debian: sip-tester) and taskset (util-linux) are needed")
        return 2
    if held := taken([CARRIER, PHONE, CALLEE, SIPPY, KAMAILIO, *SWITCHES]):
        say("in use by another program: " + ", ".join(f"{host}:{port}" for host, port in held))
        return 2
    with work_directory() as work:
        bench = Bench(work, chosen.quick)
        signal.signal(signal.SIGALRM, out_of_time)
        signal.alarm(LIMIT_S)
        servers = {
            "switch": bench_switch,
            "emergency": bench_emergency,
            "detectors": bench_detectors,
            "Sippy": bench_sippy,
            "Kamailio": bench_kamailio,
        }
        names = [name for name in servers if chosen.only in (None, name.lower())]
        for name in names:
            try:
                servers[name](bench)
            except OutOfTime:
                bench.notes.append(f"{name}: not done after {LIMIT_S} s")
                break
            except (NotStarted, LoadFailed, OSError) as error:
                bench.notes.append(f"{name}: {error}")
        signal.alarm(0)
        missing = [
            f"{name}: {kind}"
            for name in names
            for kind in WANTED[name]
            if kind not in bench.results.get(OF.get(name, name), {})
            and not (chosen.quick and "KB" in kind)
        ]
        bench.notes += [f"missing: {what}" for what in missing]
        rates = [f"rates of {kind}, 1/s: {', '.join(each)}" for kind, each in bench.rates.items()]
        print(table(bench.results, rates + bench.notes))
    return int(bool(missing))


class OutOfTime(Exception):
    """The whole run took too long."""


def out_of_time(*_: object) -> None:
    """SIGALRM: whatever is under way ends; the servers are stopped on the way out."""
    raise OutOfTime


if __name__ == "__main__":
    sys.exit(main())
