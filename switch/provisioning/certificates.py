"""Certificates of devices after the claim: another one in time, and which ones hold no more.

Of two certificates of a device both count until it attests the newer one; the older is revoked then. What is
revoked stands in a list (RFC 5280 §5) that a broker of one's own reads: `DATA/devices/ca.crl`. The private
broker asks for passwords, which are taken away at once, and needs no list.
Deliberately absent: telling a broker of one's own that the list is another (docs/devices.md says how).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from firmware_agent.messages.desired import Op
from firmware_agent.messages.reported import Attest
from switch.clock import boottime
from switch.provisioning.authority import RequestError
from switch.provisioning.device import Life
from switch.provisioning.devices import Twin
from switch.provisioning.fleet import Fleet

PAUSE_S: Final = 3600.0  # between two certificates of one device


@dataclass(slots=True)
class Certificates:
    """Those of a fleet."""

    fleet: Fleet
    _issued_at: dict[str, float] = field(default_factory=dict)  # boottime, by device

    def renew(self, twin: Twin, csr: str) -> None:
        """A device asks for its next certificate. A request that isn't its key's is told, not answered."""
        fleet, device, now = self.fleet, twin.device, boottime()
        if now - self._issued_at.get(device.id, -PAUSE_S) < PAUSE_S:
            return
        try:
            issued = fleet.authority.issue(csr, device.id, device.identity, datetime.now(UTC))
        except RequestError as error:
            fleet.devices.happened(twin, "certificate_refused", fleet.now_ms(), detail=str(error))
            fleet.note("device.certificate_refused", device=device.id, reason=str(error))
            return
        self._issued_at[device.id] = now
        fleet.devices.keep(device.with_next(issued, fleet.now_ms()))
        fleet.command(twin, Op.CERTIFICATE, certificate=issued.pem)
        detail = f"{issued.serial[:16]} until {_day(issued.until)}"
        fleet.devices.happened(twin, "certificate", fleet.now_ms(), detail=detail)
        fleet.ports.users_changed()

    def see(self, twin: Twin, attest: Attest) -> None:
        """A device attests a certificate: once it is the next one, the one before is revoked."""
        fleet, device = self.fleet, twin.device
        if device.next_certificate and attest.certificate_sha256 == device.next_certificate:
            fleet.devices.keep(device.renewed(fleet.now_ms()))
            detail = f"{device.next_serial[:16]} is in use"
            fleet.devices.happened(twin, "certificate", fleet.now_ms(), detail=detail)
            fleet.ports.users_changed()

    def revoked(self) -> Iterator[tuple[str, bool]]:
        """Serial numbers (hexadecimal) that hold no more; True: only as long as a clone is looked into."""
        now_ms = self.fleet.now_ms()
        for twin in self.fleet.devices.by_id.values():
            device = twin.device
            for serial, until in device.revoked.items():
                if until > now_ms:
                    yield serial, False
            if not device.rights.mqtt:
                for serial in filter(None, (device.certificate_serial, device.next_serial)):
                    yield serial, device.life is Life.QUARANTINED


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
