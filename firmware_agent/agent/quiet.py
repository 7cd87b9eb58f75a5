"""When a device may reboot: never in a call, nor in the 30 minutes after an emergency call (the rescue
services call back), and for an update only in its maintenance window."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firmware_agent.messages.codec import MessageError
from firmware_agent.messages.desired import Window

AFTER_EMERGENCY_S = 30 * 60


def zone(name: str, path: str) -> ZoneInfo:
    """The zone of a window. Raises MessageError when the device doesn't know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MessageError(path, f"unknown time zone {name}") from None


def is_open(window: Window | None, utc: float) -> bool:
    """Whether the maintenance window is open at `utc`; without one, always."""
    if window is None:
        return True
    local = datetime.fromtimestamp(utc, UTC).astimezone(zone(window.zone, "window.zone")).time()
    opens, closes = time.fromisoformat(window.opens), time.fromisoformat(window.closes)
    if opens <= closes:
        return opens <= local < closes
    return local >= opens or local < closes


class Quiet:
    """Calls, and the time after an emergency call. `until`: monotonic seconds, so that no step of any
    clock ends it early."""

    __slots__ = ("calls", "is_emergency", "until")

    def __init__(self, until: float) -> None:
        self.calls = 0
        self.is_emergency = False
        self.until = until

    def on_calls(self, calls: int, is_emergency: bool, now: float) -> None:
        """So many calls now, `is_emergency` when one of them is an emergency call."""
        if self.is_emergency or is_emergency:  # it is, or it just ended
            self.until = now + AFTER_EMERGENCY_S
        self.calls, self.is_emergency = calls, is_emergency

    def may_reboot(self, now: float) -> bool:
        """Whether a reboot would cut nobody off."""
        return not self.calls and not self.is_emergency and now >= self.until
