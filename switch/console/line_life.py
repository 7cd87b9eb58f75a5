"""What the store owns of a line's life: its state and its registered location, taken back at a start.

A change swaps the facts whole and leaves a journal record, so that neither a reload nor a restart
undoes it; the feed of addresses is kept alongside. Configuration files hold only what is initial. Of
two records about the same thing the later one counts, wherever it was kept (journal, database). What a
new location must be like is said in `places`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import orjson

from policy.model import LineState
from policy.on_file import File
from switch.call.exchange import Exchange
from switch.console.commands import CommandRefused
from switch.facts import feed
from switch.facts.feed import Feed
from switch.facts.line import UNCHANGED, LineLife
from switch.facts.locations import Locations
from switch.facts.registered import Registered, registered_of
from switch.facts.settings import Plan
from switch.facts.snapshot import Snapshot

Build = Callable[[Mapping[str, LineLife]], Snapshot]
Record = Mapping[str, object]
STATE, LOCATION, SECRET = "line_state", "location", "line_secret"  # the kinds of records


class LineLives:
    """The lives of all lines that anything happened to."""

    def __init__(self, exchange: Exchange, build: Build) -> None:
        self._exchange = exchange
        self._build = build
        self._states: dict[str, dict[str, object]] = {}  # the last record of each line
        self._secrets: dict[str, dict[str, object]] = {}
        self.lives: dict[str, LineLife] = {}
        self.locations = Locations()
        self.feed = Feed()
        self.swapped: Callable[[], None] = lambda: None

    def restore(self, records: Iterable[Record]) -> None:
        """Take the records of the journal and of the database back, in any order."""
        for record in records:
            if record.get("k") in (STATE, LOCATION, SECRET, *feed.KINDS):
                self._take(dict(record))
        if self.lives:
            self.swap()

    def change(self, line: str, state: LineState, ground: str, by: str, at_ms: int) -> None:
        """Put a line into a state; refuses one that it is in already, and to leave termination."""
        known = self._exchange.facts.lines.get(line)
        if known is None:
            raise CommandRefused("unknown_line", f"there is no line {line}")
        if known.state is state:
            raise CommandRefused("unchanged", f"line {line} is {state.value} already")
        if known.state is LineState.TERMINATED:
            raise CommandRefused("terminated", f"line {line} is terminated for good")
        last = self._states.get(line)
        if last is not None:  # also when the wall clock was set back, or another node's is ahead
            at_ms = max(at_ms, round(_number(last["at"])) + 1)
        record: dict[str, object] = {
            "k": STATE,
            "line": line,
            "state": state.value,
            "clause": ground,
            "by": by,
            "at": at_ms,
        }
        self._take(record)
        self._exchange.outbox.journal.append(orjson.dumps(record))
        self._exchange.outbox.note("line.state", line=line, state=state.value, clause=ground, by=by)
        self.renew(line)
        self._shut_out(line)

    def hear(self, records: Iterable[Record]) -> list[Record]:
        """Take what another node changed of lines, and put it in force; what of it was news."""
        news = [record for record in records if self._take(dict(record), only_news=True)]
        self._exchange.outbox.journal.extend(map(orjson.dumps, news))
        self.renew(*{str(record["line"]) for record in news})
        for record in news:
            if record["k"] == STATE:
                self._shut_out(str(record["line"]))
        return news

    def follow(self, files: Mapping[str, File]) -> None:
        """Put in force what is on file of contracts beside the state: plan, limit, blocked numbers."""
        changed = []
        for line, file in files.items():
            before = self.lives.get(line, UNCHANGED)
            plan: Plan | None = "per_minute" if file.is_per_minute else None
            life = replace(before, plan=plan, channels=file.channels, blocked=file.blocked)
            if life != before:
                self.lives[line] = life
                changed.append(line)
        self.renew(*(line for line in changed if line in self._exchange.facts.lines))

    def register(self, registered: Registered) -> None:
        """Keep a version of a line's location for good; `renew` puts it in force."""
        self._keep_location(self.locations.keep(registered))
        self._exchange.outbox.journal.append(orjson.dumps(registered.record()))

    def keep_secret(
        self, line: str, ha1: Mapping[str, str], next_ha1: Mapping[str, str], at_ms: int
    ) -> None:
        """Another secret of a line: `ha1` is in force (empty: the file's), `next_ha1` accepted beside it
        until it is used."""
        record = {
            "k": SECRET,
            "line": line,
            "ha1": dict(ha1),
            "next_ha1": dict(next_ha1),
            "at": at_ms,
        }
        self._take(record)
        self._exchange.outbox.journal.append(orjson.dumps(record))
        self.renew(line)

    def acknowledge(self, told: Mapping[str, bool]) -> None:
        """Which lines' devices have acknowledged the newest location; derived, so it isn't kept."""
        changed = {line: each for line, each in told.items() if self._differs(line, each)}
        for line, is_acknowledged in changed.items():
            life = self.lives.get(line, UNCHANGED)
            self.lives[line] = replace(life, is_acknowledged=is_acknowledged)
        if changed:
            self.renew(*changed)

    def _differs(self, line: str, is_acknowledged: bool) -> bool:
        is_ours = line in self._exchange.facts.lines
        return is_ours and self.lives.get(line, UNCHANGED).is_acknowledged is not is_acknowledged

    def records(self) -> Iterator[bytes]:
        """Restate every life as it was told, for the head of a new journal segment."""
        for record in (*self._states.values(), *self._secrets.values()):
            yield orjson.dumps(record)
        yield from self.locations.records()
        for told in self.feed.records():
            yield orjson.dumps(told)

    def swap(self) -> None:
        """Build the facts anew and use them from now on."""
        self.use(self._build(self.lives))

    def renew(self, *lines: str) -> None:
        """Use the facts with what happened to these lines from now on."""
        if lines:
            self.use(self._exchange.facts.renewed({line: self.lives[line] for line in lines}))

    def use(self, facts: Snapshot) -> None:
        """Use facts that were built with these lives."""
        self._exchange.facts = facts
        self._exchange.authenticator.use(facts.ha1, facts.next_ha1)
        self.swapped()

    def _shut_out(self, line: str) -> None:
        """A line that is at its end, or in a thief's hands, is registered nowhere."""
        if self.lives[line].state in (LineState.TERMINATED, LineState.STOLEN):
            self._exchange.registrar.remove(line)

    def _take(self, record: dict[str, object], *, only_news: bool = False) -> bool:
        """Keep a record unless a later one about the same is known (or this very one, with `only_news`),
        or nobody can read it; whether it was kept."""
        kind, line = str(record["k"]), str(record.get("line"))
        try:
            if kind in feed.KINDS:
                self.feed.take(record)
            elif kind == LOCATION:
                told = registered_of(record)
                if only_news and self.locations.knows(told):
                    return False
                self._keep_location(self.locations.keep(told))
            else:
                last = (self._secrets if kind == SECRET else self._states).get(line)
                if last is not None and _is_old(record, last, only_news):
                    return False
                take = self._take_secret if kind == SECRET else self._take_state
                take(line, record)
        except (KeyError, TypeError, ValueError) as error:
            self._exchange.outbox.note("line.unreadable", line=line, kind=kind, reason=repr(error))
            return False
        return True

    def _take_state(self, line: str, record: dict[str, object]) -> None:
        life, state = self.lives.get(line, UNCHANGED), LineState(str(record["state"]))
        self.lives[line] = replace(life, state=state, ground=str(record.get("clause") or ""))
        self._states[line] = record

    def _take_secret(self, line: str, record: dict[str, object]) -> None:
        life = self.lives.get(line, UNCHANGED)
        ha1, coming = (_texts(record[name]) for name in ("ha1", "next_ha1"))
        self.lives[line] = replace(life, ha1=ha1, next_ha1=coming)
        self._secrets[line] = record

    def _keep_location(self, newest: Registered) -> None:
        life = self.lives.get(newest.line, UNCHANGED)
        self.lives[newest.line] = replace(life, registered=newest)


def _is_old(record: Record, last: Record, only_news: bool) -> bool:
    at, known = _number(record["at"]), _number(last["at"])
    return at < known or (only_news and at == known)


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError("expected an object")
    return {str(key): str(text) for key, text in value.items()}


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0
