"""What the meters write to the journal, so that a restart knows each leg, total and crossing.

`start`, `confirm` and `usage` (a leg's part in one cycle is closed) are written when they happen;
`total` restates a line at a checkpoint; `adjust` is a correction; `beat` is the sign of life of the
whole node, once a second, that stands for all its live legs. `usage`, `threshold` and `adjust` also go
to the database; where several nodes share one, `confirm` and `beat` do, too. "k" comes first in every
record: the database writer sorts records by their first bytes.
"""

from datetime import date
from typing import Any

import orjson

from switch.usage.adjustment import Adjustment
from switch.usage.cycle import Calendar, Cycle
from switch.usage.leg import Leg
from switch.usage.line import LineMeter


def started(leg: Leg, boot: str) -> bytes:
    """A leg was answered, or a checkpoint restates it."""
    return orjson.dumps(
        {
            "k": "start",
            "leg": leg.id,
            "line": leg.line,
            "direction": leg.direction,
            "exempt_reason": leg.exempt_reason,
            "counts": leg.counts,
            "at": leg.start_ms,
            "wall": leg.wall_ms,
            "boot": boot,
            "mark": leg.mark_ms,
            "closed": leg.closed_ms,
            "confirmed": leg.confirmed,
            "clock": leg.clock,
            **cycle_fields(leg.cycle.n, leg.cycle.calendar),
        }
    )


def confirmed(leg: Leg) -> bytes:
    """The ACK of a leg arrived. The fields after `leg` are for the other nodes of a database."""
    return orjson.dumps(
        {
            "k": "confirm",
            "leg": leg.id,
            "line": leg.line,
            "direction": leg.direction,
            "counts": leg.counts,
            "exempt_reason": leg.exempt_reason,
            "since": leg.wall_ms,
        }
    )


def usage(leg: Leg, ms: int, end_ms: int, *, final: bool, estimated: bool = False) -> bytes:
    """A leg's part in its present cycle is closed at `end_ms` (boottime): it came to `ms`."""
    return orjson.dumps(
        {
            "k": "usage",
            "leg": leg.id,
            "line": leg.line,
            "cycle": leg.cycle.n,
            "direction": leg.direction,
            "ms": ms,
            "counts": leg.counts,
            "exempt_reason": leg.exempt_reason,
            "final": final,
            "estimated": estimated,
            "clock": leg.clock,
            "at": leg.utc_ms(end_ms),
        }
    )


def threshold(line: str, cycle: int, percentage: int, occurred_at: int) -> bytes:
    """A line reached a percentage of its threshold at `occurred_at` (UTC ms)."""
    return orjson.dumps(
        {
            "k": "threshold",
            "line": line,
            "cycle": cycle,
            "percentage": percentage,
            "occurred_at": occurred_at,
        }
    )


def adjustment(made: Adjustment, cycle: Cycle) -> bytes:
    """An operator corrected a line's sum of a cycle."""
    return orjson.dumps(
        {
            "k": "adjust",
            "id": made.id,
            "line": made.line,
            "ms": made.ms,
            "reason": made.reason,
            "by": made.by,
            "at": made.at,
            **cycle_fields(cycle.n, cycle.calendar),
        }
    )


def total(meter: LineMeter, boot: str) -> bytes:
    """A checkpoint restates what a line's ended legs came to in its present cycle.

    `ended` and `past`, while an ACK is awaited: the intervals that a crossing may yet turn out to lie in,
    in this cycle and in the one before (boottime, as is `at`, an instant whose UTC is `wall`).
    """
    cycle = meter.cycle
    record: dict[str, Any] = {
        "k": "total",
        "line": meter.line,
        "by_direction": meter.settled,
        "crossed": meter.crossed,
        **cycle_fields(cycle.n, cycle.calendar),
    }
    if meter.ended or meter.past is not None:
        record |= {"ended": meter.ended, "boot": boot, "at": 0, "wall": meter.offset_ms}
    if meter.past is not None:
        record["past"] = meter.past.record()
    return orjson.dumps(record)


def beat(boot: str, now_ms: int, wall_ms: int) -> bytes:
    """The node is alive."""
    return orjson.dumps({"k": "beat", "boot": boot, "at": now_ms, "wall": wall_ms})


def cycle_fields(n: int, calendar: Calendar) -> dict[str, Any]:
    """Name a cycle so that it can be computed again."""
    return {"cycle": n, "anchor": calendar.billing_start.isoformat(), "zone": calendar.zone}


def read_calendar(record: dict[str, Any]) -> Calendar:
    """Read the calendar out of a record with `cycle_fields`."""
    return Calendar(date.fromisoformat(record["anchor"]), record["zone"])
