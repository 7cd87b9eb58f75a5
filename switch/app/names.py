"""Carriers' names, looked up in the DNS (RFC 3263) off the path of calls; old answers stay in use.

Deliberately absent: names of anybody else. Phones are reached by their flows, and answers go where
the requests came from.
"""

import asyncio
from collections.abc import Callable

from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.sip.flow import Flow
from switch.sip.settings import SipSettings
from switch.sip.uri import Uri
from switch.transport.lookup import DnsLookup
from switch.transport.resolve import Hop, ResolveError, Resolver

PAUSE_S = 1.0


class Names:
    """Keeps the next hops of carriers with names; `done` performs what a change led to."""

    def __init__(self, exchange: Exchange, resolver: Resolver, done: Callable[[], None]) -> None:
        self._exchange = exchange
        self._resolver = resolver
        self._done = done

    async def run(self) -> None:
        """Look up what is due, for ever. One silent server holds up no other name."""
        while True:
            due = self._exchange.trunks.to_resolve(boottime())
            if due:
                await asyncio.gather(*(self.look_up(trunk, uri) for trunk, uri in due))
                self._done()
            await asyncio.sleep(PAUSE_S)

    async def look_up(self, trunk: str, uri: str) -> None:
        """Ask for one name, and hand the trunk its next hops."""
        hops, reason = [], ""
        try:
            hops = await self._resolver.resolve(Uri.parse(uri), boottime())
        except ResolveError as error:
            reason = str(error)
        trunks = self._exchange.trunks
        known = trunks.by_id.get(trunk)
        if known is None or known.uri != uri:  # a reload was quicker
            return
        if hops:
            trunks.take_hops(trunk, [self._way(hop) for hop in hops], boottime())
        else:
            trunks.not_resolved(trunk, reason, boottime())

    def _way(self, hop: Hop) -> tuple[Flow, Flow | None]:
        flow_to = self._exchange.local_flow
        stream = flow_to("TCP", hop.remote) if hop.transport == "UDP" else None
        return flow_to(hop.transport, hop.remote), stream


def resolver(sip: SipSettings) -> Resolver:
    """The resolver of a node: what it can send on, and whom it asks."""
    listening = (*sip.udp, *sip.tcp, *sip.tls)
    return Resolver(
        DnsLookup(sip.name_servers),
        transports=("UDP", "TCP", "TLS") if sip.udp else ("TCP", "TLS"),
        ipv6=any(":" in address.host for address in listening),
    )
