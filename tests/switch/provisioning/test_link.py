"""The switch's connection to a broker that takes messages and acknowledges none."""

import asyncio

import pytest

from firmware_agent.fleet import packets
from firmware_agent.messages.topics import Kind, Topic
from switch.provisioning import link
from switch.provisioning.link import Address, Link
from switch.settings import HostPort

pytestmark = pytest.mark.wire
CONNECT, SUBSCRIBE, PING = 1, 8, 12


def answer(packet: packets.Packet) -> bytes:
    if packet.kind == CONNECT:
        return b"\x20\x03\0\0\0"
    if packet.kind == SUBSCRIBE:
        return b"\x90\x04" + packet.body[:2] + b"\0\1"
    return b"\xd0\0" if packet.kind == PING else b""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    buffer = bytearray()
    while data := await reader.read(65536):
        buffer += data
        for packet in packets.read_packets(buffer):
            writer.write(answer(packet))
    writer.close()


def test_a_broker_that_acknowledges_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "ACKNOWLEDGED_S", 0.4)
    notes: list[tuple[str, dict[str, object]]] = []

    async def story() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        made = Link(
            lambda: Address(HostPort("127.0.0.1", port), "vigie-switch", "p"),
            lambda topic, raw: None,
            lambda: None,
            lambda: made.publish(Topic(Kind.DESIRED, "dev-00000001"), b"x"),
            lambda: None,
            lambda name, fields: notes.append((name, fields)),
        )
        running = asyncio.create_task(made.run())
        async with asyncio.timeout(10):
            while len(notes) < 3:
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        server.close()

    asyncio.run(story())
    assert [name for name, _ in notes[:3]] == ["mqtt.up", "mqtt.down", "mqtt.up"]
    assert "acknowledged" in str(notes[1][1]["reason"])
