"""A carrier as routing sees it: where it is and how it wants numbers and emergency calls written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from switch.routing.target import FAILOVER_STATUSES, Credentials
from switch.sip.flow import Flow


@dataclass(frozen=True, slots=True)
class Carrier:
    """One trunk's habits, and one next hop to it. `host` goes into URIs.

    A trunk that is known by name has several next hops (RFC 3263): as many values that differ in
    `flow` and `stream_flow` only. `origin` is where its inbound calls begin, "france" or "abroad".
    `passes_identity` is whether it takes Identity fields (RFC 8224) from us, `tcp_for_large` whether
    a UDP carrier takes large requests by TCP.
    """

    id: str
    host: str
    flow: Flow
    stream_flow: Flow | None = None
    trusted: bool = False
    number_out: str = "e164"
    number_in: str = "e164"
    profile: str = "A"
    pidf_lo: bool = False
    resource_priority: bool = False
    priority_header: bool = False
    corsica: Mapping[str, str] = field(default_factory=dict)
    channels: int | None = None
    credentials: Credentials | None = None
    failover_on: frozenset[int] = FAILOVER_STATUSES
    portability_prefixes: tuple[str, ...] = ()
    origin: str = "france"
    passes_identity: bool = True
    tcp_for_large: bool = True
