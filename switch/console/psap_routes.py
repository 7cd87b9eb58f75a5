"""`emergency.routes.*`: checking, comparing and importing the emergency routing table; what is in force.

Reading a table of all communes takes a second and is done beside the loop. A new one is compared with
the one in force, refused when it covers too much less, kept on disk, and only then swapped in memory in
one step. A table that can't be read leaves its trunks with profile A, and an alarm: never a refusal.
"""

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from switch.call.exchange import Exchange
from switch.clock import wall
from switch.console.commands import Args, CommandRefused, UseCase
from switch.facts import geography
from switch.routing.dialplan import EMERGENCY_ROUTE
from switch.routing.psap_table import (
    NO_TABLE,
    PsapTable,
    PsapTableError,
    TableDiff,
    compare,
    department,
    read_table,
)
from switch.store.alarm import Alarm
from switch.store.psap_tables import PsapTables

SAMPLES: Final = 10  # rows that a comparison shows of each kind


class PsapRoutes:
    """The table of one exchange and its versions on disk. `max_shrink` is the setting in force."""

    def __init__(
        self, exchange: Exchange, tables: PsapTables, max_shrink: Callable[[], float], alarm: Alarm
    ) -> None:
        self._exchange = exchange
        self._tables = tables
        self._max_shrink = max_shrink
        self._alarm = alarm
        self._broken = ""
        self._told = ""
        self._one_at_a_time = asyncio.Lock()

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "emergency.routes.check": self.check,
            "emergency.routes.diff": self.diff,
            "emergency.routes.import": self.take_over,
            "emergency.routes.show": self.show,
        }

    def load(self) -> None:
        """Take the version in force from disk, at the start."""
        try:
            self._exchange.psap = self._tables.load()
            self._broken = ""
        except (PsapTableError, OSError) as error:
            self._exchange.psap = NO_TABLE
            self._broken = str(error)
        self.judge()

    def judge(self) -> None:
        """Raise the alarm if calls miss the table, or clear it: after each change of table or trunks."""
        reason = self._broken
        if not reason and not self._exchange.psap.version and self._is_wanted():
            reason = "a trunk has profile B, and no table was imported"
        if reason == self._told:
            return
        self._told = reason
        if reason:
            self._alarm("emergency.routes_unusable", {"reason": reason})
        else:
            version = self._exchange.psap.version
            self._alarm("emergency.routes_loaded", {"version": version})

    # -- commands ------------------------------------------------------------------------------

    async def check(self, args: Args) -> object:
        """What a file covers, and every error in it. Never refuses."""
        try:
            _, table = await asyncio.to_thread(self._read, args)
        except PsapTableError as error:
            rows = [{"line": line, "message": message} for line, message in error.problems]
            return {"errors": rows, "entries": 0, "numbers": [], "unknown_insee": []}
        except OSError as error:
            message = error.strerror or str(error)
            return {"errors": [{"line": 0, "message": message}], "entries": 0}
        return {"errors": [], **await asyncio.to_thread(_coverage, table)}

    async def diff(self, args: Args) -> object:
        """What an import of the file would change, and whether it would be refused."""
        _, table = await self._readable(args)
        found = await asyncio.to_thread(compare, self._exchange.psap, table)
        return _shown(found, self._exchange.psap, found.refusal(self._allowed(args)))

    async def take_over(self, args: Args) -> object:
        """Import a file: compared, kept, swapped."""
        async with self._one_at_a_time:
            content, table = await self._readable(args)
            old = self._exchange.psap
            found = await asyncio.to_thread(compare, old, table)
            if refusal := found.refusal(self._allowed(args)):
                raise CommandRefused("routes_shrink", refusal)
            if table.digest == old.digest:
                raise CommandRefused("unchanged", f"version {old.version} is this very table")
            facts: dict[str, object] = {
                "at": round(wall() * 1000),
                "by": str(args.get("by") or "operator"),
                "source": Path(str(args["path"])).name,
            }
            try:
                new = await asyncio.to_thread(self._tables.add, content, table, facts)
            except OSError as error:
                raise CommandRefused("store_unavailable", str(error)) from None
            self._exchange.psap = new
            self._broken = ""
            self.judge()
            return {"version": new.version, "entries": len(new), **_shown(found, old, "")}

    async def show(self, args: Args) -> object:
        """The table in force, or the long number of one commune."""
        table = self._exchange.psap
        number, insee = args.get("number"), args.get("insee")
        if (number is None) != (insee is None):
            raise CommandRefused("bad_args", "number and insee go together")
        if number is not None:
            found = table.find(str(number), str(insee))
            return {
                "version": table.version,
                "number": number,
                "insee": insee,
                "long_number": found,
            }
        try:
            known = self._tables.current()
        except PsapTableError:
            known = {}
        return {
            "version": table.version,
            "digest": table.digest,
            "imported_at": known.get("at"),
            "by": known.get("by"),
            "source": known.get("source"),
            "kept": self._tables.versions(),
            "problem": self._told or None,
            **await asyncio.to_thread(_coverage, table),
        }

    # -- inside --------------------------------------------------------------------------------

    def _numbers(self) -> Collection[str]:
        return [entry.number for entry in self._exchange.rules.emergency.numbers]

    def _read(self, args: Args) -> tuple[bytes, PsapTable]:
        content = Path(str(args["path"])).read_bytes()
        return content, read_table(content, self._numbers())

    async def _readable(self, args: Args) -> tuple[bytes, PsapTable]:
        try:
            return await asyncio.to_thread(self._read, args)
        except PsapTableError as error:
            raise CommandRefused("bad_routes", str(error)) from None
        except OSError as error:
            raise CommandRefused("bad_routes", f"{args['path']}: {error.strerror}") from None

    def _allowed(self, args: Args) -> float:
        """The share of the table that may be lost."""
        asked = args.get("max_shrink")
        return float(asked) if isinstance(asked, int | float) else self._max_shrink()

    def _is_wanted(self) -> bool:
        route = self._exchange.routes.get(EMERGENCY_ROUTE)
        trunks = self._exchange.trunks.by_id
        hops = route.hops if route is not None else ()
        return any(trunks[hop.trunk].carrier.profile == "B" for hop in hops if hop.trunk in trunks)


def _coverage(table: PsapTable) -> dict[str, object]:
    """How much a table covers, and codes in it that are no commune of today."""
    codes = {insee for rows in table.long_numbers.values() for insee in rows}
    strange = sorted(code for code in codes if not _is_current(code))
    return {
        "entries": len(table),
        "communes": len(codes),
        "numbers": [
            {
                "number": number,
                "communes": len(rows),
                "departements": len({department(insee) for insee in rows}),
                "centres": len(set(rows.values())),
            }
            for number, rows in sorted(table.long_numbers.items())
        ],
        "unknown_insee": strange[:SAMPLES],
    }


def _is_current(insee: str) -> bool:
    place = geography.find(insee)
    return place is not None and place.is_current


def _shown(found: TableDiff, old: PsapTable, refusal: str) -> dict[str, object]:
    """A comparison as commands show it: counts, and the first rows of each kind."""
    return {
        "compared_with": old.version,
        "added": len(found.added),
        "removed": len(found.removed),
        "changed": len(found.changed),
        "lost_share": round(found.lost_share, 4),
        "lost_departements": [" ".join(pair) for pair in found.lost_departments[:SAMPLES]],
        "refusal": refusal or None,
        "removed_first": [" ".join(pair) for pair in found.removed[:SAMPLES]],
        "changed_first": [
            f"{' '.join(pair)} {before} -> {after}"
            for pair, (before, after) in sorted(found.changed.items())[:SAMPLES]
        ],
    }
