"""The packets of MQTT 5 (OASIS, March 2019) that a played device needs.

Deliberately absent: QoS 2, topic aliases, shared subscriptions, AUTH.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
SUBACK: Final = 9
PINGRESP: Final = 13
DISCONNECT: Final = 14

PINGREQ = b"\xc0\x00"
BYE = b"\xe0\x00"
_RECEIVE_MAXIMUM = 0x21

# Properties of CONNACK and PUBLISH by the length of their value (§2.2.2.2); 0: two bytes of length before.
_LENGTHS = {0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1} | {
    0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1, 0x03: 0, 0x08: 0, 0x09: 0, 0x12: 0, 0x15: 0, 0x16: 0,
    0x1A: 0, 0x1C: 0, 0x1F: 0,
}  # fmt: skip


class PacketError(ValueError):
    """Bytes that are none of the packets we know."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as it came: its type, the flags of the first byte, and the rest."""

    kind: int
    flags: int
    body: bytes


def read_packets(buffer: bytearray) -> Iterator[Packet]:
    """Take whole packets off the front of `buffer`. Raises PacketError."""
    start, size = 0, len(buffer)
    try:
        while size - start >= 2:
            length, shift, at = 0, 0, start + 1
            while True:
                byte = buffer[at]
                at += 1
                length |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
                if shift > 21:
                    raise PacketError("remaining length of more than four bytes")
                if at >= size:
                    return
            if size - at < length:
                return
            first = buffer[start]
            start = at + length
            yield Packet(first >> 4, first & 15, bytes(buffer[at:start]))
    finally:
        del buffer[:start]


def connect(client: str, password: str, will_topic: str, will: bytes, keepalive_s: int) -> bytes:
    """CONNECT: clean start, user name is the client id, a retained will at QoS 1."""
    flags = 0x80 | 0x40 | 0x20 | 0x08 | 0x04 | 0x02
    body = _text("MQTT") + bytes((5, flags)) + keepalive_s.to_bytes(2, "big")
    body += b"\x00" + _text(client) + b"\x00" + _text(will_topic)
    body += len(will).to_bytes(2, "big") + will + _text(client) + _text(password)
    return _packet(0x10, body)


def subscribe(number: int, topics: list[str]) -> bytes:
    """SUBSCRIBE at QoS 1."""
    filters = b"".join(_text(each) + b"\x01" for each in topics)
    return _packet(0x82, number.to_bytes(2, "big") + b"\x00" + filters)


def publish(
    topic: str, payload: bytes, qos: int, retain: bool, number: int, expiry_s: int | None
) -> bytes:
    """PUBLISH; `number` is the packet identifier of QoS 1."""
    properties = b"\x00" if expiry_s is None else b"\x05\x02" + expiry_s.to_bytes(4, "big")
    identifier = number.to_bytes(2, "big") if qos else b""
    return _packet(0x30 | qos << 1 | retain, _text(topic) + identifier + properties + payload)


def puback(number: int) -> bytes:
    """PUBACK, success."""
    return b"\x40\x02" + number.to_bytes(2, "big")


def read_connack(body: bytes) -> tuple[int, int]:
    """The reason code, and how many QoS 1 messages may be under way (Receive Maximum, §3.2.2.3.3)."""
    maximum = 65535
    for identifier, value in _properties(body, 2):
        if identifier == _RECEIVE_MAXIMUM:
            maximum = int.from_bytes(value, "big")
    return body[1], maximum


def read_publish(packet: Packet) -> tuple[str, int, bytes]:
    """Topic, packet identifier (0 at QoS 0), payload."""
    body = packet.body
    end = 2 + int.from_bytes(body[:2], "big")
    topic, number = body[2:end].decode(), 0
    if packet.flags & 0x06:
        number = int.from_bytes(body[end : end + 2], "big")
        end += 2
    length, at = _varint(body, end)
    return topic, number, body[at + length :]


def read_suback(body: bytes) -> bytes:
    """The reason codes."""
    length, at = _varint(body, 2)
    return body[at + length :]


def _properties(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    length, at = _varint(body, at)
    end = at + length
    while at < end:
        identifier = body[at]
        size = _LENGTHS.get(identifier)
        if identifier == 0x26:  # a user property: two texts
            first = int.from_bytes(body[at + 1 : at + 3], "big")
            second = int.from_bytes(body[at + 3 + first : at + 5 + first], "big")
            size = 4 + first + second
        elif size is None:
            raise PacketError(f"property {identifier:#x}")
        elif size == 0:
            size = 2 + int.from_bytes(body[at + 1 : at + 3], "big")
        yield identifier, body[at + 1 : at + 1 + size]
        at += 1 + size


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def _packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray((first,))
    while True:
        head.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            return bytes(head) + body
