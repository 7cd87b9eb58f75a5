"""One TCP or TLS connection: bytes in, messages out, pings answered (RFC 5626 §3.5.1, §4.4.1).

The StreamTransport owns it. Deliberately absent: pings of our own. Phones send theirs, a trunk's
connection shows by OPTIONS that it lives, and the kernel asks for peers that went without a word.
"""

import asyncio
import socket
import ssl
from typing import Protocol, cast

from switch.clock import boottime
from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.parser import KeepAlive, StreamItem, StreamParser
from switch.transport.limits import StreamLimits


class ConnectionOwner(Protocol):
    """What a connection tells the transport it belongs to."""

    limits: StreamLimits

    def connection_opened(self, connection: "Connection") -> None:
        """The connection, and TLS on it, is up."""

    def connection_read(self, connection: "Connection", items: list[StreamItem], at: float) -> None:
        """Items were read in one go."""

    def connection_closed(self, connection: "Connection") -> None:
        """An open connection is gone."""


class Connection(asyncio.Protocol):
    """A connection on `flow`; until it is open, messages to send wait in it."""

    __slots__ = ("_owner", "_parser", "_transport", "_waiting", "accepted", "flow", "read_at")

    def __init__(self, owner: ConnectionOwner, flow: Flow, *, accepted: bool) -> None:
        """`flow` with the number of this connection; `accepted` when the peer opened it."""
        self.flow = flow
        self.accepted = accepted
        self.read_at = boottime()
        self._owner = owner
        self._parser = StreamParser()
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []

    @property
    def is_usable(self) -> bool:
        """Whether it is open, or may open yet; False once it is closing."""
        return self._transport is None or not self._transport.is_closing()

    def send(self, data: bytes) -> bool:
        """Send, or let wait until it is open; False when too much waits already."""
        transport, limits = self._transport, self._owner.limits
        if transport is None:
            if len(self._waiting) >= limits.queued_messages:
                return False
            self._waiting.append(data)
            return True
        if transport.is_closing() or transport.get_write_buffer_size() > limits.buffered_bytes:
            return False
        transport.write(data)
        return True

    def close(self) -> None:
        """Close once what was sent has left."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()

    def peer_names(self) -> list[str]:
        """Return the host names in the verified certificate of a TLS peer; none otherwise."""
        if self._transport is None:
            return []
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert()
        if not certificate:
            return []
        names = certificate.get("subjectAltName", ())
        return [str(name[1]).lower() for name in names if name[0] == "DNS"]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what waited (asyncio.Protocol)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        connected: socket.socket | None = transport.get_extra_info("socket")
        if connected is not None:
            _watch(connected, self._owner.limits)
        self.read_at = boottime()
        self._owner.connection_opened(self)
        for data in self._waiting:
            transport.write(data)
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        """Cut what was read into messages and pings (asyncio.Protocol)."""
        at = self.read_at = boottime()
        try:
            items = self._parser.feed(data)
        except ParseError as error:  # where the next message begins is unknown
            preceding = cast("list[StreamItem]", error.preceding)
            self._owner.connection_read(self, [*preceding, error], at)
            self.close()
            return
        if KeepAlive.PING in items:
            self.send(b"\r\n")
        self._owner.connection_read(self, items, at)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the transport (asyncio.Protocol)."""
        self._transport = None
        self._waiting.clear()
        self._owner.connection_closed(self)


def _watch(connected: socket.socket, limits: StreamLimits) -> None:
    """Let the kernel find out that a peer is gone that couldn't say so (a phone that lost its power): its
    binding would take calls for an hour, each of them for 32 s."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, limits.probe_after_s),
        (socket.TCP_KEEPINTVL, limits.unheard_s),
        (socket.TCP_USER_TIMEOUT, limits.unheard_s * 1000),
    ):
        connected.setsockopt(socket.IPPROTO_TCP, option, value)
