"""All carriers: whose a request is, which of them can take a call, and what the DNS said of each.

A request is recognised by address, port and transport, by the name in a TLS certificate, or by the
Contact of our registration: never by the address alone, which phones may share. A carrier that is down
goes last for emergency calls, never away; for other calls it is left out.
"""

from collections.abc import Callable, Iterable, Sequence

from switch.routing.carrier import Carrier
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.trunk.trunk import Trunk, Way, user_of


class Trunks:
    """All carriers, by id and by how they are recognised.

    `peer_names` tells the names in the verified certificate of a TLS flow; the composition root sets
    it to the transport's.
    """

    __slots__ = ("_by_name", "_by_source", "_by_token", "by_id", "peer_names")

    def __init__(self, trunks: Iterable[Trunk] = ()) -> None:
        self.by_id = {trunk.carrier.id: trunk for trunk in trunks}
        self.peer_names: Callable[[Flow], Sequence[str]] = _no_names
        self._by_source: dict[tuple[str, tuple[str, int]], Trunk] = {}
        self._by_name = {t.certificate_name: t for t in self.by_id.values() if t.certificate_name}
        self._by_token = {
            t.registration.account.token: t
            for t in self.by_id.values()
            if t.registration is not None
        }
        self._index()

    # -- recognition ---------------------------------------------------------------------------

    def of_flow(self, flow: Flow) -> Trunk | None:
        """The carrier that sends from this address, port and transport, or shows its certificate."""
        trunk = self._by_source.get((flow.transport, flow.remote))
        if trunk is None and self._by_name and flow.transport == "TLS":
            for name in self.peer_names(flow):
                trunk = self._by_name.get(name.lower())
                if trunk is not None:
                    break
        return trunk

    def of_request(self, request: Request, flow: Flow) -> Trunk | None:
        """The carrier that a request outside any dialog comes from, also by our Contact's token."""
        trunk = self.of_flow(flow)
        if trunk is None and self._by_token:
            trunk = self._by_token.get(user_of(request))
        return trunk

    # -- choice --------------------------------------------------------------------------------

    def able(self, ids: Iterable[str]) -> list[Carrier]:
        """Of the trunks of a route, in its order, the next hops that can take a call now.

        Those that failed a call a short while ago come last.
        """
        trunks = (self.by_id[name] for name in ids if name in self.by_id)
        hops = [
            hop
            for trunk in trunks
            if trunk.is_up and trunk.has_channel
            for hop in trunk.hops
            if hop.is_up
        ]
        return [hop.carrier for hop in sorted(hops, key=lambda hop: hop.rank)]

    def for_emergency(self, ids: Iterable[str]) -> list[Carrier]:
        """Of the trunks of a route, the next hops known to live first; none is left out, and no
        channel limit counts (access to emergency services is uninterrupted: CPCE D.98-4)."""
        ranked = [
            (max(hop.rank, 0 if trunk.is_up else 2), hop.carrier)
            for trunk in (self.by_id[name] for name in ids if name in self.by_id)
            for hop in trunk.hops
        ]
        return [carrier for _, carrier in sorted(ranked, key=lambda pair: pair[0])]

    # -- life ----------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Probe all and register where that is asked for."""
        for trunk in self.by_id.values():
            trunk.start(now)

    def to_resolve(self, now: float) -> list[tuple[str, str]]:
        """(trunk id, SIP URI) of each name that is to be looked up now (RFC 3263 §4)."""
        trunks = self.by_id.items()
        return [(name, t.uri) for name, t in trunks if t.uri and t.look_up_at <= now]

    def take_hops(self, trunk: str, ways: Sequence[Way], now: float) -> None:
        """The DNS answered: these are the next hops of a trunk, the best first."""
        self.by_id[trunk].take_hops(ways, now)
        self._index()

    def not_resolved(self, trunk: str, reason: str, now: float) -> None:
        """The DNS didn't: the last good answer stays in use."""
        self.by_id[trunk].not_resolved(reason, now)

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """A connection ended: if a carrier would call us by it, register anew."""
        for trunk in self._by_token.values():
            if trunk.registration is not None:
                trunk.registration.on_flow_closed(flow, now)

    def answered(self, trunk: str, flow: Flow) -> None:
        """A call got some response by this hop; "" or an unknown id is no trunk."""
        known = self.by_id.get(trunk)
        if known is not None:
            known.answered(flow)

    def failed(self, trunk: str, flow: Flow, now: float) -> None:
        """A call got nothing, or 503, by this hop."""
        known = self.by_id.get(trunk)
        if known is not None:
            known.failed(flow, now)

    def _index(self) -> None:
        """Sources of all next hops; of two trunks at one place the first is meant."""
        self._by_source = {}
        for trunk in self.by_id.values():
            for hop in trunk.hops:
                for flow in (hop.carrier.flow, hop.carrier.stream_flow):
                    if flow is not None:
                        self._by_source.setdefault((flow.transport, flow.remote), trunk)


def _no_names(flow: Flow) -> Sequence[str]:
    return ()
