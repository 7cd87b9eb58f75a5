"""The use case behind `vigie usage import`: calls that another system counted in the running cycle.

For a customer who moves here in mid-cycle, or calls that went another way. What a call came to in its line's
present cycle becomes a correction: never a change of what was counted, and a call that is in several
files counts once. A row that can't be right (it ends before it begins, lies in the future, names no line) is
put aside with its reason and counts nothing. Thresholds that the sum reaches are told, ascending.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from switch.call.exchange import Exchange
from switch.call.record import calendar_of
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.usage.adjustment import Adjustment

FIELDS = ("line", "answer", "end")


@dataclass(frozen=True, slots=True)
class Talk:
    """A row that can be counted: times in UTC milliseconds."""

    line: str
    answer: int
    end: int


class UsageImport:
    """Over one exchange; `perform` writes and sends what the import led to."""

    def __init__(self, exchange: Exchange, perform: Callable[[], None]) -> None:
        self._exchange = exchange
        self._perform = perform

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {"usage.import": self.take}

    def take(self, args: Args) -> object:
        """Count rows {line, answer, end}; times are UTC ms or ISO 8601 with an offset."""
        rows = args["rows"]
        if not isinstance(rows, list):
            raise CommandRefused("bad_args", "rows is a list")
        now = boottime()
        utc = self._exchange.wall(now)
        talks: dict[str, list[Talk]] = defaultdict(list)
        aside = []
        for number, row in enumerate(rows, start=1):
            try:
                talk = self._read(row, round(utc * 1000))
            except ValueError as error:
                aside.append({"row": number, "reason": str(error)})
            else:
                talks[talk.line].append(talk)
        by, source = str(args.get("by") or "operator"), str(args.get("source") or "a file")
        counted = [
            self._count(line, of_line, source, by, now, utc) for line, of_line in talks.items()
        ]
        self._perform()
        return {"lines": counted, "quarantined": aside}

    def _read(self, row: object, utc_ms: int) -> Talk:
        if not isinstance(row, Mapping) or any(name not in row for name in FIELDS):
            raise ValueError(f"a row has {', '.join(FIELDS)}")
        line = str(row["line"])
        if line not in self._exchange.facts.lines:
            raise ValueError(f"there is no line {line}")
        answer, end = moment(row["answer"]), moment(row["end"])
        if end < answer:
            raise ValueError("it ends before it was answered")
        if end > utc_ms:
            raise ValueError("it ends in the future")
        return Talk(line, answer, end)

    def _count(
        self, line: str, talks: Iterable[Talk], source: str, by: str, now: float, utc: float
    ) -> dict[str, object]:
        """A correction for each of a line's calls; their part before the cycle isn't the cycle's."""
        meters = self._exchange.meters
        cycle = calendar_of(self._exchange, line).cycle_at(round(utc * 1000))
        ordered = sorted({(talk.answer, talk.end) for talk in talks})
        counted = [(start, end, end - max(start, cycle.start)) for start, end in ordered]
        before = meters.reading(line, now, cycle).used_ms
        for start, end, ms in counted:
            if ms > 0:
                # The same call in another file is the same correction, which counts once.
                name = f"import-{line}-{cycle.n}-{start}-{end}"
                reason = f"a call from {source}"
                made = Adjustment(name, line, ms, reason, by, round(utc * 1000))
                meters.adjust(made, cycle, now, utc)
        after = meters.reading(line, now, cycle).used_ms
        ms = sum(max(0, each) for _, _, each in counted)
        return {"line": line, "calls": len(ordered), "ms": ms, "added_ms": after - before}


def moment(value: object) -> int:
    """UTC milliseconds of a number or of ISO 8601 with an offset. ValueError for anything else."""
    text = str(value).strip()
    if text.isdecimal():
        return int(text)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text}: a time needs its offset, Z or +01:00")
    return round(at.timestamp() * 1000)
