"""TLS in force: what our listeners show and ask for, and whom we expect at each carrier's end.

Each carrier has a context of its own: its `ca` (else the system's authorities), its `cert` and `key`.
A carrier that connects to us is known by its certificate if its `ca` is named; others are asked for
none. Certificates are read again at each reload. Deliberately absent: a way not to verify.
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from switch.call.exchange import Exchange
from switch.config import Configuration
from switch.sip.flow import Flow
from switch.store.alarm import Alarm
from switch.transport.certificate import (
    TlsPeer,
    client_context,
    ensure_self_signed,
    server_context,
)
from switch.trunk.settings import TrunkSettings


class Encryption:
    """The TLS contexts of a node. `directory` keeps a self-signed certificate if none is named."""

    def __init__(self, exchange: Exchange, directory: Path, alarm: Alarm) -> None:
        self._exchange = exchange
        self._directory = directory
        self._alarm = alarm
        self._peers: dict[str, TlsPeer] = {}  # by trunk; the name "" is the flow's address
        self._anyone = client_context()
        self._faults: dict[str, str] = {}

    def use(self, found: Configuration) -> ssl.SSLContext | None:
        """Take a configuration's certificates; the context of our listeners, None without TLS.

        OSError when a file can't be read or doesn't fit; nothing has changed then."""
        secured = [trunk for trunk in found.settings.trunks if trunk.transport in ("tls", "any")]
        peers = {trunk.id: _peer(found, trunk) for trunk in secured}
        context = self._listeners(found, [found.resolve(t.ca) for t in secured if t.ca])
        self._peers = peers
        for trunk in tuple(self._faults):  # perhaps that was the remedy: the next handshake tells
            self._alarm("trunk.tls_accepted", {"trunk": trunk})
        self._faults.clear()
        return context

    def peer(self, flow: Flow) -> TlsPeer:
        """Whom a connection to a flow's far end is to reach (StreamTransport.tls_peer)."""
        known = self._peers.get(self._trunk_at(flow))
        context, name = (known.context, known.name) if known else (self._anyone, "")
        return TlsPeer(context, name or flow.remote[0])

    def on_handshake(self, flow: Flow, fault: str) -> None:
        """Say once why a carrier is refused, and that it no longer is (StreamTransport)."""
        trunk = self._trunk_at(flow) or flow.remote[0]
        if self._faults.get(trunk, "") == fault:
            return
        if fault:
            self._faults[trunk] = fault
            self._alarm("trunk.tls_refused", {"trunk": trunk, "reason": fault})
        else:
            del self._faults[trunk]
            self._alarm("trunk.tls_accepted", {"trunk": trunk})

    def _trunk_at(self, flow: Flow) -> str:
        trunk = self._exchange.trunks.of_flow(flow)
        return trunk.carrier.id if trunk is not None else ""

    def _listeners(self, found: Configuration, authorities: list[Path]) -> ssl.SSLContext | None:
        """The certificate that the settings name, else a self-signed one of the first start."""
        sip = found.settings.sip
        if not sip.tls:
            return None
        if sip.tls_certificate:
            certificate, key = found.resolve(sip.tls_certificate), found.resolve(sip.tls_key)
        else:
            names = [self._exchange.settings.host, *(address.host for address in sip.tls)]
            certificate, key = ensure_self_signed(self._directory, names, datetime.now(UTC))
        return server_context(certificate, key, authorities)


def _peer(found: Configuration, trunk: TrunkSettings) -> TlsPeer:
    files = (found.resolve(name) if name else None for name in (trunk.ca, trunk.cert, trunk.key))
    return TlsPeer(client_context(*files), trunk.certificate_name)
