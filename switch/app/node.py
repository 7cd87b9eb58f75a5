"""A running switch: its sockets, processes, tasks and files, opened in order and taken down again."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from pathlib import Path

from switch.app.compose import build_exchange, patience, psap_routes
from switch.app.devices import device_commands, device_plan, device_service
from switch.app.encryption import Encryption
from switch.app.gather import Gather, without_crossings
from switch.app.names import Names, resolver
from switch.app.readbacks import ReadBacks
from switch.app.reload import Reload, read_files
from switch.app.restart import go_on, restated
from switch.auth.nonce_key import nonce_key
from switch.call.exchange import NoAnnouncer
from switch.clock import boottime, wall
from switch.config import Configuration
from switch.console.cases import Cases
from switch.console.commands import UseCase
from switch.console.configuration import use_cases as configuration_use_cases
from switch.console.emergency_test import EmergencyTest
from switch.console.socket import NAME as CONTROL_SOCKET
from switch.console.socket import ControlServer
from switch.console.use_cases import UseCases
from switch.core import Core
from switch.demo import carrier_process
from switch.demo.device import DemoDevice
from switch.driver import Driver
from switch.media.pool import Pool, PoolOptions
from switch.notice.courier import Courier, sender
from switch.notice.delivery import Delivery
from switch.notice.ledger import Ledger
from switch.observe.gauges import readings, totals
from switch.observe.http import HttpServer, application, bind
from switch.observe.metrics import Metrics, Readings
from switch.observe.observer import Observer
from switch.registrar.qualify import Qualifier
from switch.settings import HostPort
from switch.sip.outbox import Event
from switch.store.configurations import Configurations
from switch.store.database import is_shared, sqlite_url
from switch.store.journal import Journal
from switch.store.read import Reader
from switch.store.read_cases import CaseReader
from switch.store.retention import Retention
from switch.store.shared import Gazette
from switch.store.upkeep import Upkeep
from switch.store.writer import Writer
from switch.terms.ladders import Ladders
from switch.terms.watching import Watching
from switch.transport.stream import StreamTransport
from switch.transport.udp import UdpTransport

# Calls make little garbage in cycles: the collector looks seldom, and its long passes are rare.
GC_THRESHOLDS = (10_000, 10, 100)
HEARTBEAT_S = 1.0
DEADLINES_S = 30.0  # legal clocks run in days


class Switch:
    """The running switch."""

    def __init__(self, found: Configuration, data: Path, flush_log: Callable[[], None]) -> None:
        """Nothing is opened but the journal. `flush_log` writes what the log's reader takes by now."""
        self._flush_log = flush_log
        self.found = found
        self.data = data
        self.is_ready = False
        self.metrics = Metrics(self._gauges, lambda: totals(self.core))
        self.observer = Observer(self.metrics)
        self.journal = Journal(data / "journal", alarm=self.observer.alarm)
        store = found.settings.store
        database = store.database(sqlite_url(data / "vigie.sqlite"))
        self.node = store.node or ""
        self.reader = Reader(database)
        self.writer = Writer(
            database,
            lambda: self.journal.replay(whole=True),
            node=self.node,
            alarm=self.observer.alarm,
        )
        sip = found.settings.sip
        self.pool = self._make_pool()
        listening = {"UDP": sip.udp, "TCP": sip.tcp, "TLS": sip.tls}
        given = sip.nonce_key
        key = given.get_secret_value().encode() if given else nonce_key(data / "nonce.key")
        self.exchange = exchange = build_exchange(
            found, {}, self.pool or NoAnnouncer(), listening, key
        )
        self.core = Core(exchange)
        self.ledger = Ledger(
            self._keep,
            lambda: self.exchange.facts,
            lambda: self.reload.found.settings.notice,
            self.observer.alarm,
        )
        settings = self.ledger.settings
        self.courier = Courier(sender(settings, data / "outbox"), self._notice_settled)
        self.ledger.courier = self.courier
        self.ladders = Ladders(
            exchange.outbox, self._account_of, found.settings.usage.answer_within_ms
        )
        self.cases = Cases(exchange, self.ladders, CaseReader(self.reader))
        self.driver = Driver(
            self.core,
            exchange.wheel,
            exchange.outbox,
            self.journal,
            self._observe,
            self._store,
        )
        self.gather: Gather | None = None
        if is_shared(database):
            self.gather = Gather(
                exchange,
                Gazette(database, self.node),
                self._announce,
                self.driver.perform,
                self.observer.alarm,
            )
        self.udp = UdpTransport(sip.udp, self.driver)
        self.encryption = Encryption(exchange, data / "tls", self.observer.alarm)
        self.streams = self._make_streams()
        self.names = Names(exchange, resolver(sip), self.driver.perform)
        exchange.trunks.peer_names = self.streams.peer_names
        self.qualifier = Qualifier(
            exchange.registrar, exchange.transactions, exchange.wheel, sip.qualify_s
        )
        self.use_cases = self._make_use_cases(
            [f"{kind} {address}" for kind, addresses in listening.items() for address in addresses]
        )
        lives, alarm = self.use_cases.lives, self.observer.alarm
        self.devices = device_service(
            found,
            exchange,
            data,
            lives,
            self.use_cases.places.ask_again,
            self.driver.perform,
            alarm,
        )
        self.watching = Watching(
            exchange, self.ladders, found.settings.acceptable_use.watch(), lives.change
        )
        self.reload = Reload(
            found,
            exchange,
            lives,
            key,
            alarm,
            self._reloaded,
            Configurations(data / "configurations"),
        )
        self.upkeep = Upkeep(
            self.journal,
            self.writer,
            lambda: chain(
                restated(exchange, lives, self.ledger, self.ladders), self.devices.records()
            ),
            alarm=alarm,
        )
        self.retention = Retention(
            self.journal,
            self.writer,
            lambda: self.reload.found.settings.retention,
            alarm=alarm,
        )
        self.psap_routes = psap_routes(exchange, data, lambda: self.reload.found, alarm)
        self.control = ControlServer(data / CONTROL_SOCKET, self._commands())
        self.http: list[HttpServer] = []
        self.mqtt: HostPort | None = None  # where the private broker listens
        self._read_backs: ReadBacks | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open everything; OSError names an address that is taken."""
        loop = asyncio.get_running_loop()
        settings, now = self.found.settings, boottime()
        for address in settings.http.listen:
            pages = application(
                self.use_cases.overview.page,
                self.metrics,
                lambda: self.is_ready,
                self.devices.routes,
            )
            self.http.append(HttpServer(pages, bind(address.host, address.port)))
        self.psap_routes.load()
        self.udp.open(loop)
        self.streams.open(loop)
        lives, alarm = self.use_cases.lives, self.observer.alarm
        known = await go_on(
            self.exchange,
            lives,
            self.ledger,
            self.ladders,
            self.journal,
            self.reader,
            alarm,
            self.node,
        )
        self.devices.restore(known)
        self.mqtt = self.devices.open_broker()
        demo_device = DemoDevice(self.devices, self.data, settings.demo.device, self.driver.perform)
        for room in (
            self.writer.run,
            self.journal.keep_synced,
            self.upkeep.run,
            self.retention.run,
            self.courier.run,
            self._meet_deadlines,
            self._beat,
            self.names.run,
            self.devices.run,
            *([demo_device.run] if settings.demo.device else ()),
            *([self.gather.run] if self.gather is not None else ()),
        ):
            self._tasks.append(loop.create_task(self._watched(room)))
        if settings.demo.carrier:
            await asyncio.to_thread(carrier_process.ensure, self.data, settings.demo.carrier)
        if self.pool is not None:
            self.pool.start(loop)
            self._read_backs = ReadBacks(self.exchange, self.pool.speak)
        lives.swapped = self._facts_swapped
        self._facts_swapped()
        self.use_cases.places.see()
        for problem in self.found.misplaced():
            self.observer.alarm("config.misplaced", {"reason": str(problem)})
        self.driver.start(loop, {"UDP": self.udp, "TCP": self.streams, "TLS": self.streams})
        await self.reload.keep()
        self.exchange.trunks.start(now)
        self.qualifier.start(now)
        self.driver.perform()
        await self.control.start()
        await self.devices.await_broker()
        for server in self.http:
            await server.start()
        # What was built so far lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.is_ready = True

    async def stop(self) -> None:
        """Take it down: calls are in the journal, the next start goes on with them."""
        self.is_ready = False
        await self.control.stop()
        for server in self.http:
            await server.stop()
        self.qualifier.stop()
        await self.courier.stop()
        self.driver.perform()
        self.driver.stop()
        self.udp.close()
        self.streams.close()
        if self.pool is not None:
            self.pool.stop()
        with contextlib.suppress(TimeoutError):  # the journal has it; the next start writes it
            async with asyncio.timeout(3):
                await self.writer.settle()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.journal.close()

    def _reloaded(self) -> None:
        """Certificates may be new; new lines, numbers and sites have customers asked; what the reload
        led to leaves now."""
        self.streams.server_tls = self.encryption.use(self.reload.found)
        self.devices.use(device_plan(self.reload.found))
        self.use_cases.places.see()
        self.psap_routes.judge()
        self.driver.perform()

    def _facts_swapped(self) -> None:
        """Lines are others than they were: what 933 says, and what devices are told, follow."""
        if self._read_backs is not None:
            self._read_backs.refresh()
        self.devices.fleet.facts_changed()

    def _store(self, records: list[bytes]) -> None:
        """What the journal got in a wake-up, to those who work on it later."""
        self.writer.feed(records)
        self.watching.feed(records)

    def _observe(self, events: Sequence[Event]) -> None:
        """What the machines note: notices are made of some, all are logged and counted."""
        # On a shared database only the node that wrote a crossing first tells anybody (`gather`).
        self._announce(events if self.gather is None else without_crossings(events))
        self.devices.on_events(events)
        self.observer(events)

    def _announce(self, events: Sequence[Event]) -> None:
        self.ledger(events)
        self.ladders(events)

    def _keep(self, record: bytes) -> None:
        self.exchange.outbox.journal.append(record)  # the list is a new one after each wake-up

    def _account_of(self, line: str) -> str:
        known = self.exchange.facts.lines.get(line)
        return known.account if known is not None else ""

    def _notice_settled(self, delivery: Delivery, state: str, reason: str) -> None:
        self.ledger.settle(delivery, state, reason)
        self.driver.perform()

    def _commands(self) -> dict[str, UseCase]:
        reading = configuration_use_cases(
            lambda: self.reload.found,
            lambda: read_files(self.found.path),
            self.reload.apply,
            self.reload.roll_back,
            lambda: self.use_cases.lives.lives,
        )
        pool = self.pool
        trial = EmergencyTest(
            self.exchange, self.driver.perform, lambda: len(pool.pids()) if pool else 0
        )
        return {
            **self.use_cases.table(),
            **self.cases.table(),
            **self.psap_routes.table(),
            **trial.table(),
            **device_commands(self.devices, self.reader, self.driver.perform),
            **reading,
        }

    def _make_streams(self) -> StreamTransport:
        sip = self.found.settings.sip
        streams = StreamTransport(
            sip.tcp,
            sip.tls,
            self.driver,
            server_tls=self.encryption.use(self.found),
        )
        streams.patience = lambda flow: patience(
            self.exchange, flow, self.reload.found.settings.emergency.tcp_connect_s, streams.limits
        )
        streams.tls_peer = self.encryption.peer
        streams.on_handshake = self.encryption.on_handshake
        return streams

    def _make_use_cases(self, listening: list[str]) -> UseCases:
        return UseCases(
            self.exchange,
            lambda lives: self.reload.found.snapshot(lives),  # noqa: PLW0108 (`found` is swapped)
            self.reader,
            self.driver.perform,
            lambda line: self.reload.found.origins(line),  # noqa: PLW0108 (as above)
            listening,
            lambda: self.observer.alarms.standing,
        )

    def _make_pool(self) -> Pool | None:
        media = self.found.settings.media
        if not media.workers:
            return None
        options = PoolOptions(
            cache=self.data / "sounds",
            sounds=self.found.resolve(media.sounds) if media.sounds else None,
            workers=media.workers,
            reserved=media.reserved_workers,
            media_address=str(media.address),
        )
        return Pool(options, self._worker_lost, self.observer.alarm)

    def _worker_lost(self, address: str, port: int) -> None:
        self.core.on_announcer_lost((address, port), boottime())
        self.driver.perform()

    async def _watched(self, room: Callable[[], Awaitable[None]]) -> None:
        """Run a room's task; one that ends by an error is told and started again."""
        while True:
            try:
                await room()
            except Exception:  # a bug of ours must not end metering or storing for good
                name = getattr(room, "__qualname__", repr(room))
                fields = {"task": name, "exc_info": sys.exc_info()}
                self.observer.alarm("switch.task_failed", fields)
            await asyncio.sleep(1)

    async def _meet_deadlines(self) -> None:
        while True:
            await self.cases.meet_deadlines()
            self.use_cases.places.remind()
            self.driver.perform()
            await asyncio.sleep(DEADLINES_S)

    async def _beat(self) -> None:
        while True:
            self.exchange.meters.beat(boottime(), wall())
            self.core.shedding.rest(boottime())
            self.watching.look()
            self.driver.perform()
            self._flush_log()
            await asyncio.sleep(HEARTBEAT_S)

    def _gauges(self) -> Readings:
        def slots(reserved: bool) -> int:
            return self.pool.count_free(reserved) if self.pool is not None else 0

        backlog = self.journal.backlog_bytes
        return {
            **readings(self.exchange, self.streams, backlog, slots, boottime()),
            "store_queue": {(): float(len(self.writer))},
            "config_last_reload_successful": {(): float(self.reload.has_succeeded)},
            "config_last_reload_timestamp_seconds": {(): self.reload.applied_at},
        }
