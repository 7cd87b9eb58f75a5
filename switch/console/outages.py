"""The use cases behind `vigie outage`: when lines were out of reach, and what was behind it.

Deliberately absent: credits, which the terms don't give (2(h), 4(f)(i)).
"""

from collections.abc import Callable
from typing import Any, Protocol

from switch.console.commands import Args, CommandRefused, UseCase
from switch.store.read import StoreUnavailableError
from switch.terms.outages import Outage, Outages, Reason


class OutageRows(Protocol):
    """What is asked of the database."""

    async def outages(self, line: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """Outages that began since then, of a line if given, as records, oldest first."""

    async def outage(self, id_: str) -> dict[str, Any] | None:
        """One outage, as a record."""


class OutageDesk:
    """Over the outages of a node."""

    def __init__(self, outages: Outages, rows: OutageRows, perform: Callable[[], None]) -> None:
        self._outages = outages
        self._rows = rows
        self._perform = perform

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {"outage.list": self.list, "outage.explain": self.explain}

    async def list(self, args: Args) -> object:
        """Outages of a line or of all, oldest first; those that last have no end."""
        line, since = args.get("line"), args.get("since")
        rows = self._rows.outages(
            None if line is None else str(line), since if isinstance(since, int) else 0
        )
        try:
            return [_shown(Outage.of(row)) for row in await rows]
        except StoreUnavailableError as error:
            raise CommandRefused("store_unavailable", str(error)) from None

    async def explain(self, args: Args) -> object:
        """A person says what was behind an outage: force majeure (8, 13(h)), a power cut, ..."""
        id_, reason = str(args["id"]), str(args["reason"])
        if reason not in list(Reason):
            raise CommandRefused("bad_args", f"--reason {reason}: one of {', '.join(Reason)}")
        try:
            row = await self._rows.outage(id_)
        except StoreUnavailableError as error:
            raise CommandRefused("store_unavailable", str(error)) from None
        if row is None:
            raise CommandRefused("unknown_outage", f"there is no outage {id_}")
        by, because = str(args.get("by") or "operator"), str(args.get("because") or "")
        told = self._outages.explain(Outage.of(row), Reason(reason), by, because)
        self._perform()
        return _shown(told)


def _shown(outage: Outage) -> dict[str, object]:
    shown = outage.record()
    del shown["k"], shown["changed_at"]
    return shown
