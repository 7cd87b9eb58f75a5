"""What the store owns of a line's life: its state and its registered location, taken back at a start.

A change swaps the facts whole and leaves a journal record, so that neither a reload nor a restart
undoes it. Configuration files hold only what is initial. Of two records about the same thing the
later one counts, wherever it was kept (journal, database).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import orjson

from policy.model import LineState, Location
from switch.call.exchange import Exchange
from switch.console.commands import CommandRefused
from switch.facts.line import UNCHANGED, LineLife
from switch.facts.snapshot import Snapshot

Build = Callable[[Mapping[str, LineLife]], Snapshot]
Record = Mapping[str, object]

# What orders two records about the same thing, by their kind.
_ORDERED_BY = {"line_state": "at", "location": "version"}


class LineLives:
    """The lives of all lines that anything happened to."""

    def __init__(self, exchange: Exchange, build: Build) -> None:
        self._exchange = exchange
        self._build = build
        self._last: dict[tuple[str, str], dict[str, object]] = {}  # by kind and line
        self.lives: dict[str, LineLife] = {}

    def restore(self, records: Iterable[Record]) -> None:
        """Take the records of the journal and of the database back, in any order."""
        for record in records:
            if record.get("k") in _ORDERED_BY:
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
        record: dict[str, object] = {
            "k": "line_state",
            "line": line,
            "state": state.value,
            "clause": ground,
            "by": by,
            "at": at_ms,
        }
        self._last.pop(("line_state", line), None)  # also when the wall clock was set back
        self._take(record)
        self._exchange.outbox.journal.append(orjson.dumps(record))
        self._exchange.outbox.note("line.state", line=line, state=state.value, clause=ground, by=by)
        self.swap()
        if state in (LineState.TERMINATED, LineState.STOLEN):
            self._exchange.registrar.remove(line)

    def records(self) -> Iterator[bytes]:
        """Restate every life as it was told, for the head of a new journal segment."""
        for record in self._last.values():
            yield orjson.dumps(record)

    def swap(self) -> None:
        """Build the facts anew and use them from now on."""
        self.use(self._build(self.lives))

    def use(self, facts: Snapshot) -> None:
        """Use facts that were built with these lives."""
        self._exchange.facts = facts
        self._exchange.authenticator.use(facts.ha1)

    def _take(self, record: dict[str, object]) -> None:
        """Keep a record unless a later one about the same is known, or nobody can read it."""
        kind, line = str(record["k"]), str(record["line"])
        order = _ORDERED_BY[kind]
        last = self._last.get((kind, line))
        if last is not None and _number(last[order]) > _number(record[order]):
            return
        life = self.lives.get(line, UNCHANGED)
        try:
            told = _state(life, record) if kind == "line_state" else _place(life, record)
        except (KeyError, TypeError, ValueError) as error:
            self._exchange.outbox.note("line.unreadable", line=line, kind=kind, reason=repr(error))
            return
        self.lives[line] = told
        self._last[kind, line] = record


def _state(life: LineLife, record: Record) -> LineLife:
    state = LineState(str(record["state"]))
    return replace(life, state=state, ground=str(record.get("clause") or ""))


def _place(life: LineLife, record: Record) -> LineLife:
    """A registered location; an empty address says that there is none."""
    address = record["address"]
    if not address:
        return replace(life, location=None, is_located=True)
    if not isinstance(address, Mapping):
        raise TypeError("an address is an object")
    place = Location(
        str(address["insee"]),
        dict(address["civic"]),
        int(_number(record["version"])),
        validated=bool(record.get("validated")),
        confirmed=record.get("confirmed_at") is not None,
    )
    return replace(life, location=place, is_located=True)


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0
