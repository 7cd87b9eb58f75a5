"""What the operator owes beside the calls: notices, cases of fair use, watching for forbidden uses.

They hear what the machines note and what the journal got, after the datagrams have left. Deliberately
absent: any effect on a call but a bar for fraud.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from switch.app.gather import Gather, without_crossings
from switch.app.hearing import Hearing
from switch.app.keeping import Keeping
from switch.call.exchange import Exchange
from switch.clock import wall
from switch.config import Configuration
from switch.console.cases import Cases
from switch.console.use_cases import UseCases
from switch.notice import outbox
from switch.notice.courier import Courier, sender
from switch.notice.ledger import Ledger
from switch.sip.outbox import Event
from switch.store.read import StoreUnavailableError
from switch.store.read_cases import CaseReader
from switch.terms.ladders import Ladders
from switch.terms.watching import Watching

RECALL_DAYS, RECALL_CALLS = 31, 200_000  # what detectors are told of the time before a start


class Duties:
    """Over one exchange; `found` gives the configuration in force."""

    def __init__(
        self,
        exchange: Exchange,
        keeping: Keeping,
        use_cases: UseCases,
        found: Callable[[], Configuration],
        data: Path,
        perform: Callable[[], None],
        alarm: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        """Nothing is sent before the tasks run."""
        self._exchange = exchange
        self._use_cases = use_cases
        self._alarm = alarm
        self._rows = CaseReader(keeping.reader)
        self.ledger = Ledger(
            self._keep, lambda: exchange.facts, lambda: found().settings.notice, alarm
        )
        files = data / "outbox"
        send, publish = (
            sender(self.ledger.settings, files),
            partial(outbox.publish, directory=files),
        )
        self.courier = Courier(send, self.ledger.settle, perform, publish)
        self.ledger.courier = self.courier
        settings = found().settings
        self.ladders = Ladders(exchange.outbox, self._account_of, settings.usage.answer_within_ms)
        use_cases.minutes.rung_of = self.ladders.rung_of
        self.watching = Watching(
            exchange,
            self.ladders,
            settings.acceptable_use.watch(),
            use_cases.contract.bar_for_fraud,
        )
        self.cases = Cases(
            exchange,
            self.ladders,
            self._rows,
            self.watching.watch.alerts,
            use_cases.acts.change_plan,
        )
        self._gather: Gather | None = None
        if keeping.gazette is not None:
            self._gather = Gather(exchange, keeping.gazette, self._announce, perform, alarm)
        self._changes, self._turn = keeping.changes, keeping.turn
        use_cases.places.may_remind = keeping.turn is None
        self._hearing: Hearing | None = None
        if keeping.changes is not None:
            self._hearing = Hearing(keeping.changes, use_cases, self.ladders, perform)

    def tasks(self) -> Iterator[Callable[[], Awaitable[None]]]:
        """What runs beside the calls."""
        yield self.courier.run
        if self._gather is not None:
            yield self._gather.run
        if self._hearing is not None:
            yield self._hearing.run

    def see_files(self) -> None:
        """Lines, numbers and sites may be new: customers are asked, and numbers rest. Of the nodes that
        share a database the one whose turn it is holds numbers, when it meets its deadlines."""
        self._use_cases.places.see()
        if self._turn is None:
            self._use_cases.contract.hold_numbers()

    async def begin(self) -> None:
        """Before a start reads the database: what other nodes write from now on is news."""
        if self._changes is not None:
            with contextlib.suppress(StoreUnavailableError):  # then all is news, once it is back
                await self._changes.begin()

    async def recall(self) -> None:
        """Tell the detectors what they knew before the start, from the database."""
        since = round((wall() - RECALL_DAYS * 86_400) * 1000)
        try:
            count = await self.watching.recall(self._rows.calls(since, RECALL_CALLS))
        except StoreUnavailableError as error:  # there is none before the first start
            self._alarm("use.not_recalled", {"reason": str(error)})
        else:
            self._alarm("use.recalled", {"calls": count})

    def on_events(self, events: Sequence[Event]) -> None:
        """What the machines note: somebody must be told of some."""
        self._use_cases.outages(events)
        # On a shared database only the node that wrote a crossing first tells anybody (`gather`).
        self.watching.on_events(events)
        self._announce(events if self._gather is None else without_crossings(events))

    async def meet_deadlines(self) -> None:
        """Legal clocks, reminders, contracts whose day has come; called now and then. Of the nodes that
        share a database one does it, knowing what the others did."""
        places = self._use_cases.places
        places.reopen()
        if self._turn is not None:
            places.may_remind = await self._turn.is_ours()
        if not places.may_remind:
            return
        if self._hearing is not None and not await self._hearing.look():
            return
        self._use_cases.outages.tell()
        await self.cases.meet_deadlines()
        self._use_cases.contract.meet_days()
        self._use_cases.contract.hold_numbers()
        places.remind()

    def _announce(self, events: Sequence[Event]) -> None:
        self.ledger(events)
        self.ladders(events)

    def _keep(self, record: bytes) -> None:
        self._exchange.outbox.journal.append(record)  # the list is a new one after each wake-up

    def _account_of(self, line: str) -> str:
        known = self._exchange.facts.lines.get(line)
        return known.account if known is not None else ""
