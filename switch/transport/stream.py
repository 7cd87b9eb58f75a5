"""SIP over TCP and TLS (RFC 3261 §18, connection reuse of RFC 5923).

Accepts and opens connections and hands whole messages to the sink. A flow with `connection` 0 asks
for any connection to that address, opened if there is none; messages wait meanwhile, a few.

TLS handshakes are admitted at a limited rate: a storm of phones that reconnect must not hold up an
emergency call. Addresses and idle connections have limits too (limits.py).

Deliberately absent: a new connection for a response whose own has closed (§18.2.2): a phone behind
NAT can't be reached that way, and the call learns from on_flow_closed; aliases that a peer asks for
by itself (RFC 5923 §6 wants it authenticated: `alias` is for who has seen to that).
"""

import asyncio
import itertools
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Final, Protocol

from switch.clock import boottime
from switch.sip.errors import ParseError
from switch.sip.flow import WILDCARDS, Flow
from switch.sip.message import Request, Response
from switch.sip.parser import KeepAlive, StreamItem
from switch.transport.certificate import TlsPeer, fault_of
from switch.transport.connection import Connection
from switch.transport.limits import StreamLimits
from switch.transport.listener import Listener

Address = tuple[str, int]

_DEFAULT_LIMITS: Final = StreamLimits()
_SWEEPS_PER_TIMEOUT: Final = 4
_SHUTDOWN_S: Final = 1.0  # for TLS's closing handshake with a peer that may be gone


class StreamSink(Protocol):
    """Who takes what arrives. Each of these but on_batch_end is followed by on_batch_end.

    Except within `send`, which may call on_transport_error at once: its caller performs already.
    """

    def on_stream_message(self, message: Request | Response, flow: Flow, at: float) -> None:
        """A message, read at `at` (boottime seconds)."""

    def on_stream_error(self, error: ParseError, flow: Flow, at: float) -> None:
        """A message that can't be used; `error.request` is there when it can be answered.

        If its end is unknown too, the connection closes after on_batch_end.
        """

    def on_batch_end(self) -> None:
        """What was read in one go is through: perform what it led to."""

    def on_transport_error(self, flow: Flow) -> None:
        """Nothing sent to `flow` arrives: no connection could be had, or it takes no more."""

    def on_flow_closed(self, flow: Flow) -> None:
        """The connection has closed, whoever closed it."""


class StreamTransport:
    """All TCP and TLS sockets of the node. Counters only grow."""

    def __init__(
        self,
        tcp: Sequence[Address],
        tls: Sequence[Address],
        sink: StreamSink,
        *,
        server_tls: ssl.SSLContext | None = None,
        limits: StreamLimits = _DEFAULT_LIMITS,
    ) -> None:
        """Prepare to listen on `tcp` and `tls` addresses (IP literal, port; port 0 picks one).

        `server_tls` is needed with `tls`.
        """
        if tls and server_tls is None:
            raise ValueError("TLS listeners need a certificate")
        self.limits = limits
        self.server_tls = server_tls
        """The context of connections that are accepted from now on."""
        self.tls_peer: Callable[[Flow], TlsPeer | None] = lambda _: None
        """Who is expected at the far end of a TLS flow; to None no connection is opened."""
        self.on_handshake: Callable[[Flow, str], None] = lambda _flow, _fault: None
        """Hears how a TLS connection that we opened was taken: "", or what was wrong."""
        self.patience: Callable[[Flow], float] = lambda _: limits.connect_timeout_s
        """Seconds that a connection to `flow` may take to open: less where there is another way."""
        self.is_registered: Callable[[Flow], bool] = lambda _: False
        """Whether a phone is registered on a flow: its connection may be silent for as long as that."""
        self._sink = sink
        rate, tls_rate = limits.tcp_accepts_per_s, limits.tls_accepts_per_s
        self._listeners = [Listener("TCP", a, rate, self._accept) for a in tcp]
        self._listeners += [Listener("TLS", a, tls_rate, self._accept) for a in tls]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._numbers = itertools.count(1)
        self._by_number: dict[int, Connection] = {}
        self._by_address: dict[tuple[str, Address], Connection] = {}
        self._aliases: dict[int, list[Address]] = {}
        self._per_host: Counter[str] = Counter()
        self._held = 0  # accepted connections, TLS handshakes included
        self._opening: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self.accepted = 0
        self.refused = 0
        self.failed = 0

    def __len__(self) -> int:
        """Count the open connections."""
        return len(self._by_number)

    def open(self, loop: asyncio.AbstractEventLoop) -> list[tuple[str, Address]]:
        """Listen; return (transport, bound address) of each. OSError names what is taken."""
        self._loop = loop
        bound = []
        for listener in self._listeners:
            try:
                bound.append((listener.transport, listener.open(loop)))
            except OSError:
                self.close()
                raise
        self._close_idle()
        return bound

    def close(self) -> None:
        """Stop listening and close every connection. Idempotent."""
        for listener in self._listeners:
            listener.close()
        for task in list(self._opening):
            task.cancel()
        for connection in list(self._by_number.values()):
            connection.close()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def send(self, flow: Flow, data: bytes) -> None:
        """Send on the connection of `flow`, or on any to its remote address when `connection` is 0.

        When that can't be, the sink's on_transport_error(flow) is called, at once or later.
        """
        if flow.connection:
            connection = self._by_number.get(flow.connection)
        else:
            connection = self._by_address.get((flow.transport, flow.remote))
            if connection is None or not connection.is_usable:
                connection = self._start(flow)
        if connection is None:
            self.failed += 1
            self._sink.on_transport_error(flow)
        elif not connection.send(data):
            self.failed += 1
            connection.abort()
            self._sink.on_transport_error(flow)

    def is_connecting(self, flow: Flow) -> bool:
        """Whether a connection to the address of `flow` is being opened, TLS handshake included."""
        connection = self._by_address.get((flow.transport, flow.remote))
        return connection is not None and connection.flow.connection not in self._by_number

    def alias(self, flow: Flow, address: Address) -> None:
        """Use this connection for `address` too (RFC 5923): its peer has proved who it is."""
        connection = self._by_number.get(flow.connection)
        if connection is not None:
            self._by_address[flow.transport, address] = connection
            self._aliases.setdefault(flow.connection, []).append(address)

    def peer_names(self, flow: Flow) -> list[str]:
        """Return the host names of the verified certificate that the peer of a TLS flow showed."""
        connection = self._by_number.get(flow.connection)
        return [] if connection is None else connection.peer_names()

    # Accepting and opening

    def _accept(self, transport: str, accepted: socket.socket, remote: Address) -> None:
        """Take a connection from a listener, within the limits."""
        host = remote[0]
        limits = self.limits
        per_host = self._per_host[host]
        if self._held >= limits.connections or per_host >= limits.connections_per_address:
            self.refused += 1
            accepted.close()
            return
        self.accepted += 1
        self._held += 1
        self._per_host[host] += 1
        accepted.setblocking(False)
        name = accepted.getsockname()
        flow = Flow(transport, (name[0], name[1]), remote, next(self._numbers))
        self._run(self._take(Connection(self, flow, accepted=True), accepted))

    async def _take(self, connection: Connection, accepted: socket.socket) -> None:
        """Wait for the TLS handshake of an accepted connection."""
        assert self._loop is not None
        tls = self.server_tls if connection.flow.transport == "TLS" else None
        timeout = None if tls is None else self.limits.handshake_timeout_s
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=tls,
                ssl_handshake_timeout=timeout,
                ssl_shutdown_timeout=None if tls is None else _SHUTDOWN_S,
            )
        except OSError:  # TLS errors and time-outs are OSErrors
            self.refused += 1
            self._release(connection)

    def _start(self, flow: Flow) -> Connection | None:
        """Start to open a connection to `flow.remote`; None when that is impossible at once."""
        peer = self.tls_peer(flow) if flow.transport == "TLS" else None
        if self._loop is None or (flow.transport == "TLS" and peer is None):
            return None
        connection = Connection(self, flow._replace(connection=next(self._numbers)), accepted=False)
        self._by_address[flow.transport, flow.remote] = connection
        self._run(self._connect(connection, peer))
        return connection

    async def _connect(self, connection: Connection, peer: TlsPeer | None) -> None:
        """Open a connection; what waits in it is sent when it is open."""
        assert self._loop is not None
        flow = connection.flow
        host = flow.local[0]
        same_family = (":" in host) == (":" in flow.remote[0])
        local = (host, 0) if same_family and host and host not in WILDCARDS else None
        try:
            async with asyncio.timeout(self.patience(flow)):
                await self._loop.create_connection(
                    lambda: connection,
                    *flow.remote,
                    ssl=None if peer is None else peer.context,
                    server_hostname=None if peer is None else peer.name,
                    local_addr=local,
                    ssl_shutdown_timeout=None if peer is None else _SHUTDOWN_S,
                )
            if peer is not None:
                self.on_handshake(flow, "")
        except OSError as error:  # refused, unreachable, TLS errors, time-outs
            self.failed += 1
            if isinstance(error, ssl.SSLError):
                self.on_handshake(flow, fault_of(error))
            self._forget_address(connection)
            self._sink.on_transport_error(flow._replace(connection=0))
            self._sink.on_batch_end()

    def _run(self, coroutine: Coroutine[None, None, None]) -> None:
        """Run what opens a connection, and keep a reference to the task meanwhile."""
        assert self._loop is not None
        task = self._loop.create_task(coroutine)
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    # What connections tell (ConnectionOwner)

    def connection_opened(self, connection: Connection) -> None:
        """Make it available to `send`."""
        flow = connection.flow
        self._by_number[flow.connection] = connection
        self._by_address[flow.transport, flow.remote] = connection

    def connection_read(self, connection: Connection, items: list[StreamItem], at: float) -> None:
        """Hand messages, and what should have been one, to the sink."""
        for item in items:
            if isinstance(item, ParseError):
                self._sink.on_stream_error(item, connection.flow, at)
            elif not isinstance(item, KeepAlive):
                self._sink.on_stream_message(item, connection.flow, at)
        self._sink.on_batch_end()

    def connection_closed(self, connection: Connection) -> None:
        """Forget it and tell the sink."""
        self._release(connection)
        if self._by_number.pop(connection.flow.connection, None) is not None:
            self._forget_address(connection)
            self._sink.on_flow_closed(connection.flow)
            self._sink.on_batch_end()

    def _release(self, connection: Connection) -> None:
        """Give back the place that an accepted connection takes among those of its host."""
        if connection.accepted:
            self._held -= 1
            host = connection.flow.remote[0]
            self._per_host[host] -= 1
            if self._per_host[host] <= 0:
                del self._per_host[host]

    def _forget_address(self, connection: Connection) -> None:
        flow = connection.flow
        for address in (flow.remote, *self._aliases.pop(flow.connection, ())):
            if self._by_address.get((flow.transport, address)) is connection:
                del self._by_address[flow.transport, address]

    def _close_idle(self) -> None:
        """Close connections that nobody needs and that were silent for too long, and look again later."""
        assert self._loop is not None
        limit = self.limits.idle_timeout_s
        oldest = boottime() - limit
        for connection in list(self._by_number.values()):
            if connection.read_at < oldest and not self.is_registered(connection.flow):
                connection.close()
        self._sweep = self._loop.call_later(limit / _SWEEPS_PER_TIMEOUT, self._close_idle)
