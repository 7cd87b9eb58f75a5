"""What the two legs of a call tell each other, free of SIP's transactions and tags.

A leg turns messages into these and these into messages; the call passes them across. Whatever has no
word here doesn't cross.
"""

from typing import NamedTuple

from switch.sip.message import Request
from switch.transaction.server import ServerTransaction


class Body(NamedTuple):
    """A message body with its Content-Type: SDP, or what INFO and MESSAGE carry."""

    content_type: str
    content: bytes


class Ring(NamedTuple):
    """The callee's side makes progress: a provisional response above 100.

    `is_reliable`: the callee sent it reliably (RFC 3262); `is_offer`: its body is an offer, so the
    PRACK that carries the answer waits for the caller's. `is_other`: somebody else than before speaks,
    behind a proxy that forks.
    """

    status: int
    body: Body | None
    is_reliable: bool = False
    is_offer: bool = False
    is_other: bool = False


class Connect(NamedTuple):
    """The callee answered. `is_offer`: the body is an offer, its answer comes with the ACK; `is_other`:
    it is not the one whose media were heard before."""

    body: Body | None
    is_offer: bool
    is_other: bool = False


class Fail(NamedTuple):
    """The callee's side refused or was lost. `status` is SIP's; `slug` of the endings table.

    `contacts` are the addresses of a 3xx; `key` is the key that ended an announcement.
    """

    status: int
    slug: str
    contacts: tuple[str, ...] = ()
    key: str = ""


class Cancel(NamedTuple):
    """The caller gave up before the answer. `reason` is its Reason header."""

    reason: str = ""


class Acknowledge(NamedTuple):
    """An ACK came; `body` is an answer when the 2xx before it carried the offer."""

    body: Body | None


class Prack(NamedTuple):
    """The caller acknowledged a reliable provisional; `body` is an offer or an answer, or None."""

    body: Body | None


class Update(NamedTuple):
    """One side asks to change the media (re-INVITE or UPDATE); no body: the other makes the offer."""

    body: Body | None
    by_update: bool


class Updated(NamedTuple):
    """The answer to `Update`: a 2xx with its body, or the status that refused."""

    status: int
    body: Body | None


class Withdraw(NamedTuple):
    """One side takes its `Update` back: CANCEL of a re-INVITE."""


class Relay(NamedTuple):
    """A request that crosses as it is: INFO, MESSAGE, NOTIFY, OPTIONS in the dialog."""

    transaction: ServerTransaction
    request: Request


class Relayed(NamedTuple):
    """The other side's answer to `Relay`."""

    transaction: ServerTransaction
    status: int
    body: Body | None


class Disconnect(NamedTuple):
    """One side ended the call; `reason` is its Reason header, `at` the boottime it was received,
    `key` the key that ended an announcement."""

    reason: str
    at: float
    key: str = ""


class Lost(NamedTuple):
    """One side is gone without a BYE: no ACK, 481 or 408 in the dialog, the session expired."""

    slug: str


Event = (
    Ring
    | Connect
    | Fail
    | Cancel
    | Acknowledge
    | Prack
    | Update
    | Updated
    | Withdraw
    | Relay
    | Relayed
    | Disconnect
    | Lost
)
