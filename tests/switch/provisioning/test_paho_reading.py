"""paho's reader with the tables made once: it reads what paho itself reads, and refuses what paho refuses."""

import socket

import pytest
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from switch.provisioning import link, paho_reading

V5 = MQTTProtocolVersion.MQTTv5


def packed(**values: object) -> bytes:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return bytes(properties.pack())  # type: ignore[no-untyped-call]


def publish(properties: bytes) -> bytearray:
    topic = b"vigie/v1/d/dev-0001/evt"
    return bytearray(len(topic).to_bytes(2, "big") + topic + b"\0\7" + properties + b"payload")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"MessageExpiryInterval": 60},
        {"UserProperty": [("a", "1"), ("a", "2")], "ContentType": "x", "PayloadFormatIndicator": 1},
        {"CorrelationData": b"\0\1", "ResponseTopic": "r", "SubscriptionIdentifier": [1, 2]},
    ],
)
def test_it_reads_what_paho_reads(values: dict[str, object]) -> None:
    assert link.paho_reading is paho_reading and paho_reading.share_tables()
    raw = publish(packed(**values))
    read = _packet.decode_publish(0x32, raw, V5)
    own = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    own.unpack(packed(**values) + b"payload")  # type: ignore[no-untyped-call]
    assert isinstance(read.properties, paho_reading.ReadProperties)
    assert (
        read.properties.json()
        == own.json()
        == values
        | {  # type: ignore[no-untyped-call]
            name: value.hex() for name, value in values.items() if isinstance(value, bytes)
        }
    )
    assert (read.mid, bytes(read.payload)) == (7, b"payload")


def test_a_second_read_forgets_the_first() -> None:
    read = paho_reading.ReadProperties(PacketTypes.PUBLISH)
    read.unpack(packed(MessageExpiryInterval=60))  # type: ignore[no-untyped-call]
    read.unpack(packed(ContentType="x"))  # type: ignore[no-untyped-call]
    assert read.json() == {"ContentType": "x"}  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "properties", [b"\x05\x02\0\0", b"\x03\x21\0\1", b"\x02\xff\0", b"\xff\xff\xff\xff\xff"]
)
def test_it_refuses_what_paho_refuses(properties: bytes) -> None:
    assert paho_reading.share_tables()
    with pytest.raises(MalformedPacket):
        _packet.decode_publish(0x32, publish(properties)[: 27 + len(properties)], V5)


def test_a_socket_that_reads_ahead_gives_the_bytes_of_the_plain_one() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        ahead = paho_reading.AheadSocket(near)
        with pytest.raises(BlockingIOError):
            ahead.recv(1)
        far.sendall(b"abcdef")
        assert (ahead.recv(1), ahead.pending(), ahead.recv(3)) == (b"a", 5, b"bcd")
        assert (ahead.recv(9), ahead.pending(), ahead.fileno()) == (b"ef", 0, near.fileno())
        far.close()
        assert ahead.recv(1) == b""


def test_what_comes_in_meanwhile_is_for_the_next_turn_of_the_loop() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        ahead = paho_reading.AheadSocket(near)
        for _ in range(2):
            far.sendall(b"abc")
            assert ahead.recv(2) == b"ab" and ahead.pending() == 1
            far.sendall(b"def")
            assert ahead.recv(2) == b"c"
            with pytest.raises(BlockingIOError):  # a packet that isn't whole
                ahead.recv(1)
            assert ahead.pending() == 0
            assert ahead.recv(3) == b"def" and ahead.pending() == 0
