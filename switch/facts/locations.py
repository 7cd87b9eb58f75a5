"""The versions of all lines' registered locations, and which reminders about them are due.

A version is never changed but for its confirmation and its reminders, and none is ever dropped. Records
may come in any order and from several places (journal, database): of two about one version the later
counts. Deliberately absent: writing records, and telling anybody.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import chain

import orjson

from switch.facts.line import Line
from switch.facts.registered import Address, LocationState, Registered, Source

FILE = "file"  # who confirmed or changed what a file says


class Locations:
    """All versions, by line; `current` is the newest of each."""

    def __init__(self) -> None:
        self.current: dict[str, Registered] = {}
        self._versions: dict[str, list[Registered]] = {}  # by version and instant
        self._addresses: dict[tuple[object, ...], Address] = {}
        self._unconfirmed: set[str] = set()

    def keep(self, told: Registered) -> Registered:
        """Keep a version, unless more is known of it; the line's newest version."""
        told = self._sharing(told)
        versions = self._versions.setdefault(told.line, [])
        order = (told.version, told.at)
        place = bisect_left(versions, order, key=lambda each: (each.version, each.at))
        known = versions[place] if place < len(versions) else None
        if known is None or (known.version, known.at) != order:
            versions.insert(place, told)
        elif known.changed_at <= told.changed_at:
            versions[place] = told
        newest = self.current[told.line] = versions[-1]
        if newest.state is LocationState.UNCONFIRMED:
            self._unconfirmed.add(told.line)
        else:
            self._unconfirmed.discard(told.line)
        return newest

    def knows(self, told: Registered) -> bool:
        """Whether a version as it is told, or later, is here already."""
        return any(
            (known.version, known.at) == (told.version, told.at)
            and known.changed_at >= told.changed_at
            for known in self._versions.get(told.line, ())
        )

    def of(self, line: str) -> list[Registered]:
        """All versions of a line's location that are in memory, oldest first."""
        return list(self._versions.get(line, ()))

    def records(self) -> Iterator[bytes]:
        """All versions of all lines as records. The address of a building is written out once."""
        written: dict[int, orjson.Fragment] = {}
        for registered in chain.from_iterable(self._versions.values()):
            record = registered.record()
            key = id(registered.address)
            if key not in written:
                written[key] = orjson.Fragment(orjson.dumps(record["address"]))
            yield orjson.dumps({**record, "address": written[key]})

    def due(self, now: int) -> Iterator[tuple[Registered, int]]:
        """The versions of which the customer is to be reminded at UTC ms `now`, and the day."""
        for line in sorted(self._unconfirmed):
            registered = self.current[line]
            if (day := registered.due_day(now)) is not None:
                yield registered, day

    def _sharing(self, told: Registered) -> Registered:
        """Lines of one building share its address: ten thousand copies would take 20 MB."""
        if told.address is None:
            return told
        key = (told.address.insee, *sorted(told.address.civic.items()))
        shared = self._addresses.setdefault(key, told.address)
        return told if shared is told.address else replace(told, address=shared)


def sighted(line: Line, known: Registered | None, now: int) -> Registered | None:
    """The version that comes of a line as the files have it now, at UTC ms `now`; None for no news.

    The file's location is initial: it makes a version when the line is first seen and when the file
    changes it, but none any more once the store owns the location. A change of number or site has the
    customer asked again, whoever owns it.
    """
    if known is None:
        return _next(line, None, now, "line added")
    if (known.filed_site or line.filed_site) != line.filed_site:
        return _next(line, known, now, f"site changed from {known.filed_site} to {line.filed_site}")
    if (known.number or line.number) != line.number:
        return _next(line, known, now, f"number changed from {known.number} to {line.number}")
    if known.source is Source.STORE:
        return None
    if _address_of(line) != known.address:
        return _next(line, known, now, "address changed in the file")
    day = line.confirmed_on
    if known.confirmed_at is None and day is not None and day >= _day(known.at):
        return known.confirmed(FILE, _ms(day))
    return None


def _next(line: Line, known: Registered | None, now: int, why: str) -> Registered:
    """The version after `known`; a day in the file confirms it unless it is older than what it was."""
    place, owned = line.policy.location, line.life.is_located
    day = line.confirmed_on
    is_confirmed = day is not None and (known is None or day >= _day(known.at)) and not owned
    return Registered(
        line=line.id,
        version=1 if known is None else known.version + 1,
        at=now,
        address=_address_of(line),
        validated=place is not None and place.validated,
        source=Source.STORE if owned else Source.FILE,
        by=FILE,
        why=why,
        site=line.site,
        filed_site=line.filed_site,
        number=line.number,
        confirmed_at=_ms(day) if day is not None and is_confirmed else None,
        confirmed_by=FILE if is_confirmed else "",
        changed_at=now,
    )


def _address_of(line: Line) -> Address | None:
    place = line.policy.location
    return None if place is None else Address(place.insee, place.civic)


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()
