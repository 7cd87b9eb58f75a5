"""Exporting the feed of addresses and taking the receiver's answers (what it is: facts/feed.py).

The table is made in a thread, of facts that don't change under it: ten thousand rows take longer than a
call may wait.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.facts.feed import SET, Answer, Content, Feed, answer_record, table_of
from switch.facts.snapshot import Snapshot

Told = tuple[dict[str, Any], bytes]  # a record, and as it is written


class FeedDesk:
    """The use cases. `perform` does what a command led to: the records reach the journal."""

    def __init__(self, exchange: Exchange, feed: Feed, perform: Callable[[], None]) -> None:
        self._exchange = exchange
        self._feed = feed
        self._perform = perform
        self._one_at_a_time = asyncio.Lock()

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {"emergency.feed": self.export, "emergency.feed_ack": self.acknowledge}

    async def export(self, args: Args) -> object:
        """The whole feed, or what changed since a version. A change of the table makes a version."""
        since = args.get("since")
        async with self._one_at_a_time:
            feed, now = self._feed, self._now()
            rows, records = await asyncio.to_thread(self._compared, self._exchange.facts)
            self._update(records, now, str(args.get("by") or "operator"))
            if isinstance(since, int) and not 0 <= since <= feed.version:
                raise CommandRefused("bad_args", f"there is no version {since} yet")
            return {
                "version": feed.version,
                "hash": feed.hash,
                "at": now,
                "since": since,
                "changed": len(records),
                "rows": list(self._rows(rows, since)),
            }

    def acknowledge(self, args: Args) -> object:
        """What the receiver answered: of single numbers, or yes to a version (of some lines)."""
        counts = {"accepted": 0, "refused": 0, "stale": 0}
        unknown: list[str] = []
        for answer in self._answers(args):
            entry = self._feed.entries.get(answer.number)
            if entry is None or not 0 < answer.version <= self._feed.version:
                unknown.append(answer.number)
                continue
            record = answer_record(answer)
            self._feed.take(record)
            self._exchange.outbox.journal.append(orjson.dumps(record))
            is_stale = answer.version < entry.version
            counts["stale" if is_stale else "accepted" if answer.accepted else "refused"] += 1
        self._perform()
        return {**counts, "unknown": unknown}

    # -- inside --------------------------------------------------------------------------------

    def _compared(self, facts: Snapshot) -> tuple[dict[str, Content], list[Told]]:
        """The table as the facts are, and the records of what that changes in the feed."""
        rows = table_of(facts)
        return rows, [(record, orjson.dumps(record)) for record in self._feed.changes(rows)]

    def _update(self, records: list[Told], now: int, by: str) -> None:
        """Make the feed what the facts said; the first one is a version also when it is empty."""
        if self._feed.version and not records:
            return
        for record, _ in records:
            self._feed.take(record)
        header = self._feed.header(now, by)
        self._feed.take(header)
        self._exchange.outbox.journal.extend(written for _, written in records)
        self._exchange.outbox.journal.append(orjson.dumps(header))
        self._perform()

    def _rows(self, rows: Mapping[str, Content], since: object) -> Iterator[Content]:
        if isinstance(since, int):
            return self._feed.since(since, rows)
        return ({"operation": SET, **row} for row in rows.values())

    def _answers(self, args: Args) -> Iterator[Answer]:
        now, by = self._now(), str(args.get("by") or "operator")
        answers, version = args.get("answers"), args.get("version")
        if isinstance(answers, list):
            for each in answers:
                yield _answer(each, now, by)
            return
        if not isinstance(version, int):
            raise CommandRefused("bad_args", "give a version or answers")
        lines = args.get("lines")
        wanted = {str(line) for line in lines} if isinstance(lines, list) else None
        found = [
            Answer(entry.number, version, now, accepted=True, by=by)
            for entry in self._feed.entries.values()
            if (wanted is None or entry.line in wanted) and entry.version <= version
        ]
        if not found:
            raise CommandRefused("unknown_line", f"version {version} has no row of such a line")
        yield from found

    def _now(self) -> int:
        return round(self._exchange.wall(boottime()) * 1000)


def _answer(given: Any, now: int, by: str) -> Answer:
    try:
        return Answer(
            str(given["number"]),
            int(given["version"]),
            now,
            bool(given["accepted"]),
            str(given.get("reason") or ""),
            by,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CommandRefused("bad_args", f"an answer can't be read: {error!r}") from None
