"""The process: starting, signals, stopping."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from switch import config as configuration
from switch.app.node import Switch
from switch.config import Configuration
from switch.console.commands import CommandRefused
from switch.console.socket import NAME as CONTROL_SOCKET
from switch.console.welcome import ready_line, welcome
from switch.demo import carrier_process, device
from switch.observe import log
from switch.observe.pipe import Pipe
from switch.settings import HostPort
from switch.store.journal import JournalInUseError
from switch.toml import ConfigError


def run(config: Path, data: Path) -> int:
    """Run the switch until SIGTERM or SIGINT; the exit code."""
    try:
        found = configuration.load(config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    pipe = Pipe()
    level = logging.getLevelNamesMapping()[found.settings.log.level.upper()]
    log.configure(level=level, stream=pipe)
    try:
        data.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_serve(found, data, pipe))
    except JournalInUseError:
        print(f"another switch runs with the data directory {data}", file=sys.stderr)
    except carrier_process.CarrierFailed as error:
        print(error, file=sys.stderr)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"{where}{error.strerror or error}", file=sys.stderr)
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
