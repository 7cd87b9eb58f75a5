"""Performs what an agent asks, in order, and tells it what came of it. One loop, no lock.

Storage is written here, before what follows is done; slow work goes to a thread; MQTT, the phone and the
reboot are behind three small interfaces, so that the same driver runs a device and each of thousands of
played ones.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from firmware_agent.agent.agent import Agent
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
from firmware_agent.messages.topics import Kind
from firmware_agent.slots import InstallError
from firmware_agent.trusted_time import Moment
from firmware_agent.work import IMAGE, PATCH, Outcome, Tools, Work

_TICK_AT_LEAST_S = 0.01


def read_clocks() -> Moment:
    """Both clocks, now."""
    boottime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Moment(time.clock_gettime(boottime), time.time())


class Phone(Protocol):
    """The SIP side. It tells `Driver.tell` what happens."""

    def configure(self, lines: tuple[LineConfig, ...]) -> None:
        """These are the lines now; register those that changed."""

    def register(self) -> None:
        """Register all lines anew."""

    def self_test(self) -> None:
        """Test the audio path."""


class Outside(Protocol):
    """What is around the driver."""

    def publish(self, kind: Kind, document: object) -> None:
        """Publish to our topic of this kind, in order."""

    def reboot(self, reason: str) -> None:
        """Boot anew, soon; what was published before is delivered if that takes no longer than 2 s."""

    def wipe(self) -> None:
        """Forget membership and secrets, and disconnect for good."""


@dataclass(frozen=True, slots=True)
class Around:
    """The surroundings of one device."""

    outside: Outside
    phone: Phone
    threads: Executor
    clocks: Callable[[], Moment] = read_clocks


class Driver:
    """One agent, performed. All methods belong to the loop's thread."""

    def __init__(self, agent: Agent, tools: Tools, around: Around) -> None:
        self.agent = agent
        self.inbox = Inbox(agent)
        self._tools = tools
        self._around = around
        self._loop = asyncio.get_running_loop()
        self._work: Work | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._told: deque[Outcome] = deque()
        self._is_performing = False
        self._is_over = False

    def tell(self, outcome: Outcome) -> None:
        """Let the agent know of something, and do what it asks."""
        self._told.append(outcome)
        if self._is_performing:  # the phone told something while it was asked: its turn comes
            return
        self._is_performing = True
        try:
            while self._told and not self._is_over:
                self._told.popleft()(self.agent, self._around.clocks())
                self._perform()
            if not self._is_over:
                self.agent.conclude(self._around.clocks())
                self._perform()
        finally:
            self._is_performing = False
        if not self._is_over:
            self._arm()

    def receive(self, kind: Kind, raw: bytes) -> None:
        """A message came in."""
        self.tell(lambda _, at: self.inbox.on_message(kind, raw, at))

    def tell_from_thread(self, outcome: Outcome) -> None:
        """The same as `tell`, from another thread."""
        self._loop.call_soon_threadsafe(self.tell, outcome)

    def stop(self) -> None:
        """Nothing is told or done any more."""
        self._is_over = True
        self._give_up()
        if self._timer is not None:
            self._timer.cancel()

    # -- inside --------------------------------------------------------------------------------

    def _perform(self) -> None:
        """Do what was asked; what that leads to at once is done too."""
        while commands := self.agent.out.take():
            for command in commands:
                if self._is_over:
                    return
                self._do(command)

    def _arm(self) -> None:
        """A timer that is early enough stays: a tick too many costs less than arming anew each time."""
        at = self._loop.time() + self.agent.next_at() - self._around.clocks().now
        at = max(at, self._loop.time() + _TICK_AT_LEAST_S)
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.tell(lambda agent, at: agent.on_tick(at))

    def _do(self, command: Command) -> None:  # noqa: C901 -- one row per command
        tools, around = self._tools, self._around
        match command:
            case Keep(name, content):
                tools.files.replace(name, content)
            case Forget(name):
                tools.files.remove(name)
            case Publish(kind, document):
                around.outside.publish(kind, document)
            case Configure(lines):
                around.phone.configure(lines)
            case Register():
                around.phone.register()
            case SelfTest():
                around.phone.self_test()
            case FetchMetadata() | Download() | Install():
                self._give_up()
                self._work = Work(tools, self.tell_from_thread)
                around.threads.submit(self._work.run, command)
            case Discard():
                self._give_up()
                for name in (IMAGE, PATCH, f"{IMAGE}.mark", f"{PATCH}.mark"):
                    tools.files.remove(name)
            case ConfirmTrial():
                tools.slots.confirm()
            case RaiseFloor(floor):
                tools.slots.raise_floor(floor)
            case Reboot():
                self._reboot(command)
            case Wipe():
                self.stop()
                around.outside.wipe()

    def _reboot(self, command: Reboot) -> None:
        slots = self._tools.slots
        try:
            if command.arm:
                slots.arm()
            elif command.leave_trial:
                slots.leave_trial()
        except InstallError:
            pass  # nothing is installed after all: the old slot boots, and the agent finds that out
        self.stop()
        self._around.outside.reboot(command.reason)

    def _give_up(self) -> None:
        if self._work is not None:
            self._work.give_up()
            self._work = None
