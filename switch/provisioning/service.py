"""Devices at work, for the application: the fleet, its broker, its firmware, and their tasks.

Everything that waits is here: the broker's process, the connection to it, files that are written, time
that passes. `run` is one task of the switch; `perform` is called after every turn, so that records reach
the journal before anything else happens.
Deliberately absent: any decision.
"""

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from starlette.routing import Route

from firmware_agent.messages.desired import Beacon
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.provisioning import devices, images, rollouts
from switch.provisioning.admission import Admission, Place
from switch.provisioning.authority import Authority
from switch.provisioning.broker import HOW_TO_GET, Broker, program
from switch.provisioning.broker_files import Encrypted, hashed
from switch.provisioning.certificates import Certificates
from switch.provisioning.devices import Devices
from switch.provisioning.documents import Registrar
from switch.provisioning.fleet import Fleet, Ports
from switch.provisioning.link import Address, Link
from switch.provisioning.reports import Reports
from switch.provisioning.repository import Repository, RepositoryFault
from switch.provisioning.rollouts import Rollouts
from switch.provisioning.settings import DeviceSettings, FirmwareSettings, MqttSettings
from switch.settings import HostPort

KINDS: Final = frozenset({*devices.KINDS, *rollouts.KINDS})  # of records
TICK_S: Final = 0.5
_REFRESH_S: Final = 0.05
_DAY_MS: Final = 86_400_000
_LIST_REST_S: Final = 1.0
_AGAIN_S: Final = 60.0
Note = Callable[[str, dict[str, object]], None]
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the configuration says, with paths resolved and addresses worked out.

    `base_url` is where devices reach the HTTP port. For a broker of one's own: `tls` is ours, None without
    it, and `broker_ca` the PEM of its certificate's authority, which devices are told, None for the
    system's. `elsewhere` is the node that has the devices, "" when it is this one.
    """

    mqtt: MqttSettings
    firmware: FirmwareSettings
    devices: tuple[DeviceSettings, ...]
    registrar: Registrar
    realm: str
    base_url: str
    tls: ssl.SSLContext | None = None
    elsewhere: str = ""
    broker_ca: str | None = None


class Service:
    """Everything about devices that a switch has. `data` is its directory of them."""

    def __init__(
        self,
        plan: Plan,
        exchange: Exchange,
        data: Path,
        ports: Callable[["Service"], Ports],
        perform: Callable[[], None],
        note: Note,
    ) -> None:
        """Keys are made at the first start; nothing is opened. OSError."""
        self.plan = plan
        self.perform = perform
        self._data = data
        self._note = note
        self._exchange = exchange
        self._user = plan.mqtt.username
        self._password = secrets.token_urlsafe(32)
        self._hash = hashed(self._password)
        self._changed = asyncio.Event()
        self._opened = asyncio.Event()
        self._revoked = asyncio.Event()
        self._unwritten: set[str] = set()
        self.broker: Broker | None = None
        self.repository = Repository(data / "firmware")
        authority = Authority(data, datetime.now(UTC), plan.mqtt.certificate_days)
        self.devices = Devices(self._write)
        self.fleet = Fleet(
            exchange, self.devices, authority, ports(self), plan.registrar, plan.realm
        )
        self.rollouts = Rollouts(
            self.fleet,
            self._write,
            lambda: self.repository.known,
            lambda model: self.plan.firmware.security_floors.get(model, 0),
        )
        self.fleet.firmware_for = self.rollouts.firmware_for
        self.fleet.beacon = self._beacon
        exchange.authenticator.lost = self.fleet.lost_ha1
        self.certificates = Certificates(self.fleet)
        self.admission = Admission(self.fleet, self._place(plan.mqtt.public_url or plan.mqtt.url))
        self.reports = self._reports()
        self.link = self._link()
        self.devices.define(plan.devices)

    # -- the application -----------------------------------------------------------------------

    @property
    def routes(self) -> list[Route]:
        """What the HTTP port serves of it."""
        return images.routes(self.repository.metadata, self.repository.images)

    def users_changed(self) -> None:
        """The broker is to learn who may log in, soon."""
        self._changed.set()
        self._revoked.set()

    def use(self, plan: Plan) -> None:
        """The files were taken over. The first device starts the broker, whose own settings wait for a
        restart."""
        self.plan = plan
        self.fleet.registrar = plan.registrar
        self.devices.define(plan.devices)
        self.fleet.settings_changed()
        if self.broker is None:
            self.open_broker()

    def records(self) -> Iterator[bytes]:
        """Restate everything, for the head of a new journal segment."""
        for record in (*self.devices.records(), *self.rollouts.records()):
            yield orjson.dumps(record)

    def restore(self, records: Iterable[Record]) -> None:
        """Take records of journal and database back; those of devices that are another node's stay there."""
        if self.plan.elsewhere:
            return
        known = [record for record in records if record.get("k") in KINDS]
        self.devices.restore(known)
        self.devices.define(self.plan.devices)
        self.rollouts.restore(known)
        for reason in self.devices.unreadable:
            self._note("device.unreadable", {"reason": reason})
        for twin in self.devices.by_id.values():
            self.fleet.see_acknowledgement(twin)
        while self.fleet.settle():
            pass

    def on_events(self, events: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        """What the machines note: a secret came into use, or that of stolen hardware was shown."""
        for name, fields in events:
            if name == "line.secret_used":
                self.fleet.secret_used(str(fields["line"]))
            elif name == "line.stolen_seen":
                self.fleet.seen_at_sip(str(fields["line"]))

    async def run(self) -> None:
        """Keep all of it going until cancelled; nothing, where another node does."""
        if self.plan.elsewhere:
            await asyncio.Event().wait()
        rooms = [self._tick(), self._keep_fresh(), self._publish_due(), self._keep_list()]
        if self.plan.mqtt.url:
            rooms.append(self.link.run())
        else:
            rooms.append(self._run_private())
        tasks = [asyncio.ensure_future(room) for room in rooms]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- the broker ----------------------------------------------------------------------------

    def open_broker(self) -> HostPort | None:
        """Choose the private broker's port, and have `run` start it; None when there is none to be run.
        Asked again at each reload as long as there was none."""
        mqtt = self.plan.mqtt
        if mqtt.url or not self.plan.devices:
            return None
        if program() is None:
            reason = "mosquitto is not installed"
            self._note("mqtt.unavailable", {"reason": reason, "advice": HOW_TO_GET})
            return None
        tls = None
        if mqtt.tls is not None:
            host = urlsplit(mqtt.public_url).hostname or mqtt.tls.host
            certificate, key = self.fleet.authority.broker_certificate(host, datetime.now(UTC))
            tls = Encrypted(mqtt.tls, certificate, key, self.fleet.authority.path)
        self.broker = Broker(
            self._data / "mqtt",
            mqtt.listen,
            tls,
            self._user,
            self._users,
            self._note,
            self.fleet.outcasts,
        )
        if not mqtt.public_url:
            url = f"mqtt://{self.broker.address}" if tls is None else f"mqtts://{mqtt.tls}"
            self.admission.place = self._place(url)
        self._opened.set()
        return self.broker.address

    async def await_broker(self, limit_s: float = 2.0) -> None:
        """Return once the private broker takes connections, or doesn't in time: calls don't need it."""
        if self.broker is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.broker.wait_ready(), limit_s)

    def _users(self) -> dict[str, str]:
        return {self._user: self._hash, **self.fleet.users()}

    async def _run_private(self) -> None:
        """The child and the connection to it, for ever, once there is a device that needs it."""
        await self._opened.wait()
        broker = self.broker
        assert broker is not None
        tasks = [
            asyncio.ensure_future(room)
            for room in (
                broker.run(),
                self.link.run(lambda: asyncio.ensure_future(broker.wait_ready())),
                self._tell_users(broker),
            )
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell_users(self, broker: Broker) -> None:
        """Many changes at once are told once; whoever claimed is answered when the broker knows."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(_REFRESH_S)
            await broker.refresh()
            await asyncio.sleep(_REFRESH_S)
            self.admission.answer()
            self.perform()

    def _address(self) -> Address:
        mqtt = self.plan.mqtt
        if self.broker is not None:
            return Address(self.broker.address, self._user, self._password)
        parts = urlsplit(mqtt.url)
        secured = parts.scheme == "mqtts"
        given = mqtt.password
        where = HostPort(str(parts.hostname), parts.port or (8883 if secured else 1883))
        return Address(
            where, mqtt.username, given.get_secret_value() if given else None, self.plan.tls
        )

    def _place(self, broker: str) -> Place:
        base = self.plan.base_url
        authority = self.plan.broker_ca if self.plan.mqtt.url else self.fleet.authority.pem
        return Place(
            broker or "mqtt://127.0.0.1:1883",
            f"{base}{images.METADATA}",
            f"{base}{images.IMAGES}",
            authority if broker.startswith("mqtts") else None,
        )

    # -- time ----------------------------------------------------------------------------------

    async def _tick(self) -> None:
        told, version = boottime(), -1
        while True:
            self.fleet.tick()
            self.rollouts.look()
            self._rotate()
            is_due = boottime() - told >= self.plan.firmware.beacon_s
            if is_due or version != self.repository.timestamp_version:
                told, version = boottime(), self.repository.timestamp_version
                self.fleet.publish_beacon()
            if self.plan.mqtt.url and self._changed.is_set():
                self._changed.clear()  # another's broker learns of users by its own ways
                self.admission.answer()
            self.perform()
            await asyncio.sleep(TICK_S)

    async def _publish_due(self) -> None:
        """Documents that a reload or a new broker asks for, and what devices acknowledged, a few a turn."""
        while True:
            is_more = self.fleet.settle()
            if self.fleet.due:
                is_more |= self.fleet.work()
            self.perform()
            await asyncio.sleep(0 if is_more else TICK_S / 10)

    async def _keep_fresh(self) -> None:
        """The online signatures of the repository run out; they are renewed in time."""
        hours = self.plan.firmware.timestamp_hours
        while True:
            is_done = await self._written(
                "firmware metadata", lambda: self.repository.refresh(datetime.now(UTC), hours)
            )
            await asyncio.sleep(min(600.0, hours * 900) if is_done else _AGAIN_S)

    async def _keep_list(self) -> None:
        """The list of revoked certificates: written when it is another, and once a day."""
        written: object = None
        while True:
            self._revoked.clear()
            revoked = sorted(self.certificates.revoked())
            if revoked != written:
                write = partial(self.fleet.authority.write_list, revoked, datetime.now(UTC))
                is_done = await self._written("list of revoked certificates", write)
                written = revoked if is_done else None
            await asyncio.sleep(_LIST_REST_S)  # many changes at once are one
            try:
                limit_s = _AGAIN_S if written is None else _DAY_MS / 1000
                await asyncio.wait_for(self._revoked.wait(), limit_s)
            except TimeoutError:
                written = None

    async def _written(self, what: str, write: Callable[[], object]) -> bool:
        """Whether it could be written; a disk that fails must not end the broker's task with it."""
        try:
            await asyncio.to_thread(write)
        except (OSError, RepositoryFault) as error:
            self._unwritten.add(what)
            self._note("device.unwritten", {"what": what, "reason": str(error)})
            return False
        if what in self._unwritten:
            self._unwritten.discard(what)
            self._note("device.written", {"what": what})
        return True

    def _rotate(self) -> None:
        """Replace the oldest secret that is due; one a tick is enough for a fleet."""
        days = self.plan.mqtt.rotate_days
        if not days:
            return
        before = self.fleet.now_ms() - days * _DAY_MS
        for twin in self.devices.by_id.values():
            if twin.online and 0 < twin.device.secret_at < before and twin.device.rights.mqtt:
                self.fleet.rotate(twin, "its age")
                return

    # -- inside --------------------------------------------------------------------------------

    def _reports(self) -> Reports:
        return Reports(
            self.fleet,
            self.admission,
            self.rollouts.on_ota,
            self.rollouts.on_reported,
            self._known_image,
            self.certificates,
        )

    def _link(self) -> Link:
        fleet = self.fleet
        return Link(
            self._address,
            self.reports.take,
            self.perform,
            fleet.publish_all,
            fleet.out_of_reach,
            self._note,
        )

    def _write(self, record: Record) -> None:
        self._exchange.outbox.journal.append(orjson.dumps(record))

    def _known_image(self, model: str, version: str) -> str:
        image = self.repository.known.get((model, version))
        return image.sha256 if image is not None else ""

    def _beacon(self, at: int) -> Beacon:
        floors = self.plan.firmware.security_floors
        return Beacon(at, self.repository.timestamp_version, floors)
