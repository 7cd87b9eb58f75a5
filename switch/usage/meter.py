"""The meters of all lines: which legs are live, what each line used, when thresholds are crossed.

The call tells when a leg is answered (`start`), ACKed (`confirm`), over (`stop`) or was never
established (`cancel`); everything else follows from the timer wheel. A correction (`adjust`) adds to
the sum and changes nothing that was counted. Every change is also a journal record; `restore` takes
these back after a restart, and `live_records` restates them at a checkpoint.

Times are boottime seconds (`at`, `now`) and UTC seconds (`wall`); inside, integer milliseconds, so
that parts add up exactly. Deliberately absent: any refusal. Reaching a threshold is an event and
ends no call.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

from switch.clock import Wheel
from switch.sip.outbox import Outbox
from switch.usage import records, shown
from switch.usage.adjustment import Adjustment
from switch.usage.cdr import Direction
from switch.usage.cycle import Cycle
from switch.usage.elsewhere import Elsewhere
from switch.usage.leg import Leg
from switch.usage.line import PERCENTAGES, LineMeter
from switch.usage.past import PastCycle
from switch.usage.reading import Reading

DEFAULT_THRESHOLD_MS: Final = 5_000 * 60_000

# A wall clock that moved by more than this against boottime was set; less is NTP at work.
CLOCK_STEP_MS: Final = 1_000


class Meters:
    """One meter per line that was ever used, and the live legs by id.

    `boot` names this run of the machine (/proc/sys/kernel/random/boot_id): the boottime of a leg
    that was started under another one means nothing here. `counted`: directions that add to a
    line's minutes.
    """

    def __init__(
        self,
        wheel: Wheel,
        outbox: Outbox,
        threshold_ms: int = DEFAULT_THRESHOLD_MS,
        *,
        boot: str = "",
        counted: Collection[Direction] = ("inbound", "outbound"),
        percentages: Collection[int] = PERCENTAGES,
    ) -> None:
        """Meters at zero."""
        self.threshold_ms = threshold_ms
        self.strays = 0
        self.last_beat: float | None = None
        self._wheel = wheel
        self._outbox = outbox
        self._boot = boot
        self._counted = frozenset(counted)
        self._points = {each: -(threshold_ms * each // -100) for each in sorted(percentages)}
        self._lines: dict[str, LineMeter] = {}
        self._legs: dict[str, Leg] = {}
        self._closed: set[str] = set()
        self._beat: bytes | None = None
        self._offset_ms: int | None = None  # UTC minus boottime at the last beat

    def __len__(self) -> int:
        """Count live legs (a gauge)."""
        return len(self._legs)

    def __contains__(self, leg_id: str) -> bool:
        """Say whether a leg is live."""
        return leg_id in self._legs

    def start(
        self,
        leg_id: str,
        line: str,
        direction: Direction,
        at: float,
        wall: float,
        exempt_reason: str | None,
        cycle: Cycle,
    ) -> None:
        """Start a leg with the first 200 received at `at`; it stays provisional until `confirm`.

        `leg_id` is unique for ever (it keys the usage in the database); starting a live one again,
        as a retransmitted 200 would, changes nothing. `cycle` is the line's at `wall`.
        """
        if leg_id in self._legs:
            self.strays += 1
            return
        at_ms = round(at * 1000)
        counts = exempt_reason is None and direction in self._counted
        leg = Leg(
            leg_id, line, direction, at_ms, round(wall * 1000), exempt_reason, counts, cycle, at_ms
        )
        self._legs[leg_id] = leg
        meter = self._meter(line, cycle)
        meter.forget_ended(at_ms)
        meter.add(leg)
        self._outbox.journal.append(records.started(leg, self._boot))

    def confirm(self, leg_id: str) -> None:
        """Establish a leg: its ACK arrived, so it counts, from its 200 on."""
        leg = self._legs.get(leg_id)
        if leg is None or leg.confirmed:
            return
        self._lines[leg.line].confirm(leg)
        self._outbox.journal.append(records.confirmed(leg))

    def stop(self, leg_id: str, at: float, *, estimated: bool = False) -> int:
        """End a leg at `at` (the first BYE, or our release); return the ms it counted.

        The first end decides: a leg that isn't live returns 0. A leg that was never ACKed counts 0.
        `estimated` marks an end that was not seen but taken from the last sign of life.
        """
        leg = self._legs.pop(leg_id, None)
        if leg is None:
            self.strays += 1
            return 0
        at_ms = max(round(at * 1000), leg.start_ms)
        ms = self._lines[leg.line].remove(leg, at_ms)
        self._outbox.journal.append(records.usage(leg, ms, at_ms, final=True, estimated=estimated))
        return leg.closed_ms + ms if leg.counts else 0

    def cancel(self, leg_id: str) -> None:
        """End a leg that was never established: 0 ms."""
        leg = self._legs.get(leg_id)
        if leg is not None:
            self.stop(leg_id, leg.start_ms / 1000)

    def live_legs(self) -> list[str]:
        """The ids of the live legs."""
        return list(self._legs)

    def abandon(self, leg_id: str) -> None:
        """End a live leg that no call owns: at the last sign of life, 0 ms if its ACK never came."""
        if self._legs[leg_id].confirmed and self.last_beat is not None:
            self.stop(leg_id, self.last_beat, estimated=True)
        else:
            self.cancel(leg_id)

    def used_ms(self, line: str, now: float) -> int:
        """Return the ms that a line used in its present cycle, live calls included."""
        meter = self._lines.get(line)
        return shown.used_ms(meter, round(now * 1000)) if meter else 0

    def live_ms(self, line: str, now: float) -> int:
        """Return the part of `used_ms` that belongs to live calls."""
        meter = self._lines.get(line)
        return shown.live_ms(meter, round(now * 1000)) if meter else 0

    def reading(self, line: str, now: float, cycle: Cycle) -> Reading:
        """Return what `usage show` shows; `cycle` is the line's at present."""
        meter = self._lines.get(line)
        now_ms = round(now * 1000)
        if meter is None or meter.cycle.n < cycle.n:
            begun = shown.begun(meter, cycle.n, now_ms)
            live_ms = sum(begun[direction] for direction in self._counted)
            return Reading(line, cycle, live_ms, live_ms, begun, self.threshold_ms, ())
        return Reading(
            line,
            meter.cycle,
            shown.used_ms(meter, now_ms),
            shown.live_ms(meter, now_ms),
            shown.by_direction(meter, now_ms),
            self.threshold_ms,
            tuple(meter.crossed),
            meter.adjusted_ms,
        )

    def adjust(self, adjustment: Adjustment, cycle: Cycle, now: float, wall: float) -> None:
        """Add a correction to a line's sum of a cycle; what was announced stays announced.

        A cycle that is over keeps its correction in the database only.
        """
        if self._take_adjustment(adjustment, cycle, now, wall):
            self._advance(self._lines[adjustment.line], now)
        self._outbox.journal.append(records.adjustment(adjustment, cycle))

    def take_adjustment(
        self, adjustment: Adjustment, cycle: Cycle, now: float, wall: float
    ) -> None:
        """Take a correction from the database: another node's, or one that the journal lost."""
        if self._take_adjustment(adjustment, cycle, now, wall):
            self._advance(self._lines[adjustment.line], now)

    def take_elsewhere(self, line: str, cycle: Cycle, elsewhere: Elsewhere, now: float) -> None:
        """Take what the other nodes counted on a line in a cycle, in place of what was known."""
        self._meter(line, cycle).take_elsewhere(cycle, elsewhere, round(now * 1000))

    def take_crossed(self, line: str, n: int, percentage: int) -> None:
        """Another node announced that the line reached a percentage in the cycle `n`."""
        meter = self._lines.get(line)
        if meter is not None:
            meter.take_crossed(n, (percentage,))

    def beat(self, now: float, wall: float) -> None:
        """Write the node's sign of life; once a second it stands for all live legs.

        Also the moment to notice that somebody set the wall clock. Live legs don't care.
        """
        now_ms, utc_ms = round(now * 1000), round(wall * 1000)
        self._beat = records.beat(self._boot, now_ms, utc_ms)
        self._outbox.journal.append(self._beat)
        before, self._offset_ms = self._offset_ms, utc_ms - now_ms
        if before is not None and abs(self._offset_ms - before) > CLOCK_STEP_MS:
            step_ms = self._offset_ms - before
            self._outbox.note("clock.step", step_ms=step_ms, live_legs=len(self._legs))

    def load(
        self,
        line: str,
        cycle: Cycle,
        by_direction: dict[str, int],
        crossed: Collection[int],
        now: float,
        wall: float,
    ) -> None:
        """Take a line's total from the database or an import, by greatest-of; fire crossings.

        Harmless at any time and more than once: both sides are sums of the same ended legs.
        """
        now_ms = round(now * 1000)
        meter = self._meter(line, cycle)
        meter.offset_ms = round(wall * 1000) - now_ms
        meter.take_total(cycle, by_direction, self._counted, now_ms)
        meter.take_crossed(cycle.n, crossed)
        self._advance(meter, now)

    def live_records(self) -> Iterator[bytes]:
        """Restate the last beat, every total and live leg, for the head of a new segment."""
        if self._beat is not None:
            yield self._beat
        for meter in self._lines.values():
            yield records.total(meter, self._boot)
            for made in meter.adjustments.values():
                yield records.adjustment(made, meter.cycle)
        for leg in self._legs.values():
            yield records.started(leg, self._boot)

    def restored(self) -> None:
        """Let go of what only `restore` needed: the journal was read to its end."""
        self._closed.clear()

    def restore(self, record: dict[str, Any], now: float, wall: float) -> None:
        """Take one record of the journal back, in order; other kinds of record are ignored.

        Nothing is written or announced. A leg of the same boot goes on by the difference of
        boottime, one of another boot by that of UTC, and says so (clock "wall").
        """
        match record.get("k"):
            case "start":
                self._restore_leg(record, now, wall)
            case "confirm":
                leg = self._legs.get(record["leg"])
                if leg is not None and not leg.confirmed:
                    self._lines[leg.line].confirm(leg)
            case "usage":
                self._restore_usage(record)
            case "threshold" | "total":
                self._restore_total(record, now, wall)
            case "adjust":
                cycle = records.read_calendar(record).cycle(record["cycle"])
                self._take_adjustment(Adjustment.of(record), cycle, now, wall)
            case "beat":
                self.last_beat = self._here(record, record["at"], now, wall) / 1000

    def _restore_leg(self, record: dict[str, Any], now: float, wall: float) -> None:
        """Put a leg of a `start` record back; a later record of it replaces an earlier."""
        if record["leg"] in self._closed:
            return
        self._forget(record["leg"])
        cycle = records.read_calendar(record).cycle(record["cycle"])
        start_ms = self._here(record, record["at"], now, wall)
        mark_ms = start_ms + record["mark"] - record["at"]
        exempt_reason = record["exempt_reason"]
        counts = exempt_reason is None and record["direction"] in self._counted
        leg = Leg(
            record["leg"],
            record["line"],
            record["direction"],
            start_ms,
            record["wall"],
            exempt_reason,
            counts,
            cycle,
            mark_ms,
        )
        leg.closed_ms = record["closed"]
        leg.clock = record["clock"] if record["boot"] == self._boot else "wall"
        self._legs[leg.id] = leg
        meter = self._meter(leg.line, cycle)
        meter.add(leg)
        if record["confirmed"]:
            meter.confirm(leg)

    def _restore_usage(self, record: dict[str, Any]) -> None:
        """Close a live leg's part; one that isn't live was closed by an earlier copy."""
        leg = self._legs.get(record["leg"])
        if leg is None:
            return
        meter = self._lines[leg.line]
        meter.restore_part(leg, record["ms"], final=record["final"])
        if record["final"]:
            del self._legs[leg.id]
            self._closed.add(leg.id)

    def _restore_total(self, record: dict[str, Any], now: float, wall: float) -> None:
        """Take a line's restated total, or one percentage that was announced."""
        if record["k"] == "threshold":
            meter = self._lines.get(record["line"])
            if meter is not None:
                meter.take_crossed(record["cycle"], (record["percentage"],))
            return
        cycle = records.read_calendar(record).cycle(record["cycle"])
        meter = self._meter(record["line"], cycle)
        meter.take_total(cycle, record["by_direction"], self._counted, round(now * 1000))
        meter.take_crossed(cycle.n, record["crossed"])
        if "boot" not in record:
            return
        shift = self._here(record, record["at"], now, wall) - record["at"]
        spans = {leg: (mark + shift, end + shift) for leg, (mark, end) in record["ended"].items()}
        meter.take_ended(cycle.n, spans)
        if past := record.get("past"):
            meter.past = PastCycle.of(past, shift)

    def _take_adjustment(
        self, adjustment: Adjustment, cycle: Cycle, now: float, wall: float
    ) -> bool:
        """Add a correction, once; False when that changes nothing here."""
        now_ms = round(now * 1000)
        meter = self._meter(adjustment.line, cycle)
        meter.offset_ms = round(wall * 1000) - now_ms
        return meter.take_adjustment(adjustment, cycle, now_ms)

    def _advance(self, meter: LineMeter, now: float) -> None:
        """Fire what a jump of the sum crossed, and look ahead anew."""
        now_ms = round(now * 1000)
        meter.advance(now_ms)
        meter.rearm(now_ms)

    def _forget(self, leg_id: str) -> None:
        """Drop a live leg without a trace."""
        leg = self._legs.pop(leg_id, None)
        if leg is not None:
            self._lines[leg.line].drop(leg)

    def _here(self, record: dict[str, Any], at_ms: int, now: float, wall: float) -> int:
        """Return an instant of a record on this boot's clock, in ms."""
        if record["boot"] == self._boot:
            return at_ms
        return round(now * 1000) - (round(wall * 1000) - int(record["wall"]))

    def _meter(self, line: str, cycle: Cycle) -> LineMeter:
        """Return the line's meter, a new one if need be."""
        meter = self._lines.get(line)
        if meter is None:
            meter = LineMeter(
                line, cycle, self._wheel, self._points, self._on_crossing, self._on_cycle_end
            )
            self._lines[line] = meter
        return meter

    def _on_crossing(self, meter: LineMeter, n: int, percentage: int, at_ms: int) -> None:
        """Announce that a line reached a percentage of the threshold in the cycle `n`."""
        occurred_at = at_ms + meter.offset_ms
        self._outbox.note(
            "usage.threshold",
            line=meter.line,
            cycle=n,
            percentage=percentage,
            occurred_at=occurred_at,
        )
        self._outbox.journal.append(records.threshold(meter.line, n, percentage, occurred_at))

    def _on_cycle_end(self, leg: Leg, boundary_ms: int) -> None:
        """Close a live leg's part in the cycle that ended."""
        ms = leg.live_ms(boundary_ms)
        self._outbox.journal.append(records.usage(leg, ms, boundary_ms, final=False))
        if leg.counts:
            leg.closed_ms += ms
