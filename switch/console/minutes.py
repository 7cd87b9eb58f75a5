"""The use cases behind `vigie usage`: what a line used, and corrections of it."""

import secrets
from collections.abc import Callable
from typing import Final

from switch.call.exchange import Exchange
from switch.call.record import calendar_of
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.overview import reading_of
from switch.store.read import Reader, StoreUnavailableError
from switch.usage.adjustment import Adjustment

# A correction of more than a year of talking is a slip of the finger.
LARGEST_MS: Final = 366 * 86_400_000


class Minutes:
    """Over one exchange; the database tells what the meters no longer hold.

    `rung_of`: where a line stands on its ladder in a cycle, "" where it never climbed; the meter alone
    knows no later rung than the review.
    """

    def __init__(self, exchange: Exchange, reader: Reader) -> None:
        self._exchange = exchange
        self._reader = reader
        self.rung_of: Callable[[str, int], str] = lambda line, cycle: ""

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "usage.show": self.show,
            "usage.adjust": self.adjust,
            "usage.corrections": self.corrections,
        }

    def show(self, args: Args) -> object:
        """Minutes of the present cycle, live calls included."""
        line = self._line(args)
        reading = reading_of(self._exchange, line, boottime())
        rung = self.rung_of(line, reading.cycle.n)
        return reading.as_json() | ({"state": rung} if rung else {})

    async def show_stored(self, args: Args) -> object:
        """The same without a running switch: what ended calls came to."""
        line, exchange = self._line(args), self._exchange
        utc_ms = round(exchange.wall(boottime()) * 1000)
        cycle = calendar_of(exchange, line).cycle_at(utc_ms)
        if not self._reader.exists:  # nothing was ever used
            return reading_of(exchange, line, boottime()).as_json()
        try:
            reading = await self._reader.usage(line, cycle, exchange.meters.threshold_ms)
        except StoreUnavailableError as error:
            raise CommandRefused("store_unavailable", str(error)) from None
        return reading.as_json()

    def adjust(self, args: Args) -> object:
        """Correct a line's sum of its present cycle by one more entry; nothing is unsaid."""
        line, ms, exchange = self._line(args), _milliseconds(args), self._exchange
        reason = str(args["reason"]).strip()
        if not reason:
            raise CommandRefused("bad_args", "a correction needs its reason")
        now = boottime()
        utc = exchange.wall(now)
        cycle = calendar_of(exchange, line).cycle_at(round(utc * 1000))
        before = exchange.meters.reading(line, now, cycle)
        if before.used_ms + ms < 0:
            raise CommandRefused("below_zero", f"the line used {before.used_ms} ms in this cycle")
        made = Adjustment(
            f"adj-{secrets.token_hex(8)}",
            line,
            ms,
            reason,
            str(args.get("by") or "operator"),
            round(utc * 1000),
        )
        exchange.meters.adjust(made, cycle, now, utc)
        fields = {"line": line, "ms": ms, "reason": reason, "by": made.by}
        exchange.outbox.note("usage.adjusted", id=made.id, **fields)
        after = exchange.meters.reading(line, now, cycle)
        return {"id": made.id, "cycle": cycle.n, **fields, "used_ms": after.used_ms}

    async def corrections(self, args: Args) -> object:
        """The corrections of a line, oldest first."""
        try:
            found = await self._reader.adjustments(line=self._line(args))
        except StoreUnavailableError as error:
            raise CommandRefused("store_unavailable", str(error)) from None
        return [
            {
                "at": made.at,
                "line": made.line,
                "cycle": n,
                "ms": made.ms,
                "reason": made.reason,
                "by": made.by,
                "id": made.id,
            }
            for made, n in found
        ]

    def _line(self, args: Args) -> str:
        line = str(args["line"])
        if line not in self._exchange.facts.lines:
            raise CommandRefused("unknown_line", f"there is no line {line}")
        return line


def _milliseconds(args: Args) -> int:
    ms = args["ms"]
    if not isinstance(ms, int) or isinstance(ms, bool) or not ms or abs(ms) > LARGEST_MS:
        raise CommandRefused("bad_args", "ms is a whole number, not 0, and of a year at most")
    return ms
