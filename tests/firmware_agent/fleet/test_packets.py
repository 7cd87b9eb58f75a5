"""Packets of MQTT 5: whole ones are taken, halves wait, nonsense is refused."""

import pytest

from firmware_agent.fleet import packets


def test_stream_in_any_pieces_gives_the_same_packets() -> None:
    sent = [
        packets.publish("a/b", b"x" * size, qos, False, 7, expiry)
        for size, qos, expiry in ((0, 0, None), (5, 1, 60), (200, 1, None), (20_000, 0, 3600))
    ]
    stream = b"".join(sent)
    for piece in (1, 2, 3, 7, 1000, len(stream)):
        buffer, found = bytearray(), []
        for at in range(0, len(stream), piece):
            buffer += stream[at : at + piece]
            found += list(packets.read_packets(buffer))
        assert not buffer
        read = [packets.read_publish(each) for each in found]
        assert read == [
            ("a/b", 0, b""), ("a/b", 7, b"x" * 5), ("a/b", 7, b"x" * 200), ("a/b", 0, b"x" * 20_000),
        ]  # fmt: skip


def test_length_without_end_is_refused() -> None:
    with pytest.raises(packets.PacketError):
        list(packets.read_packets(bytearray(b"\x30\xff\xff\xff\xff\x01")))


def test_connack_gives_the_receive_maximum() -> None:
    assert packets.read_connack(b"\x00\x00\x00") == (0, 65535)
    assert packets.read_connack(b"\x00\x87\x00") == (0x87, 65535)
    properties = b"\x22\x00\x0a\x21\x00\x14\x12\x00\x01a\x26\x00\x01k\x00\x01v\x24\x01"
    body = b"\x00\x00" + bytes((len(properties),)) + properties
    assert packets.read_connack(body) == (0, 20)
    with pytest.raises(packets.PacketError, match="0x7f"):
        packets.read_connack(b"\x00\x00\x02\x7f\x00")
