"""What the status page shows: plain values, filled by the composition root at each request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineStatus:
    """One line. `state` is the contract's word (active, suspended...); minutes of the current cycle
    are in milliseconds, live calls included; `contacts` are readable ("UDP 127.0.0.1:5062"); `place`
    marks a phone that is not where it was ("abroad (DE)")."""

    line: str
    number: str
    state: str
    contacts: tuple[str, ...]
    used_ms: int
    live_ms: int
    threshold_ms: int
    place: str = ""

    @property
    def share(self) -> float:
        """Used minutes as a part of the threshold; 0.0 without a threshold."""
        return self.used_ms / self.threshold_ms if self.threshold_ms else 0.0


@dataclass(frozen=True, slots=True)
class CallStatus:
    """One live call. `state` is ringing, early or connected; `seconds` since the answer, or since the
    INVITE when not answered; emergency destinations are shown as dialled."""

    call_id: str
    source: str
    destination: str
    state: str
    seconds: float
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class TrunkStatus:
    """One carrier. `target` is readable ("UDP 127.0.1.1:5070"); `up` None = not yet asked."""

    name: str
    target: str
    up: bool | None
    calls: int


@dataclass(frozen=True, slots=True)
class LineCounts:
    """All lines, those with a contact, and those near the threshold."""

    total: int
    registered: int
    near: int


@dataclass(frozen=True, slots=True)
class Status:
    """The switch at one moment. `listening` is what the `ready` line says, readable; `alarms` are
    sentences for an operator (media without pjsua2, journal behind...)."""

    version: str
    node: str
    uptime_s: float
    listening: tuple[str, ...]
    lines: tuple[LineStatus, ...]
    calls: tuple[CallStatus, ...]
    trunks: tuple[TrunkStatus, ...]
    alarms: tuple[str, ...] = ()
    draining: bool = False
    counts: LineCounts | None = None  # of all lines, when `lines` are some of them only
