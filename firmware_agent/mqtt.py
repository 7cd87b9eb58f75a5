"""The MQTT side of one device, and the only module here that knows aiomqtt.

`Link.run` connects, subscribes, and begins again after any loss, with a pause of 1 to 60 s and full jitter,
so that thousands of devices don't come back in one second. A denied SUBSCRIBE answers with a reason code and
raises nothing, so every SUBACK is checked. The last will carries the `sid` of its connection. PUBACK is no
proof of processing: states are said anew at each connection, and events wait for their PUBACK.
"""

import asyncio
import contextlib
import random
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

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

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
OFFLINE_KEPT_S = 300
"""How long the broker holds commands for a device that is away."""
KEEPALIVE_S = 30


MqttError = aiomqtt.MqttError


class LinkError(Exception):
    """The broker refused something; the message says what."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where, as whom, and how. `url`: mqtt://host:port or mqtts://host:port. `tls` is asked at each
    connection: the certificate may be another by then."""

    url: str
    user: str
    password: str | None = field(repr=False)
    tls: Callable[[], ssl.SSLContext] | None = field(default=None, repr=False)

    def client(self, will: aiomqtt.Will | None = None, is_lasting: bool = False) -> aiomqtt.Client:
        """A client that is not connected yet."""
        parts = urlsplit(self.url)
        is_tls = parts.scheme == "mqtts"
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        connect.SessionExpiryInterval = OFFLINE_KEPT_S if is_lasting else 0
        return aiomqtt.Client(
            parts.hostname or "127.0.0.1",
            parts.port or (8883 if is_tls else 1883),
            username=self.user,
            password=self.password,
            identifier=self.user,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=not is_lasting,
            properties=connect,
            will=will,
            keepalive=KEEPALIVE_S,
            tls_context=self.tls() if is_tls and self.tls is not None else None,
        )


async def subscribe(client: aiomqtt.Client, *topics: str) -> None:
    """Subscribe at QoS 1. Raises LinkError when the broker denies one."""
    for topic in topics:
        codes = await client.subscribe(topic, qos=1)
        for code in codes:
            value = code if isinstance(code, int) else code.value
            if value >= 0x80:
                raise LinkError(f"SUBSCRIBE {topic} denied: {value:#x}")


def expiry(kind: Kind) -> Properties | None:
    """PUBLISH properties of a kind of message."""
    seconds = EXPIRY_S.get(kind)
    if seconds is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = seconds
    return properties


class Owner(Protocol):
    """Whose link it is. Called on the loop."""

    def will(self) -> Status:
        """The will of the connection that is about to begin, with a fresh `sid`."""

    def on_connected(self) -> None:
        """Connected, and every subscription granted."""

    def on_disconnected(self, reason: str) -> None:
        """The connection is lost, or could not be made."""

    def on_message(self, kind: Kind, raw: bytes) -> None:
        """A message to this device."""


class Link:
    """One device's connection, for as long as `run` runs."""

    def __init__(
        self, broker: Broker, owner: Owner, chance: Callable[[], float] = random.random
    ) -> None:
        self._broker = broker
        self._device = broker.user
        self._owner = owner
        self._chance = chance
        self._queue: deque[tuple[Kind, bytes]] = deque()
        self._news = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    def publish(self, kind: Kind, document: object) -> None:
        """Publish, in order. Lost with the connection, save for events."""
        self._queue.append((kind, encode(document)))
        self._drained.clear()
        self._news.set()

    async def flush(self, limit_s: float) -> None:
        """Wait until all is delivered, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drained.wait(), limit_s)

    async def run(self) -> None:
        """Be connected; ends only by cancellation."""
        pause = FIRST_PAUSE_S
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._connection()
            except (aiomqtt.MqttError, LinkError, OSError, TimeoutError) as error:
                self._lost(f"{type(error).__name__}: {error}")
            if asyncio.get_running_loop().time() - began > LONGEST_PAUSE_S:
                pause = FIRST_PAUSE_S
            await asyncio.sleep(pause * self._chance())
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _lost(self, reason: str) -> None:
        events = [each for each in self._queue if each[0] is Kind.EVT]
        self._queue = deque(events)
        self._owner.on_disconnected(reason)

    async def _connection(self) -> None:
        status = Topic(Kind.STATUS, self._device)
        will = aiomqtt.Will(str(status), encode(self._owner.will()), qos=1, retain=True)
        async with self._broker.client(will, is_lasting=True) as client:
            topics = (str(Topic(kind, self._device)) for kind in DEVICE_READS)
            await subscribe(client, BEACON, *topics)  # the time first: the rest is dated by it
            self._owner.on_connected()
            tasks = (
                asyncio.create_task(self._send(client)),
                asyncio.create_task(self._hear(client)),
            )
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    each.result()
            finally:
                for each in tasks:
                    each.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, client: aiomqtt.Client) -> None:
        while True:
            while self._queue:
                kind, payload = self._queue[0]
                await client.publish(
                    str(Topic(kind, self._device)),
                    payload,
                    qos=QOS[kind],
                    retain=kind in RETAINED,
                    properties=expiry(kind),
                )
                if self._queue and self._queue[0] == (kind, payload):
                    self._queue.popleft()
            self._drained.set()
            self._news.clear()
            await self._news.wait()

    async def _hear(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            try:
                topic = Topic.parse(str(message.topic))
            except ValueError:
                continue
            raw = message.payload
            if isinstance(raw, (bytes, bytearray)):
                self._owner.on_message(topic.kind, bytes(raw))
