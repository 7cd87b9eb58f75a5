"""The link against a broker of a few lines, that denies, drops and forgets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from firmware_agent.fleet import packets
from firmware_agent.messages.codec import parse
from firmware_agent.messages.reported import Event, Evt, Status
from firmware_agent.messages.topics import BEACON, Kind
from firmware_agent.mqtt import Broker, Link
from tests.firmware_agent.standin import DEVICE

pytestmark = pytest.mark.wire


@dataclass
class BadBroker:
    """Says yes to CONNECT; `granted`: the reason code of each SUBACK."""

    granted: int = 1
    acknowledges: bool = True
    connects: list[bytes] = field(default_factory=list)
    published: list[tuple[str, bytes]] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        buffer = bytearray()
        while data := await reader.read(65536):
            buffer += data
            for packet in packets.read_packets(buffer):
                self._answer(packet, writer)
        writer.close()

    def _answer(self, packet: packets.Packet, writer: asyncio.StreamWriter) -> None:
        if packet.kind == 1:
            self.connects.append(packet.body)
            writer.write(b"\x20\x03\x00\x00\x00")
        elif packet.kind == 8:
            writer.write(b"\x90\x04" + packet.body[:2] + b"\x00" + bytes((self.granted,)))
        elif packet.kind == packets.PUBLISH:
            topic, number, payload = packets.read_publish(packet)
            self.published.append((topic, payload))
            if number and self.acknowledges:
                writer.write(packets.puback(number))

    def drop(self) -> None:
        """Every connection ends at once."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


@dataclass
class Heard:
    """Whose link it is."""

    sid: int = 0
    connected: int = 0
    reasons: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def will(self) -> Status:
        self.sid += 1
        return Status(False, self.sid, 0)

    def on_connected(self) -> None:
        self.connected += 1
        self.news.set()

    def on_disconnected(self, reason: str) -> None:
        self.reasons.append(reason)
        self.news.set()

    def on_message(self, kind: Kind, raw: bytes) -> None:
        raise AssertionError(kind)

    async def wait(self) -> None:
        await asyncio.wait_for(self.news.wait(), 10)
        self.news.clear()


@asynccontextmanager
async def linked(broker: BadBroker) -> AsyncIterator[tuple[Link, Heard]]:
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    heard = Heard()
    link = Link(Broker(f"mqtt://127.0.0.1:{port}", DEVICE, "p"), heard, chance=lambda: 0.01)
    running = asyncio.create_task(link.run())
    try:
        yield link, heard
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        broker.drop()
        server.close()


def test_denied_subscription_is_no_connection() -> None:
    """SUBACK 0x87 raises nothing in the library: it must not be taken for service."""

    async def story() -> None:
        async with linked(BadBroker(granted=0x87)) as (_, heard):
            await heard.wait()
            assert heard.connected == 0
            assert f"SUBSCRIBE {BEACON} denied: 0x87" in heard.reasons[0]

    asyncio.run(story())


def test_comes_back_with_a_new_sid_in_its_will() -> None:
    async def story() -> None:
        broker = BadBroker()
        async with linked(broker) as (_, heard):
            await heard.wait()
            broker.drop()
            await heard.wait()
            await heard.wait()
            assert heard.connected == 2
            for number, connect in enumerate(broker.connects, 1):
                will = connect[connect.index(b'{"online"') : connect.index(b"}") + 1]
                assert parse(Status, will) == Status(False, number, 0)

    asyncio.run(story())


def test_event_without_puback_is_said_again_and_a_sample_is_not() -> None:
    async def story() -> None:
        broker = BadBroker(acknowledges=False)
        async with linked(broker) as (link, heard):
            await heard.wait()
            event = Evt(Event.BOOT, "b1", 1, 0, {})
            link.publish(Kind.EVT, event)
            link.publish(Kind.ACK, event)
            async with asyncio.timeout(5):
                while not broker.published:
                    await asyncio.sleep(0.01)
            broker.acknowledges = True
            broker.drop()
            await heard.wait()
            await link.flush(5)
            kinds = [topic.rsplit("/", 1)[1] for topic, _ in broker.published]
            assert kinds == ["evt", "evt"]

    asyncio.run(story())
