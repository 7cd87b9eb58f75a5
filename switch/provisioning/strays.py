"""Hardware that was taken out of service and may still be out there: seen, wiped, shut out.

Its credential opens nothing but being seen and hearing the wipe (`broker_files.rights`), since Mosquitto
doesn't tell whom it refuses. Whoever shows up has some seconds for the wipe and is shut out for an hour;
whoever said that it forgot everything is shut out for good. Terms 2(b), 2(c); docs/decisions/0029.
Deliberately absent: the wipe itself, and who is told (`fleet`).
"""

from dataclasses import dataclass, field
from typing import Final

from switch.provisioning.device import Device, Life

GRACE_S: Final = 10.0  # for the wipe
REST_S: Final = 3600.0  # between two appearances
RETIRED: Final = frozenset({Life.STOLEN, Life.REPLACED, Life.DECOMMISSIONED})


@dataclass(slots=True)
class Strays:
    """When whom may be heard. Times are boottime seconds; a restart forgets them, which opens early."""

    _shut_at: dict[str, float] = field(default_factory=dict)
    _opens_at: dict[str, float] = field(default_factory=dict)
    _told_at: dict[tuple[str, str], float] = field(default_factory=dict)

    def give_grace(self, device: str, now: float) -> None:
        """It is there, and may hear the wipe."""
        self._shut_at[device] = now + GRACE_S

    def is_known_to_be_there(self, device: str) -> bool:
        """Whether it was seen within the hour."""
        return device in self._shut_at or device in self._opens_at

    def may_enter(self, device: Device) -> bool:
        """Whether its credential is accepted, for nothing but that."""
        is_out = device.life in RETIRED and not device.is_wiped
        return is_out and device.id not in self._opens_at

    def gone(self, device: str) -> None:
        """It forgot everything, or is another's now."""
        self._shut_at.pop(device, None)
        self._opens_at.pop(device, None)

    def tick(self, now: float) -> tuple[list[str], list[str]]:
        """Shut out who had its time, let in who rested: who these are."""
        shut = [device for device, at in self._shut_at.items() if at <= now]
        opened = [device for device, at in self._opens_at.items() if at <= now]
        for device in shut:
            del self._shut_at[device]
            self._opens_at[device] = now + REST_S
        for device in opened:
            del self._opens_at[device]
        return shut, opened

    def is_news(self, device: str, way: str, now: float) -> bool:
        """Whether that it was seen this way is worth a line of its story: once an hour."""
        if now - self._told_at.get((device, way), -REST_S) < REST_S:
            return False
        self._told_at[device, way] = now
        return True
