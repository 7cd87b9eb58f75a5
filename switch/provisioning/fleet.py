"""The service side of every device: what each shall be, and what becomes of it.

Synchronous, as all of the switch: messages and commands come in, records and messages go out, and the
application performs them. `admission` takes claims, `reports` what devices say, `rollouts` decides about
firmware; they meet here.
Deliberately absent: the broker, the clock's ticking, and the command line.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from firmware_agent.messages.codec import MessageError
from firmware_agent.messages.desired import Beacon, Command, FirmwareWanted, Op
from firmware_agent.messages.envelope import seal, sign
from firmware_agent.messages.topics import Kind, Topic
from policy.model import LineState
from switch.call import reappearance
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.facts.line import Line, hashes_of
from switch.provisioning import documents
from switch.provisioning.authority import Authority
from switch.provisioning.device import Device, Event, Life
from switch.provisioning.devices import Devices, Twin
from switch.provisioning.documents import Registrar
from switch.provisioning.strays import RETIRED, Strays

COMMAND_S: Final = 300
TURN_S: Final = 0.002  # what one turn of the loop may cost the calls that wait meanwhile
SETTLED_AT_ONCE: Final = 100  # lines; about as long as that
_SECRET_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class Ports:
    """What the fleet has done for it. All are synchronous and none fails.

    `publish(topic, payload)` sends, empty clears what is retained; `keep_secret(line, ha1, next_ha1, at)`
    and `acknowledge({line: is acknowledged})` change lines, `change_line(line, state, by)` their
    state; `users_changed` has the broker learn who may log in; `reconfirm(line, why)` asks a
    customer for the location again.
    """

    publish: Callable[[Topic, bytes], None]
    keep_secret: Callable[[str, Mapping[str, str], Mapping[str, str], int], None]
    acknowledge: Callable[[Mapping[str, bool]], None]
    change_line: Callable[[str, LineState, str], None]
    users_changed: Callable[[], None]
    reconfirm: Callable[[str, str], None] = lambda line, why: None


@dataclass(slots=True)
class Fleet:
    """All devices at work. `registrar` is where phones register, `firmware_for` what a device shall run,
    `beacon` the present content of the beacon."""

    exchange: Exchange
    devices: Devices
    authority: Authority
    ports: Ports
    registrar: Registrar
    realm: str
    firmware_for: Callable[[Twin], FirmwareWanted | None] = lambda twin: None
    beacon: Callable[[int], Beacon] = lambda at: Beacon(at, 0, {})
    _known: dict[str, Line] = field(default_factory=dict)  # the facts that documents were made of
    due: dict[str, bool] = field(
        default_factory=dict
    )  # devices to publish for; True: lost, so anyway
    _used: set[str] = field(default_factory=set)  # lines that registered with their next secret
    strays: Strays = field(default_factory=Strays)
    _unacknowledged: dict[str, bool] = field(default_factory=dict)
    _is_quiet: bool = False

    # -- what is asked of it -------------------------------------------------------------------

    def now_ms(self) -> int:
        """UTC milliseconds."""
        return round(self.exchange.wall(boottime()) * 1000)

    def note(self, name: str, **fields: object) -> None:
        """Tell the log, the metrics and the alarms."""
        self.exchange.outbox.note(name, **fields)

    def line_of(self, twin: Twin) -> Line | None:
        """The line that a device carries."""
        return self.exchange.facts.lines.get(twin.line)

    def users(self) -> dict[str, str]:
        """Who may log in at the broker: name -> hash."""
        found = {}
        for twin in self.devices.by_id.values():
            device = twin.device
            if device.mqtt_hash and (device.rights.mqtt or self.strays.may_enter(device)):
                found[device.id] = device.mqtt_hash
            # A spent credential of stolen hardware serves to see it try again.
            if device.claim_hash and (not device.spoke or device.was_stolen):
                found[device.cid] = device.claim_hash
        return found

    def outcasts(self) -> list[str]:
        """Who of them may only be seen."""
        devices = (twin.device for twin in self.devices.by_id.values())
        return [device.id for device in devices if self.strays.may_enter(device)]

    # -- documents -----------------------------------------------------------------------------

    def refresh(self, twin: Twin) -> bool:
        """Publish a device's document if it says something new; whether it did."""
        device, line = twin.device, self.line_of(twin)
        if line is None:
            self._known.pop(device.id, None)
        else:
            self._known[device.id] = line
        if not device.rights.document:
            return False
        if line is not None and device.seal_key and device.secret_line != line.id:
            device = self.devices.keep(self.with_new_secret(device, line, self.now_ms())).device
            line = self.line_of(twin)
        try:
            document = documents.wanted(
                twin.definition, device, line, self.firmware_for(twin), self.registrar
            )
            published = documents.publish(
                document, twin.published, self.authority.signer, self.now_ms()
            )
        except (KeyError, MessageError) as error:
            is_address = isinstance(error, KeyError)
            reason = f"no address for SIP by {error}" if is_address else str(error)
            self.note("device.undocumented", device=device.id, reason=reason)
            return False
        if published is None:
            return False
        self.devices.keep_published(published)
        self.ports.publish(Topic(Kind.DESIRED, device.id), published.envelope)
        self.note("device.desired", device=device.id, rev=published.rev)
        self.see_acknowledgement(twin)
        return True

    def outrank(self, twin: Twin, rev: int) -> None:
        """Publish the document under a revision above `rev`: the device has seen that one."""
        if twin.published is not None:
            last = documents.Published(twin.device.id, rev, "", "", b"", 0)
            twin.published = last
            self.refresh(twin)

    def facts_changed(self) -> None:
        """Lines may be others than they were: those of ours that are get a new document."""
        if self._is_quiet:
            return
        changed = [
            twin.device.id
            for twin in self.devices.by_id.values()
            if self.line_of(twin) is not self._known.get(twin.device.id)
        ]
        self.have_published(changed)

    def settings_changed(self) -> None:
        """The files were taken over: any document may be another."""
        self.have_published(self.devices.by_id)

    def publish_all(self) -> None:
        """The broker may have forgotten everything: the database is the truth."""
        self.publish_beacon()
        self.due = dict.fromkeys(self.devices.by_id, True)
        self.work()

    def work(self, limit_s: float = TURN_S) -> bool:
        """Publish what is due for a short turn of the loop; whether more is left."""
        until = boottime() + limit_s
        while self.due and boottime() < until:
            name = next(iter(self.due))
            is_lost = self.due.pop(name)
            twin = self.devices.by_id[name]
            if not self.refresh(twin) and is_lost:
                self._publish_again(twin)
            self.see_acknowledgement(twin)
        return bool(self.due)

    def have_published(self, names: Iterable[str]) -> None:
        """A few at once; many in turns, so that calls don't wait."""
        for name in names:
            self.due.setdefault(name, False)
        self.work()

    def _publish_again(self, twin: Twin) -> None:
        """The very bytes that were published last, or nothing for a device without a right to them."""
        published, topic = twin.published, Topic(Kind.DESIRED, twin.device.id)
        if published is None or not published.envelope:
            return
        payload = published.envelope if twin.device.rights.document else b""
        self.ports.publish(topic, payload)

    def out_of_reach(self) -> None:
        """The broker is lost: nobody is known to be there. Whoever comes back does so because of us, so
        that is no sign of a clone, nor an outage of the device's."""
        for twin in self.devices.by_id.values():
            twin.online = False
            twin.sids.clear()

    def publish_beacon(self) -> None:
        """Signed time for all."""
        beacon = self.beacon(self.now_ms() // 1000)
        self.ports.publish(Topic(Kind.BEACON, ""), sign(beacon, self.authority.signer))

    def command(self, twin: Twin, op: Op, **args: str | int) -> str:
        """Have a device do something once; the command's id."""
        name = secrets.token_hex(8)
        expires = self.now_ms() // 1000 + COMMAND_S
        signed = sign(Command(twin.device.id, name, expires, op, args), self.authority.signer)
        self.ports.publish(Topic(Kind.CMD, twin.device.id), signed)
        return name

    # -- secrets -------------------------------------------------------------------------------

    def with_new_secret(self, device: Device, line: Line, at: int) -> Device:
        """The device with the next SIP secret of its line; both are accepted until it is in use."""
        generation = device.secret_gen + 1
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        key = X25519PublicKey.from_public_bytes(device.seal_key)
        sealed = seal(secret, key, device.id, f"sip:{line.id}", generation)
        hashes = hashes_of(line.id, self.realm, secret)
        self._keep_secret(line.id, line.life.ha1, hashes, at)
        self._used.discard(line.id)
        return device.changed(
            at, sealed=sealed, secret_gen=generation, secret_line=line.id, secret_at=at
        )

    def rotate(self, twin: Twin, by: str) -> None:
        """Replace a device's SIP secret."""
        line, at = self.line_of(twin), self.now_ms()
        if line is not None and twin.device.seal_key:
            self.devices.keep(self.with_new_secret(twin.device, line, at))
            generation = str(twin.device.secret_gen)
            self.devices.happened(twin, "secret", at, detail=f"generation {generation}, by {by}")
            self.refresh(twin)

    def secret_used(self, line: str) -> None:
        """A REGISTER used the next secret of a line."""
        self._used.add(line)
        twin = self.devices.by_line.get(line)
        if twin is not None:
            self.see_secret(twin)

    def _keep_secret(
        self, line: str, ha1: Mapping[str, str], next_ha1: Mapping[str, str], at: int
    ) -> None:
        with self._quietly():
            self.ports.keep_secret(line, ha1, next_ha1, at)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """The facts are swapped for what stands in no document."""
        self._is_quiet = True
        try:
            yield
        finally:
            self._is_quiet = False

    def see_secret(self, twin: Twin) -> None:
        """Retire the old secret once the device reports the new one and a REGISTER used it."""
        line = self.line_of(twin)
        if line is None or line.id not in self._used or twin.reported is None:
            return
        told = {each.line: each.secret_gen for each in twin.reported.lines}
        if told.get(line.id) == twin.device.secret_gen and line.life.next_ha1:
            self._used.discard(line.id)
            at = self.now_ms()
            self._keep_secret(line.id, line.life.next_ha1, {}, at)
            generation = twin.device.secret_gen
            self.devices.happened(twin, "secret", at, detail=f"generation {generation} is in use")
            self.note("device.secret_retired", device=twin.device.id, line=line.id)

    # -- acknowledgements ----------------------------------------------------------------------

    def see_acknowledgement(self, twin: Twin) -> None:
        """A line is in service when its device has acknowledged the newest location."""
        line = self.line_of(twin)
        if line is not None and twin.device.rights.document:
            acknowledged = twin.acknowledged(line.id) == documents.location_generation(line)
            if line.policy.in_service is not acknowledged or line.id in self._unacknowledged:
                self._unacknowledged[line.id] = acknowledged

    def settle(self) -> bool:
        """Now and then: acknowledgements that changed, in one swap of the facts; whether more are left."""
        if not self._unacknowledged:
            return False
        names = tuple(islice(self._unacknowledged, SETTLED_AT_ONCE))
        told = {name: self._unacknowledged.pop(name) for name in names}
        with self._quietly():
            self.ports.acknowledge(told)
        for name in told:
            twin = self.devices.by_line.get(name)
            if twin is not None and (line := self.line_of(twin)) is not None:
                self._known[twin.device.id] = line
        return bool(self._unacknowledged)

    # -- lives ---------------------------------------------------------------------------------

    def change(self, twin: Twin, event: Event, by: str, why: str = "") -> None:
        """Something happened to a device: its rights follow. NotAllowedError."""
        at, before = self.now_ms(), twin.device.rights
        self.devices.keep(twin.device.on(event, at, by, why))
        life = twin.device.life
        self.devices.happened(twin, life.value, at, detail=why or f"by {by}")
        self.note("device.life", device=twin.device.id, life=life.value, why=why, by=by)
        if before.document and not twin.device.rights.document:
            self.ports.publish(Topic(Kind.DESIRED, twin.device.id), b"")
        if not before.document and twin.device.rights.document:
            self.refresh(twin)
        if before.mqtt is not twin.device.rights.mqtt or life in RETIRED:
            self.ports.users_changed()

    def wipe(self, twin: Twin) -> None:
        """Have a device that is connected forget everything; it is shut out afterwards."""
        if twin.online:
            self.strays.give_grace(twin.device.id, boottime())
            self.command(twin, Op.WIPE)

    def wiped(self, twin: Twin) -> None:
        """It did."""
        self.strays.gone(twin.device.id)
        self.devices.keep(twin.device.changed(self.now_ms(), is_wiped=True))
        self.ports.users_changed()

    def seen(self, twin: Twin, way: str) -> None:
        """Hardware that was taken out of service shows itself by `way` ("broker", "claim", "SIP"); what
        was stolen is an alarm, whatever became of its line since (terms 2(b)(c))."""
        device, line = twin.device, self.line_of(twin)
        if self.strays.is_news(device.id, way, boottime()):
            self.devices.happened(twin, "reappeared", self.now_ms(), detail=f"by {way}")
        name = "device.stolen_seen" if device.was_stolen else "device.retired_seen"
        self.note(name, device=device.id, life=device.life.value, way=way, line=twin.line)
        if device.was_stolen and line is not None and way != "SIP":  # of SIP, the registrar tells
            reappearance.tell(self.exchange, line, way, device.id, boottime())

    def seen_at_sip(self, line: str) -> None:
        """The SIP secret of stolen hardware was shown to the registrar, which refused it."""
        twin = self.devices.lost_by_line.get(line)
        if twin is not None:
            self.seen(twin, "SIP")

    def lost_ha1(self, line: str, algorithm: str) -> str | None:
        """The hash of the secret that a line lost with its hardware."""
        twin = self.devices.lost_by_line.get(line)
        return None if twin is None else twin.device.lost_ha1.get(algorithm)

    def steal(self, twin: Twin, by: str) -> None:
        """Hardware was reported stolen (terms 2(b)): the line that it carries ends with it until it is
        replaced. NotAllowedError."""
        line, carries_it = self.line_of(twin), twin.device.rights.document
        self.change(twin, Event.STEAL, by, "reported stolen")
        self.wipe(twin)
        if line is None or not carries_it:
            return
        lost = dict(line.life.next_ha1 or line.ha1)
        self.devices.keep(twin.device.changed(self.now_ms(), lost_ha1=lost))
        if line.state is not LineState.STOLEN:
            self.ports.change_line(line.id, LineState.STOLEN, by)
            self.end_calls(line.id, "stolen")

    def retire(self, twin: Twin, event: Event, by: str, why: str) -> None:
        """Taken out of service: replaced or decommissioned. Its line's secret is void, unless the line is
        other hardware's by now."""
        line = self.line_of(twin) if twin.device.life is not Life.REPLACED else None
        self.change(twin, event, by, why)
        self.wipe(twin)
        if line is not None and twin.device.seal_key:
            void = hashes_of(line.id, self.realm, secrets.token_urlsafe(_SECRET_BYTES))
            self._keep_secret(line.id, void, {}, self.now_ms())
            self.exchange.registrar.remove(line.id)
            self.end_calls(line.id, "retired")

    def end_calls(self, line: str, slug: str) -> None:
        """End a line's calls, but never an emergency call nor a PSAP's call-back."""
        now = boottime()
        for call in list(self.exchange.calls.values()):
            is_theirs = line in (call.request.line, call.called_line)
            if is_theirs and not call.is_emergency and not call.is_callback:
                call.hang_up(slug, now)

    def tick(self) -> None:
        """Twice a second: whoever had time for the wipe is shut out."""
        shut, opened = self.strays.tick(boottime())
        for name in shut:  # Mosquitto throws it out without its last will
            self.devices.by_id[name].online = False
            self.ports.publish(Topic(Kind.STATUS, name), b"")
        if shut or opened:
            self.ports.users_changed()
