"""The session timer of one leg (RFC 4028): refresh, or notice that the peer no longer does."""

from typing import Protocol

from switch.clock import Timer, Wheel
from switch.dialog.session_timer import SessionTimer

BUSY_RETRY_S = 1.0  # another offer is open: a refresh now would be glare


class Refreshed(Protocol):
    """The leg whose session it is."""

    def refresh(self, now: float) -> bool:
        """Send a refresh; False when another offer is open."""

    def on_session_expired(self, now: float) -> None:
        """The peer did not refresh in time."""


class SessionClock:
    """Holds the agreed timer and its alarm. `peer_supports` is whether the peer knows RFC 4028."""

    __slots__ = ("_alarm", "_leg", "_wheel", "agreed", "peer_supports")

    def __init__(self, leg: Refreshed, wheel: Wheel) -> None:
        self._leg: Refreshed | None = leg
        self._wheel = wheel
        self._alarm: Timer | None = None
        self.agreed: SessionTimer | None = None
        self.peer_supports = False

    def start(self, agreed: SessionTimer | None, now: float) -> None:
        """Run under a new agreement, from now."""
        self.agreed = agreed
        self.restart(now)

    def restart(self, now: float) -> None:
        """The session was refreshed: count from now."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self.agreed is not None and self._leg is not None:
            self._alarm = self._wheel.arm(now + self.agreed.delay_s, self, "session")

    def stop(self) -> None:
        """The leg is over."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._leg = None

    def on_timer(self, name: str, now: float) -> None:
        """Half the interval passed (we refresh), or nearly all of it (the peer should have)."""
        self._alarm = None
        if self._leg is None or self.agreed is None:
            return
        if not self.agreed.is_refresher:
            self._leg.on_session_expired(now)
        elif not self._leg.refresh(now):
            self._alarm = self._wheel.arm(now + BUSY_RETRY_S, self, "session")
