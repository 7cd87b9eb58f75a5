"""Where a SIP URI leads: transport, address, port, in the order to try (RFC 3263 §4, RFC 2782).

`known` answers at once for IP literals and for what was asked before, `resolve` asks the DNS. A server
that falls silent changes nothing: an answer from A records alone must not replace one that came by
NAPTR and SRV.

Deliberately absent: which targets are dead (trunk/next_hop.py knows by probes and calls), where
responses go (§5; they go back where the request came from), TTL-less
`maddr` multicast, ENUM.
"""

import ipaddress
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, NamedTuple

from switch.sip.uri import Uri
from switch.transport.lookup import DnsLookup, Lookup, Naptr, Record, Srv

_SERVICES: Final = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
_SRV_PREFIX: Final = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}
_PORT: Final = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
_MIN_TTL_S: Final = 5.0  # a TTL of 0 would mean a DNS query for each call
_MAX_TTL_S: Final = 3600.0  # an address that changed is noticed within the hour, whatever its TTL
_FAILURE_TTL_S: Final = (
    5.0  # names without an address: not asked for again at each retry of a phone
)
_MAX_KNOWN: Final = 4_096


@dataclass(frozen=True, slots=True)
class Hop:
    """One place to send a request to. `name` is what a TLS certificate must show (RFC 5922)."""

    transport: str
    ip: str
    port: int
    name: str = ""

    @property
    def remote(self) -> tuple[str, int]:
        """The address as a Flow holds it."""
        return self.ip, self.port


class ResolveError(Exception):
    """The URI leads nowhere: no such name, no DNS server, or no transport that we speak."""


class _Known(NamedTuple):
    hops: tuple[Hop, ...]
    until: float
    reason: str


class _Target(NamedTuple):
    """What of a URI decides where it leads."""

    host: str
    port: int | None
    transport: str | None
    secure: bool


class Resolver:
    """Resolves URIs, remembers answers and dead targets. Times are boottime seconds."""

    def __init__(
        self,
        lookup: Lookup | None = None,
        *,
        transports: tuple[str, ...] = ("UDP", "TCP", "TLS"),
        ipv6: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        """`transports` are those we can send on, preferred first; `ipv6` when we can send there."""
        self._lookup = lookup
        self._transports = transports
        self._families = (False, True) if ipv6 else (False,)
        self._rng = rng or random.Random()
        self._known: dict[_Target, _Known] = {}

    def known(self, uri: Uri, now: float) -> list[Hop] | None:
        """Return where `uri` leads if that needs no question to the DNS, else None.

        ResolveError when it is known to lead nowhere.
        """
        target = self._target(uri)
        literal = _literal(target.host)
        if literal is not None:
            transport = target.transport or ("TLS" if target.secure else "UDP")
            self._check(transport)
            return [Hop(transport, literal, target.port or _PORT[transport], target.host)]
        known = self._known.get(target)
        if known is None or known.until <= now:
            return None
        if not known.hops:
            raise ResolveError(known.reason)
        return list(known.hops)

    async def resolve(self, uri: Uri, now: float) -> list[Hop]:
        """Return where `uri` leads, the best first; never empty. ResolveError."""
        known = self.known(uri, now)
        if known is not None:
            return known
        if self._lookup is None:
            self._lookup = DnsLookup()
        target = self._target(uri)
        reason = f"{target.host} has no address"
        before = self._known.get(target)
        has_answer = before is not None and bool(before.hops)
        try:
            hops, ttl = await self._ask(self._lookup, target, patient=not has_answer)
        except OSError as error:
            if has_answer:
                raise ResolveError(str(error)) from error
            hops, ttl, reason = [], _FAILURE_TTL_S, str(error)
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        ttl = max(_MIN_TTL_S, min(ttl, _MAX_TTL_S)) if hops else _FAILURE_TTL_S
        self._known[target] = _Known(tuple(hops), now + ttl, reason)
        if not hops:
            raise ResolveError(reason)
        return hops

    def _target(self, uri: Uri) -> _Target:
        """Read what decides of a URI. ResolveError for another scheme or an unknown transport."""
        if uri.scheme not in {"sip", "sips"}:
            raise ResolveError(f"{uri.scheme}: URIs lead nowhere by themselves")
        secure = uri.scheme == "sips"
        wished = uri.param("transport")
        transport = wished.upper() if wished else None
        if secure and transport == "TCP":
            transport = "TLS"  # §4.1: the parameter names what TLS runs over
        if transport is not None:
            self._check(transport)
        host = uri.param("maddr") or uri.host
        return _Target(host.strip("[]").rstrip(".").lower(), uri.port, transport, secure)

    def _check(self, transport: str) -> None:
        if transport not in self._transports:
            raise ResolveError(f"no transport {transport}")

    async def _ask(
        self, lookup: Lookup, target: _Target, *, patient: bool
    ) -> tuple[list[Hop], float]:
        """Follow §4.1 and §4.2: NAPTR, else SRV of each transport, else plain addresses.

        When `patient`, silence about NAPTR or SRV counts as none, for firewalls that swallow such
        questions; else TimeoutError.
        """
        if target.port is not None:
            transport = target.transport or ("TLS" if target.secure else "UDP")
            return await self._addresses(lookup, transport, target.host, target.port, target.host)
        services: list[tuple[str, str]] = []
        if target.transport is None:
            naptr, _ = await _or_none(lookup.naptr(target.host), patient)
            services = self._services(naptr, secure=target.secure)
        if not services:
            services = [(t, _SRV_PREFIX[t] + target.host) for t in self._candidates(target)]
        hops: list[Hop] = []
        lifetime = _MAX_TTL_S
        for transport, name in services:
            records, ttl = await _or_none(lookup.srv(name), patient)
            for record in order_srv(records, self._rng):
                found, address_ttl = await self._addresses(
                    lookup, transport, record.target, record.port, target.host
                )
                hops += found
                lifetime = min(lifetime, ttl, address_ttl)
        if hops:
            return hops, lifetime
        transport = self._candidates(target)[0]
        return await self._addresses(lookup, transport, target.host, _PORT[transport], target.host)

    def _candidates(self, target: _Target) -> list[str]:
        """List the transports to try for a URI that names neither port nor, perhaps, transport."""
        if target.transport is not None:
            return [target.transport]
        if target.secure:
            self._check("TLS")
            return ["TLS"]
        return [transport for transport in self._transports if transport != "TLS"] or ["TLS"]

    def _services(self, records: list[Naptr], *, secure: bool) -> list[tuple[str, str]]:
        """List (transport, SRV name) of the NAPTR records we can use, in their order (§4.1)."""
        usable = []
        for record in sorted(records):
            transport = _SERVICES.get(record.service)
            if transport not in self._transports or record.flags != "s":
                continue
            if transport == "TLS" or not secure:
                usable.append((transport, record.replacement))
        return usable

    async def _addresses(
        self, lookup: Lookup, transport: str, host: str, port: int, name: str
    ) -> tuple[list[Hop], float]:
        literal = _literal(host)
        if literal is not None:
            return [Hop(transport, literal, port, name)], _MAX_TTL_S
        hops: list[Hop] = []
        lifetime = _MAX_TTL_S
        for ipv6 in self._families:
            found, ttl = await lookup.addresses(host, ipv6=ipv6)
            hops += [Hop(transport, ip, port, name) for ip in found]
            lifetime = min(lifetime, ttl)
        return hops, lifetime


async def _or_none(
    answer: Awaitable[tuple[list[Record], float]], patient: bool
) -> tuple[list[Record], float]:
    try:
        return await answer
    except TimeoutError:
        if patient:
            return [], _FAILURE_TTL_S
        raise


def order_srv(records: list[Srv], rng: random.Random) -> list[Srv]:
    """Return records in the order to try: by priority, then at random by weight (RFC 2782)."""
    ordered: list[Srv] = []
    # Weight 0 first, as the RFC arranges them, so that they have a very small chance.
    left = sorted((r for r in records if r.target), key=lambda r: (r.priority, r.weight))
    while left:
        group = [record for record in left if record.priority == left[0].priority]
        left = left[len(group) :]
        while group:
            point = rng.randint(0, sum(record.weight for record in group))
            for record in group:
                point -= record.weight
                if point <= 0:
                    break
            ordered.append(record)
            group.remove(record)
    return ordered


def _literal(host: str) -> str | None:
    """Return `host` if it is an IP address, in its usual form."""
    if not host or not (host[-1].isdigit() or ":" in host):
        return None  # the common case of a name, without an exception
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
