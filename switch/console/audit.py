"""The use cases behind `vigie emergency log|show|verify|export`: the audit of emergency attempts."""

from collections.abc import Awaitable, Mapping
from typing import TypeVar

from switch.console.commands import Args, CommandRefused, UseCase
from switch.store.audit import Head
from switch.store.read import StoreUnavailableError
from switch.store.read_audit import AuditReader

T = TypeVar("T")


class Audit:
    """Over the database; no running switch is needed."""

    def __init__(self, rows: AuditReader) -> None:
        self._rows = rows

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "emergency.log": self.log,
            "emergency.show": self.show,
            "emergency.verify": self.verify,
            "emergency.export": self.export,
        }

    async def log(self, args: Args) -> object:
        """Emergency attempts."""
        return await _read(
            self._rows.log(
                line=_text(args, "line"), since=_number(args, "since"), until=_number(args, "until")
            )
        )

    async def show(self, args: Args) -> object:
        """One attempt with all its facts, what followed, and who was told."""
        call_id = str(args["call_id"])
        attempt = await _read(self._rows.show(call_id))
        if attempt is None:
            raise CommandRefused("unknown_call", f"no emergency call {call_id} is on record")
        return {
            **_shown(attempt.record),
            "callbacks": [_shown(event) for event in attempt.events],
            "notices": attempt.notices,
            "chain": {"seq": attempt.seq, "hash": attempt.hash},
        }

    async def verify(self, args: Args) -> object:
        """Whether the chain holds, and holds the head that the caller noted elsewhere."""
        found = await _read(self._rows.verify(_head(args)))
        return {
            "ok": found.broken_at is None,
            "rows": found.rows,
            "purged": found.purged,
            "broken_at": found.broken_at,
            "head": {"seq": found.head.seq, "hash": found.head.hash},
        }

    async def export(self, args: Args) -> object:
        """The chain's rows, as they were hashed."""
        rows, head = await _read(
            self._rows.rows(
                line=_text(args, "line"), since=_number(args, "since"), until=_number(args, "until")
            )
        )
        return {"rows": rows, "head": {"seq": head.seq, "hash": head.hash}}


def _shown(record: Mapping[str, object]) -> dict[str, object]:
    """A record without the journal's own words."""
    return {name: value for name, value in record.items() if name not in ("k", "id")}


def _head(args: Mapping[str, object]) -> Head | None:
    """ "SEQ:HASH", as `verify` and the log's audit.head tell it."""
    given = _text(args, "head")
    if given is None:
        return None
    seq, colon, digest = given.partition(":")
    if not colon or not seq.isdigit() or len(digest) != 64:
        raise CommandRefused("bad_args", "a head is SEQ:HASH, with the 64 digits of the hash")
    return Head(int(seq), digest)


async def _read(query: Awaitable[T]) -> T:
    try:
        return await query
    except StoreUnavailableError as error:
        raise CommandRefused("store_unavailable", str(error)) from None


def _text(args: Args, key: str) -> str | None:
    value = args.get(key)
    return None if value is None else str(value)


def _number(args: Args, key: str) -> int | None:
    value = args.get(key)
    return value if isinstance(value, int) else None
