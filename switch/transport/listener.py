"""Listening sockets of TCP and TLS, from which connections are taken at a limited rate.

What comes faster waits in the kernel's queue, and when that is full in the peer's SYN
retransmission: no CPU is spent on it. asyncio's own servers accept, and shake hands, as fast as
peers come.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

Address = tuple[str, int]
Accept = Callable[[str, socket.socket, Address], None]

_BACKLOG: Final = 1024  # what waits in the kernel; net.core.somaxconn may be lower
_PER_WAKEUP: Final = 16  # so that a burst doesn't keep the loop from its datagrams
_BURST_S: Final = 0.1  # unused rate that may be saved up
_LEAST_PAUSE_S: Final = 0.001  # a rounding error short of one would mean a wake-up for nothing
_EXHAUSTED_PAUSE_S: Final = 0.2  # when descriptors or memory are short: try again, don't spin


class Listener:
    """One listening socket of `transport` ("TCP" or "TLS"); `accept` takes each connection."""

    def __init__(self, transport: str, address: Address, rate: float, accept: Accept) -> None:
        """Accept at most `rate` connections a second, saving up a tenth of a second's worth."""
        self.transport = transport
        self._address = address
        self._rate = rate
        self._accept = accept
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._allowance = 1.0
        self._counted_at = 0.0

    def open(self, loop: asyncio.AbstractEventLoop) -> Address:
        """Listen; return the bound address. OSError names the one that is taken."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setblocking(False)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Inherited by what is accepted: else a 200 soon after a 180 waits 40 ms for an ACK of TCP.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(self._address)
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            raise OSError(
                error.errno, f"{self.transport} {host}:{port}: {error.strerror}"
            ) from error
        self._socket = listening
        self._loop = loop
        self._counted_at = loop.time()
        loop.add_reader(listening.fileno(), self._readable)
        name = listening.getsockname()
        return name[0], name[1]

    def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        if self._socket is not None and self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _readable(self) -> None:
        loop, listening = self._loop, self._socket
        if loop is None or listening is None:
            return
        now = loop.time()
        saved = max(1.0, self._rate * _BURST_S)
        self._allowance = min(saved, self._allowance + (now - self._counted_at) * self._rate)
        self._counted_at = now
        for _ in range(_PER_WAKEUP):
            if self._allowance < 1.0:
                self._pause(max(_LEAST_PAUSE_S, (1.0 - self._allowance) / self._rate))
                return
            try:
                accepted, remote = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                self._pause(_EXHAUSTED_PAUSE_S)
                return
            self._allowance -= 1.0
            self._accept(self.transport, accepted, (remote[0], remote[1]))

    def _pause(self, seconds: float) -> None:
        if self._loop is not None and self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._resume = self._loop.call_later(seconds, self._continue)

    def _continue(self) -> None:
        self._resume = None
        if self._loop is not None and self._socket is not None:
            self._loop.add_reader(self._socket.fileno(), self._readable)
