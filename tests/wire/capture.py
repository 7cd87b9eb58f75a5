"""What went over the loopback interface, with the kernel's own time stamps: the judge of the meters.

A packet socket (packet(7)), which needs root or CAP_NET_RAW. UDP over IPv4 only.
"""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Self

import pytest

from switch.sip.errors import ParseError
from switch.sip.message import Request, Response
from switch.sip.parser import parse

_ETH_P_IP = 0x0800
_TO_US = 0  # PACKET_HOST: the loopback shows each packet once as sent and once as received
_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_BUFFER_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Packet:
    """A SIP message on the wire. `at` is UTC seconds; ports are UDP's."""

    at: float
    source_port: int
    message: Request | Response


class Capture:
    """Captures the UDP datagrams from and to one port while it is entered."""

    def __init__(self, port: int) -> None:
        self.packets: list[Packet] = []
        self._port = port
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        try:
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP)
            )
        except PermissionError:
            pytest.skip("a packet capture needs root or CAP_NET_RAW")
        self._socket.bind(("lo", _ETH_P_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        with contextlib.suppress(
            OSError
        ):  # a busy machine reads late; only root may ask for so much
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self._socket.settimeout(0.1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join()
        self._socket.close()

    def first(self, what: str, method: str, *, source_port: int | None = None) -> Packet | None:
        """The first request `what` or response with status `what` whose CSeq says `method`."""
        for packet in list(self.packets):
            message = packet.message
            said = message.method if isinstance(message, Request) else str(message.status)
            if said != what or message.cseq.method != method:
                continue
            if source_port in (None, packet.source_port):
                return packet
        return None

    def _run(self) -> None:
        while not self._is_over:
            try:
                data, ancillary, _, address = self._socket.recvmsg(65536, 64)
            except TimeoutError:
                continue
            if address[2] == _TO_US and data[9] == socket.IPPROTO_UDP:
                self._take(data[(data[0] & 15) * 4 :], ancillary)

    def _take(self, datagram: bytes, ancillary: list[tuple[int, int, bytes]]) -> None:
        ports = struct.unpack_from("!HH", datagram)
        if self._port not in ports:
            return
        stamp = next(value for _, kind, value in ancillary if kind == _SO_TIMESTAMPNS)
        seconds, nanoseconds = struct.unpack("qq", stamp[:16])
        try:
            message = parse(datagram[8:])
        except ParseError:
            return
        self.packets.append(Packet(seconds + nanoseconds / 1e9, ports[0], message))
