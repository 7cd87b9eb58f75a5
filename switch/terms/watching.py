"""Watching for forbidden uses (terms 3(b)): finished calls in, alerts out, after the calls and beside them.

CDRs are taken from the journal's records and looked at once a second, so the call path pays for nothing.
An alert goes to the log and to the operator; out of shadow mode two independent detectors open a case, and
toll fraud or a takeover bars international and premium calls until a person decides (2(k)(e)).
After a start, profiles are made again of the last weeks' calls (`recall`), without a word: what they led to
was told then. Deliberately absent: the phones, networks and media of those calls, which CDRs don't have.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import orjson

from policy.acceptable_use.detectors import Level
from policy.acceptable_use.watch import Alert, Settings, Watch
from policy.model import LineState, NumberClass
from switch.call.exchange import Exchange
from switch.call.record import calendar_of
from switch.clock import boottime
from switch.sip.outbox import Event
from switch.terms.ladders import Ladders
from switch.terms.outline import Circumstances, outline

KIND: Final = b'{"k":"cdr"'
CAPACITY: Final = 50_000
LATER: Final = 8  # more calls of a line that end within a second are not told apart
AT_ONCE: Final = 500  # calls in one look: some 25 ms, for which the loop waits
SLICE: Final = 20  # calls that are recalled in one turn of the loop: a millisecond

Bar = Callable[[str, str], object]


class Watching:
    """Over one exchange; `bar` bars what costs money abroad, by (line, why), as 2(k)(e) lets it."""

    def __init__(self, exchange: Exchange, ladders: Ladders, settings: Settings, bar: Bar) -> None:
        self._exchange = exchange
        self._ladders = ladders
        self._bar = bar
        self._waiting: deque[bytes] = deque(maxlen=CAPACITY)
        self._is_recalling = False
        self._skipped = 0
        self._media: dict[tuple[str, str], tuple[int, int]] = {}  # by line and SIP Call-ID
        self.watch = Watch(settings)

    def on_events(self, events: Sequence[Event]) -> None:
        """Take what phones said of their media when their calls ended."""
        for name, fields in events:
            if name == "call.media" and len(self._media) < CAPACITY:
                key = str(fields["line"]), str(fields["sip_call_id"])
                self._media[key] = int(str(fields["sent_ms"])), int(str(fields["received_ms"]))

    def feed(self, records: list[bytes]) -> None:
        """Take the journal's records of a wake-up; all but CDRs are passed over."""
        if not self.watch.settings.detectors:
            return  # all are off: nothing is kept of any call
        for record in records:
            if record.startswith(KIND):
                self._skipped += len(self._waiting) == self._waiting.maxlen
                self._waiting.append(record)

    def look(self) -> None:
        """Look at the calls that ended since; called once a second."""
        if self._is_recalling:
            return  # what ended meanwhile comes after what is remembered
        if self._skipped:
            self._exchange.outbox.note("use.skipped", calls=self._skipped)
            self._skipped = 0
        count = min(len(self._waiting), AT_ONCE)
        records = [orjson.loads(self._waiting.popleft()) for _ in range(count)]
        by_line: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        for record in records:
            by_line[record["line"]].append(record)
        for record in records:
            line = record["line"]
            by_line[line].popleft()
            if line in self._exchange.facts.lines:
                around = self._around(line, record, _up_at(record["end"], by_line[line]))
                for alert in self.watch.add(line, outline(record, around, self._class_of)):
                    self._tell(alert)
        if not self._waiting:
            self._media.clear()  # of a call that was looked at before: too late

    async def recall(self, calls: AsyncIterator[Mapping[str, Any]]) -> int:
        """Make profiles of calls that ended before, oldest first; return how many. The loop goes on."""
        count, facts = 0, self._exchange.facts
        if not self.watch.settings.detectors:
            return 0
        self._is_recalling = True
        try:
            async for record in calls:
                line = facts.lines.get(record["line"])
                if line is not None:
                    around = Circumstances(facts.accounts[line.account].time_zone)
                    self.watch.add(line.id, outline(record, around, self._class_of))
                count += 1
                if not count % SLICE:
                    await asyncio.sleep(0)
        finally:
            self._is_recalling = False
        return count

    def _around(self, line: str, record: Mapping[str, Any], ended_since: int) -> Circumstances:
        exchange = self._exchange
        account = exchange.facts.accounts[exchange.facts.lines[line].account]
        bindings = exchange.registrar.bindings(line, boottime())
        binding = max(bindings, key=lambda each: each.updated_at, default=None)
        return Circumstances(
            account.time_zone,
            exchange.live_by_line.get(line, 0) + ended_since,
            binding.user_agent if binding is not None else "",
            _subnet(binding.source) if binding is not None else "",
            self._said(line, record),
        )

    def _said(self, line: str, record: Mapping[str, Any]) -> tuple[int, int] | None:
        """What the line's own phone said of its media in a call; None if it said nothing."""
        legs = record.get("legs", ()) if self._media else ()
        said = (self._media.get((line, leg["sip_call_id"])) for leg in legs)
        return next((each for each in said if each is not None), None)

    def _class_of(self, number: str) -> NumberClass:
        plan = self._exchange.rules.plan
        return plan.classify_canonical(plan.canonical(number)).number_class

    def _tell(self, alert: Alert) -> None:
        detector, outbox = alert.detector, self._exchange.outbox
        outbox.note(
            "use.alert",
            line=alert.line,
            detector=detector.id,
            use=detector.use,
            reached=alert.level.name.lower(),
            values=dict(alert.values),
            calls=list(alert.calls),
            shadow=self.watch.settings.shadow,
        )
        if self.watch.settings.shadow:
            return
        if alert.opens_case:
            cycle = calendar_of(self._exchange, alert.line).cycle_at(alert.at).n
            self._ladders.detect(alert.line, cycle, alert.at, _because(alert))
        known = self._exchange.facts.lines[alert.line]
        if alert.bars and alert.level is Level.HARD and known.state is LineState.ACTIVE:
            self._bar(alert.line, _because(alert))


def _up_at(end: int, later: Iterable[Mapping[str, Any]]) -> int:
    """How many of a line's calls that ended later were up at an instant (D5, D14)."""
    few = islice(later, LATER)
    return sum(each["answer"] is not None and each["answer"] < end for each in few)


def _subnet(address: str) -> str:
    """The network that people would call the same: /24 of IPv4, /48 of IPv6."""
    if ":" in address:
        return ":".join(address.split(":")[:3])
    return address.rpartition(".")[0]


def _because(alert: Alert) -> str:
    values = ", ".join(f"{name} {value:g}" for name, value in alert.values.items())
    return f"{alert.detector.id} {alert.detector.use}: {values}; calls {', '.join(alert.calls)}"
