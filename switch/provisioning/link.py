"""The switch's connection to the broker: the only module that knows aiomqtt.

Nothing here waits for the broker on behalf of anybody: `publish` queues, and what waits while the broker
is away is dropped at the next connection, when the service publishes everything that should be there
anew. Messages are handed on a few at a time, so that a storm of devices leaves the loop to calls.
aiomqtt doesn't reconnect by itself, nor complain of a refused subscription; both are done here.
"""

import asyncio
import logging
import math
import random
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import aiomqtt
from aiomqtt import MqttError, ProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from firmware_agent.messages import topics
from firmware_agent.messages.topics import Kind, Topic
from switch.provisioning import paho_reading
from switch.settings import HostPort

Note = Callable[[str, dict[str, object]], None]
OnMessage = Callable[[Topic, bytes], None]

SUBSCRIPTIONS: Final = tuple(
    f"{topics.PREFIX}/{room}/+/{kind}"
    for room, kinds in (("d", topics.DEVICE_WRITES), ("claim", (Kind.CLAIM_REQ,)))
    for kind in kinds
)
# What one turn of the loop may cost the calls that wait meanwhile.
TURN_S: Final = 0.002
SESSION_S: Final = 86_400
_FIRST_PAUSE_S: Final = 0.2
# So that messages of a storm come together: each turn costs a write of the journal.
REST_S: Final = 0.001
# Devices wait longer for their turn; we are one, and without us nobody is told anything.
_LAST_PAUSE_S: Final = 10.0
_PUBLISHERS: Final = 64
ACKNOWLEDGED_S: Final = 10.0  # a broker that acknowledges nothing for so long is left
_REFUSED: Final = 0x80

paho_reading.share_tables()


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is, and who we are there."""

    broker: HostPort
    username: str
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class _Parcel:
    topic: Topic
    payload: bytes


class Link:
    """One connection, made again for ever.

    `on_message` gets each message of a device; `on_batch_end` is called after each turn, so that what
    they led to is performed; `on_up` when the connection stands and everything is to be published,
    `on_down` when it is lost.
    """

    def __init__(
        self,
        address: Callable[[], Address],
        on_message: OnMessage,
        on_batch_end: Callable[[], None],
        on_up: Callable[[], None],
        on_down: Callable[[], None],
        note: Note,
    ) -> None:
        """Nothing is opened before `run`."""
        self.is_up = False
        self.received = self.refused = 0
        self._address = address
        self._on_message = on_message
        self._on_batch_end = on_batch_end
        self._on_up = on_up
        self._on_down = on_down
        self._note = note
        self._outgoing: deque[_Parcel] = deque()
        self._filled = asyncio.Event()
        self._heard = _LastError()
        self._waiting = 0  # publishers, for an acknowledgement; the last one came at
        self._acknowledged_at = 0.0

    def publish(self, topic: Topic, payload: bytes) -> None:
        """Send soon; nothing is kept for a broker that is away."""
        if self.is_up:
            self._outgoing.append(_Parcel(topic, payload))
            self._filled.set()

    async def run(self, ready: Callable[[], "asyncio.Future[None] | None"] = lambda: None) -> None:
        """Stay connected until cancelled. Each attempt waits for what `ready` returns."""
        pause_s, told = _FIRST_PAUSE_S, ""
        while True:
            if (waiting := ready()) is not None:
                await waiting
            began = time.monotonic()
            try:
                await self._live()
            except (MqttError, OSError) as error:
                reason = self._heard.text or str(error)
                if self.is_up or reason != told:  # each reason once, however often it is tried
                    told = reason
                    self._note("mqtt.down", {"reason": reason})
            finally:
                if self.is_up:
                    self.is_up = False
                    self._on_down()
                self._outgoing.clear()
            pause_s = _FIRST_PAUSE_S if time.monotonic() - began > 5 else pause_s * 2
            pause_s = min(pause_s, _LAST_PAUSE_S)
            await asyncio.sleep(random.uniform(0.1, 1.0) * pause_s)

    async def _live(self) -> None:
        """One connection, until it breaks."""
        address, inbox, arrived = self._address(), deque[aiomqtt.Message](), asyncio.Event()
        self._heard, self._waiting = _LastError(), 0

        class Inbox(asyncio.Queue[aiomqtt.Message]):
            """aiomqtt makes a task for each message that is taken from its queue; this one passes them
            on, and stays empty."""

            def put_nowait(self, item: aiomqtt.Message) -> None:
                inbox.append(item)
                arrived.set()

        async with self._client(address, Inbox) as client:
            client.pending_calls_threshold = (
                2 * _PUBLISHERS
            )  # as many wait at once as was asked for
            paho_reading.read_ahead(client)
            for pattern in SUBSCRIPTIONS:
                await self._subscribe(client, pattern)
            self.is_up = True
            self._note("mqtt.up", {"broker": str(address.broker)})
            self._on_up()
            self._on_batch_end()
            rooms = [_until_lost(client), self._receive(inbox, arrived), self._watch()]
            rooms += [self._send(client) for _ in range(_PUBLISHERS)]
            tasks = [asyncio.ensure_future(room) for room in rooms]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _client(
        self, address: Address, inbox: type[asyncio.Queue[aiomqtt.Message]]
    ) -> aiomqtt.Client:
        """Not connected yet."""
        return aiomqtt.Client(
            hostname=address.broker.host,
            port=address.broker.port,
            username=address.username,
            password=address.password,
            identifier=address.username,
            protocol=ProtocolVersion.V5,
            tls_context=address.tls,
            queue_type=inbox,
            # What devices say while we are away waits for us, where the broker outlives us.
            clean_start=False,
            properties=_session(),
            keepalive=30,
            max_inflight_messages=1000,
            max_concurrent_outgoing_calls=_PUBLISHERS + 4,
            timeout=10,
            logger=self._heard.logger(),
        )

    async def _subscribe(self, client: aiomqtt.Client, pattern: str) -> None:
        codes = await client.subscribe(pattern, qos=1)
        for code in codes:
            value = code if isinstance(code, int) else code.value
            if value >= _REFUSED:
                raise MqttError(f"the broker refuses us {pattern}")

    async def _receive(self, inbox: deque[aiomqtt.Message], arrived: asyncio.Event) -> None:
        """Hand messages on, for a short turn of the loop at a time."""
        while True:
            await arrived.wait()
            until = time.monotonic() + TURN_S
            while inbox and time.monotonic() < until:
                message = inbox.popleft()
                self._take(str(message.topic), message.payload)
            self._on_batch_end()
            if not inbox:
                arrived.clear()
            await asyncio.sleep(REST_S)

    def _take(self, topic: str, payload: object) -> None:
        self.received += 1
        try:
            known = Topic.parse(topic)
        except ValueError:
            self.refused += 1
            return
        self._on_message(known, payload if isinstance(payload, bytes) else b"")

    async def _send(self, client: aiomqtt.Client) -> None:
        """One of several that wait for acknowledgements; packets leave in the queue's order."""
        while True:
            while not self._outgoing:
                self._filled.clear()
                await self._filled.wait()
            parcel = self._outgoing.popleft()
            kind = parcel.topic.kind
            if not self._waiting:
                self._acknowledged_at = time.monotonic()
            self._waiting += 1
            await client.publish(
                str(parcel.topic),
                parcel.payload or None,
                qos=topics.QOS[kind],
                retain=kind in topics.RETAINED,
                properties=_expiry(kind),
                timeout=math.inf,  # a limit is a task and a timer for each; `_watch` has one for all
            )
            self._waiting -= 1
            self._acknowledged_at = time.monotonic()

    async def _watch(self) -> None:
        """Raise MqttError when acknowledgements stay away."""
        while True:
            await asyncio.sleep(ACKNOWLEDGED_S / 4)
            if self._waiting and time.monotonic() - self._acknowledged_at > ACKNOWLEDGED_S:
                raise MqttError(f"nothing acknowledged for {ACKNOWLEDGED_S:g} s")


class _LastError(logging.Handler):
    """What paho logs of a connection that fails: why a broker refuses our certificate is told nowhere
    else, and after TLS 1.3 only then."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self.text = record.getMessage()

    def logger(self) -> logging.Logger:
        """A logger of its own, for this alone."""
        made = logging.Logger("mqtt", logging.ERROR)
        made.addHandler(self)
        return made


async def _until_lost(client: aiomqtt.Client) -> None:
    """Raise MqttError when the connection is lost. No message comes this way."""
    async for _ in client.messages:
        raise AssertionError("the inbox passes messages on")


def _session() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    return properties


def _expiry(kind: Kind) -> Properties | None:
    seconds = topics.EXPIRY_S.get(kind)
    if seconds is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = seconds
    return properties
