"""The demo's device: an adapter in a process of its own, as it would leave its factory.

The first start makes its keys, a firmware repository with two versions, and a factory file; the device
claims itself by that, gets its line and registers. Once it does, the newer version is rolled out to it.
As the simulated carrier it isn't a child of the switch: it has its own session, outlives a killed switch,
and the next start adopts it.

Deliberately absent: anything that real devices don't do. It speaks MQTT, HTTP and SIP like they do.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from switch.demo.carrier_process import start_time
from switch.provisioning import factory
from switch.provisioning.broker_files import write_private
from switch.provisioning.device import Life
from switch.provisioning.devices import Twin
from switch.provisioning.rollout import Event, Limits, Rollout
from switch.provisioning.service import Service

VERSIONS: Final = ("1.0.0", "1.1.0")
ROLLOUT: Final = "demo-1.1.0"
_IMAGE_BYTES: Final = 256 * 1024
_PID_FILE: Final = "device.pid"
_LOG_FILE: Final = "device.log"
_LOOK_S: Final = 0.5
_LIMITS: Final = Limits(stages=(100.0,), soak_s=5.0, min_sample=1)
_STOP_LIMIT_S: Final = 3.0


class DemoDevice:
    """The simulated device `name` of a service; `data` is the switch's data directory."""

    def __init__(
        self, service: Service, data: Path, name: str, perform: Callable[[], None]
    ) -> None:
        """Nothing happens before `run`."""
        self._service = service
        self._data = data.absolute()
        self._home = self._data / "device"
        self._name = name
        self._perform = perform

    async def run(self) -> None:
        """Have it made and started, roll the newer firmware out once it works, and keep it running."""
        twin = self._service.devices.by_id.get(self._name)
        if twin is None or self._service.broker is None:
            await asyncio.Event().wait()  # nothing to be done without them
            return
        await asyncio.to_thread(self._make_firmware)
        path = self._home / "factory.json"
        if not path.exists() or twin.device.life is Life.UNCLAIMED:
            self._home.mkdir(parents=True, exist_ok=True)
            made = factory.make(self._service, twin, "demo")
            self._perform()
            await asyncio.to_thread(write_private, path, made)
        while True:
            await asyncio.to_thread(self._ensure, path)
            if self._is_at_work(twin):
                self._roll_out(twin)
            await asyncio.sleep(_LOOK_S)

    def _is_at_work(self, twin: Twin) -> bool:
        reported = twin.reported
        if reported is None or not twin.online or not twin.is_current:
            return False
        return bool(reported.lines) and all(line.registered for line in reported.lines)

    def _roll_out(self, twin: Twin) -> None:
        """The rollout goes on by itself, also after a restart."""
        rollouts, at = self._service.rollouts, self._service.fleet.now_ms()
        if ROLLOUT in rollouts.reaches or twin.version == VERSIONS[1]:
            return
        asked = Rollout(
            ROLLOUT, twin.device.model, VERSIONS[1], _LIMITS, created_at=at, since=at, by="demo"
        )
        rollouts.plan(asked)
        for event in (Event.APPROVE, Event.START):
            rollouts.move(ROLLOUT, event, "demo")
        self._perform()

    # -- in a thread ---------------------------------------------------------------------------

    def _make_firmware(self) -> None:
        """Two images, signed with keys that a demo may keep beside the switch."""
        repository, keys = self._service.repository, self._home / "firmware-keys"
        model = self._service.devices.by_id[self._name].definition.model
        hours = self._service.plan.firmware.timestamp_hours
        for version in VERSIONS:
            if (model, version) not in repository.known:
                path = self._image(version)
                repository.add(path, model, version, 1)
                repository.sign(keys, datetime.now(UTC), hours)

    def _image(self, version: str) -> Path:
        """An image: any bytes; the newer one differs from the older one in a few places."""
        content = bytearray(random.Random(1).randbytes(_IMAGE_BYTES))
        for position in range(0, _IMAGE_BYTES, 16_384):
            content[position : position + 16] = f"{version:>16}".encode()
        path = self._home / f"{version}.img"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def _ensure(self, path: Path) -> None:
        """The running device, adopted or started."""
        broker = self._service.admission.place.broker
        known = _known(self._data)
        if known is not None and known[2] == broker:
            return
        if known is not None:
            stop(self._data)
        command = [sys.executable, "-m", "firmware_agent", "run", "--factory", str(path)]
        command += ["--state", str(self._home / "state"), "--broker", broker]
        command += ["--firmware", str(self._image(VERSIONS[0])), "--version", VERSIONS[0]]
        with (self._data / _LOG_FILE).open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 (our own module)
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=Path(__file__).resolve().parents[2],
            )
        told = {"pid": process.pid, "start": start_time(process.pid), "broker": broker}
        (self._data / _PID_FILE).write_bytes(orjson.dumps(told))


def running(data: Path) -> int | None:
    """Process id of the device of a data directory, None if it doesn't run."""
    known = _known(data)
    return None if known is None else known[0]


def stop(data: Path) -> None:
    """End the device of a data directory; after 3 s by force. Nothing if it doesn't run. Blocks."""
    known = _known(data)
    if known is not None:
        pid, started, _ = known
        os.kill(pid, signal.SIGTERM)
        _await_end(pid, started)
    (data / _PID_FILE).unlink(missing_ok=True)


def _await_end(pid: int, started: int) -> None:
    until = time.monotonic() + _STOP_LIMIT_S
    while start_time(pid) == started:
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.02)


def _known(data: Path) -> tuple[int, int, str] | None:
    """Pid, start time and broker of the device that runs; None if it doesn't."""
    try:
        told = orjson.loads((data / _PID_FILE).read_bytes())
        pid, started, broker = int(told["pid"]), int(told["start"]), str(told["broker"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    return (pid, started, broker) if start_time(pid) == started else None
