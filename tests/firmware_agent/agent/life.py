"""A device without a loop, a network or a clock: its agent, its storage, and a time that a test jumps.

It performs commands as the driver does, in order. Metadata, downloads and the phone are told what to say.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent.agent.agent import Agent, Identity
from firmware_agent.agent.commands import (
    Command,
    Configure,
    ConfirmTrial,
    Discard,
    Download,
    FetchMetadata,
    Forget,
    Install,
    Keep,
    LineConfig,
    Publish,
    RaiseFloor,
    Reboot,
    Register,
    SelfTest,
    Wipe,
)
from firmware_agent.agent.inbox import Inbox
from firmware_agent.agent.kept import STATE_FILE, Kept, desired_file
from firmware_agent.agent.reports import DESIRED_PATIENCE_S, Start
from firmware_agent.agent.table import UpdateEvent
from firmware_agent.certificate import Certificate
from firmware_agent.files import Files, MemoryFiles
from firmware_agent.messages.codec import parse
from firmware_agent.messages.desired import (
    Beacon,
    Desired,
    FirmwareWanted,
    LineWanted,
    Op,
    Sip,
    Transport,
)
from firmware_agent.messages.desired import Command as Order
from firmware_agent.messages.envelope import key_id, seal, sign
from firmware_agent.messages.image import ImageCustom
from firmware_agent.messages.reported import Evt, Ota, Problem, Reported, TufState
from firmware_agent.messages.topics import Kind
from firmware_agent.slots import Image, InstallError, Slots
from firmware_agent.trusted_time import Moment

DEVICE, MODEL, LINE = "dev-0001", "ooma-office", "109"
BUILD = 1_735_689_600
TODAY = 1_795_737_600  # 2026-11-27T00:00:00Z
OLD, NEW = b"old firmware", b"new firmware"
SERVICE = Ed25519PrivateKey.generate()
STRANGER = Ed25519PrivateKey.generate()
SEALING = X25519PrivateKey.generate()
KEYS = {key_id(SERVICE.public_key()): SERVICE.public_key()}
IMAGE_FILE = "download.img"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def firmware(
    content: bytes = NEW, version: str = "1.1.0", security: int = 1, **more: Any
) -> FirmwareWanted:
    target = f"{MODEL}/{version}.img"
    fields = {"rollout": "r1", **more}
    return FirmwareWanted(target, version, sha256(content), len(content), security, **fields)


def line(name: str = LINE, gen: int = 1, location_gen: int = 1, **more: Any) -> LineWanted:
    sealed = seal("s3cret", SEALING.public_key(), DEVICE, f"sip:{name}", gen)
    sip = {
        "domain": "vigie.example",
        "user": name,
        "registrars": ("127.0.0.1:5060",),
        "transport": Transport.UDP,
        "secret_sealed": sealed,
        "secret_gen": gen,
    }
    return LineWanted(name, Sip(**(sip | more)), "paris", location_gen)


def document(rev: int, wanted: FirmwareWanted | None = None, **more: Any) -> Desired:
    fields: dict[str, Any] = {"device": DEVICE, "lines": (line(),), **more}
    return Desired(rev=rev, firmware=wanted, **fields)


@dataclass
class World:
    """What the device meets."""

    metadata: Problem | None = None
    may_pass: bool = True
    downloads: list[bytes | None] = field(default_factory=list)
    """What each download brings: content, or None for an interruption; then the image itself."""
    registers: bool = True
    audio: bool = True
    is_busy: bool = False
    """Work is begun and never ends."""


class Life:
    """One device. `boot` begins a run; `at` is its moment."""

    def __init__(self, files: Files | None = None, system: float = TODAY) -> None:
        self.files: Files = MemoryFiles() if files is None else files
        self.now, self.system = 1000.0, system
        self.world = World()
        self.said: list[Publish] = []
        self.commands: list[Command] = []
        self.lines: tuple[LineConfig, ...] = ()
        self.wiped = False
        self.retained: bytes | None = None
        self.reason = "power"
        self.boots = 0
        self.key: Ed25519PrivateKey | None = None
        self.certificate: Certificate | None = None
        if not Slots(self.files).is_manufactured:
            target = f"{MODEL}/1.0.0.img"
            image = Image(target, "1.0.0", MODEL, sha256(OLD), len(OLD), 1)
            Slots.manufacture(self.files, OLD, image)

    @property
    def at(self) -> Moment:
        return Moment(self.now, self.system)

    # -- what a test does ------------------------------------------------------------------------

    def boot(self, connect: bool = True) -> "Life":
        self.slots = Slots(self.files)
        booted = self.slots.boot()
        raw = self.files.read(STATE_FILE)
        kept = parse(Kept, raw) if raw else Kept()
        documents = {each: self.files.read(desired_file(each)) or b"" for each in kept.documents()}
        self.boots += 1
        start = Start(booted, f"b{self.boots}", self.reason, BUILD, self.slots.floor())
        identity = Identity(
            DEVICE, MODEL, KEYS, SEALING, key=self.key, certificate=self.certificate
        )
        self.agent = Agent(identity, kept, start, documents, self.at, random.Random(self.boots))
        self.inbox = Inbox(self.agent)
        self.is_connected = False
        self.do(lambda: self.agent.on_start(self.at))
        if connect:
            self.connect()
        return self

    def connect(self) -> None:
        self.agent.next_sid()
        self.is_connected = True
        self.do(lambda: self.agent.on_connected(self.at))
        if self.retained is not None:
            self.receive(Kind.DESIRED, self.retained)
        elif self.agent.reports.held_until is not None:  # no document came: the report goes out
            self.pass_time(DESIRED_PATIENCE_S)

    def disconnect(self) -> None:
        self.is_connected = False
        self.do(lambda: self.agent.on_disconnected(self.at))

    def desire(self, rev: int, wanted: FirmwareWanted | None = None, **more: Any) -> bytes:
        raw = sign(document(rev, wanted, **more), SERVICE)
        self.receive(Kind.DESIRED, raw)
        return raw

    def receive(self, kind: Kind, raw: bytes) -> None:
        self.do(lambda: self.inbox.on_message(kind, raw, self.at))

    def receive_retained(self, raw: bytes) -> None:
        """A desired document as the broker keeps it: the device hears it again at each connection."""
        self.retained = raw
        self.receive(Kind.DESIRED, raw)

    def order(self, op: Op, number: str = "c1", exp: int = TODAY + 60, **args: str | int) -> None:
        self.receive(Kind.CMD, sign(Order(DEVICE, number, exp, op, args), SERVICE))

    def beacon(self, time: int = TODAY, tuf_ts: int = 1, floor: int = 0) -> None:
        self.receive(Kind.BEACON, sign(Beacon(time, tuf_ts, {MODEL: floor}), SERVICE))

    def calls(self, number: int, is_emergency: bool = False) -> None:
        self.do(lambda: self.agent.on_calls(number, is_emergency, self.at))

    def pass_time(self, seconds: float, step: float = 10.0) -> None:
        """Time goes on in steps, with the ticks that the agent asks for."""
        until = self.now + seconds
        while self.now < until:
            passed = min(step, until - self.now)
            self.now, self.system = self.now + passed, self.system + passed
            if self.now >= self.agent.next_at():
                self.do(lambda: self.agent.on_tick(self.at))

    def do(self, event: Callable[[], None]) -> None:
        agent = self.agent
        event()
        self._perform(agent)
        if self.agent is agent and not self.wiped:
            agent.conclude(self.at)
            self._perform(agent)

    # -- what was said ---------------------------------------------------------------------------

    def documents(self, kind: Kind) -> list[Any]:
        return [each.document for each in self.said if each.kind is kind]

    @property
    def reported(self) -> Reported:
        found: list[Reported] = self.documents(Kind.REPORTED)
        return found[-1]

    @property
    def states(self) -> list[str]:
        """The states of updates as they were told, repetitions left out."""
        found: list[Ota] = self.documents(Kind.OTA)
        told = [each.state.value for each in found]
        return [each for before, each in zip(["", *told], told, strict=False) if each != before]

    def events(self, kind: str) -> list[Evt]:
        return [each for each in self.documents(Kind.EVT) if each.kind == kind]

    # -- performing ------------------------------------------------------------------------------

    def _perform(self, agent: Agent) -> None:
        while self.agent is agent and (commands := agent.out.take()):
            for command in commands:
                self.commands.append(command)
                self._do(command)
                if self.agent is not agent or self.wiped:
                    return

    def _do(self, command: Command) -> None:  # noqa: C901, PLR0912 -- one row per command
        match command:
            case Keep(name, content):
                self.files.replace(name, content)
            case Forget(name):
                self.files.remove(name)
            case Publish():
                assert self.is_connected, command
                self.said.append(command)
            case Configure(lines):
                self.lines = lines
                self._register()
            case Register():
                self._register()
            case SelfTest():
                self.agent.on_self_test(self.world.audio, self.at)
            case FetchMetadata() | Download() | Install() if self.world.is_busy:
                pass
            case FetchMetadata(wanted):
                self._metadata(wanted)
            case Download(wanted, _, _):
                self._download()
            case Install(image):
                self._install(image)
            case Discard():
                self.files.remove(IMAGE_FILE)
            case ConfirmTrial():
                self.slots.confirm()
            case RaiseFloor(floor):
                self.slots.raise_floor(floor)
            case Reboot():
                self._reboot(command)
            case Wipe():
                self.wiped = True

    def _register(self) -> None:
        for each in self.lines:
            self.agent.on_line(each.line, self.world.registers, self.at)

    def _metadata(self, wanted: FirmwareWanted) -> None:
        problem = self.world.metadata
        if problem is not None:
            self.agent.on_metadata_refused(problem, self.world.may_pass, self.at)
        elif wanted.security_version < self.slots.floor():
            self.agent.on_update(UpdateEvent.DOWNGRADE, self.at, Problem("downgrade"))
        else:
            custom = ImageCustom(MODEL, wanted.version, wanted.security_version)
            self.agent.on_metadata(custom, TufState(1, 5), self.at)

    def _download(self) -> None:
        wanted = self.agent.update.wanted
        known = {sha256(each): each for each in (OLD, NEW)}
        brought = self.world.downloads.pop(0) if self.world.downloads else known[wanted.sha256]
        if brought is None:
            self.agent.on_update(UpdateEvent.INTERRUPTED, self.at, Problem("interrupted"))
        elif sha256(brought) != wanted.sha256:
            self.agent.on_update(UpdateEvent.WRONG_HASH, self.at)
        else:
            self.files.truncate(IMAGE_FILE)
            self.files.write(IMAGE_FILE, brought)
            self.files.fsync(IMAGE_FILE)
            self.agent.on_progress(100, self.at)
            self.agent.on_update(UpdateEvent.DOWNLOADED, self.at)

    def _install(self, image: Image) -> None:
        self.agent.on_update(UpdateEvent.WRITING, self.at)
        try:
            self.slots.install([self.files.read(IMAGE_FILE) or b""], image)
        except InstallError as error:
            self.agent.on_update(UpdateEvent.INSTALL_FAILED, self.at, Problem(error.code))
        else:
            self.agent.on_update(UpdateEvent.INSTALLED, self.at)

    def _reboot(self, command: Reboot) -> None:
        if command.arm:
            self.slots.arm()
        elif command.leave_trial:
            self.slots.leave_trial()
        self.reason = command.reason
        self.boot()
