"""A target: one place that an INVITE can be sent to, with all that the leg must write into it.

Plain frozen values; bindings and trunks arrive here as values too, so this room knows neither the
registrar nor the trunks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from switch.sip.flow import Flow


class TargetKind(Enum):
    """What stands at the other end."""

    BINDING = "binding"
    TRUNK = "trunk"
    ANNOUNCEMENT = "announcement"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a trunk wants in answer to its challenge. The password stays out of every repr."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"


class Place:
    """A location as it travels (RFC 4119, RFC 6442): PIDF-LO and its Content-ID.

    The document may be given as what writes it: it is then written when an INVITE needs it, once.
    """

    __slots__ = ("_pidf", "content_id")

    def __init__(self, pidf: bytes | Callable[[], bytes], content_id: str) -> None:
        self._pidf = pidf
        self.content_id = content_id

    @property
    def pidf(self) -> bytes:
        """application/pidf+xml."""
        if not isinstance(self._pidf, bytes):
            self._pidf = self._pidf()
        return self._pidf


# Statuses after which the next target is tried (a callee's own no, 404, 484, 486 and 6xx, is final).
FAILOVER_STATUSES = frozenset({408, 430, 480, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Target:
    """One place to send the INVITE to.

    `flow` is the path; `stream_flow` is the TCP path to the same place for what is too large for UDP
    (RFC 3261 §18.1.1), None if the place takes no TCP. `label` names the target in CDRs.
    `headers` are written as they are; `place` turns the body into multipart/mixed. `shortfall` says
    what the trunk's emergency profile asks for and the routing data could not give, "" for nothing;
    `profile` is what is really sent. `on_behalf_of` is the line that has the leg opened by forwarding
    or transfer, and whose minutes it is; "" for the caller's own call.
    """

    kind: TargetKind
    label: str
    flow: Flow
    request_uri: str
    to_uri: str
    from_host: str
    caller_format: str = "e164"
    stream_flow: Flow | None = None
    routes: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    place: Place | None = None
    credentials: Credentials | None = None
    trusts_identity: bool = False
    follows_redirects: bool = False
    failover_on: frozenset[int] = FAILOVER_STATUSES
    profile: str = ""
    aor: str = ""
    is_emergency: bool = False
    shortfall: str = ""
    passes_identity: bool = True
    on_behalf_of: str = ""

    @property
    def is_trunk(self) -> bool:
        """Whether the target is a carrier."""
        return self.kind is TargetKind.TRUNK
