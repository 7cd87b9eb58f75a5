"""One played device's connection to the broker, as an asyncio protocol.

No task, no future: bytes in, calls on the owner; `publish` writes, or queues what exceeds the broker's
Receive Maximum. Pings are the fleet's, for all connections at once.
"""

import asyncio
from collections import deque
from typing import Protocol, cast

from firmware_agent.fleet import packets
from firmware_agent.messages.codec import encode
from firmware_agent.messages.reported import Status
from firmware_agent.messages.topics import (
    BEACON,
    DEVICE_READS,
    EXPIRY_S,
    QOS,
    RETAINED,
    Kind,
    Topic,
)

KEEPALIVE_S = 300
"""Long: a ping of each of 10,000 devices every 30 s would be measured too."""
CONNECT_LIMIT_S = 5.0
"""From the TCP connection to the last SUBACK. A broker whose backlog overflows may have dropped our last
ACK: we believe to be connected, and it knows nothing of us."""
_DENIED = 0x80


class Owner(Protocol):
    """Whose connection it is."""

    def on_connected(self, connection: "Connection") -> None:
        """Connected, and every subscription granted."""

    def on_message(self, kind: Kind, raw: bytes) -> None:
        """A message to this device."""

    def on_closed(self, connection: "Connection", reason: str) -> None:
        """The connection ended; it may be one that was given up, later than the next began."""


class Connection(asyncio.Protocol):
    """One connection, from CONNECT to its end."""

    def __init__(self, owner: Owner, device: str, password: str, will: Status) -> None:
        self._owner = owner
        self._is_given_up = False
        self.is_granted = False
        """Whether it was in service."""
        self._device = device
        self._password = password
        self._will = encode(will)
        self._transport: asyncio.Transport | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._buffer, self._unsent = bytearray(), bytearray()
        self._queue: deque[tuple[Kind, bytes]] = deque()
        self._in_flight = 0
        self._maximum = 20
        self._number = 1
        self._reason = "closed by the broker"
        # The time first: what follows is dated by it.
        self._kinds = {BEACON: Kind.BEACON} | {
            str(Topic(kind, device)): kind for kind in DEVICE_READS
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        if self._is_given_up:
            self._transport.abort()
            return
        self._limit = self._loop.call_later(CONNECT_LIMIT_S, self.close, "no CONNACK", True)
        will_topic = str(Topic(Kind.STATUS, self._device))
        packet = packets.connect(self._device, self._password, will_topic, self._will, KEEPALIVE_S)
        self._transport.write(packet)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        try:
            for packet in packets.read_packets(self._buffer):
                self._receive(packet)
        except packets.PacketError as error:
            self.close(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._transport = None
        if self._limit is not None:
            self._limit.cancel()
        self._owner.on_closed(self, str(exc) if exc else self._reason)

    def publish(self, kind: Kind, document: object) -> None:
        """Publish, in order; dropped once the connection is gone."""
        payload = encode(document)
        if QOS[kind] == 0:
            self._write(kind, payload, 0)
        elif self._in_flight < self._maximum:
            self._send(kind, payload)
        else:
            self._queue.append((kind, payload))

    def ping(self) -> None:
        """Say that we are here."""
        self._write_raw(packets.PINGREQ)

    def close(self, reason: str, abruptly: bool = False) -> None:
        """End it: with DISCONNECT, or without, so that the will is sent."""
        self._reason, self._is_given_up = reason, True
        if self._transport is None:
            return
        if abruptly:
            self._transport.abort()
        else:
            self._unsent += packets.BYE
            self._flush()
            self._transport.close()

    # -- inside --------------------------------------------------------------------------------

    def _receive(self, packet: packets.Packet) -> None:
        match packet.kind:
            case packets.PUBLISH:
                self._on_publish(packet)
            case packets.PUBACK:
                self._in_flight -= 1
                if self._queue:
                    self._send(*self._queue.popleft())
            case packets.CONNACK:
                code, self._maximum = packets.read_connack(packet.body)
                if code:
                    self.close(f"CONNACK {code:#x}")
                else:
                    self._write_raw(packets.subscribe(1, list(self._kinds)))
            case packets.SUBACK:
                denied = [code for code in packets.read_suback(packet.body) if code >= _DENIED]
                if denied:
                    self.close(f"SUBSCRIBE denied: {denied[0]:#x}")
                else:
                    if self._limit is not None:
                        self._limit.cancel()
                    self.is_granted = True
                    self._owner.on_connected(self)
            case packets.DISCONNECT:
                code = packet.body[0] if packet.body else 0
                self.close(f"DISCONNECT {code:#x}")

    def _on_publish(self, packet: packets.Packet) -> None:
        topic, number, payload = packets.read_publish(packet)
        if number:
            self._write_raw(packets.puback(number))
        kind = self._kinds.get(topic)
        if kind is not None:
            self._owner.on_message(kind, payload)

    def _write_raw(self, packet: bytes) -> None:
        """Packets of one turn of the loop leave in one system call."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent += packet

    def _flush(self) -> None:
        if self._unsent and self._transport is not None:
            self._transport.write(bytes(self._unsent))
        self._unsent.clear()

    def _send(self, kind: Kind, payload: bytes) -> None:
        self._in_flight += 1
        self._number = self._number % 65535 + 1
        self._write(kind, payload, self._number)

    def _write(self, kind: Kind, payload: bytes, number: int) -> None:
        topic = str(Topic(kind, self._device))
        retain, expiry_s = kind in RETAINED, EXPIRY_S.get(kind)
        self._write_raw(packets.publish(topic, payload, QOS[kind], retain, number, expiry_s))
