"""What every call shares: one object, made once by the composition root and handed down.

Rooms are named by what a call needs of them; nothing here acts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from policy.engine import Rules
from switch.auth.authenticator import Authenticator
from switch.call.callback import CallbackWindows
from switch.call.unheard import UnheardBlocks
from switch.clock import Wheel
from switch.facts.settings import AccountSettings
from switch.facts.sightings import Sightings
from switch.facts.snapshot import Snapshot
from switch.registrar.registrar import Registrar
from switch.routing.emergency import EmergencyVoice
from switch.routing.psap_table import NO_TABLE, PsapTable
from switch.routing.route import Route
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.origin import Proxies
from switch.sip.outbox import Outbox
from switch.transaction.timings import Timings
from switch.transaction.transactions import Transactions
from switch.trunk.trunks import Trunks
from switch.usage.caps import Caps
from switch.usage.cycle import Calendar
from switch.usage.meter import Meters

if TYPE_CHECKING:
    from switch.call.call import Call
    from switch.call.leg import Leg

CLOSED_REMEMBERED = 65_536  # more than are open at a time; one that is forgotten costs a failed try


@dataclass(frozen=True, slots=True)
class CallSettings:
    """Times in seconds and choices that hold for all calls."""

    host: str = "vigie"  # who speaks, in Warning and Geolocation's loc-src
    user_agent: str = "Vigie"
    ring_timeout_s: float = 120.0
    session_expires_s: int = 1800
    min_se_s: int = 90
    no_100_s: float = 1.5
    emergency_pdd_s: float = 8.0
    max_forwards: int = 70
    max_calls: int = 20_000
    callback_s: float = 1800.0  # how long a PSAP may call back
    short_call_s: float = 10.0  # an emergency call that the caller ended sooner is told
    auth_invite: str = "always"
    proxies: Proxies | None = None  # in front of us, and believed

    def origin(self, request: Request, flow: Flow) -> Flow:
        """Where a request comes from: all address evidence is of this one flow."""
        return flow if self.proxies is None else self.proxies.origin(request, flow)


class Announcer(Protocol):
    """The media workers, as calls see them."""

    def acquire(self, announcement: str, urgent: bool) -> tuple[str, int] | None:
        """Address of a worker with a free slot, None when the announcement can't be played."""

    def release(self, port: int) -> None:
        """Give the slot back."""


class NoAnnouncer:
    """No media stack: nothing is ever spoken."""

    def acquire(self, announcement: str, urgent: bool) -> tuple[str, int] | None:
        """None."""
        return None

    def release(self, port: int) -> None:
        """Nothing."""


@dataclass(slots=True)
class Exchange:
    """The rooms that a call uses. `facts` and `rules` are swapped whole on a reload."""

    wheel: Wheel
    outbox: Outbox
    transactions: Transactions
    timings: Timings
    registrar: Registrar
    authenticator: Authenticator
    trunks: Trunks
    meters: Meters
    caps: Caps
    facts: Snapshot
    sightings: Sightings
    rules: Rules
    routes: Mapping[str, Route]
    voice: EmergencyVoice
    settings: CallSettings
    announcer: Announcer
    local_flow: Callable[[str, tuple[str, int]], Flow]
    wall: Callable[[float], float]
    draw: Callable[[], float]
    calendar: Callable[[AccountSettings], Calendar]
    boot_id: str = ""
    is_connecting: Callable[[Flow], bool] = lambda _: False  # its connection is still being opened
    psap: PsapTable = NO_TABLE  # swapped whole by an import (console/psap_routes.py)
    received_at: float = 0.0  # boottime at which the message in hand was received
    legs: dict[str, "Leg"] = field(default_factory=dict)
    calls: dict[str, "Call"] = field(default_factory=dict)
    # (Call-ID, From tag, CSeq) of every INVITE that is not finally answered (RFC 3261 §8.2.2.2)
    invites: set[tuple[str, str | None, int]] = field(default_factory=set)
    # Lines in a live emergency call: their phones get no second call (RFC 6881 SP-38).
    in_emergency: dict[str, int] = field(default_factory=dict)
    live_by_line: dict[str, int] = field(default_factory=dict)
    closed_connections: dict[int, None] = field(default_factory=dict)  # in the order of their end
    is_draining: bool = False
    callbacks: CallbackWindows = field(init=False)
    unheard: UnheardBlocks = field(init=False)

    def __post_init__(self) -> None:
        self.callbacks = CallbackWindows(self.outbox)
        self.unheard = UnheardBlocks(self.outbox)

    def note_closed(self, connection: int) -> None:
        """A connection has ended: what goes to its peer now needs another."""
        closed = self.closed_connections
        while len(closed) > CLOSED_REMEMBERED:
            del closed[next(iter(closed))]
        closed[connection] = None

    def count_line(self, line: str | None, change: int) -> None:
        """A call of `line` began (+1) or ended (-1): what channel limits are compared with."""
        _count(self.live_by_line, line, change)

    def count_emergency(self, line: str | None, change: int) -> None:
        """The same for emergency calls."""
        _count(self.in_emergency, line, change)

    def count_trunk(self, trunk: str | None, change: int) -> None:
        """The same for a carrier."""
        known = self.trunks.by_id.get(trunk or "")
        if known is not None:
            known.calls += change


def _count(table: dict[str, int], key: str | None, change: int) -> None:
    """Add to a table that holds no zeros."""
    if key is None:
        return
    count = table.get(key, 0) + change
    if count > 0:
        table[key] = count
    else:
        table.pop(key, None)
