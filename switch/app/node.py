"""A running switch: its sockets, processes, tasks and files, opened in order and taken down again."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from switch.app.compose import build_exchange, make_pool, psap_routes, tariffs_of
from switch.app.devices import device_commands, device_plan, device_service
from switch.app.duties import Duties
from switch.app.keeping import Keeping
from switch.app.readbacks import ReadBacks
from switch.app.reload import Reload, read_files
from switch.app.restart import Kept, go_on, restated
from switch.app.wires import Wires
from switch.auth.nonce_key import nonce_key
from switch.call.exchange import NoAnnouncer
from switch.clock import boottime, wall
from switch.config import Configuration
from switch.console.bills import Bills
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
from switch.observe.gauges import readings, totals
from switch.observe.http import HttpServer, application, bind
from switch.observe.metrics import Metrics, Readings
from switch.observe.observer import Observer
from switch.settings import HostPort
from switch.sip.outbox import Event
from switch.store.configurations import Configurations

# Calls make little garbage in cycles: the collector looks seldom, and its long passes are rare.
GC_THRESHOLDS = (10_000, 10, 100)
HEARTBEAT_S = 1.0
DEADLINES_S = 30.0  # legal clocks run in days


class Switch:
    """The running switch."""

    def __init__(self, found: Configuration, data: Path, flush_log: Callable[[], None]) -> None:
        """Nothing is opened but the journal. `flush_log` writes what the log's reader takes by now."""
        self._flush_log = flush_log
        self.found = found  # at the start; `reload.found` is in force
        self.data = data
        self.is_ready = False
        self.metrics = Metrics(self._gauges, lambda: totals(self.core))
        self.observer = Observer(self.metrics)
        alarm = self.observer.alarm
        self.keeping = self._make_keeping()
        self.pool = make_pool(found, data, self._worker_lost, alarm)
        sip = found.settings.sip
        listening = {"UDP": sip.udp, "TCP": sip.tcp, "TLS": sip.tls}
        key = _nonce_key(found, data)
        self.exchange = build_exchange(found, {}, self.pool or NoAnnouncer(), listening, key)
        self.core = Core(self.exchange)
        self.driver = Driver(
            self.core,
            self.exchange.wheel,
            self.exchange.outbox,
            self.keeping.journal,
            self._observe,
            self._store,
        )
        perform = self.driver.perform
        self.use_cases = self._make_use_cases(listening)
        self.reload = Reload(
            found,
            self.exchange,
            self.use_cases.lives,
            key,
            alarm,
            self._reloaded,
            Configurations(data / "configurations"),
        )
        parts = self.exchange, self.keeping, self.use_cases
        self.duties = Duties(*parts, self._in_force, data, perform, alarm)
        self.wires = Wires(self.exchange, self.driver, self._in_force, data, alarm)
        self.devices = device_service(found, self.exchange, data, self.use_cases, perform, alarm)
        self.psap_routes = psap_routes(self.exchange, data, self._in_force, alarm)
        self.control = ControlServer(
            data / CONTROL_SOCKET, self._commands(), settle=self.keeping.writer.settle
        )
        self.http: list[HttpServer] = []
        self.mqtt: HostPort | None = None  # where the private broker listens
        self._read_backs: ReadBacks | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open everything; OSError names an address that is taken."""
        loop = asyncio.get_running_loop()
        self._make_pages()
        self.psap_routes.load()
        senders = self.wires.open(loop)
        keeping, alarm = self.keeping, self.observer.alarm
        await self.duties.begin()
        known = await go_on(
            self.exchange, self._kept(), keeping.journal, keeping.reader, alarm, keeping.node
        )
        self.devices.restore(known)
        self.mqtt = self.devices.open_broker()
        for room in self._rooms():
            self._tasks.append(loop.create_task(self._watched(room)))
        if carrier := self.found.settings.demo.carrier:
            await asyncio.to_thread(carrier_process.ensure, self.data, carrier)
        if self.pool is not None:
            self.pool.start(loop)
            self._read_backs = ReadBacks(self.exchange, self.pool.speak)
        self.use_cases.lives.swapped = self._facts_swapped
        self._facts_swapped()
        self.duties.see_files()
        for problem in self.found.misplaced():
            alarm("config.misplaced", {"reason": str(problem)})
        self._tasks.append(loop.create_task(self.duties.recall()))
        self.driver.start(loop, senders)
        await self.reload.keep()
        self.wires.begin()
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
        self.wires.quiet()
        await self.duties.courier.stop()
        self.driver.perform()
        self.driver.stop()
        self.wires.close()
        if self.pool is not None:
            self.pool.stop()
        with contextlib.suppress(TimeoutError):  # the journal has it; the next start writes it
            async with asyncio.timeout(3):
                await self.keeping.writer.settle()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.keeping.journal.close()

    def _in_force(self) -> Configuration:
        return self.reload.found

    def _rooms(self) -> Iterator[Callable[[], Awaitable[None]]]:
        """What runs beside the calls."""
        yield from self.keeping.tasks()
        yield from self.duties.tasks()
        yield self._meet_deadlines
        yield self._beat
        yield self.wires.names.run
        yield self.devices.run
        if device := self.found.settings.demo.device:
            yield DemoDevice(self.devices, self.data, device, self.driver.perform).run

    def _kept(self) -> Kept:
        cases, duties = self.use_cases, self.duties
        return Kept(
            cases.lives,
            duties.ledger,
            duties.ladders,
            cases.contracts,
            cases.disclosures,
            cases.outages,
        )

    def _live(self) -> Iterator[bytes]:
        """What a restart goes on from, for the head of a new journal segment."""
        yield from restated(self.exchange, self._kept())
        yield from self.devices.records()

    def _reloaded(self) -> None:
        """New lines, numbers and sites have customers asked; what the reload led to leaves now."""
        self.wires.renew()
        self.devices.use(device_plan(self.reload.found))
        self.duties.see_files()
        self.psap_routes.judge()
        self.driver.perform()

    def _facts_swapped(self) -> None:
        """Lines are others than they were: what 933 says, and what devices are told, follow."""
        if self._read_backs is not None:
            self._read_backs.refresh()
        self.devices.fleet.facts_changed()

    def _store(self, records: list[bytes]) -> None:
        """What the journal got in a wake-up, to those who work on it later."""
        self.keeping.writer.feed(records)
        self.duties.watching.feed(records)

    def _observe(self, events: Sequence[Event]) -> None:
        """What the machines note: notices are made of some, all are logged and counted."""
        self.duties.on_events(events)
        self.devices.on_events(events)
        self.observer(events)

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
        bills = Bills(
            self.exchange,
            self.keeping.reader,
            lambda: tariffs_of(self.reload.found.settings),
            self.use_cases.announcing.told_prices,
        )
        return {
            **self.use_cases.table(),
            **bills.table(),
            **self.duties.cases.table(),
            **self.psap_routes.table(),
            **trial.table(),
            **device_commands(self.devices, self.keeping.reader, self.driver.perform),
            **reading,
        }

    def _make_pages(self) -> None:
        for address in self.found.settings.http.listen:
            pages = application(
                self.use_cases.overview.page,
                self.metrics,
                lambda: self.is_ready,
                self.devices.routes,
            )
            self.http.append(HttpServer(pages, bind(address.host, address.port)))

    def _make_keeping(self) -> Keeping:
        return Keeping(
            self.found,
            self.data,
            self._live,
            lambda: self._in_force().settings.retention,
            lambda cutoffs, held: self.use_cases.forget(cutoffs, held),  # noqa: PLW0108 (made later)
            self.observer.alarm,
        )

    def _make_use_cases(self, listening: Mapping[str, Sequence[HostPort]]) -> UseCases:
        return UseCases(
            self.exchange,
            lambda lives: self.reload.found.snapshot(lives),  # noqa: PLW0108 (`found` is swapped)
            self.keeping.reader,
            self.driver.perform,
            lambda line: self.reload.found.origins(line),  # noqa: PLW0108 (as above)
            [f"{kind} {address}" for kind, addresses in listening.items() for address in addresses],
            lambda: self.observer.alarms.standing,
            lambda: self.reload.found.settings.contract,
        )

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
            await self.duties.meet_deadlines()
            self.driver.perform()
            await asyncio.sleep(DEADLINES_S)

    async def _beat(self) -> None:
        while True:
            self.exchange.meters.beat(boottime(), wall())
            self.core.shedding.rest(boottime())
            self.duties.watching.look()
            self.driver.perform()
            self._flush_log()
            await asyncio.sleep(HEARTBEAT_S)

    def _gauges(self) -> Readings:
        def slots(reserved: bool) -> int:
            return self.pool.count_free(reserved) if self.pool is not None else 0

        backlog = self.keeping.journal.backlog_bytes
        return {
            **readings(self.exchange, self.wires.streams, backlog, slots, boottime()),
            "store_queue": {(): float(len(self.keeping.writer))},
            "config_last_reload_successful": {(): float(self.reload.has_succeeded)},
            "config_last_reload_timestamp_seconds": {(): self.reload.applied_at},
        }


def _nonce_key(found: Configuration, data: Path) -> bytes:
    """The key that was configured, for several nodes, or this node's own, made at its first start."""
    given = found.settings.sip.nonce_key
    return given.get_secret_value().encode() if given else nonce_key(data / "nonce.key")
