"""A fleet on the demo's configuration, without a broker; and devices that do what they are told."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from firmware_agent.messages import reported as wire
from firmware_agent.messages.claim import ClaimRequest, ClaimResponse, ClaimResult, Membership
from firmware_agent.messages.codec import encode
from firmware_agent.messages.desired import Desired
from firmware_agent.messages.envelope import keys_of, open_signed, sign, unseal
from firmware_agent.messages.topics import Kind, Topic
from policy.model import LineState
from switch import config
from switch.app.compose import build_exchange
from switch.app.devices import device_plan
from switch.call.exchange import NoAnnouncer
from switch.console.line_life import LineLives
from switch.provisioning.admission import Armed
from switch.provisioning.devices import Twin
from switch.provisioning.fleet import Ports
from switch.provisioning.service import Service
from switch.provisioning.settings import DeviceSettings

DEMO = Path(__file__).parents[3] / "configs" / "demo"
MODEL = "ooma-office"
T = TypeVar("T")


class House:
    """The service side, with what it asked for in lists. `devices` are (id, line)."""

    def __init__(self, data: Path, *devices: tuple[str, str]) -> None:
        self.found = config.load(DEMO)
        self.exchange = build_exchange(self.found, {}, NoAnnouncer(), {}, b"k" * 32)
        self.lives = LineLives(self.exchange, self.found.snapshot)
        self.sent: list[tuple[Topic, bytes]] = []
        self.users_changed = 0
        self.reconfirmed: list[str] = []
        defined = tuple(
            DeviceSettings(id=name, serial=f"S-{name}", model=MODEL, line=line)
            for name, line in devices
        )
        plan = replace(device_plan(self.found), devices=defined)
        self.data = data
        self.service = Service(
            plan, self.exchange, data, lambda service: self._ports(), lambda: None, self._note
        )
        self.lives.swapped = self.service.fleet.facts_changed
        self.fleet = self.service.fleet
        self.notes: list[tuple[str, dict[str, object]]] = []

    def _ports(self) -> Ports:
        def changed() -> None:
            self.users_changed += 1

        def change_line(line: str, state: LineState, by: str) -> None:
            self.lives.change(line, state, "2(b)", by, self.fleet.now_ms())

        return Ports(
            publish=lambda topic, payload: self.sent.append((topic, payload)),
            keep_secret=self.lives.keep_secret,
            acknowledge=self.lives.acknowledge,
            change_line=change_line,
            users_changed=changed,
            reconfirm=lambda line, why: self.reconfirmed.append(line),
        )

    def _note(self, name: str, fields: dict[str, object]) -> None:
        self.notes.append((name, fields))

    def twin(self, name: str) -> Twin:
        return self.service.devices.by_id[name]

    def events(self, name: str) -> list[dict[str, object]]:
        return [fields for event, fields in self.exchange.outbox.events if event == name]

    def records(self) -> list[dict[str, Any]]:
        """What the journal got so far."""
        return [orjson.loads(record) for record in self.exchange.outbox.journal]

    def last(self, kind: Kind, owner: str) -> bytes:
        """What was published last on a topic."""
        return next(raw for topic, raw in reversed(self.sent) if topic == Topic(kind, owner))

    def count(self, kind: Kind) -> int:
        return sum(topic.kind is kind for topic, _ in self.sent)

    def story(self, name: str) -> list[str]:
        return [each.kind for each in self.twin(name).happenings]

    def reborn(self) -> "House":
        """The same house after a kill: another process with the journal."""
        records = [*self.records()]
        definitions = [
            (twin.device.id, twin.definition.line) for twin in self.service.devices.by_id.values()
        ]
        new = House(self.data, *definitions)
        new.lives.restore(records)
        new.service.restore(records)
        return new


@dataclass(frozen=True)
class Keys:
    """What a factory burns in."""

    identity: Ed25519PrivateKey
    seal: X25519PrivateKey

    @classmethod
    def generate(cls) -> "Keys":
        return cls(Ed25519PrivateKey.generate(), X25519PrivateKey.generate())


class FakeDevice:
    """A device that applies whatever it is told at once."""

    def __init__(self, house: House, name: str, keys: Keys | None = None) -> None:
        self.house, self.name = house, name
        self.keys = keys or Keys.generate()
        self.armed: Armed | None = None
        self.membership: Membership | None = None
        self.seq = self.sid = 0
        self.boot = "boot-1"
        self.version = "1.0.0"
        self.state = wire.UpdateState.IDLE
        self.registers = True
        self.image = "0" * 64

    # -- claiming ------------------------------------------------------------------------------

    def arm(self) -> Armed:
        identity = self.keys.identity.public_key().public_bytes_raw()
        self.armed = self.house.service.admission.arm(self.house.twin(self.name), identity, "test")
        return self.armed

    def request(self, **changes: object) -> bytes:
        """A claim request, signed."""
        assert self.armed is not None
        made = ClaimRequest(
            cid=self.armed.cid,
            serial=f"S-{self.name}",
            model=MODEL,
            csr=csr(self.keys.identity),
            seal_key=self.keys.seal.public_key().public_bytes_raw(),
            nonce=f"nonce-{self.seq}",
        )
        self.seq += 1
        return sign(replace(made, **changes), self.keys.identity)  # type: ignore[arg-type]

    def claim(self) -> ClaimResponse:
        """Claim itself, from arming to the answer."""
        if self.armed is None:
            self.arm()
        assert self.armed is not None
        self.house.service.reports.take(Topic(Kind.CLAIM_REQ, self.armed.cid), self.request())
        return self.answer()

    def answer(self) -> ClaimResponse:
        assert self.armed is not None
        self.house.service.admission.answer()
        raw = self.house.last(Kind.CLAIM_RESP, self.armed.cid)
        answer = self.opened(ClaimResponse, raw)
        if answer.result is ClaimResult.ACCEPTED:
            self.membership = answer.membership
        return answer

    # -- speaking ------------------------------------------------------------------------------

    def opened(self, kind: type[T], raw: bytes) -> T:
        keys = keys_of((self.house.fleet.authority.service_key,))
        return open_signed(kind, raw, keys).document

    def desired(self) -> Desired:
        return self.opened(Desired, self.house.last(Kind.DESIRED, self.name))

    def secret(self) -> str:
        """The SIP secret of its line, unsealed."""
        line = self.desired().lines[0]
        sip = line.sip
        return unseal(
            sip.secret_sealed, self.keys.seal, self.name, f"sip:{line.line}", sip.secret_gen
        )

    def say(self, kind: Kind, document: object) -> None:
        self.house.service.reports.take(Topic(kind, self.name), encode(document))

    def online(self, *, sid: int | None = None) -> None:
        self.sid = self.sid + 1 if sid is None else sid
        self.say(Kind.STATUS, wire.Status(True, self.sid, 1_800_000_000))

    def will(self, sid: int) -> None:
        self.say(Kind.STATUS, wire.Status(False, sid, 1_800_000_000))

    def reported(self, **changes: object) -> wire.Reported:
        """What it says after applying the last document."""
        raw = self.house.last(Kind.DESIRED, self.name)
        keys = keys_of((self.house.fleet.authority.service_key,))
        opened = open_signed(Desired, raw, keys)
        desired = opened.document
        self.seq += 1
        lines = tuple(
            wire.LineState(each.line, each.sip.secret_gen, self.registers, each.location_gen)
            for each in desired.lines
        )
        made = wire.Reported(
            seen_rev=desired.rev,
            applied_rev=desired.rev,
            state=wire.Applied.APPLIED,
            boot_id=self.boot,
            seq=self.seq,
            fw=wire.RunningFirmware("A", self.version, 1, self.image, self.state, 1),
            lines=lines,
            tuf=wire.TufState(1, 1),
            clock=wire.ClockState(wire.ClockSource.SIGNED, 0),
            attest=wire.Attest(opened.sha256, self.house.twin(self.name).device.certificate),
            emergency_ready=True,
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    def report(self, **changes: object) -> None:
        self.say(Kind.REPORTED, self.reported(**changes))
        self.house.fleet.settle()

    def event(self, kind: wire.Event, **detail: str | int) -> None:
        self.seq += 1
        self.say(Kind.EVT, wire.Evt(kind, self.boot, self.seq, 1_800_000_000, detail))

    def ota(self, state: wire.UpdateState, rollout: str, version: str | None = None) -> None:
        self.seq += 1
        self.state = state
        if version is not None:
            self.version = version
        target = f"{MODEL}/x.img"
        self.say(Kind.OTA, wire.Ota(rollout, target, state, 100, 1, self.seq, self.version))

    def join(self) -> "FakeDevice":
        """Claim, connect, apply, report."""
        assert self.claim().result is ClaimResult.ACCEPTED
        self.online()
        self.report()
        return self


def csr(key: Ed25519PrivateKey, name: str = "anything") -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, None)
    return made.public_bytes(Encoding.PEM).decode()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
