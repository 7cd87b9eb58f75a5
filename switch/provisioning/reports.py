"""What devices say, taken in: reports, status and wills, events, telemetry, progress of updates.

Everything may come twice, late or not at all: a report replaces the one before, an event is known by its
number, a will of an older connection is ignored. What a device says is believed about itself only.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from firmware_agent.messages import reported as wire
from firmware_agent.messages.codec import MessageError, parse
from firmware_agent.messages.desired import Op
from firmware_agent.messages.reported import Ack, Applied, Evt, Ota, Reported, Status, Tlm
from firmware_agent.messages.topics import Kind, Topic
from switch.call import registered_from
from switch.clock import boottime
from switch.provisioning.admission import Admission
from switch.provisioning.certificates import Certificates
from switch.provisioning.device import Event, Life
from switch.provisioning.devices import Twin
from switch.provisioning.fleet import Fleet
from switch.provisioning.strays import RETIRED

TAKEOVERS: Final = 5  # so many connections of one device in TAKEOVER_S mean that there are two
TAKEOVER_S: Final = 60.0
NOT_REGAINED: Final = "not_regained"
_SMOOTHING: Final = 0.3  # of MOS: about the last five samples


@dataclass(slots=True)
class Reports:
    """Takes messages for a fleet. `on_ota(twin, ota)` and `on_reported(twin)` are of the rollouts,
    `known_image(model, version)` gives the SHA-256 of an image that we signed, "" for an unknown one."""

    fleet: Fleet
    admission: Admission
    on_ota: Callable[[Twin, Ota], None]
    on_reported: Callable[[Twin], None]
    known_image: Callable[[str, str], str]
    certificates: Certificates

    def take(self, topic: Topic, raw: bytes) -> None:
        """A message. One that nobody can read is noted, never an error."""
        if topic.kind is Kind.CLAIM_REQ:
            self.admission.take(topic.owner, raw)
            return
        twin = self.fleet.devices.by_id.get(topic.owner)
        if twin is None or not twin.device.rights.mqtt:
            self._of_nobody(topic, twin, raw)
            return
        try:
            self._take(topic.kind, twin, raw)
        except MessageError as error:
            fields = {"device": topic.owner, "kind": topic.kind.value, "reason": str(error)}
            self.fleet.note("device.unreadable", **fields)

    # -- inside --------------------------------------------------------------------------------

    def _of_nobody(self, topic: Topic, twin: Twin | None, raw: bytes) -> None:
        """A device that was taken out of service: that it is there, and that it forgot everything. Our
        broker lets it say no more; one of somebody's own may, which says the same."""
        if twin is None or twin.device.life not in RETIRED:
            return
        if topic.kind is Kind.EVT and b'"wiped"' in raw:
            self.fleet.devices.happened(twin, "wiped", self.fleet.now_ms())
            self.fleet.wiped(twin)
            return
        twin.online = bool(raw) and (topic.kind is not Kind.STATUS or b'"online":true' in raw)
        if twin.online and not self.fleet.strays.is_known_to_be_there(twin.device.id):
            self.fleet.seen(twin, "MQTT")
            self.fleet.wipe(twin)

    def _take(self, kind: Kind, twin: Twin, raw: bytes) -> None:
        match kind:
            case Kind.REPORTED:
                self._reported(twin, parse(Reported, raw, ignore_unknown=True), raw)
            case Kind.STATUS:
                self._status(twin, parse(Status, raw, ignore_unknown=True))
            case Kind.TLM:
                self._telemetry(twin, parse(Tlm, raw, ignore_unknown=True))
            case Kind.OTA:
                self.on_ota(twin, parse(Ota, raw, ignore_unknown=True))
            case Kind.EVT:
                self._event(twin, parse(Evt, raw, ignore_unknown=True))
            case Kind.ACK:
                self._ack(twin, parse(Ack, raw, ignore_unknown=True))

    def _reported(self, twin: Twin, reported: Reported, raw: bytes) -> None:
        fleet, before = self.fleet, twin.reported
        if reported.boot_id != twin.boot_id:
            twin.reboots += bool(twin.boot_id)
            twin.boot_id = reported.boot_id
        is_new = fleet.devices.keep_reported(twin, reported, raw, fleet.now_ms())
        if not is_new:
            return
        published = twin.published
        if published is not None and reported.seen_rev > published.rev:
            fleet.note("device.revision_lost", device=twin.device.id, rev=reported.seen_rev)
            fleet.outrank(twin, reported.seen_rev)
        was_rejected = before is not None and (before.seen_rev, before.state) == (
            reported.seen_rev,
            Applied.REJECTED,
        )
        if reported.state is Applied.REJECTED and reported.err is not None and not was_rejected:
            problem = reported.err
            detail = f"revision {reported.seen_rev}: {problem.code} {problem.path} {problem.msg}"
            fleet.devices.happened(twin, "rejected", fleet.now_ms(), detail=detail.strip())
            fleet.note("device.rejected", device=twin.device.id, reason=detail.strip())
            self._offer_again(twin, problem.code)
        elif twin.is_current and (before is None or before.applied_rev != reported.applied_rev):
            detail = f"revision {reported.applied_rev}"
            fleet.devices.happened(twin, "applied", fleet.now_ms(), detail=detail)
            fleet.note("device.applied", device=twin.device.id, rev=reported.applied_rev)
        self._attest(twin, reported)
        fleet.see_acknowledgement(twin)
        fleet.see_secret(twin)
        self.on_reported(twin)

    def _offer_again(self, twin: Twin, code: str) -> None:
        """A device that is back on its last good document because it lost us, or the registrar, won't
        try the same revision again. That it can say so shows that the fault may have been ours: it gets
        the document anew, once. After that a person, or the next change, has to help."""
        published = twin.published
        if code != NOT_REGAINED or published is None or published.content == twin.offered_again:
            return
        twin.offered_again = published.content
        self.fleet.outrank(twin, published.rev)

    def _attest(self, twin: Twin, reported: Reported) -> None:
        """Firmware, document and certificate against what we know; a difference opens a case."""
        device, attest = twin.device, reported.attest
        self.certificates.see(twin, attest)
        wrong = []
        published = twin.published
        if (
            published is not None
            and published.sha256
            and reported.applied_rev == published.rev
            and attest.config_sha256 not in (None, published.sha256)
        ):
            wrong.append("document")
        if attest.certificate_sha256 not in (None, twin.device.certificate):
            wrong.append("certificate")
        image = self.known_image(device.model, reported.fw.version)
        if image and image != reported.fw.sha256:
            wrong.append(f"firmware {reported.fw.version}")
        if wrong:
            self._tampered(twin, f"{', '.join(wrong)} not as we know it")

    def _tampered(self, twin: Twin, why: str) -> None:
        if twin.device.life is Life.CLAIMED:
            self.fleet.change(twin, Event.MISMATCH, "attestation", why)
            device, line = twin.device.id, self.fleet.line_of(twin)
            self.fleet.note("device.tampered", device=device, reason=why)
            self.fleet.note(
                "notice.due",
                kind="device_tampered",
                id=f"device_tampered {device} {twin.device.changed_at}",
                line=twin.line,
                account=line.account if line is not None else None,
                audience="operator",
                clause="2(i)",
                fields={"device": device, "because": why},
            )

    def _status(self, twin: Twin, status: Status) -> None:
        fleet = self.fleet
        if status.sid == twin.sid and status.online is twin.online:
            return
        # A copy of a device counts its connections by itself: any order of numbers is a takeover.
        if status.online and self._is_cloned(twin):
            return
        if status.sid < twin.sid:
            return  # the will of a connection before the present one
        twin.sid = status.sid
        if status.online:
            self.admission.spoke(twin)
        if status.online is twin.online:
            return
        at = fleet.now_ms()
        lasted_s = (at - twin.since) / 1000 if twin.since else 0.0
        twin.online, twin.since = status.online, at
        if not status.online:
            fleet.devices.happened(twin, "outage", at, detail=f"after {lasted_s:.0f} s online")
            fleet.note("device.offline", device=twin.device.id, line=twin.line)
        else:
            detail = f"after {lasted_s:.0f} s" if lasted_s else ""
            fleet.devices.happened(twin, "online", at, detail=detail)
            fleet.note("device.online", device=twin.device.id, line=twin.line)
        self.on_reported(twin)

    def _is_cloned(self, twin: Twin) -> bool:
        """Whether the connection changes hands faster than any network fails."""
        now = boottime()
        twin.sids.append(now)
        recent = sum(now - at <= TAKEOVER_S for at in twin.sids)
        if recent <= TAKEOVERS or twin.device.life is Life.QUARANTINED:
            return False
        why = f"{recent} connections in {TAKEOVER_S:g} s"
        self.fleet.change(twin, Event.CLONED, "takeovers", why)
        self.fleet.note("device.clone", device=twin.device.id, reason=why)
        twin.online = False
        return True

    def _telemetry(self, twin: Twin, sample: Tlm) -> None:
        """Where the device is becomes evidence of its line; how it fares, of a rollout's gate."""
        twin.telemetry = sample
        if sample.mos is not None:
            twin.mos = (
                sample.mos if not twin.mos else (twin.mos + _SMOOTHING * (sample.mos - twin.mos))
            )
        line = self.fleet.line_of(twin)
        if line is None:
            return
        fingerprint = ""
        if sample.network is not None and sample.network.gateway_mac:
            told = f"{sample.network.gateway_mac}|{sample.network.dhcp_domain}"
            fingerprint = hashlib.sha256(told.encode()).hexdigest()[:16]
        registered_from.reported(
            self.fleet.exchange,
            line.id,
            sample.country or "",
            sample.public_ip or "",
            fingerprint,
            float(sample.at),
            boottime(),
        )

    def _event(self, twin: Twin, event: Evt) -> None:
        boot, seq = twin.seen
        if event.boot_id == boot and event.seq <= seq:
            return
        twin.seen = (event.boot_id, event.seq)
        fleet = self.fleet
        detail = ", ".join(f"{key} {value}" for key, value in sorted(event.detail.items()))[:512]
        match event.kind:
            case wire.Event.TIME_WANTED:
                args = {"nonce": event.detail.get("nonce", ""), "time": fleet.now_ms() // 1000}
                fleet.command(twin, Op.TIME, **args)
                return
            case wire.Event.CERTIFICATE_WANTED:
                self.certificates.renew(twin, str(event.detail.get("csr", "")))
                return
            case wire.Event.WIPED:
                fleet.wiped(twin)
        fleet.devices.happened(twin, event.kind.value, fleet.now_ms(), detail=detail)
        fleet.note("device.event", device=twin.device.id, kind=event.kind.value, detail=detail)
        if event.kind is wire.Event.TAMPER:
            self._tampered(twin, detail or "the device says so")

    def _ack(self, twin: Twin, ack: Ack) -> None:
        problem = f": {ack.err.msg or ack.err.code}" if ack.err is not None else ""
        detail = f"command {ack.id} {ack.result.value}{problem}"
        self.fleet.devices.happened(twin, "command", self.fleet.now_ms(), detail=detail)
