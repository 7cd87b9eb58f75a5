"""Claims, as they come: judged, made members, answered once their credential works.

The one-time credential is armed by a person (or by the factory's record in the files), reaches only its
own claim topics, and is spent when the device was first seen with its own.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from firmware_agent.messages.claim import ClaimRequest, ClaimResponse, ClaimResult, Membership
from firmware_agent.messages.envelope import seal, sign
from firmware_agent.messages.topics import Kind, Topic
from switch.provisioning import claims
from switch.provisioning.authority import RequestError
from switch.provisioning.broker_files import hashed
from switch.provisioning.device import Event, Life, NotAllowedError
from switch.provisioning.devices import Twin
from switch.provisioning.fleet import Fleet
from switch.provisioning.settings import CLAIM_PREFIX
from switch.provisioning.strays import RETIRED

_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Place:
    """What a member is told of where things are: URLs, and the authority of the broker's certificate."""

    broker: str
    metadata_url: str
    images_url: str
    broker_ca: str | None = None


@dataclass(frozen=True, slots=True)
class Armed:
    """A one-time claim credential, told once."""

    device: str
    cid: str
    secret: str = field(repr=False)


@dataclass(slots=True)
class Admission:
    """Takes claims for a fleet. `place` is asked at each: the broker's port may be another one."""

    fleet: Fleet
    place: Place
    _answers: list[tuple[Topic, bytes]] = field(default_factory=list)

    def arm(self, twin: Twin, identity: bytes, by: str) -> Armed:
        """Open a claim for a device whose factory key is `identity`. NotAllowedError never: whoever
        arms a claimed device takes its membership away."""
        fleet, at = self.fleet, self.fleet.now_ms()
        cid = f"{CLAIM_PREFIX}{secrets.token_hex(8)}"
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        fleet.devices.by_cid.pop(twin.device.cid, None)
        device = twin.device.on(Event.ARM, at, by, "a claim was opened")
        definition = twin.definition
        device = device.changed(
            at,
            serial=definition.serial,
            model=definition.model,
            identity=identity,
            cid=cid,
            claim_hash=hashed(secret),
            mqtt_hash="",
            spoke=False,
        )
        twin.sid, twin.online = -1, False
        fleet.strays.gone(device.id)
        fleet.devices.keep(device)
        fleet.devices.happened(twin, "armed", at, detail=f"by {by}")
        fleet.note("device.armed", device=device.id, by=by)
        fleet.ports.users_changed()
        return Armed(device.id, cid, secret)

    def take(self, cid: str, raw: bytes) -> None:
        """A claim came as `cid`."""
        fleet = self.fleet
        twin = fleet.devices.by_cid.get(cid)
        verdict = claims.judge(cid, raw, None if twin is None else twin.device)
        membership, reason = None, verdict.reason
        result = verdict.result
        if result is ClaimResult.ACCEPTED and twin is not None and verdict.request is not None:
            try:
                membership = self._admit(twin, verdict.request)
            except (RequestError, NotAllowedError) as error:
                result, reason = ClaimResult.REFUSED, str(error)
        elif twin is not None:
            self._refused(twin, verdict)
        fleet.note("device.claim", cid=cid, result=result.value, reason=reason)
        if verdict.request is not None:
            answer = ClaimResponse(cid, verdict.request.nonce, result, reason[:256], membership)
            topic = Topic(Kind.CLAIM_RESP, cid)
            self._answers.append((topic, sign(answer, fleet.authority.signer)))
            fleet.ports.users_changed()

    def answer(self) -> None:
        """The broker knows the new members: they may be told."""
        answers, self._answers = self._answers, []
        for topic, payload in answers:
            self.fleet.ports.publish(topic, payload)

    def spoke(self, twin: Twin) -> None:
        """A device was seen with its own credential: the one-time one is spent."""
        if not twin.device.spoke:
            self.fleet.devices.keep(twin.device.changed(self.fleet.now_ms(), spoke=True))
            self.fleet.ports.users_changed()

    # -- inside --------------------------------------------------------------------------------

    def _admit(self, twin: Twin, request: ClaimRequest) -> Membership:
        fleet, at = self.fleet, self.fleet.now_ms()
        device = twin.device
        issued = fleet.authority.issue(request.csr, device.id, device.identity, datetime.now(UTC))
        password = secrets.token_urlsafe(_SECRET_BYTES)
        generation = device.password_gen + 1
        if device.life is not Life.CLAIMED:  # else the answer was lost
            device = device.on(Event.CLAIM, at, "claim")
        device = device.certified(
            issued,
            at,
            seal_key=request.seal_key,
            mqtt_hash=hashed(password),
            password_gen=generation,
            claimed_at=at,
        )
        line = fleet.line_of(twin)
        if line is not None:
            device = fleet.with_new_secret(device, line, at)
        fleet.devices.keep(device)
        fleet.devices.happened(twin, "claimed", at, detail=f"certificate {issued.serial[:16]}")
        fleet.refresh(twin)
        key = X25519PublicKey.from_public_bytes(request.seal_key)
        place = self.place
        return Membership(
            device=device.id,
            certificates=(issued.pem, fleet.authority.pem),
            broker=place.broker,
            broker_password_sealed=seal(password, key, device.id, "mqtt", generation),
            password_gen=generation,
            service_keys=(fleet.authority.service_key,),
            metadata_url=place.metadata_url,
            images_url=place.images_url,
            broker_ca=place.broker_ca,
        )

    def _refused(self, twin: Twin, verdict: claims.Verdict) -> None:
        """Keep what was tried; somebody who shows a serial that isn't theirs is an alarm."""
        fleet = self.fleet
        if twin.device.life in RETIRED:
            fleet.seen(twin, "claim")
            return
        fleet.devices.happened(twin, "claim_refused", fleet.now_ms(), detail=verdict.reason)
        if verdict.is_clone:
            fleet.note("device.clone", device=twin.device.id, reason=verdict.reason)
