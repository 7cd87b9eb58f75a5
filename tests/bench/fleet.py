"""`make bench-fleet`: thousands of devices on one machine, with the whole product and a real broker.

A switch (`vigie run`) with as many lines as devices, its own Mosquitto, and devices played by processes
of `firmware_agent fleet`, which do all that a device does but SIP: they verify, apply, report, download,
install into files, reboot, try and confirm. They are members already: their claims are made beforehand.

1. all connect, from devices that have booted and are told to: CONNACK and every SUBSCRIBE granted; then,
   taken by the switch as online; and memory of broker and switch;
2. a reload changes every document: desired -> applied -> reported -> row in the database, per second;
3. the broker is killed: until all are back and the switch has taken them as online, and what that costs
   the emergency calls of a phone, from its INVITE to that of the carrier;
4. a rollout to a part of them: complete updates.

Everything shares the cores of this machine, the players too. Exit code 0 only when the goals are met.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.fleet_calls import Caller
from tests.bench.fleet_processes import Clock, Players, Switch, memory_mb, until
from tests.bench.members import IMAGE_BYTES, MODEL, NEW, prepare, write_config

CONNECTED_S, TRIPS_PER_S, UPDATED_S = 5.0, 2500.0, 60.0
QUIET_S = 4.0  # of emergency calls before the storm, to compare

Result = tuple[str, bool | None]
"""A sentence, and whether its goal is met (None: it has none)."""


class Bench:
    """The four measurements, on one fleet."""

    def __init__(self, home: Path, switch: Switch, players: Players, devices: int) -> None:
        self.home = home
        self.switch = switch
        self.players = players
        self.devices = devices

    def connect(self) -> Iterator[Result]:
        """From the word to connect until all are, and until the switch knows the last of them."""
        switch, devices = self.switch, self.devices
        until(lambda: self.players.all_said("booted"), "all booted")
        yield f"{devices} devices booted in {self.players.longest_s('booted'):.1f} s", None
        clock, began = self._clock(), time.time()
        self.players.connect()
        took = self._online_after(began)
        until(lambda: self.players.all_said("connected"), "all connected")
        own = self.players.longest_s("connected")
        told = f"{devices} devices connected, every subscription granted, in {own:.2f} s"
        yield f"{told} (goal {CONNECTED_S:g})", own <= CONNECTED_S
        yield f"the switch had taken the last of them as online after {took:.2f} s", None
        query = "select count(*) from device_reported"
        until(lambda: switch.scalar(query) >= devices, "reports", 0.1)
        told = f"all reports in the database after {time.time() - began:.2f} s"
        broker, own_mb = memory_mb(switch.broker()), memory_mb(switch.process.pid)
        yield f"{told}; memory: broker {broker:.0f} MB, switch {own_mb:.0f} MB", None
        yield str(clock), None

    def trips(self) -> Iterator[Result]:
        """The reload is not measured; the clock starts with the first document that it leads to."""
        switch, devices = self.switch, self.devices
        base = switch.scalar("select max(rev) from device_desired")
        write_config(self.home, devices, '["PCMU", "PCMA"]')
        clock = self._clock()
        switch.ask("config.apply")
        query = f"select count(*) from device_reported where rev > {base}"
        until(lambda: switch.scalar(query) >= devices, "every document applied")
        spent = str(clock)
        ended = time.time()
        began = switch.scalar(f"select min(at) from device_desired where rev > {base}")
        rate = devices / (ended - began / 1000)
        told = f"desired -> reported, durable: {rate:.0f}/s (goal {TRIPS_PER_S:g})"
        yield told, rate >= TRIPS_PER_S
        yield f"with the reload: {spent}", None

    def storm(self) -> Iterator[Result]:
        """The broker is killed while a phone dials 18 again and again."""
        switch, players, devices = self.switch, self.players, self.devices
        with Caller() as caller:
            time.sleep(QUIET_S)
            quiet = caller.take()
            began, before = time.time(), memory_mb(switch.process.pid)
            os.kill(switch.broker(), signal.SIGKILL)
            until(lambda: players.total("connected") < devices, "the loss is noticed")
            until(lambda: players.total("connected") >= 0.99 * devices, "nearly all are back")
            most = time.time() - began
            until(lambda: players.total("connected") == devices, "everybody is back")
            last, known = time.time() - began, self._online_after(began)
            stormy = caller.take()
        told = f"after a kill of the broker 99 % of {devices} are back in {most:.1f} s"
        yield f"{told}, the last in {last:.1f} s, and known to be in {known:.1f} s", None
        grown = memory_mb(switch.process.pid) - before
        yield f"the switch's memory grew by {grown:.0f} MB, from {before:.0f}", None
        yield f"emergency calls before: {quiet}", None
        yield f"emergency calls meanwhile: {stormy}", stormy.are_all_routed

    def updates(self, wanted: int) -> Iterator[Result]:
        """A rollout in one stage, from its start to the last confirmation in the database."""
        switch, share = self.switch, 100.0 * wanted / self.devices
        planned = switch.ask(
            "firmware.plan",
            model=MODEL,
            version=NEW,
            rollout="bench",
            stages=str(min(share, 100.0)),
            soak_s=0,
            max_under_way=10**6,
        )
        count = planned["devices"]
        assert count, planned
        switch.ask("firmware.move", rollout="bench", event="start")
        query = "select count(*) from rollout_device where step = 'confirmed'"
        took = until(lambda: switch.scalar(query) >= count, "all confirmed", 0.1)
        goal = UPDATED_S * count / 5000
        told = f"{count} updates of {IMAGE_BYTES // 1024} KiB confirmed in {took:.1f} s"
        yield f"{told} ({count / took:.0f}/s; goal 5000 in {UPDATED_S:g} s)", took <= goal
        (status,) = switch.ask("firmware.status")
        assert status["failed"] == 0, status["failures"]

    def _clock(self) -> Clock:
        switch, players = self.switch, [each.pid for each in self.players.processes]
        return Clock(
            {"switch": [switch.process.pid], "broker": [switch.broker()], "players": players}
        )

    def _online_after(self, began: float) -> float:
        """Seconds from UTC `began` until the switch took the last of all devices as online, by the
        stories of them; waits until these are in the database."""
        since = f"from device_event where kind = 'online' and at >= {began * 1000:.0f}"
        query = f"select count(distinct device) {since}"
        until(lambda: self.switch.scalar(query) >= self.devices, "the switch knows", 0.2)
        at = self.switch.scalar(
            f"select max(first) from (select min(at) first {since} group by device)"
        )
        return at / 1000 - began


def measure(home: Path, data: Path, devices: int, updates: int) -> Iterator[Result]:
    """The four measurements, one after the other."""
    began = time.monotonic()
    file = prepare(home, data, devices)
    yield f"prepared {devices} members in {time.monotonic() - began:.1f} s", None
    began = time.monotonic()
    switch = Switch(home, data)
    ready = time.monotonic() - began
    until(lambda: switch.scalar("select count(*) from device_desired") >= devices, "stored")
    stored = time.monotonic() - began
    yield f"switch ready in {ready:.1f} s, everything published and stored in {stored:.1f} s", None
    players = Players(file, data.parent / "players")
    bench = Bench(home, switch, players, devices)
    try:
        yield from bench.connect()
        yield from bench.trips()
        yield from bench.storm()
        yield from bench.updates(updates)
    finally:
        players.stop()
        switch.stop()


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
