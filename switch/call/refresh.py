"""The session timer of one leg (RFC 4028): refresh, or notice that the peer no longer does."""

from typing import Protocol

from switch.clock import Timer, Wheel
from switch.dialog.session_timer import SessionTimer

BUSY_RETRY_S = 1.0  # another offer is open: a refresh now would be glare
RETRIES = 16  # in an interval: a refresh that met glare must not wait for the next half of it


class Refreshed(Protocol):
    """The leg whose session it is."""

    def refresh(self, now: float) -> bool:
        """Send a refresh; False when another offer is open."""

    def on_session_expired(self, now: float) -> None:
        """The peer did not refresh in time."""


class SessionClock:
    """Holds the agreed timer and its alarm. `peer_supports` is whether the peer knows RFC 4028."""

    __slots__ = ("_alarm", "_expires_at", "_leg", "_wheel", "agreed", "peer_supports")

    def __init__(self, leg: Refreshed, wheel: Wheel) -> None:
        self._leg: Refreshed | None = leg
        self._wheel = wheel
        self._alarm: Timer | None = None
        self._expires_at = 0.0
        self.agreed: SessionTimer | None = None
        self.peer_supports = False

    def start(self, agreed: SessionTimer | None, now: float) -> None:
        """Run under a new agreement, from now."""
        self.agreed = agreed
        self.restart(now)

    def restart(self, now: float) -> None:
        """The session was refreshed: count from now."""
        if self.agreed is not None:
            self._arm(self.agreed.delay_s, now)

    def retry(self, now: float) -> None:
        """Our refresh came at a bad moment (491, 5xx): the peer lives, and counts on the next one."""
        if self.agreed is not None:
            self._arm(max(BUSY_RETRY_S, self.agreed.interval_s / RETRIES), now)

    def _arm(self, delay_s: float, now: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self.agreed is not None and self._leg is not None:
            self._expires_at = now + self.agreed.interval_s
            self._alarm = self._wheel.arm(now + delay_s, self, "session")

    def stop(self) -> None:
        """The leg is over."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._leg = None

    def on_timer(self, name: str, now: float) -> None:
        """Half the interval passed (we refresh), or nearly all of it (the peer should have). An offer
        that stays open for as long is no peer's that lives."""
        self._alarm = None
        if self._leg is None or self.agreed is None:
            return
        if not self.agreed.is_refresher or now >= self._expires_at:
            self._leg.on_session_expired(now)
        elif not self._leg.refresh(now):
            self._alarm = self._wheel.arm(now + BUSY_RETRY_S, self, "session")
