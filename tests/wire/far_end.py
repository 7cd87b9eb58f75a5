"""The far end of a trunk, in the test's own thread: it answers calls, or fails as carriers do.

It reads only when it is told to (`serve`), so a test that drives several of these and a phone from one
`select` needs no thread and no lock. A datagram's time is the kernel's, so a reader that has to wait for
its turn on a busy machine measures the switch all the same.
Deliberately absent: media, digest, retransmission of its own responses.
"""

import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Self

from switch.dialog.dialog import host_port
from switch.sip.build import make_response
from switch.sip.errors import ParseError
from switch.sip.ids import new_tag
from switch.sip.message import Request
from switch.sip.parser import StreamParser, parse
from tests.wire.softphone import SDP

_BACKLOG = 64
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")


class Conduct(Enum):
    """How it treats an INVITE."""

    ANSWERS = "100, 180, 200"
    SILENT = "says nothing"
    TRYING_ONLY = "100, and nothing more"
    UNAVAILABLE = "503"
    CLOSED = "no socket: ICMP port unreachable, or connection refused"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that came, at this monotonic time."""

    at: float
    request: Request


class FarEnd:
    """One address of a carrier, on UDP and TCP. Leave it as a context manager."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self.arrivals: list[Arrival] = []
        """What was read, repetitions left out."""
        self._conduct = Conduct.CLOSED
        self._seen: set[tuple[str, str]] = set()
        self._tags: dict[str, str] = {}
        self._datagrams: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._connections: dict[socket.socket, StreamParser] = {}
        self.conduct = Conduct.ANSWERS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.conduct = Conduct.CLOSED

    @property
    def conduct(self) -> Conduct:
        """How it treats an INVITE; a change counts from the next one."""
        return self._conduct

    @conduct.setter
    def conduct(self, wanted: Conduct) -> None:
        if wanted is Conduct.CLOSED:
            self._close()
        elif self._conduct is Conduct.CLOSED:
            self._open()
        self._conduct = wanted

    @property
    def sockets(self) -> list[socket.socket]:
        """What `select` is to wait for."""
        opened = [each for each in (self._datagrams, self._listener) if each is not None]
        return [*opened, *self._connections]

    def serve(self, ready: socket.socket) -> None:
        """Read what this socket holds, and answer by the conduct. Others' sockets are left alone."""
        if ready is self._listener:
            connection, _ = ready.accept()
            connection.setblocking(False)
            self._connections[connection] = StreamParser()
        elif ready is self._datagrams:
            self._read_datagrams(ready)
        elif ready in self._connections:
            self._read_stream(ready)

    def invites(self) -> list[Arrival]:
        """The INVITEs that came."""
        return [each for each in self.arrivals if each.request.method == "INVITE"]

    def got(self, method: str, call_id: str) -> bool:
        """Whether a request of this method and call came."""
        return any(
            each.request.method == method and each.request.call_id == call_id
            for each in self.arrivals
        )

    def forget(self) -> None:
        """Begin a new count."""
        self.arrivals.clear()

    # -- inside --------------------------------------------------------------------------------

    def _open(self) -> None:
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(self.address)
        self._datagrams.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._datagrams.setblocking(False)
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self.address)
        self._listener.listen(_BACKLOG)

    def _close(self) -> None:
        for each in self.sockets:
            each.close()
        self._datagrams = self._listener = None
        self._connections.clear()

    def _read_datagrams(self, ready: socket.socket) -> None:
        while True:
            try:
                data, ancillary, _, source = ready.recvmsg(65_536, 64)
            except BlockingIOError:
                return
            except ConnectionRefusedError:  # an answer of ours found nobody
                continue
            with suppress(ParseError):
                message = parse(data)
                if isinstance(message, Request):
                    for answer in self._take(message, _received_at(ancillary)):
                        ready.sendto(answer, source)

    def _read_stream(self, ready: socket.socket) -> None:
        try:
            octets = ready.recv(65_536)
        except (BlockingIOError, ConnectionError):
            octets = b""
        if not octets:
            del self._connections[ready]
            ready.close()
            return
        for item in self._connections[ready].feed(octets):
            if isinstance(item, Request):
                for answer in self._take(item, time.monotonic()):
                    ready.sendall(answer)

    def _take(self, request: Request, at: float) -> list[bytes]:
        """Note the request, unless it is a repetition; what to answer."""
        key = (request.method, request.via.branch or "")
        if key not in self._seen:
            self._seen.add(key)
            self.arrivals.append(Arrival(at, request))
        if request.method == "ACK" or self._conduct is Conduct.SILENT:
            return []
        if request.method == "INVITE":
            return self._answer_invite(request)
        return [make_response(request, 200, to_tag=new_tag()).to_bytes()]

    def _answer_invite(self, invite: Request) -> list[bytes]:
        tag = self._tags.setdefault(invite.via.branch or "", new_tag())
        trying = make_response(invite, 100, to_tag=None).to_bytes()
        if self._conduct is Conduct.TRYING_ONLY:
            return [trying]
        if self._conduct is Conduct.UNAVAILABLE:
            return [make_response(invite, 503, to_tag=tag).to_bytes()]
        transport = invite.via.transport.lower()
        contact = ("Contact", f"<sip:{host_port(self.address)};transport={transport}>")
        fields = [contact, ("Content-Type", "application/sdp")]
        return [
            trying,
            make_response(invite, 180, to_tag=tag, headers=[contact]).to_bytes(),
            make_response(invite, 200, to_tag=tag, headers=fields, body=SDP).to_bytes(),
        ]


def _received_at(ancillary: list[tuple[int, int, bytes]]) -> float:
    """The monotonic time at which the kernel received a datagram."""
    now, wall = time.monotonic(), time.time()
    for _, kind, value in ancillary:
        if kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(value)
            return now - max(0.0, wall - (seconds + nanoseconds * 1e-9))
    return now
