"""One notice on its way by one channel: what is sent, to whom, and how far it got.

Its records are the ledger: queued, then sent, bounced (the addressee's server refuses for good) or
failed (given up). The hash covers subject and text, so what was said can be proved later by who kept
the text. Subject and text stand in the first record only: the journal needs them until the notice is
out, the database never.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
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
        shown: dict[str, Any] = {"k": "notice", "id": self.id}
        for name in self.__slots__:
            if self.state == QUEUED or name not in _UNSENT:
                shown[name] = getattr(self, name)
        return orjson.dumps(shown)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Read a record back."""
        known = {name: record[name] for name in cls.__slots__ if name in record}
        return cls(**{**known, "to": tuple(record.get("to") or ())})
