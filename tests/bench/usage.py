"""`make bench-usage`: what metering costs, and how late a crossing is told, with 10,000 live calls.

In one process, without sockets: meters, wheel and outbox of the switch, its driver on an asyncio loop,
and a journal on disk. 2,000 lines have five live calls each; the calls come and go at `CHANGES_PER_S`,
and 1,000 lines are loaded so that each crosses a percentage at an instant of its own while the clock
runs. Lateness is from that exact instant to the moment when observers are told.

CPU of metering is that of the same run with and without the meters, by process time; the idle loop with
its journal, heartbeat and timers is in both. They take turns, so that what else the machine does strikes both
alike, and the median of the differences counts. Exit code 0 only when the goals are met.
"""

import argparse
import asyncio
import gc
import resource
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from switch.clock import Wheel, boottime, wall
from switch.driver import Driver
from switch.sip.outbox import Event, Outbox
from switch.store.journal import Journal
from switch.usage.cycle import Calendar
from switch.usage.meter import DEFAULT_THRESHOLD_MS, Meters

LINES, LEGS_A_LINE = 2_000, 5
CROSSINGS = 1_000
CHANGES_PER_S = 100  # calls that end, and as many that begin: 10,000 calls of 100 s
ROUND_S = 0.01
WITHIN_MS, SHARE = 20.0, 0.02
TURNS = 4
CALENDAR = Calendar(date(2026, 1, 1))


class House:
    """The parts around the meters; `lateness_ms` is measured where observers are told."""

    def __init__(self, directory: Path) -> None:
        self.wheel, self.outbox = Wheel(), Outbox()
        self.meters = Meters(self.wheel, self.outbox, boot="bench")
        self.journal = Journal(directory)
        self.lateness_ms: list[float] = []
        core = SimpleNamespace(exchange=SimpleNamespace(received_at=0.0))
        self.driver = Driver(
            core,  # type: ignore[arg-type]
            self.wheel,
            self.outbox,
            self.journal,
            self.observe,
            lambda records: None,
        )

    def observe(self, events: Sequence[Event]) -> None:
        """Each crossing says when it came to pass."""
        now = wall() * 1000
        self.lateness_ms += [
            now - float(str(fields["occurred_at"]))
            for name, fields in events
            if name == "usage.threshold"
        ]

    def call(self, leg: str, line: int, at: float) -> None:
        """A call is answered and acknowledged."""
        utc = at + (wall() - boottime())
        cycle = CALENDAR.cycle_at(round(utc * 1000))
        self.meters.start(leg, f"l{line}", "outbound", at, utc, None, cycle)
        self.meters.confirm(leg)


def memory_per_leg() -> float:
    """Bytes of a live leg, its share of the meter and timer included."""
    gc.collect()
    with tempfile.TemporaryDirectory() as directory:
        house = House(Path(directory) / "journal")
        for line in range(LINES):
            house.call(f"{line}/0", line, boottime())
        house.outbox.clear()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for line in range(LINES):
            for n in range(1, LEGS_A_LINE):
                house.call(f"{line}/{n}", line, boottime())
        house.outbox.clear()
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / (LINES * (LEGS_A_LINE - 1))
        tracemalloc.stop()
        house.journal.close()
    return each


async def run(house: House, seconds: float, *, metered: bool) -> float:
    """Let calls come and go; return the CPU seconds that this took."""
    loop = asyncio.get_running_loop()
    house.driver.start(loop, {})
    cpu, began = time.process_time(), boottime()
    turn, beaten = 0, 0.0
    while (now := boottime()) < began + seconds:
        if metered:
            for _ in range(max(1, round(CHANGES_PER_S * ROUND_S))):
                line, n = turn % LINES, turn // LINES
                house.meters.stop(f"{line}/{n}", now)
                house.call(f"{line}/{n + LEGS_A_LINE}", line, now)
                turn += 1
        if now - beaten >= 1:
            house.meters.beat(now, wall())
            beaten = now
        house.driver.perform()
        await asyncio.sleep(ROUND_S)
    used = time.process_time() - cpu
    house.driver.stop()
    return used


def loaded(directory: Path, seconds: float, crossings: int) -> House:
    """10,000 live calls; lines that will cross 100 % while the run lasts, spread evenly over it."""
    house = House(directory)
    at = boottime()
    utc = at + (wall() - boottime())
    cycle = CALENDAR.cycle_at(round(utc * 1000))
    for line in range(LINES):
        if line < crossings:
            # Five calls use up `left` in a fifth of it; a call that is replaced by another at the same
            # instant changes nothing.
            due_ms = 1_500 + round(line * (seconds - 2.5) * 1000 / crossings)
            used = DEFAULT_THRESHOLD_MS - LEGS_A_LINE * due_ms
            house.meters.load(f"l{line}", cycle, {"outbound": used}, [80, 90], at, utc)
        for n in range(LEGS_A_LINE):
            house.call(f"{line}/{n}", line, at)
    house.outbox.clear()
    gc.collect()
    gc.freeze()
    return house


def change_us() -> dict[int, float]:
    """Microseconds of a call's three changes (answer, ACK, end) by the number of live calls."""
    found = {}
    for lines in (2, LINES):
        with tempfile.TemporaryDirectory() as directory:
            house = House(Path(directory) / "journal")
            for line in range(lines):
                for n in range(LEGS_A_LINE):
                    house.call(f"{line}/{n}", line, boottime())
            rounds = []
            for _ in range(5):
                began = time.process_time()
                for n in range(2_000):
                    line = n % lines
                    house.call(f"x{n}", line, boottime())
                    house.meters.stop(f"x{n}", boottime())
                rounds.append((time.process_time() - began) / 2_000 * 1e6)
                house.outbox.clear()
            found[lines * LEGS_A_LINE] = statistics.median(rounds)
            house.journal.close()
    return found


def take_turns(seconds: float) -> tuple[list[float], list[tuple[float, float]]]:
    """Lateness of all crossings in ms, ascending, and (CPU with meters, without) of each turn."""
    late: list[float] = []
    turns = []
    for turn in range(TURNS):
        with tempfile.TemporaryDirectory() as directory:
            home = Path(directory)
            bare = asyncio.run(run(House(home / "bare"), seconds, metered=False))
            house = loaded(home / "loaded", seconds, CROSSINGS // TURNS)
            used = asyncio.run(run(house, seconds, metered=True))
        late += house.lateness_ms
        turns.append((used, bare))
        gc.unfreeze()
        print(f"turn {turn + 1} of {TURNS}", file=sys.stderr)
    return sorted(late), turns


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    changes = change_us()
    each = memory_per_leg()
    late, turns = take_turns(seconds / TURNS)
    shares = sorted((used - bare) / seconds * TURNS for used, bare in turns)
    share = statistics.median(shares)
    p99 = late[int(len(late) * 0.99)] if late else float("inf")
    kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = {
        "live calls / lines": f"{LINES * LEGS_A_LINE} / {LINES}",
        "calls that end and begin, per s": f"{CHANGES_PER_S}",
        "crossings told": f"{len(late)} of {CROSSINGS}",
        "lateness ms: median, p99, max": f"{statistics.median(late):.1f}, {p99:.1f}, {late[-1]:.1f}",
        "CPU of metering, share of a core: median": f"{share:.2%}",
        "of each turn": ", ".join(f"{each:.2%}" for each in shares),
        "with and without it": ", ".join(
            f"{statistics.median(each) / seconds * TURNS:.2%}" for each in zip(*turns, strict=True)
        ),
        "memory per live call, bytes": f"{each:.0f}",
        "us per call (answer, ACK, end) at live calls": ", ".join(
            f"{count}: {us:.1f}" for count, us in changes.items()
        ),
        "process, MB": f"{kb / 1024:.0f}",
    }
    for name, value in rows.items():
        print(f"{name:>46}  {value}")
    is_met = len(late) == CROSSINGS and p99 <= WITHIN_MS and share <= SHARE
    print("goals met" if is_met else "goals MISSED")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
