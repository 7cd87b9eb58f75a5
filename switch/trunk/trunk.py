"""One carrier: its next hops, whether it lives, and what was agreed with it.

A carrier is one or several next hops (RFC 3263; resolved by the driver's side, off the call path) and
perhaps a registration. `trunks` has all of them.

Deliberately absent: DNS and sockets.
"""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from switch.clock import Wheel
from switch.dialog.dialog import host_port
from switch.routing.carrier import Carrier
from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.ids import new_tag
from switch.sip.message import Request
from switch.sip.nameaddr import NameAddr
from switch.sip.outbox import Outbox
from switch.sip.uri import Uri
from switch.transaction.transactions import Transactions
from switch.trunk.next_hop import NextHop
from switch.trunk.reading import HopReading, TrunkReading
from switch.trunk.registration import Account, Registration

RESOLVED_S: Final = 30.0  # how often a name is looked up; the resolver itself minds the TTL
UNRESOLVED_S: Final = 5.0

Way = tuple[Flow, Flow | None]
"""A next hop: its flow, and for UDP the TCP flow to the same place."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How a carrier is found and recognised beyond one address.

    `uri` is what the DNS is asked for ("" = the address is a literal); `certificate_name` the DNS
    name in its certificate, in lower case; `account` what we register there."""

    uri: str = ""
    certificate_name: str = ""
    account: Account | None = None


NEAR: Final = Reach()


class Trunk:
    """One carrier with its present state. `calls` counts live calls in both directions.

    `carrier` has the first next hop; `hops` are all, in the order of the DNS. Of a trunk that
    `serves_emergency`, operators are told when it falls silent.
    """

    __slots__ = (
        "_is_started",
        "_outbox",
        "_transactions",
        "_was_up",
        "_wheel",
        "calls",
        "carrier",
        "certificate_name",
        "hops",
        "look_up_at",
        "ping_s",
        "registration",
        "serves_emergency",
        "unresolved_reason",
        "uri",
    )

    def __init__(
        self,
        carrier: Carrier,
        ping_s: float,
        wheel: Wheel,
        transactions: Transactions,
        outbox: Outbox,
        reach: Reach = NEAR,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """With a `reach.uri`, the flow of `carrier` is never used: next hops come by `take_hops`.

        `ping_s` 0 = no probes; `draw` gives numbers in [0, 1).
        """
        self.carrier = carrier
        self.calls = 0
        self.uri = reach.uri
        self.certificate_name = reach.certificate_name
        self.hops: list[NextHop] = []
        self.look_up_at = 0.0
        self.unresolved_reason = ""
        self._wheel = wheel
        self._transactions = transactions
        self._outbox = outbox
        self.ping_s = ping_s
        self._is_started = False
        self.serves_emergency = False
        self.registration: Registration | None = None
        if reach.account is not None:
            self.registration = Registration(reach.account, self, wheel, transactions, outbox, draw)
        if not reach.uri:
            self.hops = [self._hop((carrier.flow, carrier.stream_flow))]
        self._was_up = self.is_up

    @property
    def is_up(self) -> bool:
        """Whether a call is likely to succeed: a next hop lives, and the carrier knows us."""
        if self.registration is not None and self.registration.is_failing:
            return False
        return any(hop.is_up for hop in self.hops)

    @property
    def reason(self) -> str:
        """What is wrong with it, "" when nothing is."""
        if self.registration is not None and self.registration.reason:
            return f"registration: {self.registration.reason}"
        if not self.hops:
            return self.unresolved_reason or "not resolved yet"
        return "" if self.is_up else self.hops[0].reason

    @property
    def has_channel(self) -> bool:
        """Whether the channel limit leaves room for one more call."""
        limit = self.carrier.channels
        return limit is None or self.calls < limit

    def start(self, now: float) -> None:
        """Probe and register from now on."""
        self._is_started = True
        for hop in self.hops:
            hop.start(now)
        if self.registration is not None and self.hops:
            self.registration.renew(now)

    def stop(self) -> None:
        """No more probes and registrations; calls that are up go on."""
        for hop in self.hops:
            hop.stop()
        if self.registration is not None:
            self.registration.stop()

    def take_hops(self, ways: Sequence[Way], now: float) -> None:
        """Use these next hops, the best first. What is known of those that stay is kept."""
        self.look_up_at = now + RESOLVED_S
        if not ways:
            return
        self.unresolved_reason = ""
        known = {hop.carrier.flow: hop for hop in self.hops}
        kept = {flow: hop for flow, hop in known.items() if flow in {way[0] for way in ways}}
        self.hops = [kept.get(way[0]) or self._hop(way) for way in ways]
        self.carrier = self.hops[0].carrier
        for flow in known.keys() - kept.keys():
            known[flow].stop()
        if self._is_started:
            self._start_new(now)
        self.look()

    def _start_new(self, now: float) -> None:
        """Probe next hops that are new, and register if that waited for an address."""
        for hop in self.hops:
            hop.start(now)
        if self.registration is not None and not self.registration.is_registered:
            self.registration.renew(now)

    def not_resolved(self, reason: str, now: float) -> None:
        """The DNS gave no answer: the last good one stays in use."""
        self.look_up_at = now + UNRESOLVED_S
        if reason != self.unresolved_reason:
            self.unresolved_reason = reason
            self._outbox.note("trunk.unresolved", trunk=self.carrier.id, reason=reason)

    def next_flow(self, tried: Collection[Flow]) -> Flow | None:
        """The best next hop that wasn't tried (NextHops of the registration)."""
        flows = (hop.carrier.flow for hop in sorted(self.hops, key=lambda hop: hop.rank))
        return next((flow for flow in flows if flow not in tried), None)

    def failed(self, flow: Flow, now: float) -> None:
        """A request on `flow` had no answer, no path or a 503: that next hop is avoided for a while."""
        for hop in self._at(flow):
            hop.avoid(now)

    def answered(self, flow: Flow) -> None:
        """A request on `flow` was answered, not with 503: its next hop lives."""
        for hop in self._at(flow):
            if hop.rank:
                hop.answered()

    def look(self) -> None:
        """Say so if the trunk went up or down."""
        if self.is_up != self._was_up:
            self._was_up = not self._was_up
            name = "trunk.up" if self._was_up else "trunk.down"
            self._outbox.note(name, trunk=self.carrier.id, reason=self.reason)
            if self.serves_emergency:
                self._tell_operators()

    def _tell_operators(self) -> None:
        """Before someone dials 18: one way out is missing, or is there again."""
        trunk, reason = self.carrier.id, self.reason
        kind = "trunk_answers" if self._was_up else "trunk_silent"
        self._outbox.note(f"emergency.{kind}", trunk=trunk, reason=reason)
        self._outbox.note(
            "notice.due",
            id=f"{kind} {trunk} {new_tag()}",
            kind=kind,
            audience="operator",
            fields={"trunk": trunk, "reason": reason},
        )

    def called_number(self, request: Request) -> str | None:
        """The number that a call to our registration's Contact is for; None for any other call.

        The Request-URI then has our token, and the number stands in P-Called-Party-ID (RFC 7315 §4.2)
        or in To.
        """
        registration = self.registration
        if registration is None or user_of(request) != registration.account.token:
            return None
        for name in ("P-Called-Party-ID", "To"):
            try:
                user = NameAddr.parse(request.get(name) or "").uri.user
            except ParseError:
                continue
            if user:
                return user
        return Uri.parse(registration.account.aor).user or ""

    def reading(self, now: float) -> TrunkReading:
        """What it shows at boottime `now`."""
        ours = self.registration
        expires = ours.expires_at - now if ours is not None and ours.is_registered else None
        return TrunkReading(
            self.carrier.id,
            self.is_up,
            self.reason,
            self.calls,
            self.carrier.channels,
            "" if ours is None else ours.state.value,
            expires,
            tuple(_hop_reading(hop) for hop in self.hops),
        )

    def _hop(self, way: Way) -> NextHop:
        stream_flow = way[1] if self.carrier.tcp_for_large else None
        carrier = replace(self.carrier, flow=way[0], stream_flow=stream_flow)
        return NextHop(carrier, self.ping_s, self._wheel, self._transactions, self._on_hop)

    def _on_hop(self, hop: NextHop) -> None:
        if len(self.hops) > 1:
            name = "trunk.hop_up" if hop.is_up else "trunk.hop_down"
            address = host_port(hop.carrier.flow.remote)
            self._outbox.note(name, trunk=self.carrier.id, address=address, reason=hop.reason)
        self.look()

    def _at(self, flow: Flow) -> list[NextHop]:
        """The next hop of a flow. The TCP way of a UDP hop is no part of its health."""
        place = (flow.transport, flow.remote)
        return [h for h in self.hops if (h.carrier.flow.transport, h.carrier.flow.remote) == place]


def user_of(request: Request) -> str:
    """The user of the Request-URI, "" when it has none or can't be read."""
    try:
        return request.request_uri.user or ""
    except ParseError:
        return ""


def _hop_reading(hop: NextHop) -> HopReading:
    flow = hop.carrier.flow
    address = f"{flow.transport} {host_port(flow.remote)}"
    return HopReading(address, hop.is_up, hop.is_avoided, hop.reason)
