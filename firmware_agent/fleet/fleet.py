"""A fleet from a file: who the devices are, what they share, and what they count.

The file is one JSON document, `FleetFile`; `share` (index, of) splits it over several processes.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import urllib3
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent.files import MemoryFiles
from firmware_agent.fleet.connection import KEEPALIVE_S
from firmware_agent.fleet.played import Card, Counts, PlayedDevice, Surroundings
from firmware_agent.messages.claim import RawKey, Url
from firmware_agent.messages.codec import Name, Text, Within
from firmware_agent.messages.desired import Id, Sha256
from firmware_agent.messages.envelope import Verifier, keys_of
from firmware_agent.slots import Image, Slots

THREADS = 4
_PINGS_AT_ONCE = 100
_REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class FleetDevice:
    """A claimed device."""

    device: Id
    password: Text = field(repr=False)
    seal_key: RawKey = field(repr=False)
    """X25519 private key, raw; devices of a bench may share one."""
    certificate_sha256: Sha256 | None = None


@dataclass(frozen=True, slots=True)
class FleetFile:
    """A whole fleet. `image` is what the devices leave the factory with, `firmware` the file of it."""

    model: Name
    broker: Url
    service_keys: Annotated[tuple[RawKey, ...], Within(1, 8)]
    tuf_root: Annotated[str, Within(1, 32768)]
    metadata_url: Url
    images_url: Url
    image: Image
    firmware: Text
    devices: tuple[FleetDevice, ...]
    boot_s: float = 0.0


class _Remembering:
    """A key that knows again what it verified just now: the one beacon that all devices get."""

    def __init__(self, key: Verifier) -> None:
        self.verify = lru_cache(_REMEMBERED)(key.verify)


class Fleet:
    """The devices of a process."""

    def __init__(self, devices: list[PlayedDevice], counts: Counts) -> None:
        self.devices = devices
        self.counts = counts

    def boot(self) -> None:
        """Boot all; none is connected."""
        for each in self.devices:
            each.boot()

    async def connect(self, at_once: int = 50) -> None:
        """`at_once` connections under way at a time; returns when each is connected."""
        begun = 0
        while self.counts.connected < len(self.devices):
            while begun < len(self.devices) and begun - self.counts.connected < at_once:
                self.devices[begun].connect()
                begun += 1
            await asyncio.sleep(0.002)

    async def keep_alive(self) -> None:
        """Pings, spread evenly; ends by cancellation."""
        pause = KEEPALIVE_S / 2 * _PINGS_AT_ONCE / max(len(self.devices), 1)
        while True:
            for first in range(0, len(self.devices), _PINGS_AT_ONCE):
                for each in self.devices[first : first + _PINGS_AT_ONCE]:
                    each.ping()
                await asyncio.sleep(min(pause, KEEPALIVE_S / 2))

    def summary(self) -> dict[str, object]:
        """Counts, for people and for benches."""
        counts = self.counts
        return {
            "devices": len(self.devices),
            "connected": counts.connected,
            "reported": counts.reported,
            "lowest_rev": min(counts.applied.values(), default=0),
            "states": dict(Counter(counts.states.values())),
            "versions": dict(Counter(counts.versions.values())),
        }

    def stop(self) -> None:
        """Disconnect all."""
        for each in self.devices:
            each.stop()


@contextmanager
def fleet_of(file: FleetFile, share: tuple[int, int] = (0, 1)) -> Iterator[Fleet]:
    """The fleet, not yet connected; metadata lie in memory (tmpfs) where there is any."""
    shm = Path("/dev/shm")  # noqa: S108 -- a directory of our own is made in it
    directory = Path(tempfile.mkdtemp(prefix="fleet-", dir=shm if shm.is_dir() else None))
    parts = urlsplit(file.broker)
    with ThreadPoolExecutor(THREADS) as threads:
        counts = Counts()
        around = Surroundings(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 1883,
            model=file.model,
            keys={name: _Remembering(key) for name, key in keys_of(file.service_keys).items()},
            metadata_url=file.metadata_url,
            images_url=file.images_url,
            tuf_root=file.tuf_root.encode(),
            metadata_dir=directory,
            pool=urllib3.PoolManager(num_pools=4, maxsize=THREADS),
            threads=threads,
            boot_s=file.boot_s,
            counts=counts,
        )
        factory = MemoryFiles()
        Slots.manufacture(factory, Path(file.firmware).read_bytes(), file.image)
        index, of = share
        keys: dict[bytes, X25519PrivateKey] = {}
        devices = []
        for each in file.devices[index::of]:
            key = keys.setdefault(each.seal_key, X25519PrivateKey.from_private_bytes(each.seal_key))
            card = Card(each.device, each.password, key, each.certificate_sha256)
            devices.append(PlayedDevice(card, MemoryFiles(factory.content), around))
        fleet = Fleet(devices, counts)
        try:
            yield fleet
        finally:
            fleet.stop()
            threads.shutdown(wait=False, cancel_futures=True)
            shutil.rmtree(directory, ignore_errors=True)
