"""The registrar of RFC 3261 §10.3: binds contacts to addresses of record, for as long as they last.

Also Path (RFC 3327) and outbound flows (RFC 5626). Who may register is settled before: by digest,
and by the state of the line. Each change goes to the journal and survives a restart. Deliberately
absent: GRUU (RFC 5627), third-party registration, and the rewriting of contacts behind NAT, which
are reached by their flow instead.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from sys import intern
from typing import Any, NamedTuple

from switch.clock import Wheel
from switch.registrar.binding import Binding, way_back
from switch.registrar.journal import coarse_expiry
from switch.registrar.table import BindingTable
from switch.registrar.wanted import Limits, TooBriefError, Wanted, WantedContact, read
from switch.sip.build import make_response
from switch.sip.errors import RemoteProtocolError
from switch.sip.flow import Flow
from switch.sip.ids import new_tag
from switch.sip.message import Request, Response
from switch.sip.outbox import Outbox


class _Arrival(NamedTuple):
    """What all contacts of one REGISTER share."""

    request: Request
    flow: Flow
    path: tuple[str, ...]
    origin: Flow
    aor: str


class Registrar:
    """All bindings of a node. An AOR is a text that the caller chooses, here the line's id."""

    def __init__(self, limits: Limits, wheel: Wheel, outbox: Outbox) -> None:
        self._limits = limits
        self._outbox = outbox
        self._table = BindingTable(wheel, outbox)
        self._lost: set[tuple[str, str, int]] = set()  # keys of bindings whose phone doesn't answer

    def __len__(self) -> int:
        """How many bindings there are."""
        return len(self._table)

    def use(self, limits: Limits) -> None:
        """Apply other limits from the next REGISTER on."""
        self._limits = limits

    def register(
        self,
        request: Request,
        flow: Flow,
        aor: str,
        now: float,
        wall: float,
        origin: Flow | None = None,
    ) -> Response:
        """Answer a REGISTER for `aor`: 200 with all bindings, 4xx, or 500 for one out of order.

        `now` is boottime, `wall` UTC seconds. `origin` is the phone's own end when a trusted proxy
        vouches for it, else `flow`.
        """
        is_proxied = self._limits.trusted_proxies.find(flow.remote[0]) is not None
        try:
            wanted = read(request, self._limits, is_proxied)
            origin = origin or flow
            way = way_back(flow, origin, wanted.path)
            self._bind(wanted, _Arrival(request, way, wanted.path, origin, aor), now, wall)
        except TooBriefError:
            brief = [("Min-Expires", str(self._limits.min_expires_s))]
            return make_response(request, 423, to_tag=new_tag(), headers=brief)
        except RemoteProtocolError as error:
            return make_response(request, error.status, error.reason, to_tag=new_tag())
        return make_response(
            request, 200, to_tag=new_tag(), headers=self._granted(wanted, aor, now)
        )

    def bindings(self, aor: str, now: float) -> list[Binding]:
        """The contacts that a call to `aor` tries: best q first, then the most recent, at last those
        whose phone doesn't answer; those whose flow is gone are left out."""
        found = [binding for binding in self._table.current(aor, now) if binding.is_live]
        found.sort(key=lambda binding: (-binding.q, -binding.updated_at))
        if self._lost:
            found.sort(key=lambda binding: binding.key in self._lost)
        return found

    @property
    def aor_count(self) -> int:
        """How many AORs have a binding."""
        return self._table.aor_count

    def aors(self) -> Iterator[str]:
        """Every AOR with a binding; they may change meanwhile."""
        return self._table.aors()

    def mark_reachable(self, key: tuple[str, str, int], answers: bool) -> None:
        """The phone behind a binding stopped answering, or is back. The binding stays until it ends:
        only the phone may shorten it (RFC 3261 §10.3)."""
        if answers == (key not in self._lost):
            return
        if answers:
            self._lost.discard(key)
        else:
            self._lost.add(key)
        self._outbox.note("binding.back" if answers else "binding.lost", aor=key[0])

    def is_lost(self, binding: Binding) -> bool:
        """Whether the phone stopped answering."""
        return binding.key in self._lost

    def forget_lost(self, now: float) -> None:
        """Drop the memory of lost phones whose bindings have ended."""
        self._lost = {key for key in self._lost if self.binding(key, now) is not None}

    def is_expected_back(self, aor: str, now: float) -> bool:
        """Whether a contact of `aor` lost its flow lately, so that waiting a moment is worth it."""
        return any(not binding.is_live for binding in self._table.current(aor, now))

    def binding(self, key: tuple[str, str, int], now: float) -> Binding | None:
        """The present state of the binding that a leg remembers by `Binding.key`."""
        for binding in self._table.current(key[0], now):
            if binding.key == key:
                return binding
        return None

    def knows(self, origin: Flow) -> bool:
        """Whether a phone has registered from this very address and port, or connection."""
        return next(self._table.flows.all(origin), None) is not None

    def line_of(self, origin: Flow) -> str | None:
        """The AOR that is registered from this origin, None if there is none or more than one."""
        return self._table.flows.only(origin)

    def find(self, origin: Flow, user: str) -> Binding | None:
        """The binding of the phone that a request came from, known without a challenge.

        `user` is the user of its Contact (or From). It is the AOR registered from this origin whose
        name or contact has that user; else the one with that contact from the same address.
        """
        flows = self._table.flows
        aor = user if flows.holds(origin, user) else flows.only(origin)
        if aor is None:
            # Many lines on one flow are a gateway's: its contacts tell them apart.
            aor = flows.by_contact(origin.remote[0], user)
        if aor is None:
            return None
        found = sorted(self._table.all_of(aor), key=lambda binding: not binding.is_live)
        return next(
            (binding for binding in found if binding.origin == origin), found[0] if found else None
        )

    def all(self, now: float) -> Iterator[Binding]:
        """Every binding, also those whose flow is gone."""
        for aor in self._table.aors():
            yield from self._table.current(aor, now)

    def remove(self, aor: str) -> int:
        """End all bindings of an AOR (its line was terminated or its hardware stolen)."""
        gone = self._table.all_of(aor)
        for binding in gone:
            self._table.drop(binding, "removed")
        return len(gone)

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """A connection ended: its bindings take no calls, and end soon unless the phone is back."""
        self._table.on_flow_closed(flow, now)

    def restore(self, records: Iterable[Mapping[str, Any]], now: float, wall: float) -> None:
        """Take bindings from journal records, in their order; other kinds are skipped."""
        self._table.restore(records, now, wall)

    def records(self) -> Iterator[bytes]:
        """The journal records that restore the present bindings: the start of a new segment."""
        return self._table.records()

    # The steps of §10.3

    def _bind(self, wanted: Wanted, arrival: _Arrival, now: float, wall: float) -> None:
        request = arrival.request
        current = self._table.current(arrival.aor, now)
        if wanted.removes_all:
            _refuse_out_of_order(request, current)
            for binding in current:
                self._table.drop(binding, "unregistered")
            return
        changes: list[tuple[WantedContact, Binding | None]] = []
        for contact in wanted.contacts:
            before = _bound(current, contact)
            if before is not None:
                _refuse_out_of_order(request, [before])
            changes.append((contact, before))
        for contact, before in changes:
            if before is not None and not contact.lifetime_s:
                self._table.drop(before, "unregistered")
        for contact, before in changes:
            if contact.lifetime_s:
                self._renew(_new(arrival, contact, before, now, wall), before)

    def _renew(self, binding: Binding, before: Binding | None) -> None:
        """Store a binding, and write it down unless the journal has the same for long enough."""
        bindings = self._table.keep(binding, before)
        if self._lost:
            self.mark_reachable(binding.key, True)  # it speaks
        if before is not None and _is_refresh(binding, before):
            if binding.journalled_until == before.journalled_until:
                return
        elif before is None or not before.is_live:
            self._outbox.note(
                "binding.added",
                aor=binding.aor,
                source=binding.source,
                transport=binding.flow.transport,
                user_agent=binding.user_agent,
            )
        self._table.write(binding)
        while len(bindings) > self._limits.contacts:
            oldest = min(bindings, key=lambda other: (other.is_live, other.updated_at))
            self._table.drop(oldest, "replaced")

    def _granted(self, wanted: Wanted, aor: str, now: float) -> list[tuple[str, str]]:
        headers = [
            ("Contact", f"{binding.text};expires={ceil(binding.expires_at - now)}")
            for binding in self._table.current(aor, now)
        ]
        headers += [("Path", value) for value in wanted.path]
        if wanted.is_outbound:
            headers.append(("Require", "outbound"))
        headers.append(("Supported", "path, outbound"))
        return headers


def _new(
    arrival: _Arrival, contact: WantedContact, before: Binding | None, now: float, wall: float
) -> Binding:
    """The binding of a Contact. The journal's expiry stays if it is late enough."""
    request = arrival.request
    ends_wall = wall + contact.lifetime_s
    if before is not None and before.journalled_until >= ends_wall:
        until = before.journalled_until
    else:
        until = coarse_expiry(ends_wall, contact.lifetime_s)
    return Binding(
        aor=arrival.aor,
        # One object for a contact that stays: memory, and `keep` sees at once that it stays.
        contact=before.contact if before and before.text == contact.text else contact.uri,
        flow=arrival.flow,
        path=arrival.path,
        instance=contact.instance,
        reg_id=contact.reg_id,
        q=contact.q,
        expires_at=now + contact.lifetime_s,
        updated_at=now,
        journalled_until=until,
        call_id=request.call_id,
        cseq=request.cseq.number,
        user_agent=intern(request.get("User-Agent") or ""),  # thousands of phones share one
        origin=arrival.origin,
        text=contact.text,
    )


def _bound(bindings: list[Binding], contact: WantedContact) -> Binding | None:
    """The binding that a Contact is about."""
    for binding in bindings:
        # The same text is the usual case, and cheaper to see than RFC 3261 §19.1.4.
        if binding.text == contact.text or binding.is_at(
            contact.uri, contact.instance, contact.reg_id
        ):
            return binding
    return None


def _refuse_out_of_order(request: Request, bindings: list[Binding]) -> None:
    """§10.3: within one Call-ID only a higher CSeq may change a binding."""
    number = request.cseq.number
    if any(b.call_id == request.call_id and number <= b.cseq for b in bindings):
        raise RemoteProtocolError(500, "REGISTER Out Of Order")


def _is_refresh(binding: Binding, before: Binding) -> bool:
    """Whether nothing but time has changed."""
    return (
        before.is_live
        and binding.flow == before.flow
        and binding.text == before.text
        and binding.path == before.path
        and binding.origin == before.origin
        and binding.user_agent == before.user_agent
    )
