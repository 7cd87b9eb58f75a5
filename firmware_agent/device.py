"""One device, from its box to its reboots: `python -m firmware_agent run`.

A run is one boot: choose a slot, claim membership if there is none yet, then drive the agent until it is
asked to reboot (`Reboot`) or to wipe. A reboot of the simulated adapter is `exec` of this very program, so
nothing but what is in the storage outlives it.
"""

import asyncio
import random
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from firmware_agent import claim, control, place
from firmware_agent.agent.agent import CRASH, Identity
from firmware_agent.agent.kept import STATE_FILE
from firmware_agent.agent.signals import Place
from firmware_agent.assembly import agent_of, header_of
from firmware_agent.certificate import RENEWED
from firmware_agent.claim import Member
from firmware_agent.control import Do, Hand
from firmware_agent.driver import Around, Driver, Phone, read_clocks
from firmware_agent.enrolment import MEMBERSHIP, Enrolment, Say
from firmware_agent.files import DiskFiles, Files
from firmware_agent.image import Header
from firmware_agent.messages.claim import Factory
from firmware_agent.messages.codec import MessageError
from firmware_agent.messages.envelope import keys_of
from firmware_agent.messages.reported import Event, Network, Ota, Reported, Status
from firmware_agent.messages.topics import Kind
from firmware_agent.metadata import Metadata, PoolFetcher
from firmware_agent.mqtt import Link
from firmware_agent.phone import POLL_S, NoPhoneError, SipPhone
from firmware_agent.played_phone import PlayedPhone
from firmware_agent.slots import Boot, Slots
from firmware_agent.work import Outcome, Tools

FLUSH_S = 2.0
UNREGISTER_S = 0.5
PLACE_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a device is run. `broker` replaces the URL that the factory or the service gave."""

    factory: Factory
    state: Path
    broker: str | None = None
    sip_bind: str = "127.0.0.1"
    has_phone: bool = True
    answer_after_s: float = 2.0
    country: str | None = None
    has_hands: bool = False
    """Whether stdin says what hands do (`control`)."""
    reason: str = "power"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a run ended: `reboot` with its reason, or `wiped`."""

    what: str
    reason: str


class Device:
    """One run of a device."""

    def __init__(self, options: Options, say: Say) -> None:
        self.options = options
        self.say = say
        self.files: Files = DiskFiles(options.state)
        self.slots = Slots(self.files)
        self.boot: Boot = self.slots.boot()
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._link: Link | None = None
        self._told: dict[str, object] = {}
        self._phone: Phone | None = None
        self._moved: Network | None = None
        self._driver: Driver | None = None

    @property
    def is_up(self) -> bool:
        """Whether it is past its claim."""
        return self._link is not None

    async def run(self) -> Ending:
        """Until it reboots or is wiped."""
        image, options = self.boot.image, self.options
        slot, is_trial = self.boot.slot.value, self.boot.is_trial
        self.say("booted", slot=slot, version=image.version, trial=is_trial, reason=options.reason)
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)
        enrolment = Enrolment(options.factory, self.files, options.broker, self.say)
        member = await enrolment.member()
        device, header = member.membership.device, header_of(self.files, self.boot)
        if header.strikes("crashes", device):
            return Ending("reboot", CRASH)
        with ThreadPoolExecutor(1) as threads:
            self._driver, phone = self._assemble(member, header, threads)
            self._link = Link(enrolment.broker(member), self)
            tasks: list[asyncio.Task[None]] = [
                asyncio.create_task(self._link.run()),
                asyncio.create_task(self._look_around()),
            ]
            if isinstance(phone, SipPhone):
                tasks.append(asyncio.create_task(_poll(phone)))
            self._driver.tell(lambda agent, at: agent.on_start(at))
            self._phone = phone
            if options.has_hands:
                control.listen(self)
            try:
                await _first(self._ending, *tasks)
                for each in tasks:
                    if each.done() and (error := each.exception()) is not None:
                        self._crashed(error)
                await self._say_goodbye()
            finally:
                self._driver.stop()
                for each in tasks:
                    each.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return self._ending.result()

    # -- for the link --------------------------------------------------------------------------

    def will(self) -> Status:
        """See `mqtt.Owner`."""
        agent = self.driver.agent
        agent.next_sid()
        return Status(False, agent.sid, int(agent.time.utc(read_clocks())))

    def on_connected(self) -> None:
        """See `mqtt.Owner`."""
        self.say("connected")
        self.driver.tell(lambda agent, at: agent.on_connected(at))

    def on_disconnected(self, reason: str) -> None:
        """See `mqtt.Owner`."""
        self.say("disconnected", reason=reason)
        self.driver.tell(lambda agent, at: agent.on_disconnected(at))

    def on_message(self, kind: Kind, raw: bytes) -> None:
        """See `mqtt.Owner`."""
        self.driver.receive(kind, raw)

    # -- for the driver ------------------------------------------------------------------------

    @property
    def driver(self) -> Driver:
        """The driver of this run."""
        assert self._driver is not None
        return self._driver

    def publish(self, kind: Kind, document: object) -> None:
        """See `driver.Outside`."""
        if isinstance(document, Ota):
            err = document.err.code if document.err else None
            self.say("update", state=document.state.value, pct=document.pct, err=err)
        elif isinstance(document, Reported):
            self._say_reported(document)
        if self._link is not None:
            self._link.publish(kind, document)

    def _say_reported(self, document: Reported) -> None:
        told = {
            "applied_rev": document.applied_rev,
            "registered": [each.line for each in document.lines if each.registered],
            "emergency_ready": document.emergency_ready,
        }
        if told != self._told:
            self._told = told
            self.say("reported", **told)

    def reboot(self, reason: str) -> None:
        """See `driver.Outside`."""
        self._end(Ending("reboot", reason))

    def wipe(self) -> None:
        """See `driver.Outside`."""
        self._end(Ending("wiped", "command"))

    def obey(self, hand: Hand) -> None:
        """See `control.Device`."""
        phone = self._phone if isinstance(self._phone, SipPhone) else None
        match hand.do:
            case Do.CALL if phone is not None:
                phone.call(hand.line, hand.uri)
            case Do.HANG_UP if phone is not None:
                phone.hang_up()
            case Do.MOVE:
                self._moved = Network(hand.gateway_mac, hand.dhcp_domain)
                moved = Place(network=self._moved)
                self.driver.tell(lambda agent, at: agent.on_place(moved, at))
            case Do.OPEN:
                self.driver.tell(lambda agent, at: agent.tell(Event.TAMPER, at, what="case opened"))
            case _:
                self.say("no_phone", reason=hand.do.value)

    def misunderstood(self, error: MessageError) -> None:
        """See `control.Device`."""
        self.say("misunderstood", path=error.path, reason=error.reason)

    def stop(self) -> None:
        """Somebody pulls the plug, politely."""
        self._end(Ending("stopped", "signal"))

    def _crashed(self, error: BaseException) -> None:
        """A fault of our own: told in our log, and the device boots anew, as a watchdog would have it."""
        self.say("crash", error="".join(traceback.format_exception(error))[-2000:])
        self._end(Ending("reboot", CRASH))

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self._crashed(error)
        else:
            loop.default_exception_handler(context)

    def _end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    # -- inside --------------------------------------------------------------------------------

    def _assemble(
        self, member: Member, header: Header, threads: ThreadPoolExecutor
    ) -> tuple[Driver, Phone]:
        options, membership, files = self.options, member.membership, self.files
        identity = Identity(
            membership.device,
            options.factory.model,
            keys_of(membership.service_keys),
            claim.seal_key(options.factory),
            member.certificate.sha256,
            key=claim.identity_key(options.factory),
            certificate=member.certificate,
        )
        chance = random.SystemRandom()
        agent = agent_of(identity, files, self.boot, options.reason, chance)
        pool = urllib3.PoolManager(num_pools=2)
        metadata = Metadata(
            options.state / "metadata",
            membership.metadata_url,
            options.factory.tuf_root.encode(),
            PoolFetcher(pool),
        )
        tools = Tools(
            files,
            self.slots,
            metadata,
            pool,
            membership.images_url,
            options.factory.model,
            self.boot,
        )
        phone = self._make_phone(not header.strikes("never_registers", membership.device))
        return Driver(agent, tools, Around(self, phone, threads)), phone

    def _make_phone(self, registers: bool) -> SipPhone | PlayedPhone:
        options = self.options

        def tell(outcome: Outcome) -> None:
            self.driver.tell(outcome)

        if not options.has_phone:
            return PlayedPhone(tell, registers)
        if not registers:
            return PlayedPhone(tell, registers=False)
        try:
            return SipPhone(tell, options.sip_bind, self.boot.image.version, options.answer_after_s)
        except NoPhoneError as error:
            self.say("no_phone", reason=str(error))
            return PlayedPhone(tell, registers=False)

    async def _look_around(self) -> None:
        while True:
            network = await asyncio.get_running_loop().run_in_executor(None, place.network)
            seen = Place(network=self._moved or network, country=self.options.country)
            self.driver.tell(lambda agent, at, seen=seen: agent.on_place(seen, at))  # type: ignore[misc]
            await asyncio.sleep(PLACE_EVERY_S)

    async def _until_unregistered(self, phone: SipPhone) -> None:
        """The poll goes on meanwhile; a registrar that is away isn't waited for."""
        until = read_clocks().now + UNREGISTER_S
        while phone.has_binding and read_clocks().now < until:
            await asyncio.sleep(POLL_S)

    async def _say_goodbye(self) -> None:
        """Deliver what was published, and say that we go: the will is for going without a word."""
        if isinstance(self._phone, SipPhone):
            self._phone.unregister()
            await self._until_unregistered(self._phone)
        if self._link is None or self._driver is None or not self._driver.agent.out.is_connected:
            return
        agent = self._driver.agent
        offline = Status(False, agent.sid, int(agent.time.utc(read_clocks())))
        self._link.publish(Kind.STATUS, offline)
        await self._link.flush(FLUSH_S)


def forget(files: Files, state: Path) -> None:
    """What a wipe leaves: the factory's slots and keys, nothing of the service or the customer."""
    for name in (MEMBERSHIP, RENEWED, STATE_FILE):
        files.remove(name)
    for each in state.glob("desired-*"):
        files.remove(each.name)


async def _first(*futures: "asyncio.Future[Any]") -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _poll(phone: SipPhone) -> None:
    while True:
        phone.poll()
        await asyncio.sleep(POLL_S)
