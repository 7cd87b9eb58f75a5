"""The table of bindings: by AOR and by flow, each with an end, each change written down.

The registrar decides what is bound; here it is kept (RFC 3261 §10.3 steps 7 and 8), expires, loses
its flow, and comes back after a restart. Deliberately absent: REGISTER.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from switch.clock import Timer, Wheel
from switch.registrar.binding import Binding
from switch.registrar.flows import FlowIndex
from switch.registrar.journal import BIND, UNBIND, bind_record, read_binding, unbind_record
from switch.sip.flow import Flow
from switch.sip.outbox import Outbox

# A phone whose connection broke comes back within this time or has to register as new; a BYE waits that
# long for its next flow.
DEAD_FLOW_S = 32.0


class _Record:
    """The bindings of one AOR, and the timer of the first to end."""

    __slots__ = ("bindings", "timer")

    def __init__(self) -> None:
        self.bindings: list[Binding] = []
        self.timer: Timer | None = None


class BindingTable:
    """All bindings of a node. Changes go to the journal and the events of the outbox."""

    __slots__ = ("_count", "_outbox", "_records", "_wheel", "flows")

    def __init__(self, wheel: Wheel, outbox: Outbox) -> None:
        self._wheel = wheel
        self._outbox = outbox
        self._records: dict[str, _Record] = {}
        self._count = 0
        self.flows = FlowIndex()

    def __len__(self) -> int:
        """How many bindings there are."""
        return self._count

    @property
    def aor_count(self) -> int:
        """How many AORs have a binding."""
        return len(self._records)

    def current(self, aor: str, now: float) -> list[Binding]:
        """The bindings of an AOR that have not ended, also those whose flow is gone."""
        record = self._records.get(aor)
        if record is None:
            return []
        return [binding for binding in record.bindings if binding.expires_at > now]

    def all_of(self, aor: str) -> list[Binding]:
        """The bindings of an AOR, also those that ended within this second."""
        record = self._records.get(aor)
        return list(record.bindings) if record is not None else []

    def keep(self, binding: Binding, before: Binding | None) -> list[Binding]:
        """Store a binding in the place of the one before it, if that is still there.

        Returns all bindings of the AOR.
        """
        record = self._records.get(binding.aor)
        if record is None:
            record = self._records[binding.aor] = _Record()
        bindings = record.bindings
        if before is not None and before in bindings:
            bindings[bindings.index(before)] = binding
            if before.flow == binding.flow and before.contact is binding.contact and before.is_live:
                self._arm(binding.aor, record)
                return bindings
            self.flows.remove(before, bindings)
        else:
            bindings.append(binding)
            self._count += 1
        self.flows.add(binding)
        self._arm(binding.aor, record)
        return bindings

    def drop(self, binding: Binding, why: str) -> None:
        """End a binding, if that hasn't happened yet, and say so in the journal."""
        if not self._forget(binding):
            return
        self._outbox.journal.append(unbind_record(binding))
        self._outbox.note("binding.removed", aor=binding.aor, why=why)

    def _forget(self, binding: Binding) -> bool:
        record = self._records.get(binding.aor)
        if record is None or binding not in record.bindings:
            return False
        record.bindings.remove(binding)
        self._count -= 1
        self.flows.remove(binding, record.bindings)
        if not record.bindings:
            if record.timer is not None:
                record.timer.cancel()
            del self._records[binding.aor]
        return True

    def _arm(self, aor: str, record: _Record) -> None:
        """Wake up when the first binding ends, to the second: `current` is exact anyway.

        A timer that is too early stays: it re-arms, and refreshes cost nothing.
        """
        if not record.bindings:
            return
        first = ceil(min(binding.expires_at for binding in record.bindings))
        if record.timer is not None:
            if record.timer.at <= first:
                return
            record.timer.cancel()
        record.timer = self._wheel.arm(first, self, aor)

    def write(self, binding: Binding) -> None:
        """Put a binding into the journal."""
        self._outbox.journal.append(bind_record(binding))

    def aors(self) -> Iterator[str]:
        """Every AOR with a binding; the table may change meanwhile."""
        return iter(tuple(self._records))

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """A connection ended: its bindings take no calls, and end soon unless the phone is back."""
        for aor in self.flows.all(flow):
            record = self._records[aor]
            for position, binding in enumerate(record.bindings):
                if binding.flow == flow and binding.is_live:
                    until = min(binding.expires_at, now + DEAD_FLOW_S)
                    dead = replace(binding, is_live=False, expires_at=until)
                    record.bindings[position] = dead
                    self.flows.remove(binding, record.bindings)
                    self._outbox.note("binding.flow_lost", aor=aor, transport=flow.transport)
            self._arm(aor, record)

    def on_timer(self, name: str, now: float) -> None:
        """Drop what has expired of the AOR `name`."""
        record = self._records.get(name)
        if record is None:
            return
        record.timer = None
        for binding in [b for b in record.bindings if b.expires_at <= now]:
            self.drop(binding, "expired")
        self._arm(name, record)

    def restore(self, records: Iterable[Mapping[str, Any]], now: float, wall: float) -> None:
        """Take bindings from journal records, in their order; other kinds are skipped."""
        for record in records:
            if record.get("k") == BIND:
                if float(record["expires"]) > wall:
                    binding = read_binding(record, now, wall)
                    known = self.current(binding.aor, now)
                    before = next((old for old in known if binding.replaces(old)), None)
                    self.keep(binding, before)
            elif record.get("k") == UNBIND:
                for binding in self.current(record["aor"], now):
                    if str(binding.contact) == record["contact"]:
                        self._forget(binding)
        for aor, kept in self._records.items():
            kept.bindings = [_bounded(binding, now) for binding in kept.bindings]
            self._arm(aor, kept)

    def records(self) -> Iterator[bytes]:
        """The journal records that restore the present bindings: the start of a new segment."""
        for record in self._records.values():
            for binding in record.bindings:
                yield bind_record(binding)


def _bounded(binding: Binding, now: float) -> Binding:
    """A restored binding; one whose connection died with the old process waits for the phone."""
    if binding.is_live:
        return binding
    return replace(binding, expires_at=min(binding.expires_at, now + DEAD_FLOW_S))
