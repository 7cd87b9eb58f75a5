"""A played connection against a broker that stays silent, says no, or takes little at a time."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from firmware_agent.fleet import connection, packets
from firmware_agent.fleet.connection import Connection
from firmware_agent.messages.reported import Ack, AckResult, Status
from firmware_agent.messages.topics import Kind

pytestmark = pytest.mark.wire


@dataclass
class Owner:
    reasons: list[str] = field(default_factory=list)
    connected: int = 0

    def on_connected(self, connection: Connection) -> None:
        self.connected += 1

    def on_message(self, kind: Kind, raw: bytes) -> None:
        raise AssertionError(kind)

    def on_closed(self, connection: Connection, reason: str) -> None:
        self.reasons.append(reason)


Answer = Callable[[packets.Packet], bytes]


async def talk(answer: Answer, sends: int = 0) -> tuple[Owner, list[packets.Packet]]:
    """A connection that publishes `sends` acknowledgements, until it is closed or 0.5 s are over."""
    heard: list[packets.Packet] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer = bytearray()
        while data := await reader.read(65536):
            buffer += data
            for packet in packets.read_packets(buffer):
                heard.append(packet)
                writer.write(answer(packet))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    owner = Owner()
    made = Connection(owner, "dev-0001", "p", Status(False, 1, 0))
    port = server.sockets[0].getsockname()[1]
    await asyncio.get_running_loop().create_connection(lambda: made, "127.0.0.1", port)
    until = asyncio.get_running_loop().time() + 0.5
    while not owner.reasons and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.01)
        if owner.connected and sends:
            for number in range(sends):
                made.publish(Kind.ACK, Ack(f"c{number}", AckResult.DONE))
            sends = 0
    made.close("the test is over")
    server.close()
    await asyncio.sleep(0.02)
    return owner, heard


def polite(packet: packets.Packet, connack: bytes = b"\x20\x03\x00\x00\x00") -> bytes:
    if packet.kind == 1:
        return connack
    if packet.kind == 8:
        return b"\x90\x06" + packet.body[:2] + b"\x00\x01\x01\x01"
    return b""


def test_silent_broker_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_LIMIT_S", 0.1)
    owner, _ = asyncio.run(talk(lambda _: b""))
    assert owner.reasons == ["no CONNACK"]


def test_limit_ends_with_the_connection_being_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_LIMIT_S", 0.1)
    owner, _ = asyncio.run(talk(polite))
    assert owner.connected == 1
    assert owner.reasons == ["the test is over"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda packet: polite(packet, b"\x20\x03\x00\x87\x00"), "CONNACK 0x87"),
        (
            lambda packet: polite(packet) if packet.kind == 1 else b"\x90\x04\x00\x01\x00\x87",
            "SUBSCRIBE denied: 0x87",
        ),
        (
            lambda packet: polite(packet) if packet.kind == 1 else b"\xe0\x01\x8e",
            "DISCONNECT 0x8e",
        ),
        (lambda _: b"\x30\xff\xff\xff\xff\xff", "remaining length of more than four bytes"),
    ],
    ids=["CONNACK", "SUBACK", "taken over", "nonsense"],
)
def test_no_is_told_with_its_code(answer: Answer, reason: str) -> None:
    owner, _ = asyncio.run(talk(answer))
    assert owner.connected == 0
    assert owner.reasons == [reason]


def test_no_more_is_under_way_than_the_broker_takes() -> None:
    maximum = b"\x20\x06\x00\x00\x03\x21\x00\x05"
    owner, heard = asyncio.run(talk(lambda packet: polite(packet, maximum), sends=12))
    assert owner.connected == 1
    assert len([each for each in heard if each.kind == packets.PUBLISH]) == 5

    def acknowledging(packet: packets.Packet) -> bytes:
        if packet.kind == packets.PUBLISH:
            return packets.puback(packets.read_publish(packet)[1])
        return polite(packet, maximum)

    _, heard = asyncio.run(talk(acknowledging, sends=12))
    published = [packets.read_publish(each) for each in heard if each.kind == packets.PUBLISH]
    assert [number for _, number, _ in published] == list(range(2, 14))
    assert [payload for _, _, payload in published] == [
        b'{"id":"c%d","result":"done"}' % number for number in range(12)
    ]


def test_given_up_before_it_was_made_it_says_nothing() -> None:
    async def story() -> bytes:
        received = bytearray()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionResetError):
                received.extend(await reader.read(100))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        made = Connection(Owner(), "dev-0001", "p", Status(False, 1, 0))
        made.close("rebooted meanwhile")
        port = server.sockets[0].getsockname()[1]
        await asyncio.get_running_loop().create_connection(lambda: made, "127.0.0.1", port)
        await asyncio.sleep(0.1)
        server.close()
        return bytes(received)

    assert asyncio.run(story()) == b""
