"""Outages of lines: since when a line was out of reach, until when, and why (terms 1(a)(b), 2(r), 8, 13(h)).

A line that had phones is out when none of them can be reached any more, and a line's device when the
broker tells its last will. A phone that logs off by itself is no outage, nor is one that its operator shut
out. Each is a journal record `outage` and, by the writer, a row. An operator may say later what was behind
one (a power cut, force majeure); nothing follows from it but what is on file, because the terms give no
credit for an outage.

A customer is told of one that lasts, once a day at most, and then of its end. Of nodes that share a database
each knows the outages of all: a phone that comes back on another node than it left ends the outage there.
Times are UTC milliseconds.
Deliberately absent: how a lost phone is noticed (registrar/qualify.py, provisioning/reports.py), and the
times at which this switch itself was down.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

import orjson

from switch.sip.outbox import Outbox

KIND: Final = "outage"
CLAUSE: Final = "1(a)"
_DAY_MS: Final = 86_400_000

Record = Mapping[str, Any]
Event = tuple[str, Mapping[str, Any]]


class Cause(StrEnum):
    """How an outage was seen."""

    KEEP_ALIVE = "keep_alive"  # the phone stopped answering
    EXPIRED = "expired"  # it didn't register again in time
    CONNECTION = "connection"  # its connection ended
    WILL = "will"  # its device's last will


class Reason(StrEnum):
    """What a person says was behind it."""

    INTERNET = "internet"
    POWER = "power"
    HARDWARE = "hardware"
    MAINTENANCE = "maintenance"
    CARRIER = "carrier"
    FORCE_MAJEURE = "force_majeure"


_HEARD: Final = frozenset({
    "binding.lost", "binding.flow_lost", "binding.removed", "binding.added", "binding.back",
    "device.offline", "device.online",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage; `until` None while it lasts, `told_at` when its customer was told. `reason`, "" until
    somebody gives one, `by` and `because` are of the person who explained it."""

    id: str
    line: str
    account: str
    since: int
    cause: Cause
    changed_at: int
    until: int | None = None
    told_at: int | None = None
    reason: str = ""
    by: str = ""
    because: str = ""

    def record(self) -> dict[str, Any]:
        """The journal's record and the row."""
        return {"k": KIND, **asdict(self)}

    @classmethod
    def of(cls, record: Record) -> Self:
        """Read a record back. Raises KeyError or ValueError for what is none."""
        fields = {name: record[name] for name in cls.__slots__}
        return cls(**{**fields, "cause": Cause(record["cause"])})


class Outages:
    """The outages that last, and those that were told of within a day.

    `account_of` tells the account of a line ("" for an unknown one), `is_reachable` whether one of its
    phones is there, `now_ms` the time. `tell_after_ms` gives how long one lasts until its customer is
    told; 0 = nobody is.
    """

    def __init__(
        self,
        outbox: Outbox,
        account_of: Callable[[str], str],
        is_reachable: Callable[[str], bool],
        now_ms: Callable[[], int],
        tell_after_ms: Callable[[], int],
    ) -> None:
        self._outbox = outbox
        self._account_of = account_of
        self._is_reachable = is_reachable
        self._now_ms = now_ms
        self._tell_after_ms = tell_after_ms
        self._open: dict[str, Outage] = {}
        self._told: dict[str, int] = {}

    def __call__(self, events: Sequence[Event]) -> None:
        """Take what registrar and provisioning note."""
        for name, fields in events:
            if name in _HEARD:
                self._hear(name, fields)

    def open(self) -> list[Outage]:
        """Those that last, oldest first."""
        return sorted(self._open.values(), key=lambda outage: (outage.since, outage.line))

    def explain(self, outage: Outage, reason: Reason, by: str, because: str) -> Outage:
        """A person says what was behind it; `outage` is as the database has it, or newer."""
        known = self._open.get(outage.line)
        is_open = known is not None and known.id == outage.id
        outage = known if known is not None and is_open else outage
        outage = replace(outage, reason=reason.value, by=by, because=because)
        return self._keep(outage) if is_open else self._write(outage)

    def tell(self) -> None:
        """Have the customers told whose line has been out for long; called now and then."""
        now, after = self._now_ms(), self._tell_after_ms()
        self._told = {line: at for line, at in self._told.items() if now - at < _DAY_MS}
        if not after:
            return
        for outage in self.open():
            lasts = now - outage.since
            if outage.told_at is None and lasts >= after and outage.line not in self._told:
                self._told[outage.line] = now
                self._owe("outage", self._keep(replace(outage, told_at=now)))

    def restore(self, records: Iterable[Record]) -> None:
        """Take back those that last, in any order; one whose line is there again ended meanwhile."""
        found: dict[str, Outage] = {}
        for record in records:
            outage = self._read(record)
            if outage is None:
                continue
            known = found.get(outage.id)
            if known is None or known.changed_at <= outage.changed_at:
                found[outage.id] = outage
        for outage in sorted(found.values(), key=lambda outage: outage.since):
            if outage.told_at is not None:
                self._told[outage.line] = outage.told_at
            if outage.until is None:
                self._open[outage.line] = outage
                if self._is_reachable(outage.line):
                    self._end(outage.line)

    def hear(self, records: Iterable[Record]) -> None:
        """Take what other nodes say; those that last stay in this journal, too. A line that is in reach here
        ends its outage, and of two outages of one line the later is over before it began."""
        for record in records:
            outage = self._read(record)
            if outage is None:
                continue
            known = self._open.get(outage.line)
            is_same = known is not None and known.id == outage.id
            if is_same and known is not None and known.changed_at >= outage.changed_at:
                continue
            if outage.until is not None:
                if is_same:
                    self._forget(outage)
            elif known is not None and not is_same:
                later = max(known, outage, key=lambda each: (each.since, each.id))
                self._open[outage.line] = known if later is outage else outage
                self._write(replace(later, until=later.since))
            elif self._is_reachable(outage.line):
                self._open[outage.line] = outage
                self._end(outage.line)
            else:
                self._open[outage.line] = outage
                self._outbox.journal.append(orjson.dumps(outage.record()))

    def records(self) -> Iterator[bytes]:
        """Restate those that last, for the head of a new journal segment."""
        for outage in self._open.values():
            yield orjson.dumps(outage.record())

    # -- inside --------------------------------------------------------------------------------

    def _read(self, record: Record) -> Outage | None:
        if record.get("k") != KIND:
            return None
        try:
            return Outage.of(record)
        except (KeyError, TypeError, ValueError) as error:
            line = record.get("line")
            self._outbox.note("outage.unreadable", line=line, reason=repr(error))
            return None

    def _forget(self, outage: Outage) -> None:
        """Another node ended it; who was told of it is remembered."""
        del self._open[outage.line]
        self._outbox.journal.append(orjson.dumps(outage.record()))
        if outage.told_at is not None:
            self._told[outage.line] = outage.told_at

    def _hear(self, name: str, fields: Mapping[str, Any]) -> None:
        match name:
            case "binding.lost":
                self._lost(fields["aor"], Cause.KEEP_ALIVE)
            case "binding.flow_lost":
                self._lost(fields["aor"], Cause.CONNECTION)
            case "binding.removed" if fields["why"] == "expired":
                self._lost(fields["aor"], Cause.EXPIRED)
            case "device.offline":
                self._begin(fields["line"], Cause.WILL)
            case "device.online":
                outage = self._open.get(fields["line"])
                if outage is not None and outage.cause is Cause.WILL:
                    self._end(outage.line)
            case "binding.added" | "binding.back" | "binding.removed":
                # It is there again, left by itself, or was shut out; one that made room is none of these.
                if fields.get("why") != "replaced":
                    self._end(fields["aor"])

    def _lost(self, line: str, cause: Cause) -> None:
        if not self._is_reachable(line):
            self._begin(line, cause)

    def _begin(self, line: str, cause: Cause) -> None:
        account = self._account_of(line)
        if line not in self._open and account:
            now = self._now_ms()
            self._keep(Outage(f"{line}-{now}", line, account, now, cause, now))

    def _end(self, line: str) -> None:
        outage = self._open.get(line)
        if outage is None:
            return
        outage = self._keep(replace(outage, until=max(self._now_ms(), outage.since)))
        if outage.told_at is not None:
            self._owe("outage_over", outage)

    def _keep(self, outage: Outage) -> Outage:
        outage = self._write(outage)
        if outage.until is None:
            self._open[outage.line] = outage
        else:
            del self._open[outage.line]
        return outage

    def _write(self, outage: Outage) -> Outage:
        outage = replace(outage, changed_at=max(self._now_ms(), outage.changed_at + 1))
        self._outbox.journal.append(orjson.dumps(outage.record()))
        return outage

    def _owe(self, kind: str, outage: Outage) -> None:
        self._outbox.note(
            "notice.due",
            kind=kind,
            id=f"{kind} {outage.id}",
            line=outage.line,
            account=outage.account,
            audience="customer",
            clause=CLAUSE,
            fields={"minutes": (self._now_ms() - outage.since) // 60_000},
        )
