"""`python -m firmware_agent`: one real device (`run`), or thousands of played ones (`fleet`)."""

import argparse
import asyncio
import contextlib
import gc
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from firmware_agent.agent.agent import CRASH
from firmware_agent.device import Device, Ending, Options, forget
from firmware_agent.files import DiskFiles
from firmware_agent.fleet.fleet import Fleet, FleetFile, fleet_of
from firmware_agent.messages.claim import Factory
from firmware_agent.messages.codec import MessageError, parse
from firmware_agent.slots import Image, NothingBootableError, Slots

_REASON = "VIGIE_BOOT_REASON"
CRASH_PAUSE_S = 0.5


class _Story:
    """JSON lines on the real stdout; pjlib, which prints there too, gets /dev/null."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)

    def say(self, event: str, **fields: object) -> None:
        """One line; when whoever listened is gone, the phone goes on."""
        line = json.dumps({"t": round(time.time() * 1000), "event": event, **fields})
        with contextlib.suppress(BrokenPipeError):
            os.write(self._out, line.encode() + b"\n")

    def give_back(self) -> None:
        """Before another program takes this process over."""
        os.dup2(self._out, 1)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m firmware_agent",
        description="The device side of Vigie: the program that runs on an adapter.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run one device, until SIGTERM")
    run.add_argument("--factory", type=Path, required=True, help="what the factory wrote into it")
    run.add_argument("--state", type=Path, required=True, help="directory of its storage")
    run.add_argument("--firmware", type=Path, help="image that it leaves the factory with")
    run.add_argument("--version", default="1.0.0", help="version of that image (1.0.0)")
    run.add_argument("--security-version", type=int, default=1, help="of that image (1)")
    run.add_argument("--broker", help="mqtt[s]://host:port, instead of what it was told")
    run.add_argument("--sip-bind", default="127.0.0.1", help="address of its SIP side")
    run.add_argument("--no-phone", action="store_true", help="only say that lines are registered")
    run.add_argument("--answer-after", type=float, default=2.0, help="seconds that a call rings")
    run.add_argument(
        "--control", action="store_true", help="hands on stdin (firmware_agent.control)"
    )
    run.add_argument("--country", help="the device's own hint (ISO 3166-1)")
    fleet = commands.add_parser("fleet", help="play a fleet, until SIGTERM")
    fleet.add_argument("--file", type=Path, required=True, help="a `FleetFile`")
    fleet.add_argument("--share", default="0/1", help="play every n-th device: INDEX/N (0/1)")
    fleet.add_argument("--at-once", type=int, default=50, help="connections under way (50)")
    fleet.add_argument("--hold", action="store_true", help="connect when stdin says so, by a line")
    fleet.add_argument("--every", type=float, default=1.0, help="seconds between counts (1)")
    return parser.parse_args(arguments)


async def _play(options: argparse.Namespace) -> None:
    """Play a fleet: its events as JSON lines, "booted", "connected" once all are, then counts."""
    file = parse(FleetFile, options.file.read_bytes(), limit=2**30)
    index, of = (int(each) for each in options.share.split("/"))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gc.set_threshold(100_000, 50, 100)
    with fleet_of(file, (index, of)) as fleet:
        story = _Story()
        began = time.monotonic()
        fleet.boot()
        story.say("booted", seconds=round(time.monotonic() - began, 3), **fleet.summary())
        gc.freeze()  # millions of objects that live as long as the fleet
        living = asyncio.create_task(_live(fleet, options, story))
        await asyncio.wait([living, loop.create_task(stop.wait())], return_when="FIRST_COMPLETED")
        if not living.cancel():
            living.result()


async def _live(fleet: Fleet, options: argparse.Namespace, story: _Story) -> None:
    """From the first connection on; ends by cancellation."""
    if options.hold:
        word, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(sys.stdin, word.set)
        await word.wait()
        loop.remove_reader(sys.stdin)
    began = time.monotonic()
    await fleet.connect(options.at_once)
    story.say("connected", seconds=round(time.monotonic() - began, 3), **fleet.summary())
    async with asyncio.TaskGroup() as group:
        group.create_task(fleet.keep_alive())
        while True:
            await asyncio.sleep(options.every)
            story.say("counts", **fleet.summary())


def _manufacture(options: argparse.Namespace, factory: Factory) -> None:
    """Fill the slots of a device that comes from the factory."""
    files = DiskFiles(options.state)
    if Slots(files).is_manufactured:
        return
    content = options.firmware.read_bytes() if options.firmware else b"adapter 1.0.0\n" * 1024
    image = Image(
        target=f"{factory.model}/{options.version}.img",
        version=options.version,
        model=factory.model,
        sha256=hashlib.sha256(content).hexdigest(),
        len=len(content),
        security_version=options.security_version,
    )
    Slots.manufacture(files, content, image)


async def _run(options: Options, story: _Story) -> Ending:
    device = Device(options, story.say)
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(device.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, device, running)
    try:
        return await running
    except asyncio.CancelledError:
        return Ending("stopped", "signal")


def _stop(device: Device, running: "asyncio.Future[Ending]") -> None:
    """Say goodbye; in the middle of a claim there is nobody to say it to."""
    if device.is_up:
        device.stop()
    else:
        running.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a device; a reboot replaces this process by itself. 0 ended, 1 failed, 2 bad usage."""
    given = _arguments(sys.argv[1:] if arguments is None else arguments)
    if given.command == "fleet":
        return _main_fleet(given)
    return _main_device(given)


def _main_fleet(given: argparse.Namespace) -> int:
    try:
        with asyncio.Runner(loop_factory=_fast_loop) as runner:
            runner.run(_play(given))
    except (OSError, MessageError, ValueError) as error:
        sys.stderr.write(f"{given.file}: {error}\n")
        return 2
    return 0


def _fast_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where that is installed: who plays thousands leaves the cores to what they talk to."""
    try:
        import uvloop  # noqa: PLC0415 -- one device has no use for it
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _main_device(given: argparse.Namespace) -> int:
    try:
        factory = parse(Factory, given.factory.read_bytes())
        _manufacture(given, factory)
    except (OSError, MessageError) as error:
        sys.stderr.write(f"{given.factory}: {error}\n")
        return 2
    options = Options(
        factory=factory,
        state=given.state,
        broker=given.broker,
        sip_bind=given.sip_bind,
        has_phone=not given.no_phone,
        answer_after_s=given.answer_after,
        country=given.country,
        has_hands=given.control,
        reason=os.environ.get(_REASON, "power"),
    )
    story = _Story()
    try:
        ending = asyncio.run(_run(options, story))
    except NothingBootableError as error:
        sys.stderr.write(f"{given.state}: {error}\n")
        return 1
    story.say("ended", what=ending.what, reason=ending.reason)
    if ending.what == "wiped":
        forget(DiskFiles(given.state), given.state)
    if ending.what == "reboot":
        if ending.reason == CRASH:
            time.sleep(CRASH_PAUSE_S)
        os.environ[_REASON] = ending.reason
        story.give_back()
        os.execv(sys.executable, [sys.executable, "-m", "firmware_agent", *sys.argv[1:]])  # noqa: S606
    os._exit(0)  # pjsua2's threads don't end by themselves


if __name__ == "__main__":
    sys.exit(main())
