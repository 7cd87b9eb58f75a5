"""`make bench-policy`: what the detectors find in made-up months, and whom they suspect wrongly.

Prints precision, recall, time to detect and false cases per 1,000 line-months, with the parameters that
the limits were not tuned on. An abuser is found when the detector that is meant for it tells, or when a case
is opened: any other alert could be luck. Then what a call costs, and what a line takes of memory. Synthetic:
see personas.py. Exit code 0 if the goals are met.
"""

import argparse
import gc
import math
import random
import statistics
import sys
import time
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from abusers import GROSS, HONEST, SLOW
from personas import FIRST_DAY, Persona
from rich.console import Console
from rich.table import Table

from policy.acceptable_use.call import Call
from policy.acceptable_use.watch import Alert, Watch
from switch import config
from switch.terms.outline import Circumstances, outline

# Volumes that the limits were tuned on, and those they are tested on, smaller and greater: they don't
# overlap, nor do the seeds.
SCALES = {"tuning": ((0.85, 1.0),), "testing": ((0.7, 0.85), (1.0, 1.25))}
DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo"
SAME_MONTH = tuple(
    "12345678"
)  # lines whose memory is measured together: no free lists in the figure
GOALS = {"gross": 0.95, "slow": 0.60}
FALSE_CASES = 5.0
HONEST_TIMES = 4


@dataclass
class Tally:
    """What became of the lines of one persona."""

    lines: int = 0
    calls: int = 0
    found: int = 0
    alerted: int = 0
    by_own: int = 0
    cases: int = 0
    days: list[int] = field(default_factory=list)
    detectors: Counter[str] = field(default_factory=Counter)


def watched(persona: Persona, seed: int, scale: float) -> tuple[int, list[tuple[int, Alert]]]:
    """The number of calls of one line-month, and its alerts with the day of the month."""
    watch = Watch()
    alerts = []
    calls = persona.month(random.Random(seed), scale)
    for call in calls:
        alerts += [(call.day - FIRST_DAY, alert) for alert in watch.add("1", call)]
    return len(calls), alerts


def tally(persona: Persona, lines: int, parameters: str, seed: int) -> Tally:
    """Watch so many lines of a persona, by turns from each range of volumes."""
    result = Tally()
    scales = SCALES[parameters]
    rng = random.Random(f"{persona.name} {parameters} {seed}")
    for n in range(lines):
        scale = rng.uniform(*scales[n % len(scales)])
        calls, alerts = watched(persona, rng.getrandbits(32), scale)
        names = {alert.detector.id for _, alert in alerts}
        result.lines += 1
        result.calls += calls
        has_case = any(alert.opens_case for _, alert in alerts)
        result.found += persona.abuse in names or has_case
        result.alerted += bool(names)
        result.by_own += persona.abuse in names
        result.cases += has_case
        result.detectors.update(names)
        told = [
            day for day, alert in alerts if alert.opens_case or alert.detector.id == persona.abuse
        ]
        if told:
            result.days.append(told[0])
    return result


def report(lines: int, parameters: str, seed: int) -> bool:
    """Print the tables; whether the goals are met."""
    began = time.process_time()
    groups = {"honest": HONEST, "gross": GROSS, "slow": SLOW}
    # So many honest months that no false case among them still says something about the goal.
    months = {kind: lines * (HONEST_TIMES if kind == "honest" else 1) for kind in groups}
    found = {
        kind: {each.name: (each, tally(each, months[kind], parameters, seed)) for each in personas}
        for kind, personas in groups.items()
    }
    console = Console(highlight=False, width=150)
    for kind, personas in found.items():
        grid = Table(title=kind, box=None, title_justify="left", header_style="dim")
        for column in ("persona", "ought to be", "lines", "any alert", "by its own", "cases",
                       "found on day (median)", "detectors"):  # fmt: skip
            grid.add_column(column)
        for name, (persona, each) in personas.items():
            days = sorted(each.days)
            grid.add_row(
                name,
                persona.abuse or "-",
                str(each.lines),
                f"{each.alerted / each.lines:.0%}",
                f"{each.by_own / each.lines:.0%}" if persona.abuse else "-",
                f"{each.cases / each.lines:.1%}",
                str(days[len(days) // 2]) if days else "-",
                " ".join(f"{k}:{v}" for k, v in each.detectors.most_common(6)),
            )
        console.print(grid)
    is_met = _verdict(console, {kind: [t for _, t in v.values()] for kind, v in found.items()})
    calls = sum(t.calls for v in found.values() for _, t in v.values())
    seconds = time.process_time() - began
    console.print(f"{calls:,} calls, {seconds / calls * 1e6:.0f} µs CPU each with their making")
    return is_met


def _verdict(console: Console, found: dict[str, list[Tally]]) -> bool:
    is_met = True
    for kind, goal in GOALS.items():
        lines = sum(each.lines for each in found[kind])
        recall = sum(each.found for each in found[kind]) / lines
        cases = sum(each.cases for each in found[kind]) / lines
        console.print(f"recall {kind}: {recall:.1%} (goal {goal:.0%}); a case for {cases:.1%}")
        is_met &= recall >= goal
    months = sum(each.lines for each in found["honest"])
    false = sum(each.cases for each in found["honest"])
    true = sum(each.cases for kind in GOALS for each in found[kind])
    console.print(
        f"false cases: {false} in {months} honest line-months = {false / months * 1000:.1f} per 1,000 "
        f"(goal {FALSE_CASES}; at 95 % confidence at most {_most_per_1000(false, months):.1f}); "
        f"precision of cases {true / max(true + false, 1):.1%}"
    )
    return is_met and false / months * 1000 <= FALSE_CASES


def _most_per_1000(seen: int, months: int) -> float:
    """The rate at which so few cases, or fewer, would be seen with a chance of 5 % (Poisson)."""

    def chance(mean: float) -> float:
        return sum(math.exp(-mean) * mean**n / math.factorial(n) for n in range(seen + 1))

    low, high = 0.0, seen * 2 + 10.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) > 0.05 else (low, middle)
    return high / months * 1000


def _cdr(call: Call) -> bytes:
    """The record of a made-up call, as far as detectors read it."""
    answered = call.at + call.ring_ms
    own, other = "+33199000101", call.peer
    return orjson.dumps(
        {
            "k": "cdr",
            "call_id": call.call_id,
            "direction": "outbound" if call.outbound else "inbound",
            "src": own if call.outbound else other,
            "dst": other if call.outbound else own,
            "start": call.at,
            "answer": answered if call.answered else None,
            "end": answered + call.duration_ms,
            "hangup_by": call.ended_by or None,
            "sip_status": call.status,
            "forwarded_by": own if call.forwarded else None,
            "feature": "fax" if call.is_fax else None,
        }
    )


def cost(lines: int, seed: int) -> tuple[float, float, float]:
    """Microseconds from a CDR's record to all detectors' word; bytes of an honest line after a month: the
    median persona's and the greatest."""
    plan = config.load(DEMO).rules.plan
    months = [
        persona.month(random.Random(seed + n), 1.0) for n in range(lines) for persona in HONEST
    ]
    records = [(str(n), _cdr(call)) for n, month in enumerate(months) for call in month]
    around = Circumstances("Europe/Paris", 0, "Phone", "192.0.2")
    watch = Watch()
    began = time.process_time()
    for line, record in records:
        watch.add(
            line,
            outline(
                orjson.loads(record),
                around,
                lambda number: plan.classify_canonical(plan.canonical(number)).number_class,
            ),
        )
    us = (time.process_time() - began) / len(records) * 1e6
    sizes = []
    for month in months[: len(HONEST)]:
        gc.collect()
        tracemalloc.start()
        watch = Watch()
        for call in month:
            for line in SAME_MONTH:
                watch.add(line, call)
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0] / len(SAME_MONTH))
        tracemalloc.stop()
    return us, statistics.median(sizes), max(sizes)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=20, help="lines of each persona")
    parser.add_argument("--parameters", choices=SCALES, default="testing")
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    is_met = report(options.lines, options.parameters, options.seed)
    us, usual, greatest = cost(2, options.seed)
    print(f"{us:.0f} µs CPU from a call's record to all detectors' word; a line takes {usual / 1024:.1f} KB, "
          f"{greatest / 1024:.1f} KB at most: 100,000 lines {usual * 1e5 / 2**30:.1f} GB")  # fmt: skip
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
