"""Where the phones of all lines are, as far as anybody said or saw; kept by the journal.

A record tells one thing about one line as it stands, so a later one replaces it. Instants are kept as
seconds before the record, and the record carries boot id, boottime and UTC: after a restart on the
same boot they are as old as boottime says, after a reboot as old as UTC says. What repeats is written
coarsely: a device's report when it changes or every REPORT_S, a network once a day.

Deliberately absent: the database (a lost journal costs evidence, and without evidence calls connect),
and what the evidence means, which is `policy.emergency`'s.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from switch.facts.whereabouts import (
    NOWHERE,
    Declaration,
    DeviceReport,
    Mark,
    SeenNetwork,
    Whereabouts,
    learn,
)
from switch.sip.outbox import Outbox

REPORT_S: Final = 300.0
KINDS: Final = ("declared", "device_report", "usual", "mark")
Record = Mapping[str, Any]


class Sightings:
    """The whereabouts of every line that anything is known of. `wall` gives UTC seconds for a
    boottime; `boot_id` names this boot of the machine."""

    def __init__(self, outbox: Outbox, wall: Callable[[float], float], boot_id: str = "") -> None:
        self._outbox = outbox
        self._wall = wall
        self._boot_id = boot_id
        self._by_line: dict[str, Whereabouts] = {}
        self._reported: dict[str, float] = {}  # when a line's report was last written

    def of(self, line: str | None) -> Whereabouts:
        """What is known of a line; NOWHERE when nothing is."""
        return self._by_line.get(line or "", NOWHERE)

    def marked(self) -> Iterator[tuple[str, Whereabouts]]:
        """Lines that are registered from abroad or from a new French network."""
        for line, seen in self._by_line.items():
            if seen.abroad is not None or seen.moved is not None:
                yield line, seen

    def declare(self, line: str, declared: Declaration | None, now: float) -> None:
        """The customer says where the phone is; None takes that back."""
        self._by_line[line] = replace(self.of(line), declared=declared)
        self._write(line, "declared", now)

    def report(self, line: str, report: DeviceReport, now: float) -> None:
        """A device says where it is. An older report than the one known changes nothing."""
        before = self.of(line).device
        if before is not None and report.at < before.at:
            return
        self._by_line[line] = replace(self.of(line), device=report)
        if (
            before is None
            or replace(before, at=report.at) != report
            or (now - self._reported.get(line, 0.0) >= REPORT_S)
        ):
            self._reported[line] = now
            self._write(line, "device_report", now)

    def learn(self, line: str, key: bytes, name: str, now: float) -> None:
        """The line's phone was in a network that may become usual."""
        learnt = learn(self.of(line), key, name, now)
        if learnt is not None:
            self._by_line[line] = learnt
            self._write(line, "usual", now)

    def mark(self, line: str, abroad: Mark | None, moved: Mark | None, now: float) -> None:
        """Begin or end an episode."""
        self._by_line[line] = replace(self.of(line), abroad=abroad, moved=moved)
        self._write(line, "mark", now)

    # -- the journal ---------------------------------------------------------------------------

    def records(self, now: float) -> Iterator[bytes]:
        """Restate everything, for the head of a new journal segment."""
        for line, seen in self._by_line.items():
            for kind in KINDS:
                body = _body(seen, kind, now)
                if any(value for value in body.values()):
                    yield self._record(line, kind, body, now)

    def restore(self, records: Iterable[Record], now: float) -> None:
        """Take the journal's records back, in their order; others are passed over, and so is what
        can't be read (no evidence never blocks a call)."""
        for record in records:
            kind = record.get("k")
            if kind not in KINDS:
                continue
            try:
                line, then = str(record["line"]), now - self._since(record, now)
                self._by_line[line] = _READ[str(kind)](self.of(line), record, then)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                self._outbox.note("sighting.unreadable", kind=kind, reason=repr(error))

    def _since(self, record: Record, now: float) -> float:
        """Seconds that passed since a record was written."""
        if record["boot"] == self._boot_id and self._boot_id:
            return max(0.0, now - float(record["up"]))
        return max(0.0, self._wall(now) - float(record["at"]) / 1000)

    def _write(self, line: str, kind: str, now: float) -> None:
        body = _body(self.of(line), kind, now)
        self._outbox.journal.append(self._record(line, kind, body, now))

    def _record(self, line: str, kind: str, body: Record, now: float) -> bytes:
        stamp = {"at": round(self._wall(now) * 1000), "boot": self._boot_id, "up": now}
        return orjson.dumps({"k": kind, "line": line, **stamp, **body})


def _body(seen: Whereabouts, kind: str, now: float) -> dict[str, object]:
    """One aspect of a line's whereabouts, its instants as seconds before `now`."""
    declared, device = seen.declared, seen.device
    match kind:
        case "declared" if declared is not None:
            left = None if declared.until is None else declared.until - now
            return {
                "country": declared.country,
                "ago_s": now - declared.at,
                "left_s": left,
                "by": declared.by,
            }
        case "device_report" if device is not None:
            return {
                "country": device.country,
                "address": device.address,
                "fingerprint": device.fingerprint,
                "ago_s": now - device.at,
            }
        case "usual":
            networks = [
                [key.hex(), network.name, network.days, now - network.last]
                for key, network in seen.networks.items()
            ]
            return {"networks": networks}
        case "mark":
            return {"abroad": _mark_body(seen.abroad), "moved": _mark_body(seen.moved)}
    return {}


def _mark_body(mark: Mark | None) -> list[object] | None:
    return None if mark is None else [mark.since_ms, mark.level, mark.value, mark.source]


def _read_declared(seen: Whereabouts, record: Record, then: float) -> Whereabouts:
    if "country" not in record:
        return replace(seen, declared=None)
    left = record["left_s"]
    until = None if left is None else then + float(left)
    declared = Declaration(
        str(record["country"]), then - float(record["ago_s"]), until, str(record["by"])
    )
    return replace(seen, declared=declared)


def _read_report(seen: Whereabouts, record: Record, then: float) -> Whereabouts:
    country, address, fingerprint = (
        str(record[name]) for name in ("country", "address", "fingerprint")
    )
    report = DeviceReport(country, address, fingerprint, then - float(record["ago_s"]))
    return replace(seen, device=report)


def _read_networks(seen: Whereabouts, record: Record, then: float) -> Whereabouts:
    networks = {
        bytes.fromhex(key): SeenNetwork(str(name), int(days), then - float(ago_s))
        for key, name, days, ago_s in record["networks"]
    }
    return replace(seen, networks=networks)


def _read_mark(seen: Whereabouts, record: Record, then: float) -> Whereabouts:
    def mark(given: list[Any] | None) -> Mark | None:
        return None if given is None else Mark(int(given[0]), *map(str, given[1:4]))

    return replace(seen, abroad=mark(record["abroad"]), moved=mark(record["moved"]))


_READ: Mapping[str, Callable[[Whereabouts, Record, float], Whereabouts]] = {
    "declared": _read_declared,
    "device_report": _read_report,
    "usual": _read_networks,
    "mark": _read_mark,
}
