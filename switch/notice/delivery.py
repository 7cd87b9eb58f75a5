"""One notice on its way by one channel: what is sent, to whom, and how far it got.

Its records are the ledger: queued, then sent, bounced (the addressee's server refuses for good) or
failed (given up). The hash covers subject and text, so what was said can be proved later by who kept
the text. Subject and text stand in the first record only: the journal needs them until the notice is
out, the database never.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Self

import orjson

QUEUED: Final = "queued"
SENT: Final = "sent"
FAILED: Final = "failed"
BOUNCED: Final = "bounced"
# What only a notice that is still to be sent needs.
_UNSENT: Final = frozenset({"subject", "body", "fields"})


class SendError(Exception):
    """A channel could not take a notice this time; it is tried again. The text says why."""


class RefusedError(SendError):
    """A channel will never take this notice. `bounced`: the addressee is why."""

    def __init__(self, reason: str, *, bounced: bool = False) -> None:
        super().__init__(reason)
        self.bounced = bounced


@dataclass(slots=True)
class Delivery:
    """`notice` is the notice's id, the same on all its channels; instants are UTC milliseconds."""

    notice: str
    channel: str
    at: int
    kind: str
    audience: str
    changed_at: int
    line: str | None = None
    account: str | None = None
    percentage: int | None = None
    clause: str | None = None
    call_id: str | None = None
    to: tuple[str, ...] = ()
    subject: str = ""
    body: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)
    hash: str = ""
    state: str = QUEUED
    attempts: int = 0
    reason: str = ""
    urgent: bool = False

    @property
    def id(self) -> str:
        """What the ledger knows it by."""
        return f"{self.notice}@{self.channel}"

    def seal(self) -> None:
        """Fix what is going to be said."""
        self.hash = hashlib.sha256(f"{self.subject}\n{self.body}".encode()).hexdigest()

    def record(self) -> bytes:
        """The journal's record; the text goes along only while it is still to be sent."""
        names, values = _ALL if self.state == QUEUED else _SETTLED
        shown = dict(zip(names, values(self), strict=True))
        return orjson.dumps({"k": "notice", "id": self.id, **shown})

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Read a record back."""
        known = {name: record[name] for name in cls.__slots__ if name in record}
        return cls(**{**known, "to": tuple(record.get("to") or ())})


def _fields(
    names: tuple[str, ...],
) -> tuple[tuple[str, ...], Callable[[Delivery], tuple[Any, ...]]]:
    """Names of fields, and what reads them."""
    return names, attrgetter(*names)


_ALL: Final = _fields(tuple(Delivery.__slots__))
_SETTLED: Final = _fields(tuple(name for name in Delivery.__slots__ if name not in _UNSENT))
