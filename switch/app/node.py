"""A running switch: its sockets, processes, tasks and files, opened in order and taken down again."""

import asyncio
import contextlib
import gc
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from policy.model import Location
from switch import config as configuration
from switch.app.compose import build_exchange
from switch.app.reload import Reload
from switch.app.restart import go_on, restated
from switch.auth.nonce_key import nonce_key
from switch.call.exchange import NoAnnouncer
from switch.clock import boottime, wall
from switch.config import Configuration
from switch.console.commands import UseCase
from switch.console.configuration import use_cases as configuration_use_cases
from switch.console.socket import NAME as CONTROL_SOCKET
from switch.console.socket import ControlServer
from switch.console.use_cases import UseCases
from switch.core import Core
from switch.demo import carrier_process
from switch.driver import Driver
from switch.media.catalogue import Announcement
from switch.media.pool import Pool, PoolOptions
from switch.media.readback import compose_readback
from switch.notice.ledger import Ledger
from switch.observe.gauges import readings, totals
from switch.observe.http import HttpServer, application, bind
from switch.observe.metrics import Metrics, Readings
from switch.observe.observer import Observer
from switch.registrar.qualify import Qualifier
from switch.sip.flow import Flow
from switch.sip.outbox import Event
from switch.sip.uri import Uri
from switch.store.database import sqlite_url
from switch.store.journal import Journal
from switch.store.read import Reader
from switch.store.upkeep import Upkeep
from switch.store.writer import Writer
from switch.toml import Problem
from switch.transport.certificate import client_context, ensure_self_signed, server_context
from switch.transport.resolve import ResolveError, Resolver
from switch.transport.stream import StreamTransport
from switch.transport.udp import UdpTransport

# Calls make little garbage in cycles: the collector looks seldom, and its long passes are rare.
GC_THRESHOLDS = (10_000, 10, 100)
HEARTBEAT_S = 1.0

RESOLVE_S = 1.0


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
        database = sqlite_url(data / "vigie.sqlite")
        self.reader = Reader(database)
        self.writer = Writer(
            database, lambda: self.journal.replay(whole=True), alarm=self.observer.alarm
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
        self.ledger = Ledger(self._keep, self._account_of)
        self.driver = Driver(
            self.core,
            exchange.wheel,
            exchange.outbox,
            self.journal,
            self._observe,
            self.writer.feed,
        )
        self.udp = UdpTransport(sip.udp, self.driver)
        self.streams = self._make_streams()
        exchange.trunks.peer_names = self.streams.peer_names
        self.qualifier = Qualifier(
            exchange.registrar, exchange.transactions, exchange.wheel, sip.qualify_s
        )
        self.use_cases = self._make_use_cases(
            [f"{kind} {address}" for kind, addresses in listening.items() for address in addresses]
        )
        lives, alarm = self.use_cases.lives, self.observer.alarm
        self.reload = Reload(found, exchange, lives, key, alarm, self._reloaded)
        self.upkeep = Upkeep(
            self.journal, self.writer, lambda: restated(exchange, lives), alarm=alarm
        )
        self.control = ControlServer(data / CONTROL_SOCKET, self._commands())
        self._read_back: dict[str, Location] = {}
        self.http: list[HttpServer] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open everything; OSError names an address that is taken."""
        loop = asyncio.get_running_loop()
        settings, now = self.found.settings, boottime()
        for address in settings.http.listen:
            pages = application(self.use_cases.overview.page, self.metrics, lambda: self.is_ready)
            self.http.append(HttpServer(pages, bind(address.host, address.port)))
        self.udp.open(loop)
        self.streams.open(loop)
        lives, alarm = self.use_cases.lives, self.observer.alarm
        await go_on(self.exchange, lives, self.ledger, self.journal, self.reader, alarm)
        for room in (
            self.writer.run,
            self.journal.keep_synced,
            self.upkeep.run,
            self._beat,
            self._resolve,
        ):
            self._tasks.append(loop.create_task(self._watched(room)))
        if settings.demo.carrier:
            await asyncio.to_thread(carrier_process.ensure, self.data, settings.demo.carrier)
        if self.pool is not None:
            self.pool.start(loop)
            self.pool.speak(self._readbacks())
        self.driver.start(loop, {"UDP": self.udp, "TCP": self.streams, "TLS": self.streams})
        self.exchange.trunks.start(now)
        self.qualifier.start(now)
        self.driver.perform()
        await self.control.start()
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
        """Other locations are read back by 933; what the reload led to leaves now."""
        if self.pool is not None:
            self.pool.speak(self._readbacks())
        self.driver.perform()

    def _observe(self, events: Sequence[Event]) -> None:
        """What the machines note: notices are made of some, all are logged and counted."""
        self.ledger(events)
        self.observer(events)

    def _keep(self, record: bytes) -> None:
        self.exchange.outbox.journal.append(record)  # the list is a new one after each wake-up

    def _account_of(self, line: str) -> str:
        known = self.exchange.facts.lines.get(line)
        return known.account if known is not None else ""

    def _commands(self) -> dict[str, UseCase]:
        reading = configuration_use_cases(
            lambda: self.reload.found,
            lambda: read_files(self.found.path),
            self.reload.apply,
            lambda: self.use_cases.lives.lives,
        )
        return {**self.use_cases.table(), **reading}

    def _make_streams(self) -> StreamTransport:
        sip = self.found.settings.sip
        streams = StreamTransport(
            sip.tcp,
            sip.tls,
            self.driver,
            server_tls=self._server_tls(),
            client_tls=client_context(verify=not self.found.settings.demo.carrier),
        )
        streams.patience = self._patience
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

    def _server_tls(self) -> ssl.SSLContext | None:
        """The certificate that the settings name, else a self-signed one of the first start."""
        sip = self.found.settings.sip
        if not sip.tls:
            return None
        if sip.tls_certificate:
            certificate, key = (
                self.found.resolve(sip.tls_certificate),
                self.found.resolve(sip.tls_key),
            )
        else:
            names = [self.exchange.settings.host, *(address.host for address in sip.tls)]
            certificate, key = ensure_self_signed(self.data / "tls", names, datetime.now(UTC))
        return server_context(certificate, key)

    def _patience(self, flow: Flow) -> float:
        """How long a connection may take to open: a carrier that has UDP too need not be waited for."""
        has_udp = flow.transport == "TCP" and any(
            hop.carrier.stream_flow is not None and hop.carrier.stream_flow.remote == flow.remote
            for trunk in self.exchange.trunks.by_id.values()
            for hop in trunk.hops
        )
        if has_udp:
            return self.reload.found.settings.emergency.tcp_connect_s
        return self.streams.limits.connect_timeout_s

    def _readbacks(self) -> list[Announcement]:
        """What 933 says of each line, if its location isn't the one that was spoken last."""
        spoken: list[Announcement] = []
        for line in self.exchange.facts.lines.values():
            place = line.policy.location or line.policy.site_location
            if place is not None and self._read_back.get(line.id) != place:
                self._read_back[line.id] = place
                spoken.append(compose_readback(line.id, place.civic, place.insee))
        return spoken

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

    async def _beat(self) -> None:
        while True:
            self.exchange.meters.beat(boottime(), wall())
            self.driver.perform()
            self._flush_log()
            await asyncio.sleep(HEARTBEAT_S)

    async def _resolve(self) -> None:
        """Look carriers' names up (RFC 3263), off the path of calls; old answers stay in use."""
        resolver, exchange = Resolver(), self.exchange
        while True:
            for name, uri in exchange.trunks.to_resolve(boottime()):
                try:
                    hops = await resolver.resolve(Uri.parse(uri), boottime())
                except ResolveError as error:
                    exchange.trunks.not_resolved(name, str(error), boottime())
                    continue
                ways: list[tuple[Flow, Flow | None]] = []
                for hop in hops:
                    self.streams.server_names.setdefault(hop.remote, hop.name)
                    stream = (
                        exchange.local_flow("TCP", hop.remote) if hop.transport == "UDP" else None
                    )
                    ways.append((exchange.local_flow(hop.transport, hop.remote), stream))
                exchange.trunks.take_hops(name, ways, boottime())
            self.driver.perform()
            await asyncio.sleep(RESOLVE_S)

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


async def read_files(path: Path) -> tuple[Configuration, list[Problem], int]:
    """The files as they are now: what they say, what the plan's own tests say, and their number."""

    def read() -> tuple[Configuration, list[Problem], int]:
        found = configuration.load(path)
        return found, found.plan.run_tests(), len(found.plan.tests)

    return await asyncio.to_thread(read)
