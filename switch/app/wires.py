"""The wires of signalling: sockets, TLS, the names of carriers, keep-alives towards phones.

Deliberately absent: what is said on them.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from switch.app.compose import patience
from switch.app.encryption import Encryption
from switch.app.names import Names, resolver
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.config import Configuration
from switch.driver import Driver, Sender
from switch.registrar.qualify import Qualifier
from switch.store.alarm import Alarm
from switch.transport.stream import StreamTransport
from switch.transport.udp import UdpTransport


class Wires:
    """All transports of the node, feeding `driver`. `found` gives the configuration in force."""

    def __init__(
        self,
        exchange: Exchange,
        driver: Driver,
        found: Callable[[], Configuration],
        data: Path,
        alarm: Alarm,
    ) -> None:
        """Nothing is opened."""
        sip = found().settings.sip
        self._found = found
        self._exchange = exchange
        self._encryption = Encryption(exchange, data / "tls", alarm)
        self.udp = UdpTransport(sip.udp, driver, sip.public_address)
        self.streams = StreamTransport(
            sip.tcp, sip.tls, driver, server_tls=self._encryption.use(found())
        )
        self.streams.patience = lambda flow: patience(
            exchange, flow, found().settings.emergency.tcp_connect_s, self.streams.limits
        )
        self.streams.is_registered = exchange.registrar.knows
        self.streams.tls_peer = self._encryption.peer
        self.streams.on_handshake = self._encryption.on_handshake
        exchange.is_connecting = self.streams.is_connecting
        exchange.trunks.peer_names = self.streams.peer_names
        self.names = Names(exchange, resolver(sip), driver.perform)
        self._qualifier = Qualifier(
            exchange.registrar, exchange.transactions, exchange.wheel, sip.qualify_s
        )

    def open(self, loop: asyncio.AbstractEventLoop) -> dict[str, Sender]:
        """Listen; OSError names an address that is taken. Returns who sends, by transport."""
        self.udp.open(loop)
        self.streams.open(loop)
        return {"UDP": self.udp, "TCP": self.streams, "TLS": self.streams}

    def begin(self) -> None:
        """Ask carriers and phones whether they are there."""
        now = boottime()
        self._exchange.trunks.start(now)
        self._qualifier.start(now)

    def renew(self) -> None:
        """Certificates may be new."""
        self.streams.server_tls = self._encryption.use(self._found())

    def quiet(self) -> None:
        """Ask nobody any more."""
        self._qualifier.stop()

    def close(self) -> None:
        """Close all sockets."""
        self.udp.close()
        self.streams.close()
