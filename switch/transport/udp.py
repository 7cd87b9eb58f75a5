"""SIP over UDP (RFC 3261 §18): raw non-blocking sockets on the event loop's readers.

A wake-up drains up to 64 datagrams: that costs 6 us a datagram where asyncio's DatagramProtocol
costs 28. When more wait, it goes on reading, since what the kernel's buffer has no room for is lost
whatever it is: datagrams that can wait are put aside and handled in short turns, all others at
once. So an emergency call never stands in a queue of ordinary ones. Each datagram carries the
kernel's receive time, from which minutes are counted (SO_TIMESTAMPNS).
ICMP errors are read from the socket's error queue (IP_RECVERR), so that a dead peer is known at
once and not after 32 s (§18.4).

Deliberately absent: queueing. What the kernel doesn't take now is lost, as on the wire, and SIP
retransmits. On a wildcard address the kernel picks the source address of what is
sent, and peers are told `public`.
"""

import asyncio
import errno
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from switch.clock import boottime
from switch.sip.flow import WILDCARDS, Flow

Address = tuple[str, int]
Arrival = tuple[bytes, Flow, float]
"""A datagram, where it came from, and when (boottime seconds, by the kernel)."""

_DRAIN: Final = 64  # more starves timers and streams; fewer costs a turn of the loop each
# The same while datagrams wait: reading one and putting it aside takes some 5 us.
_DRAIN_BEHIND: Final = 512
# What is put aside at most: some 8 MB, and half a second of the cheapest requests, since overload is
# known by their age (call/shedding.py). Beyond, the oldest is lost: its sender repeats it, or has given up.
_MOST_WAITING: Final = 8_192
# A first one that waited no longer is the only one, as a rule: looking for the next costs a system call
# and an exception, 10 us, and the loop comes back anyhow.
_FRESH_S: Final = 0.0002
_TURN_S: Final = 0.005  # handled of those at a time, then whatever else is due
_MAX_DATAGRAM: Final = 65_535  # the largest UDP payload there is: a longer message can't arrive
# About 0.4 s of 5,000 small datagrams a second, with what the kernel adds to each.
_RECEIVE_BUFFER: Final = 4 * 1024 * 1024
# Remembered peers; a flood of forged sources empties the table, nothing more.
_MAX_FLOWS: Final = 16_384
# Linux: <asm-generic/socket.h>, <linux/in.h>, <linux/in6.h>; Python's socket module doesn't name
# them.
_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_TIMESPEC: Final = struct.Struct("@ll")
_ANCILLARY: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_ERROR_ANCILLARY: Final = 512
# The wall clock was set if a datagram seems to have waited longer than this (s). No shorter: by the
# wait overload is known, and a full receive buffer of a busy node takes seconds.
_MAX_WAIT: Final = 10.0
# A datagram that arrives while its batch is being read is younger than the batch by at most this
# (s).
_MAX_AHEAD: Final = 0.1
AT_ONCE, SOON, LATER = 0, 1, 2
_QUEUE_FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM})


class DatagramSink(Protocol):
    """Who takes what arrives."""

    def on_datagram(self, data: bytes, flow: Flow, at: float) -> None:
        """A datagram, received at `at` (boottime seconds, by the kernel)."""

    def turn_of(self, data: bytes, flow: Flow) -> int:
        """When a datagram is handled: AT_ONCE, or in turns, what is for SOON first. Asked only under load."""

    def on_batch_end(self) -> None:
        """The datagrams of one wake-up are through: perform what they led to."""

    def on_transport_error(self, flow: Flow) -> None:
        """What was sent to `flow` can't arrive."""


class UdpTransport:
    """All UDP sockets of the node. Counters only grow."""

    def __init__(self, addresses: Sequence[Address], sink: DatagramSink, public: str = "") -> None:
        """Prepare to listen on `addresses` (IP literal, port; port 0 picks a free one). `public` stands
        for a wildcard in flows: what we write into Via and Contact must be an address."""
        self._addresses = addresses
        self._public = public
        self._sink = sink
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sockets: dict[Address, _Listener] = {}
        self._default: dict[bool, _Listener] = {}
        self._soon: deque[Arrival] = deque(maxlen=_MOST_WAITING)
        self._later: deque[Arrival] = deque(maxlen=_MOST_WAITING)
        self._turn: asyncio.Handle | None = None
        self.received = 0
        self.passed_over = 0
        self.sent = 0
        self.send_dropped = 0
        self.errors = 0

    @property
    def local_addresses(self) -> list[Address]:
        """The addresses listened on, with the ports that were picked."""
        names = (listener.socket.getsockname() for listener in self._sockets.values())
        return [(name[0], name[1]) for name in names]

    def open(self, loop: asyncio.AbstractEventLoop) -> list[Address]:
        """Bind, start reading, return the bound addresses. OSError names the one that is taken."""
        self._loop = loop
        for address in self._addresses:
            try:
                listener = _Listener(_bound_socket(address), self._public)
            except OSError as error:
                self.close()
                raise OSError(
                    error.errno, f"UDP {address[0]}:{address[1]}: {error.strerror}"
                ) from error
            self._sockets[listener.local] = listener
            self._default.setdefault(":" in listener.local[0], listener)
            loop.add_reader(listener.socket.fileno(), self._readable, listener)
        return self.local_addresses

    def close(self) -> None:
        """Stop reading and close every socket. Idempotent."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._soon.clear()
        self._later.clear()
        for listener in self._sockets.values():
            if self._loop is not None:
                self._loop.remove_reader(listener.socket.fileno())
            listener.socket.close()
        self._sockets.clear()
        self._default.clear()

    def send(self, flow: Flow, data: bytes) -> None:
        """Send `data` from `flow.local` (or the first socket of the family) to `flow.remote`, now.

        Lost when the kernel's queue is full (counted in send_dropped); any other failure is
        reported to the sink as on_transport_error(flow).
        """
        listener = self._sockets.get(flow.local) or self._default.get(":" in flow.remote[0])
        if listener is None:
            self.errors += 1
            self._sink.on_transport_error(flow)
            return
        try:
            listener.socket.sendto(data, flow.remote)
            self.sent += 1
        except OSError as error:
            self._send_failed(listener, flow, data, error)

    def _send_failed(self, listener: "_Listener", flow: Flow, data: bytes, error: OSError) -> None:
        """Tell apart a full queue, an error left by an earlier datagram, and one of this."""
        if error.errno in _QUEUE_FULL:
            self.send_dropped += 1
            return
        # With IP_RECVERR an ICMP error of another destination is reported to whoever calls next:
        # take what the queue holds, then this datagram gets its own chance.
        self._read_errors(listener)
        try:
            listener.socket.sendto(data, flow.remote)
            self.sent += 1
        except OSError as again:
            if again.errno in _QUEUE_FULL:
                self.send_dropped += 1
                return
            self.errors += 1
            self._sink.on_transport_error(flow)

    def _readable(self, listener: "_Listener") -> None:
        """Drain one socket, then let the sink perform."""
        batch = self._read(listener, _DRAIN)
        if len(batch) == _DRAIN or self._soon or self._later:
            batch = self._put_aside(batch + self._read(listener, _DRAIN_BEHIND))
        on_datagram = self._sink.on_datagram
        for data, flow, at in batch:
            on_datagram(data, flow, at)
        self._sink.on_batch_end()

    def _read(self, listener: "_Listener", most: int) -> list[Arrival]:
        """What the socket holds, up to `most` datagrams."""
        receive = listener.socket.recvmsg
        wall_now = time.time()
        now = boottime()
        batch: list[Arrival] = []
        for _ in range(most):
            try:
                data, ancillary, _flags, remote = receive(_MAX_DATAGRAM, _ANCILLARY)
            except BlockingIOError:
                if not batch:
                    self._read_errors(listener)  # woken by EPOLLERR alone
                break
            except OSError:
                self._read_errors(listener)
                continue
            at = _received_at(ancillary, now, wall_now)
            batch.append((data, listener.flow(remote), at))
            if len(batch) == 1 and at != now and now - at < _FRESH_S:
                break
        self.received += len(batch)
        return batch

    def _put_aside(self, batch: list[Arrival]) -> list[Arrival]:
        """Keep what can wait for later turns; return what can't."""
        turn_of = self._sink.turn_of
        urgent: list[Arrival] = []
        queues = (urgent, self._soon, self._later)
        for arrival in batch:
            turn = turn_of(arrival[0], arrival[1])
            self.passed_over += turn != AT_ONCE and len(queues[turn]) == _MOST_WAITING
            queues[turn].append(arrival)
        self._want_turn()
        return urgent

    def _want_turn(self) -> None:
        if (self._soon or self._later) and self._turn is None and self._loop is not None:
            self._turn = self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Handle some of what waits, then let the loop look for more urgent work."""
        self._turn = None
        on_datagram = self._sink.on_datagram
        end = boottime() + _TURN_S
        while waiting := self._soon or self._later:
            data, flow, at = waiting.popleft()
            on_datagram(data, flow, at)
            if boottime() > end:
                break
        self._sink.on_batch_end()
        self._want_turn()

    def _read_errors(self, listener: "_Listener") -> None:
        """Empty the error queue, and report the destinations that ICMP calls unreachable."""
        for _ in range(_DRAIN):
            try:
                _, ancillary, _, remote = listener.socket.recvmsg(
                    0, _ERROR_ANCILLARY, socket.MSG_ERRQUEUE
                )
            except OSError:
                return
            if remote and _is_fatal(ancillary):
                self.errors += 1
                self._sink.on_transport_error(listener.flow(remote))


class _Listener:
    """One bound socket, and the flows of its peers: one object a peer, not one a message."""

    __slots__ = ("_flows", "local", "socket")

    def __init__(self, bound: socket.socket, public: str = "") -> None:
        self.socket = bound
        host, port = bound.getsockname()[:2]
        stands_for = host in WILDCARDS and (":" in host) == (":" in public)
        self.local: Address = (public if public and stands_for else host, port)
        self._flows: dict[tuple[str, int], Flow] = {}

    def flow(self, remote: tuple[str, int]) -> Flow:
        """Return the flow to `remote` (as recvmsg gives it: with flow label and scope for IPv6)."""
        flow = self._flows.get(remote)
        if flow is None:
            if len(self._flows) >= _MAX_FLOWS:
                self._flows.clear()
            flow = self._flows[remote] = Flow("UDP", self.local, (remote[0], remote[1]))
        return flow


def _bound_socket(address: Address) -> socket.socket:
    """Return a non-blocking socket bound to `address`. OSError."""
    ipv6 = ":" in address[0]
    bound = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        try:
            bound.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except OSError:  # without CAP_NET_ADMIN, net.core.rmem_max limits it
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        bound.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if ipv6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            bound.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _received_at(ancillary: Sequence[tuple[int, int, bytes]], now: float, wall_now: float) -> float:
    """Map the kernel's wall-clock stamp of a datagram to boottime seconds.

    `now` and `wall_now` are one moment on both clocks. A stamp that can't be right, since the wall
    clock was set in between, counts as `now`.
    """
    for _level, kind, value in ancillary:
        if kind == _SO_TIMESTAMPNS and len(value) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(value)
            waited: float = wall_now - (seconds + nanoseconds * 1e-9)
            if -_MAX_AHEAD <= waited <= _MAX_WAIT:
                return now - waited
            return now
    return now


def _is_fatal(ancillary: Sequence[tuple[int, int, bytes]]) -> bool:
    """Whether an error queue entry (struct sock_extended_err) means that no peer is there."""
    for _level, kind, value in ancillary:
        if kind in (_IP_RECVERR, _IPV6_RECVERR) and len(value) >= 4:
            code: int = struct.unpack_from("@I", value)[0]
            return code != errno.EMSGSIZE  # an update of the path's MTU is no failure
    return False
