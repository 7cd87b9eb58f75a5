"""The process: starting, signals, stopping; and the commands that need no running switch."""

import asyncio
import contextlib
import logging
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from switch import config as configuration
from switch.app.compose import build_exchange, psap_routes, tariffs_of
from switch.app.node import Switch
from switch.app.reload import read_files
from switch.call.exchange import NoAnnouncer
from switch.config import Configuration
from switch.console.bills import Bills
from switch.console.commands import COMMANDS, Args, CommandRefused, UseCase
from switch.console.configuration import check_errors
from switch.console.configuration import use_cases as configuration_use_cases
from switch.console.devices import log as device_log
from switch.console.socket import NAME as CONTROL_SOCKET
from switch.console.use_cases import UseCases
from switch.console.welcome import ready_line, welcome
from switch.demo import carrier_process, device
from switch.observe import log
from switch.observe.pipe import Pipe
from switch.settings import HostPort
from switch.store.database import sqlite_url
from switch.store.journal import JournalInUseError
from switch.store.read import Reader
from switch.store.read_devices import DeviceReader
from switch.store.recall import recall
from switch.toml import ConfigError


def run(config: Path, data: Path) -> int:
    """Run the switch until SIGTERM or SIGINT; the exit code."""
    try:
        found = configuration.load(config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    data.mkdir(parents=True, exist_ok=True)
    pipe = Pipe()
    level = logging.getLevelNamesMapping()[found.settings.log.level.upper()]
    log.configure(level=level, stream=pipe)
    try:
        return asyncio.run(_serve(found, data, pipe))
    except JournalInUseError:
        print(f"another switch runs with the data directory {data}", file=sys.stderr)
    except carrier_process.CarrierFailed as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(error.strerror or error, file=sys.stderr)
    return 1


async def _serve(found: Configuration, data: Path, pipe: Pipe) -> int:
    switch = Switch(found, data, pipe.flush)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)

    reloading: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        with contextlib.suppress(CommandRefused):  # told in the log; the old one goes on
            await switch.reload.apply()

    def begin_reload() -> None:
        task = loop.create_task(reload())
        reloading.add(task)
        task.add_done_callback(reloading.discard)

    loop.add_signal_handler(signal.SIGHUP, begin_reload)
    settings = found.settings
    sip, http, demo = settings.sip, settings.http.listen, settings.demo.carrier
    listening: dict[str, Sequence[HostPort]] = {
        "udp": sip.udp,
        "tcp": sip.tcp,
        "tls": sip.tls,
        "http": http,
        "carrier": demo,
    }
    try:
        await switch.start()
        if switch.mqtt is not None:
            listening["mqtt"] = (switch.mqtt,)
        print(welcome(bool(demo), len(settings.lines), sip.udp, http))
        print(ready_line(listening, data / CONTROL_SOCKET), flush=True)
        await stopping.wait()
    finally:
        await switch.stop()
        if demo:
            await asyncio.to_thread(carrier_process.stop, data)
        if settings.demo.device:
            await asyncio.to_thread(device.stop, data)
    return 0


def offline(config: Path, data: Path) -> Mapping[str, UseCase]:
    """The use cases that need no running switch."""

    async def refuse() -> list[str]:
        raise CommandRefused("not_running", "no switch runs that could take the files over")

    try:
        found = configuration.load(config)
    except ConfigError as error:
        return _unreadable(error)
    exchange = build_exchange(found, {}, NoAnnouncer(), {}, secrets.token_bytes(32))
    reader = Reader(found.settings.store.database(sqlite_url(data / "vigie.sqlite")))
    cases = UseCases(
        exchange,
        found.snapshot,
        reader,
        lambda: None,
        found.origins,
        [],
    )
    known = asyncio.run(recall(reader, 0, 0))
    cases.lives.restore(known.lives)
    cases.contracts.restore(known.contracts)
    cases.lives.follow(cases.contracts.files())
    cases.disclosures.restore(known.disclosures)
    reading = configuration_use_cases(
        lambda: found, lambda: read_files(config), refuse, refuse, lambda: cases.lives.lives
    )
    routes = psap_routes(exchange, data, lambda: found, lambda name, fields: None)
    routes.load()
    return {
        **cases.table(),
        **Bills(
            exchange, reader, lambda: tariffs_of(found.settings), cases.announcing.told_prices
        ).table(),
        "usage.show": cases.minutes.show_stored,
        "device.log": device_log(DeviceReader(reader)),
        **routes.table(),
        **reading,
    }


def _unreadable(error: ConfigError) -> Mapping[str, UseCase]:
    """The same when the files can't be used: `check` lists what is wrong, all others refuse."""

    def refuse(args: Args) -> object:
        raise CommandRefused("bad_config", str(error))

    return dict.fromkeys(COMMANDS, refuse) | {"config.check": lambda args: check_errors(error)}
