"""One played device over its reboots: its storage outlives them, as flash does.

Real: agent, driver, slots, metadata, download, install, signatures, sealed secrets. Played: SIP, audio, the
network it is plugged into, and the time that a boot takes.
"""

import asyncio
import random
from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent.agent.agent import Identity
from firmware_agent.agent.kept import STATE_FILE
from firmware_agent.assembly import agent_of, header_of
from firmware_agent.driver import Around, Driver, read_clocks
from firmware_agent.files import MemoryFiles
from firmware_agent.fleet.connection import Connection
from firmware_agent.messages.envelope import Keys
from firmware_agent.messages.reported import Ota, Reported, Status
from firmware_agent.messages.topics import Kind
from firmware_agent.metadata import Metadata, PoolFetcher
from firmware_agent.played_phone import PlayedPhone
from firmware_agent.slots import Slots
from firmware_agent.work import Outcome, Tools

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all devices of a fleet share."""

    host: str
    port: int
    model: str
    keys: Keys
    metadata_url: str
    images_url: str
    tuf_root: bytes
    metadata_dir: Path
    pool: urllib3.PoolManager
    threads: Executor
    boot_s: float
    """How long a boot takes."""
    counts: "Counts"


@dataclass(slots=True)
class Counts:
    """What a fleet counts. `states`: of each device's update, now."""

    connected: int = 0
    reported: int = 0
    applied: dict[str, int] = field(default_factory=dict)
    """Device -> applied rev."""
    states: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    closed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Card:
    """Who a played device is."""

    device: str
    password: str = field(repr=False)
    seal_key: X25519PrivateKey = field(repr=False)
    certificate_sha256: str | None = None


class PlayedDevice:
    """One device, its storage as the factory left it. It reconnects and reboots by itself until `stop`."""

    def __init__(self, card: Card, files: MemoryFiles, around: Surroundings) -> None:
        self.card = card
        self._around = around
        self._files = files
        self._slots = Slots(files)
        self._loop = asyncio.get_running_loop()
        self._chance = random.Random(card.device)
        self._pause = FIRST_PAUSE_S
        self._connection: Connection | None = None
        self._driver: Driver | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._is_stopped = False

    def start(self, reason: str = "power") -> None:
        """Boot, and connect."""
        self.boot(reason)
        self.connect()

    def boot(self, reason: str = "power") -> None:
        """Choose the slot, hash it, and run what is in it."""
        if self._is_stopped:
            return
        boot, around, files = self._slots.boot(), self._around, self._files
        device = self.card.device
        header = header_of(files, boot)
        if header.strikes("crashes", device):
            self._loop.call_later(around.boot_s, self.start, "crash")
            return
        identity = Identity(
            device, around.model, around.keys, self.card.seal_key, self.card.certificate_sha256
        )
        agent = agent_of(identity, files, boot, reason, self._chance)
        metadata = Metadata(
            around.metadata_dir / device,
            around.metadata_url,
            around.tuf_root,
            PoolFetcher(around.pool),
        )
        tools = Tools(
            files, self._slots, metadata, around.pool, around.images_url, around.model, boot
        )
        phone = PlayedPhone(self._tell, not header.strikes("never_registers", device))
        self._driver = Driver(agent, tools, Around(self, phone, around.threads))
        around.counts.versions[device] = boot.image.version
        self._driver.tell(lambda agent, at: agent.on_start(at))

    def connect(self) -> None:
        """Begin a connection."""
        if self._driver is not None and not self._is_stopped:
            self._connecting = self._loop.create_task(self._connect(self._driver))

    async def _connect(self, driver: Driver) -> None:
        agent = driver.agent
        agent.next_sid()
        will = Status(False, agent.sid, int(agent.time.utc(read_clocks())))
        connection = Connection(self, self.card.device, self.card.password, will)
        # Before it is made: it may be lost before we know that it was.
        self._connection = connection
        try:
            await self._loop.create_connection(
                lambda: connection, self._around.host, self._around.port
            )
        except OSError as error:
            self.on_closed(connection, str(error))

    def call(self, outcome: Outcome) -> None:
        """Let something happen to the device: a call, a move."""
        self._tell(outcome)

    def ping(self) -> None:
        """Keep the connection."""
        if self._connection is not None:
            self._connection.ping()

    def stop(self) -> None:
        """For good."""
        self._is_stopped = True
        self._end("stopped")

    # -- for the connection --------------------------------------------------------------------

    def on_connected(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        self._around.counts.connected += 1
        if connection is not self._connection:
            return
        self._pause = FIRST_PAUSE_S
        self._tell(lambda agent, at: agent.on_connected(at))

    def on_message(self, kind: Kind, raw: bytes) -> None:
        """See `connection.Owner`."""
        if self._driver is not None:
            self._driver.receive(kind, raw)

    def on_closed(self, connection: Connection, reason: str) -> None:
        """See `connection.Owner`."""
        self._around.counts.closed[reason] += 1
        self._around.counts.connected -= connection.is_granted
        if connection is not self._connection:
            return  # one that we ended ourselves
        self._connection = None
        if self._driver is None or self._is_stopped:
            return
        self._tell(lambda agent, at: agent.on_disconnected(at))
        self._loop.call_later(self._pause * self._chance.random(), self._reconnect, self._driver)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)

    def _reconnect(self, driver: Driver) -> None:
        if driver is self._driver and self._connection is None:
            self.connect()

    # -- for the driver ------------------------------------------------------------------------

    def publish(self, kind: Kind, document: object) -> None:
        """See `driver.Outside`."""
        counts, device = self._around.counts, self.card.device
        if isinstance(document, Ota):
            counts.states[device] = document.state.value
        elif isinstance(document, Reported):
            counts.reported += 1
            counts.applied[device] = document.applied_rev
        if self._connection is not None:
            self._connection.publish(kind, document)

    def reboot(self, reason: str) -> None:
        """See `driver.Outside`."""
        if self._driver is not None and self._connection is not None:
            agent = self._driver.agent
            offline = Status(False, agent.sid, int(agent.time.utc(read_clocks())))
            self._connection.publish(Kind.STATUS, offline)
        self._end(f"reboot: {reason}")
        self._loop.call_later(self._around.boot_s, self.start, reason)

    def wipe(self) -> None:
        """See `driver.Outside`."""
        self._files.remove(STATE_FILE)
        self.stop()

    # -- inside --------------------------------------------------------------------------------

    def _tell(self, outcome: Outcome) -> None:
        if self._driver is not None:
            self._driver.tell(outcome)

    def _end(self, reason: str) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.stop()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(reason)
