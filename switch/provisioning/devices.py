"""All devices, in memory: what each is, was told and last said; kept by the journal.

Records tell one thing about one device, so a later one replaces it. What it says is written when it
changes, not whenever it says it again. Deliberately absent: what to do about any of it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from firmware_agent.messages.codec import parse
from firmware_agent.messages.reported import Reported, Tlm
from switch.provisioning import device as device_value
from switch.provisioning import documents
from switch.provisioning.device import Device
from switch.provisioning.documents import Published
from switch.provisioning.settings import DeviceSettings

REPORTED, EVENT = "device_reported", "device_event"
KINDS: Final = (device_value.KIND, documents.KIND, REPORTED, EVENT)
HISTORY: Final = 40  # happenings of a device that are at hand; the database has all
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a device at `at` (UTC ms): `kind` says what ("claimed", "update",
    "outage", "tamper"), `state` and `version` of an update, `detail` in words."""

    n: int
    at: int
    kind: str
    state: str = ""
    version: str = ""
    detail: str = ""


@dataclass(slots=True)
class Twin:
    """One device as the service knows it. `online` and `since` (UTC ms) are of its connection; `sid` is
    that connection's number. `reboots` counts boots that were seen."""

    definition: DeviceSettings
    device: Device
    published: Published | None = None
    reported: Reported | None = None
    raw: bytes = b""  # `reported` as it came
    reported_at: int = 0
    telemetry: Tlm | None = None
    online: bool = False
    since: int = 0
    sid: int = -1
    sids: deque[float] = field(default_factory=lambda: deque(maxlen=8))
    boot_id: str = ""
    reboots: int = 0
    mos: float = 0.0
    seen: tuple[str, int] = ("", -1)  # (boot id, seq) of the last event
    happenings: deque[Happening] = field(default_factory=lambda: deque(maxlen=HISTORY))
    count: int = 0
    offered_again: str = ""  # content of the last document that was sent anew after a reversal

    @property
    def line(self) -> str:
        """The line that it carries, "" for none: what a person gave it, else what the files say."""
        return self.device.line or self.definition.line

    @property
    def version(self) -> str:
        """The firmware that runs, "" before the first report."""
        return "" if self.reported is None else self.reported.fw.version

    @property
    def is_current(self) -> bool:
        """Whether the newest document is applied."""
        return (
            self.reported is not None
            and self.published is not None
            and self.reported.applied_rev == self.published.rev
        )

    def acknowledged(self, line: str) -> int:
        """The location generation that the device has for a line, -1 for none."""
        found = (
            each for each in (self.reported.lines if self.reported else ()) if each.line == line
        )
        state = next(found, None)
        return -1 if state is None else state.location_gen


class Devices:
    """The twins by id. `write` takes records for the journal."""

    def __init__(self, write: Callable[[Record], None]) -> None:
        self._write = write
        self.by_id: dict[str, Twin] = {}
        self.by_cid: dict[str, Twin] = {}
        self.by_line: dict[str, Twin] = {}
        self.lost_by_line: dict[str, Twin] = {}  # the hardware that was stolen from a line last
        self.unreadable: list[str] = []

    def define(self, definitions: Iterable[DeviceSettings]) -> None:
        """Take the configuration's devices; lives go on. One that the files no longer name keeps its
        credential until a person decommissions it."""
        for definition in definitions:
            known = self.by_id.get(definition.id)
            if known is None:
                self.by_id[definition.id] = Twin(definition, _new(definition))
            else:
                known.definition = definition
        self._index()

    def keep(self, device: Device) -> Twin:
        """A device changed: keep it for good."""
        twin = self.by_id[device.id]
        twin.device = device
        self._write(device.record())
        self._index_one(twin)
        return twin

    def keep_published(self, published: Published) -> None:
        """A document is about to be sent."""
        self.by_id[published.device].published = published
        self._write(published.record())

    def keep_reported(self, twin: Twin, reported: Reported, raw: bytes, at: int) -> bool:
        """A device told its state; False when it only repeats itself."""
        last, twin.reported, twin.reported_at = twin.reported, reported, at
        if last is not None and replace(last, seq=reported.seq) == reported:
            return False
        twin.raw = raw
        self._write(_reported_record(twin, at))
        return True

    def happened(self, twin: Twin, kind: str, at: int, **told: str) -> Happening:
        """Add to a device's story."""
        twin.count += 1
        happening = Happening(twin.count, at, kind, **told)
        twin.happenings.append(happening)
        self._write(_event_record(twin.device.id, happening))
        return happening

    def records(self) -> Iterator[Record]:
        """Restate everything, for the head of a new journal segment."""
        for twin in self.by_id.values():
            if twin.device.changed_at:
                yield twin.device.record()
            if twin.published is not None:
                yield twin.published.record()
            if twin.reported is not None:
                yield _reported_record(twin, twin.reported_at)
            for happening in list(twin.happenings)[-4:]:
                yield _event_record(twin.device.id, happening)

    def restore(self, records: Iterable[Record]) -> None:
        """Take records of the journal and of the database back, in any order."""
        for record in records:
            kind = record.get("k")
            if kind in KINDS:
                try:
                    self._take(str(kind), record)
                except (KeyError, TypeError, ValueError) as error:
                    self.unreadable.append(f"{kind}: {error!r}")
        for twin in self.by_id.values():
            twin.happenings = deque(sorted(twin.happenings, key=lambda h: h.n), maxlen=HISTORY)
            twin.count = max((each.n for each in twin.happenings), default=0)
        self._index()

    def _take(self, kind: str, record: Record) -> None:
        twin = self._twin(record)
        if kind == device_value.KIND:
            device = device_value.read(record)
            if device.changed_at >= twin.device.changed_at:
                twin.device = device
        elif kind == documents.KIND:
            published = documents.read(record)
            if twin.published is None or published.rev >= twin.published.rev:
                twin.published = published
        elif kind == REPORTED:
            if record["at"] >= twin.reported_at:
                twin.raw = str(record["body"]).encode()
                twin.reported = parse(Reported, twin.raw, ignore_unknown=True)
                twin.reported_at, twin.reboots = int(record["at"]), int(record["reboots"])
                twin.boot_id = twin.reported.boot_id
        else:
            told = Happening(**{name: record[name] for name in Happening.__slots__})
            if all(each.n != told.n for each in twin.happenings):
                twin.happenings.append(told)

    def _twin(self, record: Record) -> Twin:
        """The twin of a record; one that the files no longer name gets a definition from its record."""
        name = str(record.get("device") or record["id"])
        known = self.by_id.get(name)
        if known is None:
            device = Device(name)
            lost = DeviceSettings(id=name, serial=name, model="unknown")
            known = self.by_id[name] = Twin(lost, device)
        return known

    def _index(self) -> None:
        self.by_cid.clear()
        self.by_line.clear()
        self.lost_by_line.clear()
        for twin in self.by_id.values():
            self._index_one(twin)

    def _index_one(self, twin: Twin) -> None:
        if twin.device.cid:
            self.by_cid[twin.device.cid] = twin
        if twin.line and twin.device.rights.document:
            self.by_line[twin.line] = twin
        if twin.device.was_stolen and twin.line:
            self.lost_by_line[twin.line] = twin


def _new(definition: DeviceSettings) -> Device:
    return Device(definition.id, serial=definition.serial, model=definition.model)


def _reported_record(twin: Twin, at: int) -> Record:
    reported = twin.reported
    assert reported is not None
    return {
        "k": REPORTED,
        "device": twin.device.id,
        "at": at,
        "rev": reported.applied_rev,
        "state": reported.state.value,
        "version": reported.fw.version,
        "reboots": twin.reboots,
        "body": twin.raw.decode(errors="replace"),
    }


def _event_record(device: str, happening: Happening) -> Record:
    told = {name: getattr(happening, name) for name in Happening.__slots__}
    return {"k": EVENT, "device": device, **told}
