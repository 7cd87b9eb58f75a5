"""`make bench-fleet`: thousands of devices on one machine, with the whole product and a real broker.

A switch (`vigie run`) with as many lines as devices, its own Mosquitto, and devices played by processes
of `firmware_agent fleet`, which do all that a device does but SIP: they verify, apply, report, download,
install into files, reboot, try and confirm. They are members already: their claims are made beforehand.

1. all connect: time, and memory of broker and switch;
2. a reload changes every document: desired -> applied -> reported -> row in the database, per second;
3. the broker is killed: until all are back and have reported;
4. a rollout to a part of them: complete updates.

Everything shares the cores of this machine, the players too. Exit code 0 only when the goals are met.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent.fleet.fleet import FleetDevice, FleetFile
from firmware_agent.messages.codec import encode
from firmware_agent.slots import Image
from switch import config
from switch.app.compose import build_exchange
from switch.app.devices import device_plan
from switch.call.exchange import NoAnnouncer
from switch.console import socket as control
from switch.console.line_life import LineLives
from switch.provisioning.broker_files import hashed
from switch.provisioning.device import Life
from switch.provisioning.fleet import Ports
from switch.provisioning.service import Service
from switch.store.journal import Journal
from tests.wire.rig import die_with_parent, free_port

ROOT = Path(__file__).resolve().parents[2]
MODEL, OLD, NEW = "ooma-office", "1.0.0", "1.1.0"
IMAGE_BYTES = 256 * 1024
CONNECTED_S, TRIPS_PER_S, UPDATED_S = 5.0, 2500.0, 60.0
PLAYERS = 2
LIMIT_S = 240.0


def name_of(number: int) -> str:
    return f"dev-{number:08d}"


def write_config(home: Path, devices: int, codecs: str = '["PCMA", "PCMU"]') -> Path:
    """The demo's configuration with other lines, without its carrier and its phones."""
    text = (ROOT / "configs" / "demo" / "vigie.toml").read_text("utf-8")
    text = text[: text.index("# Lines. A phone logs in")]
    text = text.replace('dialplan = "../..', f'dialplan = "{ROOT}')
    text = re.sub(r"(?ms)^\[demo\].*?(?=^# The carrier, twice)", "", text)
    text = re.sub(r"(?m)^workers = .*$", "workers = 0", text)
    text = re.sub(r"(?m)^reserved_workers = .*$", "reserved_workers = 0", text)
    for port in ("5060", "5061", "8080"):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{PORTS[port]}")
    lines = "".join(
        f'[[line]]\nid = "L{number:06d}"\naccount = "demo"\nsite = "paris-8"\n'
        f'number = "+331{number:08d}"\npassword = "bench"\nlocation_confirmed = 2026-01-02\n'
        f'[[device]]\nid = "{name_of(number)}"\nserial = "S{number}"\nmodel = "{MODEL}"\n'
        f'line = "L{number:06d}"\ncodecs = {codecs}\n'
        for number in range(devices)
    )
    mqtt = f'[mqtt]\nlisten = "127.0.0.1:{PORTS["1883"]}"\n\n'
    home.mkdir(exist_ok=True)
    (home / "networks.csv").write_bytes((ROOT / "configs" / "demo" / "networks.csv").read_bytes())
    (home / "vigie.toml").write_text(text + mqtt + lines, "utf-8")
    return home


PORTS = {name: free_port("127.0.0.1") for name in ("5060", "5061", "8080", "1883")}


def prepare(home: Path, data: Path, devices: int, newest: bytes = b"") -> Path:
    """Make all of them members, as their claims would have; the file for the players. `newest` is the
    content of the newer image, b"" = any."""
    found = config.load(home)
    exchange = build_exchange(found, {}, NoAnnouncer(), {}, b"k" * 32)
    lives = LineLives(exchange, found.snapshot)
    lives.renew = lambda *lines: None  # type: ignore[method-assign]  # nobody reads the facts here
    ports = Ports(
        publish=lambda topic, payload: None,
        keep_secret=lives.keep_secret,
        acknowledge=lambda told: None,
        change_line=lambda *args: None,
        users_changed=lambda: None,
    )
    data.mkdir()
    plan = device_plan(found)
    service = Service(
        plan, exchange, data / "devices", lambda each: ports, lambda: None, lambda n, f: None
    )
    images = make_images(service, data, newest)
    seal = X25519PrivateKey.generate()
    public = seal.public_key().public_bytes_raw()
    members = []
    for number in range(devices):
        twin, password = service.devices.by_id[name_of(number)], f"password {number}"
        line = exchange.facts.lines[twin.definition.line]
        at = service.fleet.now_ms()
        device = twin.device.changed(
            at,
            life=Life.CLAIMED,
            line=line.id,
            seal_key=public,
            mqtt_hash=hashed(password),
            password_gen=1,
            spoke=True,
            claimed_at=at,
        )
        service.devices.keep(service.fleet.with_new_secret(device, line, at))
        service.fleet.refresh(twin)
        members.append(FleetDevice(name_of(number), password, seal.private_bytes_raw()))
    journal = Journal(data / "journal")
    journal.write(exchange.outbox.journal)
    journal.close()
    image = service.repository.known[MODEL, OLD]
    factory = Image(image.target, OLD, MODEL, image.sha256, image.length, 1)
    fleet = FleetFile(
        model=MODEL,
        broker=f"mqtt://127.0.0.1:{PORTS['1883']}",
        service_keys=(service.fleet.authority.service_key,),
        tuf_root=service.repository.root,
        metadata_url=service.admission.place.metadata_url,
        images_url=service.admission.place.images_url,
        image=factory,
        firmware=str(images[OLD]),
        devices=tuple(members),
    )
    path = home / "fleet.json"
    path.write_bytes(encode(fleet))
    return path


def make_images(service: Service, data: Path, newest: bytes) -> dict[str, Path]:
    """Two signed images, without anything in common: the whole of the newer one is downloaded."""
    made = {}
    for version, content in ((OLD, b""), (NEW, newest)):
        made[version] = path = data / f"{version}.img"
        path.write_bytes(content or os.urandom(IMAGE_BYTES))
        service.repository.add(path, MODEL, version, 1)
        service.repository.sign(data / "keys", datetime.now(UTC), 24)
    return made


class Players:
    """The processes that play devices, and what they said last."""

    def __init__(self, file: Path, log: Path) -> None:
        self.connected_s: list[float] = []
        self.counts: list[dict[str, Any]] = [{} for _ in range(PLAYERS)]
        self._log = log.open("wb")
        self._processes = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "firmware_agent", "fleet", "--file", str(file)),
                    *("--share", f"{number}/{PLAYERS}", "--every", "0.25"),
                    *("--at-once", "100"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=ROOT,
                preexec_fn=die_with_parent(),
            )
            for number in range(PLAYERS)
        ]
        for number, process in enumerate(self._processes):
            threading.Thread(target=self._read, args=(number, process), daemon=True).start()

    def _read(self, number: int, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            if told["event"] == "connected":
                self.connected_s.append(float(told["seconds"]))
            elif told["event"] == "counts":
                self.counts[number] = told

    def total(self, key: str) -> int:
        return sum(int(each.get(key, 0)) for each in self.counts)

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(20)


class Switch:
    """`vigie run`, and its database."""

    def __init__(self, home: Path, data: Path) -> None:
        self.data = data
        self._out = (data.parent / "out").open("wb")
        self.log = data.parent / "log"
        self._err = self.log.open("wb")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "switch", "run"),
                *("--config", str(home), "--data", str(data)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            cwd=ROOT,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        until(
            lambda: b"\nready " in b"\n" + Path(self._out.name).read_bytes(), "the switch is ready"
        )

    def ask(self, command: str, **args: object) -> Any:
        return control.ask(self.data / "control.sock", command, args, timeout_s=60)

    def scalar(self, query: str) -> int:
        """One number; 0 while there is no such table."""
        with contextlib.suppress(sqlite3.OperationalError):
            return self._scalar(query)
        return 0

    def _scalar(self, query: str) -> int:
        with sqlite3.connect(f"file:{self.data}/vigie.sqlite?mode=ro", uri=True, timeout=5) as base:
            return int(base.execute(query).fetchone()[0] or 0)

    def broker(self) -> int:
        """The child's pid, by what the log said last."""
        lines = self.log.read_text("utf-8").splitlines()
        ready = [line for line in lines if '"mqtt.broker_ready"' in line]
        return int(orjson.loads(ready[-1])["pid"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def until(test: Callable[[], object], what: str, every_s: float = 0.05) -> float:
    """Wait for something; seconds that it took."""
    began = time.monotonic()
    while not test():
        if time.monotonic() - began > LIMIT_S:
            raise TimeoutError(f"not within {LIMIT_S:g} s: {what}")
        time.sleep(every_s)
    return time.monotonic() - began


def memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else 0.0


def measure(
    home: Path, data: Path, devices: int, updates: int
) -> Iterator[tuple[str, bool | None]]:
    """The four measurements: a sentence each, and whether its goal is met (None: it has none)."""
    began = time.monotonic()
    file = prepare(home, data, devices)
    print(f"prepared {devices} members in {time.monotonic() - began:.1f} s", flush=True)
    began = time.monotonic()
    switch = Switch(home, data)
    print(f"switch ready in {time.monotonic() - began:.1f} s", flush=True)
    until(lambda: switch.scalar("select count(*) from device_desired") >= devices, "stored")
    print(f"everything published and stored after {time.monotonic() - began:.1f} s", flush=True)
    players = Players(file, data.parent / "players")
    try:
        yield from _connect(switch, players, devices)
        yield from _trips(switch, home, devices)
        yield from _storm(switch, players, devices)
        yield from _updates(switch, players, devices, updates)
    finally:
        players.stop()
        switch.stop()


def _connect(switch: Switch, players: Players, devices: int) -> Iterator[tuple[str, bool | None]]:
    until(lambda: len(players.connected_s) == PLAYERS, "all connected")
    took = max(players.connected_s)
    yield f"{devices} devices connected in {took:.2f} s (goal {CONNECTED_S:g})", took <= CONNECTED_S
    reported = until(
        lambda: switch.scalar("select count(*) from device_reported") >= devices, "first reports"
    )
    broker = memory_mb(switch.broker())
    told = f"all reports in the database {reported:.2f} s later; memory: broker {broker:.0f} MB, "
    yield told + f"switch {memory_mb(switch.process.pid):.0f} MB", None


def _trips(switch: Switch, home: Path, devices: int) -> Iterator[tuple[str, bool | None]]:
    """The reload is not measured; the clock starts with the first document that it leads to."""
    base = switch.scalar("select max(rev) from device_desired")
    write_config(home, devices, '["PCMU", "PCMA"]')
    switch.ask("config.apply")
    query = f"select count(*) from device_reported where rev > {base}"
    until(lambda: switch.scalar(query) >= devices, "every document applied", 0.02)
    ended = time.time()
    began = switch.scalar(f"select min(at) from device_desired where rev > {base}")
    rate = devices / (ended - began / 1000)
    told = f"desired -> reported, durable: {rate:.0f}/s (goal {TRIPS_PER_S:g})"
    yield told, rate >= TRIPS_PER_S


def _storm(switch: Switch, players: Players, devices: int) -> Iterator[tuple[str, bool | None]]:
    os.kill(switch.broker(), signal.SIGKILL)
    until(lambda: players.total("connected") < devices, "the loss is noticed")
    most = until(lambda: players.total("connected") >= 0.99 * devices, "nearly all are back")
    rest = until(lambda: players.total("connected") == devices, "everybody is back")
    told = f"after a kill of the broker 99 % of {devices} are back in {most:.1f} s"
    yield f"{told}, the last in {most + rest:.1f} s", None

    def online() -> int:
        return sum(bool(row["online"]) for row in switch.ask("device.list"))

    later = until(lambda: online() == devices, "the switch knows", 1.0)
    yield f"and known to be so {later:.1f} s later", None


def _updates(
    switch: Switch, players: Players, devices: int, updates: int
) -> Iterator[tuple[str, bool | None]]:
    share = 100.0 * updates / devices
    planned = switch.ask(
        "firmware.plan",
        model=MODEL,
        version=NEW,
        rollout="bench",
        stages=str(min(share, 100.0)),
        soak_s=0,
        max_under_way=10**6,
    )
    assert planned["devices"], planned
    switch.ask("firmware.move", rollout="bench", event="start")
    query = "select count(*) from rollout_device where step = 'confirmed'"
    wanted = planned["devices"]
    took = until(lambda: switch.scalar(query) >= wanted, "all confirmed", 0.1)
    per = wanted / took
    goal = UPDATED_S * wanted / 5000
    told = f"{wanted} updates of {IMAGE_BYTES // 1024} KiB confirmed in {took:.1f} s ({per:.0f}/s"
    yield f"{told}; goal 5000 in {UPDATED_S:g} s)", took <= goal
    (status,) = switch.ask("firmware.status")
    assert status["failed"] == 0, status["failures"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--updates", type=int, default=5_000)
    parser.add_argument("--keep", action="store_true", help="keep the directory, and say where")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="vigie-fleet-"))
    met = True
    try:
        home = write_config(directory / "config", options.devices)
        for sentence, is_met in measure(home, directory / "data", options.devices, options.updates):
            sign = {True: "met   ", False: "MISSED", None: "      "}[is_met]
            print(f"{sign} {sentence}", flush=True)
            met = met and is_met is not False
    finally:
        if options.keep:
            print(directory)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
