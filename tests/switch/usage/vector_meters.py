"""Scenes of meters and calendars: legs, thresholds, cycles, crashes, imports, rating."""

import asyncio
import tempfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from switch.app.node import HEARTBEAT_S
from switch.clock import Wheel
from switch.sip.outbox import Outbox
from switch.store.batch import Batch
from switch.store.database import migrate, open_for_writing, sqlite_url
from switch.store.read import Reader
from switch.usage.cycle import Calendar, Cycle
from switch.usage.meter import DEFAULT_THRESHOLD_MS, Meters
from switch.usage.rating import Pulse
from tests.switch.console.test_usage_import import House
from tests.switch.usage.meter_bench import Bench
from tests.switch.usage.vector_scenes import Values, scene

LINE = "101"
PERCENT = DEFAULT_THRESHOLD_MS // 100
MINUTE = 60_000
Event = dict[str, Any]


def played(events: list[Event], used_ms: int = 0, **case: Any) -> Bench:
    """A bench after these events; what the line had used before was announced then."""
    reached = [each for each in (80, 90, 100) if used_ms >= each * PERCENT]
    bench = Bench({"used_ms": used_ms, "crossed": reached, **case})
    for event in sorted(events, key=lambda event: event["t"]):
        bench.step(event)
    bench.keep()
    return bench


def shown(bench: Bench) -> Values:
    """What may be expected of a line's meter."""
    crossings = bench.crossings()
    crossed = [each["percentage"] for each in crossings]
    hundred = [each["t"] for each in crossings if each["percentage"] == 100]
    reading = bench.shown()
    return {
        "used_ms": reading["used_ms"],
        "by_direction": reading["by_direction"],
        "adjusted_ms": reading["adjusted_ms"],
        "display_min": reading["used_ms"] // MINUTE,
        "state": reading["state"],
        "crossed": crossed,
        "cross_at_ms": hundred[0] if hundred else None,
        "crossings": {str(each["percentage"]): each["t"] for each in crossings},
        "events_in_order": crossed,
        "each": max(Counter(crossed).values(), default=0),
        "estimated": bool(bench.estimated()),
    }


def leg_events(legs: list[list[Any]], **more: list[Any]) -> list[Event]:
    """Events of legs [begin, end], an end of null being none; `more` are columns beside them."""
    events: list[Event] = []
    for n, (begin, end) in enumerate(legs):
        name = f"leg-{n}"
        columns = {key: values[n] for key, values in more.items() if values[n] is not None}
        acked = columns.pop("ack", begin)
        events += [{"t": begin, "start": name, **columns}, {"t": acked, "ack": name}]
        if end is not None:
            events.append({"t": end, "stop": name})
    return events


@scene("used_ms", maybe=("add_ms", "adjust_ms"))
def one_more(given: Values, _: Values) -> Values:
    """What was used, then a correction, then a call."""
    events = [{"t": 0, "adjust": given["adjust_ms"]}] if "adjust_ms" in given else []
    events += leg_events([[1, 1 + given["add_ms"]]]) if "add_ms" in given else []
    return shown(played(events, given["used_ms"]))


@scene(
    "legs",
    maybe=("used_ms", "directions", "exempt", "acks", "counted", "adjust", "crash_at", "twice"),
)
def legs(given: Values, _: Values) -> Values:
    columns = {"directions": "direction", "exempt": "exempt", "acks": "ack"}
    more = {columns[key]: given[key] for key in columns if key in given}
    events = leg_events(given["legs"], **more)
    events += [{"t": t, "adjust": ms} for t, ms in given.get("adjust", ())]
    if "crash_at" in given:
        events.append({"t": given["crash_at"], "crash": True, "twice": given.get("twice", False)})
    used = given.get("used_ms", 0)
    if any(end is None for _, end in given["legs"]):
        events.append({"t": DEFAULT_THRESHOLD_MS, "look": True})  # long enough for any crossing
    case = {"counted": given["counted"]} if "counted" in given else {}
    return shown(played(events, used, **case))


@scene("A", "C", "transfer_at", maybe=("directions",))
def transfer(given: Values, _: Values) -> Values:
    """The phone leaves the leg that came in when it hands it over; the legs it made go on."""
    spans, directions = [], given.get("directions", {})
    for name in ("A", "C"):
        begin, end = given[name]
        left = directions.get(name, "outbound") == "inbound"
        spans.append([begin, given["transfer_at"] if left else end])
    columns = [directions.get(name, "outbound") for name in ("A", "C")]
    return shown(played(leg_events(spans, direction=columns)))


@scene("inbound_answered_ms")
def both_settings(given: Values, _: Values) -> Values:
    span = [[0, given["inbound_answered_ms"]]]
    events = leg_events(span, direction=["inbound"])
    outbound_only = shown(played(events, counted=("outbound",)))
    return {
        "mode_both": shown(played(events))["used_ms"],
        "mode_outbound": outbound_only["used_ms"],
    }


@scene("inbound_to_voicemail_ms")
def voicemail(given: Values, _: Values) -> Values:
    span = [[0, given["inbound_to_voicemail_ms"]]]
    return shown(played(leg_events(span, direction=["inbound"], exempt=["voicemail"])))


@scene("L1_min", "L2_min", maybe=("account",))
def two_lines(given: Values, _: Values) -> Values:
    events = [
        {**event, "line": line}
        for line in ("L1", "L2")
        for event in (
            {"t": 0, "start": line},
            {"t": 0, "ack": line},
            {"t": given[f"{line}_min"] * MINUTE, "stop": line},
        )
    ]
    crossings = played(events).crossings()
    return {
        f"crossed_{percentage}": [e["line"] for e in crossings if e["percentage"] == percentage]
        for percentage in (80, 90, 100)
    }


@scene("before_pct", "after_pct")
def bulk_import(given: Values, _: Values) -> Values:
    more = (given["after_pct"] - given["before_pct"]) * PERCENT
    return shown(played([{"t": 0, "adjust": more}], given["before_pct"] * PERCENT))


# -- crashes, clocks, replays --------------------------------------------------------------------


@scene("heartbeats_ms", "crash_at")
def dead_after_a_crash(given: Values, _: Values) -> Values:
    events = leg_events([[0, None]])
    events += [{"t": t, "beat": True} for t in given["heartbeats_ms"]]
    events += [{"t": given["crash_at"], "crash": True}]
    bench = played([*events, {"t": given["crash_at"] + 30_000, "dead": "leg-0"}])
    undercount = given["crash_at"] - bench.shown()["used_ms"]
    most = round(HEARTBEAT_S * 1000)
    return {**shown(bench), "max_undercount_ms": most if 0 <= undercount <= most else undercount}


@scene("checkpoint_ms", "last_rtp_ms")
def dead_with_a_relay(given: Values, _: Values) -> Values:
    events = [
        *leg_events([[0, None]]),
        {"t": given["checkpoint_ms"], "beat": True},
        {"t": given["checkpoint_ms"], "crash": True},
        {"t": given["last_rtp_ms"] + 60_000, "dead": "leg-0", "relay": given["last_rtp_ms"]},
    ]
    outcome = shown(played(events))
    return {**outcome, "source": "heartbeat" if outcome["estimated"] else "relay"}


@scene("answer", "crash_at", "bye", maybe=("up_at",))
def alive_over_a_crash(given: Values, _: Values) -> Values:
    """The switch is killed and is up again; the call hangs up only then."""
    away = given.get("up_at", given["crash_at"]) - given["crash_at"]
    crash = {"t": given["crash_at"], "crash": True, "for": away}
    return shown(played([*leg_events([[given["answer"], given["bye"]]]), crash]))


@scene("mono_ms", "wall_step_s")
def wall_step(given: Values, _: Values) -> Values:
    middle = given["mono_ms"] // 2
    bench = played([
        *leg_events([[0, given["mono_ms"]]]),
        {"t": middle - 1_000, "beat": True},
        {"t": middle, "wall_step_ms": given["wall_step_s"] * 1000},
        {"t": middle, "beat": True},
    ])  # fmt: skip
    steps = bench.noted("clock.step")
    return {**shown(bench), "event": steps[0][0] if steps else None}


@scene("events")
def replayed(given: Values, _: Values) -> Values:
    if given["events"] == "whole journal twice":
        return journal_twice()
    rows = [
        {
            "k": "usage", "leg": "a", "line": LINE, "cycle": 3, "direction": "outbound", "ms": ms,
            "counts": True, "exempt_reason": None, "final": kind == "stop", "estimated": False,
            "clock": "boot", "at": ms,
        }
        for kind, ms in given["events"]
    ]  # fmt: skip
    return {"used_ms": asyncio.run(stored_ms(rows))}


async def stored_ms(rows: list[dict[str, Any]]) -> int:
    """What the database says after rows that came one by one in this order."""
    with tempfile.TemporaryDirectory() as directory:
        url = sqlite_url(Path(directory) / "vigie.sqlite")
        engine = open_for_writing(url)
        await migrate(engine)
        for row in rows:
            await Batch([row], {}).write(engine)
        await engine.dispose()
        reader = Reader(url)
        cycle = Calendar(date(2026, 1, 1)).cycle(3)
        reading = await reader.usage(LINE, cycle, DEFAULT_THRESHOLD_MS)
        await reader.close()
    return reading.used_ms


def journal_twice() -> Values:
    """A journal with all that a meter writes, read once and read twice."""
    history = [
        *leg_events([[0, 20_000], [5_000, None], [6_000, 9_000]], exempt=[None, None, "free"]),
        {"t": 12_000, "adjust": -4_000},
        {"t": 13_000, "beat": True},
    ]
    near = 80 * PERCENT - 15_000
    states, told = [], []
    for twice in (False, True):
        crash = {"t": 30_000, "crash": True, "twice": twice}
        bench = played([*history, crash], near)
        states.append(bench.shown())
        told.append(len(bench.crossings()))
    assert told[0] == 1, "the history crosses 80 %"
    return {"same_state": states[0] == states[1], "notifications_added": told[1] - told[0]}


@scene("answer", "end")
def imported(given: Values, _: Values) -> Values:
    """Times of a day, in Z; the importer's clock stands later."""
    house = House()
    row = {"line": LINE} | {key: f"2026-09-01T{given[key]}" for key in ("answer", "end")}
    aside = house.take(row)["quarantined"]
    return {"used_ms": house.used, "quarantined": bool(aside)}


# -- calendars -------------------------------------------------------------------------------------


def day(text: str) -> date:
    return date.fromisoformat(text)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def local_noon(text: str) -> int:
    """Noon in Paris, about: 11:00 UTC is the same day there the whole year."""
    return ms(f"{text}T11:00:00+00:00")


def talked(calendar: Calendar, start: int, end: int, used_ms: int = 0) -> Values:
    """A call by the clock on the wall, through the real meter and the timers of its cycle ends."""
    wheel, outbox, begin = Wheel(), Outbox(), 50.0
    meters, cycle = Meters(wheel, outbox, boot="b"), calendar.cycle_at(start)
    if used_ms:
        reached = [each for each in (80, 90, 100) if used_ms >= each * PERCENT]
        meters.load(LINE, cycle, {"outbound": used_ms}, reached, begin, start / 1000)
    meters.start("a", LINE, "outbound", begin, start / 1000, None, cycle)
    meters.confirm("a")
    over = begin + (end - start) / 1000
    while (due := wheel.next_at()) is not None and due < over:
        wheel.fire(due)
    used = meters.stop("a", over)
    parts: Counter[str] = Counter()
    crossings: dict[str, list[int]] = {}
    for record in map(orjson.loads, outbox.journal):
        if record["k"] == "usage" and record["ms"]:
            parts[str(record["cycle"])] += record["ms"]
        if record["k"] == "threshold":
            crossings.setdefault(str(record["cycle"]), []).append(record["percentage"])
    last = calendar.cycle_at(end)
    return {
        "used_ms": used,
        "cycles": dict(parts),
        "crossed": crossings,
        "cycle": cycle.n,
        "ms": parts[str(cycle.n)],
        "cycle0_ms": parts["0"],
        "shown_ms": meters.reading(LINE, over, last).used_ms,
    }


@scene("call", maybe=("billing_start", "zone", "used_ms"))
def call_by_the_wall(given: Values, _: Values) -> Values:
    first = day(given.get("billing_start", "2026-01-12"))
    calendar = Calendar(first, given.get("zone", "Europe/Paris"))
    start, end = map(ms, given["call"])
    return talked(calendar, start, end, given.get("used_ms", 0))


@scene("billing_start", "used_ms", "waiting", "acked", "other")
def acked_in_the_next_cycle(given: Values, _: Values) -> Values:
    """A call is answered before the end of a cycle and acknowledged after it; another goes on over it."""
    calendar = Calendar(day(given["billing_start"]))
    begin, acked = ms(given["waiting"]), ms(given["acked"])
    other_from, other_to = map(ms, given["other"])
    wheel, outbox, cycle = Wheel(), Outbox(), calendar.cycle_at(begin)
    meters = Meters(wheel, outbox, boot="b")
    meters.load(LINE, cycle, {"outbound": given["used_ms"]}, [80, 90], 50.0, begin / 1000)

    def at(utc_ms: int) -> float:
        return 50.0 + (utc_ms - begin) / 1000

    def turn(utc_ms: int) -> None:
        while (due := wheel.next_at()) is not None and due < at(utc_ms):
            wheel.fire(due)

    meters.start("waits", LINE, "outbound", at(begin), begin / 1000, None, cycle)
    turn(other_from)
    meters.start("other", LINE, "outbound", at(other_from), other_from / 1000, None, cycle)
    meters.confirm("other")
    turn(acked)
    meters.confirm("waits")
    turn(other_to)
    meters.stop("other", at(other_to))
    told = [r for r in map(orjson.loads, outbox.journal) if r["k"] == "threshold"]
    return {
        "crossed": [[each["cycle"], each["percentage"]] for each in told],
        "cross_at_ms": told[0]["occurred_at"] - begin if told else None,
    }


@scene("request", "call_day", "ms")
def before_billing(given: Values, _: Values) -> Values:
    calendar = Calendar.from_request(local_noon(given["request"]))
    start = local_noon(str(day(given["request"]) + timedelta(days=given["call_day"])))
    return talked(calendar, start, start + given["ms"])


@scene("starts")
def lengths(given: Values, _: Values) -> Values:
    cycles = [Calendar(day(start)).cycle(0) for start in given["starts"]]
    return {
        "hours": [(cycle.end - cycle.start) / 3_600_000 for cycle in cycles],
        "threshold_ms": Meters(Wheel(), Outbox(), boot="b").threshold_ms,
    }


@scene("billing_start", maybe=("zone",))
def series(given: Values, expect: Values) -> Values:
    calendar = Calendar(day(given["billing_start"]), given.get("zone", "Europe/Paris"))
    cycles = [calendar.cycle(n) for n in range(len(expect.get("starts", ())))]
    return {"starts": [str(local_day(cycle)) for cycle in cycles]}


def local_day(cycle: Cycle) -> date:
    """The local date at whose midnight a cycle starts."""
    calendar = cycle.calendar
    around = datetime.fromtimestamp(cycle.start / 1000, UTC).date()
    days = [around + timedelta(days=n) for n in (-1, 0, 1)]
    (found,) = [each for each in days if calendar.midnight_ms(each) == cycle.start]
    return found


@scene("requests", maybe=("zone",))
def seventh_day(given: Values, _: Values) -> Values:
    zone = given.get("zone", "Europe/Paris")
    starts = [Calendar.from_request(ms(each), zone).cycle(0).start for each in given["requests"]]
    utc = [datetime.fromtimestamp(start / 1000, UTC) for start in starts]
    return {"billing_start_utc": [f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in utc]}


# -- rating ----------------------------------------------------------------------------------------


@scene("call_ms", "pulses")
def rated(given: Values, _: Values) -> Values:
    call_ms = given["call_ms"]
    used = shown(played(leg_events([[0, call_ms]])))
    return {
        **used,
        "rated_s": {each: Pulse.parse(each).rated_s(call_ms) for each in given["pulses"]},
    }
