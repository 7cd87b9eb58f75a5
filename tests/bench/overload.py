"""`make bench-overload`: emergency calls while five times more calls come than the switch can carry.

1. Capacity: SIPp's phones call with digest, faster and faster, until 0.1 % of the calls fail. SIPp gives
   out before the switch does, so the capacity is that rate divided by the CPU share that the switch
   used for it (of its one core), which is more than was seen.
2. Overload: SIPp's phones begin five times that many calls. Registered phones dial 18, 15, 17 and 112
   meanwhile, one call after the other, and try an ordinary call now and then: what they get is what a
   phone gets.

The switch has one core, all that loads it the other. T1 is the field's 500 ms. Exit code 0 only when every
emergency call was complete, none was refused, and ordinary ones were refused as phones need it.
"""

import contextlib
import os
import re
import signal
import statistics
import sys
import tempfile
import time
import types
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from house import CALLEE, CARRIER, HTTP, LINES, PHONE, SWITCHES, taken, write_config, write_users
from load import Load, LoadFailed
from process import Process
from servers import start_configured

ROOT = Path(__file__).parents[2]
# Some distributions install a package named `tests`: ours is meant.
ours = sys.modules["tests"] = types.ModuleType("tests")
ours.__path__ = [str(ROOT / "tests")]
from tests.wire.emergency_call import Course, EmergencyCall  # noqa: E402
from tests.wire.far_end import FarEnd  # noqa: E402
from tests.wire.softphone import Softphone  # noqa: E402

SERVER_CORE, LOAD_CORE = 0, 1
SWITCH = SWITCHES[0]
HOST = "127.0.91.14"  # the emergency callers'
CALLERS = ("e0", "e1", "e2", "e3")
NUMBERS = ("18", "15", "17", "112")
FIRST_RATE, STEP, STEPS, STEP_S = 200.0, 1.25, 8, 3.0
FAILURES = 0.001
TIMES, OVERLOAD_S = 5.0, 12.0
EVERY = 8  # after so many emergency calls, one ordinary


@dataclass(slots=True)
class Capacity:
    """The highest rate with hardly a failure, and what of its core the switch used for it."""

    seen_per_s: float
    share: float

    @property
    def per_s(self) -> float:
        """Calls a second with the whole core."""
        return self.seen_per_s / self.share


@dataclass(slots=True)
class Overloaded:
    """What the callers met."""

    courses: list[Course] = field(default_factory=list)
    ordinary: Counter[str] = field(default_factory=Counter)


def configure(work: Path) -> Path:
    """The bench's configuration with the field's timers, and lines for the emergency callers."""
    directory = write_config(work / "switch", SWITCH, HTTP)
    path = directory / "vigie.toml"
    text = re.sub(r"(?m)^t\d_s = .*\n", "", path.read_text("utf-8"))
    for n, name in enumerate(CALLERS):
        text += (
            f'\n[[line]]\nid = "{name}"\naccount = "bench"\nsite = "paris"\n'
            f'number = "+3319920{n:04d}"\npassword = "demo-{name}"\n'
        )
    path.write_text(text, encoding="utf-8")
    return directory


def find_capacity(load: Load, switch: Process) -> Capacity:
    """Step by step, until calls fail."""
    found: Capacity | None = None
    rate = FIRST_RATE
    for _ in range(STEPS):
        count = int(rate * STEP_S)
        began, used = time.monotonic(), switch.cpu_s()
        try:
            outcome = load.call(count, rate, digest=True)
        except LoadFailed as failure:
            print(f"  {rate:6.0f} calls/s: {failure}")
            break
        share = (switch.cpu_s() - used) / (count / rate)
        took = time.monotonic() - began
        print(
            f"  {rate:6.0f} calls/s: {outcome.failed} of {count} failed, "
            f"{outcome.retransmitted} repeated, {share:.0%} of the core, {took:.1f} s"
        )
        if outcome.failed > count * FAILURES or share >= 1.0:
            break
        found = Capacity(rate, share)
        rate *= STEP
    if found is None:
        raise LoadFailed(f"not even {FIRST_RATE:.0f} calls/s")
    return found


@contextlib.contextmanager
def overload(load: Load, capacity: Capacity) -> Iterator[Process]:
    """Five times the capacity; the caller's SIPp."""
    rate = TIMES * capacity.per_s
    runs = load.begin_more_than_can_be(int(rate * OVERLOAD_S), rate)
    try:
        yield runs[0]
    finally:
        for run in runs:
            run.kill()


def dial(phones: list[Softphone], far_ends: list[FarEnd], met: Overloaded) -> None:
    """Emergency calls one after the other, for as long as the overload lasts."""
    end = time.monotonic() + OVERLOAD_S - 3
    n = 0
    while time.monotonic() < end:
        phone = phones[n % len(phones)]
        met.courses.append(EmergencyCall(phone, far_ends).place(NUMBERS[n // 4 % 4]))
        n += 1
        if n % EVERY == 0:
            invite = phone.invite("0145678901")
            phone.send(invite)
            met.ordinary[answer_to(phone, invite.via.branch)] += 1


def answer_to(phone: Softphone, branch: str | None) -> str:
    """What an ordinary call gets first, within a second."""
    end = time.monotonic() + 1
    while (left := end - time.monotonic()) > 0:
        message = phone.read(left)
        if message is not None and message.via.branch == branch:
            status = getattr(message, "status", 0)
            shown = f"{status} {message.get('Reason') or ''}".strip()
            return f"{shown} Retry-After" if message.has("Retry-After") else shown
    return "nothing within 1 s"


def metric(name: str) -> float:
    """The sum of a metric over its labels."""
    with urllib.request.urlopen(f"http://{HTTP[0]}:{HTTP[1]}/metrics") as page:
        lines = page.read().decode().split("\n")
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"vigie_{name}"))


def counters(load: Load, caller: Process, switch: Process) -> tuple[float, ...]:
    """Time, calls begun, refusals, calls complete, CPU seconds of the switch."""
    shed = metric('sip_dropped_total{why="overload"')
    complete = metric('calls_total{ending="ok"')
    return time.monotonic(), load.begun(caller), shed, complete, switch.cpu_s()


def kernel_drops() -> int:
    """Datagrams that the switch's socket had no room for (/proc/net/udp, last column)."""
    wanted = f":{SWITCH[1]:04X}"
    rows = (row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:])
    return sum(int(row[-1]) for row in rows if row[1].endswith(wanted))


def measure(work: Path) -> int:
    """Both parts; the exit code."""
    directory = configure(work)
    switch = start_configured(directory, SWITCH, SERVER_CORE)
    load = Load(SWITCH, write_users(work / "users.csv", by_number=True), work, LOAD_CORE)
    with contextlib.ExitStack() as held:
        held.callback(switch.stop)
        load.register(LINES, 250)
        far_ends = [held.enter_context(FarEnd(CARRIER[0], port)) for port in (CARRIER[1], 15099)]
        phones = [held.enter_context(Softphone(SWITCH, name, host=HOST)) for name in CALLERS]
        for phone in phones:
            phone.register()
        print("capacity: calls of phones with digest")
        capacity = find_capacity(load, switch)
        quiet = [EmergencyCall(phones[0], far_ends).place("18") for _ in range(30)]
        lost, met = kernel_drops(), Overloaded()
        with overload(load, capacity) as caller:
            time.sleep(2)  # until it is overload
            first = counters(load, caller, switch)
            dial(phones, far_ends, met)
            last = counters(load, caller, switch)
        took, offered, shed, carried, used = (b - a for a, b in zip(first, last, strict=True))
        print(
            "\n| seen | share of the core | capacity | offered | carried | shed | lost in the kernel |\n"
            "|---|---|---|---|---|---|---|\n"
            f"| {capacity.seen_per_s:.0f}/s | {capacity.share:.0%} | {capacity.per_s:.0f}/s "
            f"| {offered / took:.0f}/s | {carried / took:.0f}/s "
            f"| {shed / took:.0f}/s | {kernel_drops() - lost} |\n"
        )
        print(f"the switch used {used / took:.0%} of its core in the overload\n")
        return judge(quiet, met)


def judge(quiet: list[Course], met: Overloaded) -> int:
    """The table of emergency calls, and whether all is as it must be."""
    print(
        "| emergency calls | completed | ms to the trunk: median | 99 % | worst |\n|---|---|---|---|---|"
    )
    for name, courses in (("at rest", quiet), ("in overload", met.courses)):
        times = sorted((course.working_s or 99.0) * 1000 for course in courses)
        done = sum(course.is_complete for course in courses)
        print(
            f"| {name} | {done}/{len(courses)} | {statistics.median(times):.1f} "
            f"| {times[int(len(times) * 0.99)]:.1f} | {times[-1]:.1f} |"
        )
    print(f"\nordinary calls of the same phones: {dict(met.ordinary)}")
    refused = 'Q.850;cause=42;text="overload"'
    wrong = [course.what for course in met.courses if not course.is_complete]
    bad = [got for got in met.ordinary if got.startswith("503") or got.endswith("Retry-After")]
    if not any(refused in got for got in met.ordinary):
        bad.append("no ordinary call was shed: it was no overload")
    for each in (*wrong, *bad):
        print(each)
    return 1 if wrong or bad else 0


def main() -> int:
    """Run it in a directory of its own."""
    os.chdir(ROOT)
    os.sched_setaffinity(0, {LOAD_CORE})
    if held := taken([SWITCH, CARRIER, PHONE, CALLEE]):
        print(f"taken by somebody else: {held}")
        return 1
    with tempfile.TemporaryDirectory() as work:
        return measure(Path(work))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
