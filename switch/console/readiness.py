"""What would go wrong with emergency calls, before anybody makes one: `emergency report`.

Lines that have no validated address, or one that the customer hasn't confirmed, phones that were seen
elsewhere, numbers that the emergency centres can't look up, carriers that aren't there. Nothing here
refuses anything: all these lines' emergency calls go through.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from policy.emergency import place
from policy.model import LineState
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.console.commands import Args, UseCase
from switch.console.line_life import LineLives
from switch.console.place_view import one_line
from switch.console.places import Places
from switch.facts import address
from switch.facts.feed import Content, table_of
from switch.facts.line import Line
from switch.facts.registered import DAY_MS, LocationState
from switch.facts.snapshot import Snapshot
from switch.routing.dialplan import EMERGENCY_ROUTE

Row = dict[str, Any]
# The parts of the report that are about lines, in the order of how bad they are.
PARTS = (
    *("without_address", "unconfirmed", "moved", "not_in_service"),
    *("not_acknowledged", "trunks"),
)


class Readiness:
    """The report, over one exchange and the lives of its lines."""

    def __init__(self, exchange: Exchange, lives: LineLives, places: Places) -> None:
        self._exchange = exchange
        self._lives = lives
        self._places = places

    def table(self) -> dict[str, UseCase]:
        """The command by name."""
        return {"emergency.report": self.report}

    async def report(self, args: Args) -> object:
        """All that is to be mended. In a thread, as far as it looks at every line."""
        facts, now = self._exchange.facts, round(self._exchange.wall(boottime()) * 1000)
        lines, found = await asyncio.to_thread(self._of_lines, facts, now)
        found["moved"] = list(self._moved(facts))
        found["trunks"] = list(self._trunks())
        amiss = {row["line"] for part in PARTS[:4] for row in found[part]}
        counts = {"lines": len(lines), "ready": len(lines) - len(amiss)}
        return {
            "at": now,
            **counts,
            "feed_version": self._lives.feed.version,
            **{part: found[part] for part in PARTS},
            "summary": _summary(counts, found),
        }

    def _of_lines(self, facts: Snapshot, now: int) -> tuple[list[Line], dict[str, list[Row]]]:
        lines = [line for line in facts.lines.values() if line.state is not LineState.TERMINATED]
        return lines, {
            "without_address": [row for line in lines for row in self._without_address(line)],
            "unconfirmed": [row for line in lines for row in self._unconfirmed(line, now)],
            "not_in_service": [
                {**_named(line), "lack": "its device hasn't acknowledged the location"}
                for line in lines
                if not line.policy.in_service
            ],
            "not_acknowledged": list(self._not_acknowledged(table_of(facts))),
        }

    # -- lines ---------------------------------------------------------------------------------

    def _without_address(self, line: Line) -> Iterator[Row]:
        """Lines whose emergency calls carry somebody else's address, or one that fits no longer."""
        own = line.policy.location
        sent, is_own = place(line.policy)
        if not is_own:
            of = "default" if sent is line.policy.default_location else "site"
            yield {**_named(line), "why": _why(line), "sends": sent.insee, "of": of}
        elif own is not None and (wrong := address.problems(own.insee, own.civic)):
            # It was right when it was registered: communes merge, and the table is a newer one.
            why = "; ".join(each.message for each in wrong)
            yield {**_named(line), "why": why, "sends": own.insee, "of": "line"}

    def _unconfirmed(self, line: Line, now: int) -> Iterator[Row]:
        registered = self._places.registered(line)
        if registered is None or self._places.state_of(line) is not LocationState.UNCONFIRMED:
            return
        yield {
            **_named(line),
            "version": registered.version,
            "since": registered.at,
            "age_days": (now - registered.at) // DAY_MS,
            "reminded": list(registered.reminded),
            "address": one_line(registered.address.civic) if registered.address else "",
        }

    def _moved(self, facts: Snapshot) -> Iterator[Row]:
        """Phones that were last seen abroad, or in France on a network that is new."""
        for line_id, seen in self._exchange.sightings.marked():
            line = facts.lines.get(line_id)
            for kind, mark in (("abroad", seen.abroad), ("moved_in_fr", seen.moved)):
                if line is not None and line.state is not LineState.TERMINATED and mark is not None:
                    where = {"kind": kind, "since": mark.since_ms, "value": mark.value}
                    yield {**_named(line), **where, "source": mark.source}

    def _not_acknowledged(self, rows: Mapping[str, Content]) -> Iterator[Row]:
        feed = self._lives.feed
        for number, content in rows.items():
            if lack := feed.lack(number, content):
                yield {"line": content["line"], "number": number, "lack": lack}
        for entry in feed.deletions():
            if entry.number not in rows and (lack := feed.lack(entry.number, None)):
                yield {"line": entry.line, "number": entry.number, "lack": f"deleted, {lack}"}

    # -- carriers ------------------------------------------------------------------------------

    def _trunks(self) -> Iterator[Row]:
        """Carriers that emergency calls lack; only the running switch knows which are down."""
        exchange = self._exchange
        route = exchange.routes.get(EMERGENCY_ROUTE)
        used = [hop.trunk for hop in route.hops] if route is not None else []
        if not used:
            yield {"trunk": "", "lack": "the emergency route has no trunk"}
        if len(used) == 1:
            yield {"trunk": used[0], "lack": "the only one: nothing takes over when it fails"}
        for name, trunk in exchange.trunks.by_id.items():
            if name not in used:
                yield {"trunk": name, "lack": "not in the emergency route"}
            elif not trunk.is_up:
                yield {"trunk": name, "lack": f"down: {trunk.reason or 'no answer yet'}"}


def _named(line: Line) -> Row:
    return {"line": line.id, "number": line.number, "account": line.account}


def _why(line: Line) -> str:
    own = line.policy.location
    if own is None:
        return "no address is registered"
    wrong = address.problems(own.insee, own.civic)
    return "; ".join(each.message for each in wrong) or "marked as not validated"


def _summary(counts: Mapping[str, int], found: Mapping[str, list[Row]]) -> str:
    told = (
        f"{len(found['without_address'])} without a validated address",
        f"{len(found['unconfirmed'])} unconfirmed",
        f"{len(found['moved'])} seen elsewhere",
        f"{len(found['not_in_service'])} whose device lacks the location",
        f"{len(found['not_acknowledged'])} numbers not acknowledged in the feed",
        f"{len(found['trunks'])} remarks on carriers",
    )
    return f"{counts['lines']} lines in service, {counts['ready']} ready: {', '.join(told)}"
