"""Lines whose emergency call was blocked without a word: who dials again at once is connected.

The warning could not be spoken, so its "if you are in France, press 1" was not heard either; to dial
again stands for the key (policy.emergency_call). Journalled before the refusal leaves, so that a kill -9
between the two calls costs nobody the way out. Deliberately absent: for how long it counts, which is the
policy's `redial_s`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from switch.sip.outbox import Outbox

KIND: Final = "block_unheard"
KEPT_S: Final = 3600.0  # far above any sensible `redial_s`, and what keeps the table small


class UnheardBlocks:
    """The last such block of each line: in boottime seconds, for setting the UTC clock must not close the
    way out; in UTC seconds for the journal."""

    __slots__ = ("_at", "_outbox")

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._at: dict[str, tuple[float, float]] = {}

    def note(self, line: str, now: float, utc: float) -> None:
        """A line's call was blocked at boottime `now`, which is `utc`, and nobody could say why."""
        for old in [old for old, (at, _) in self._at.items() if at < now - KEPT_S]:
            del self._at[old]
        self._at[line] = (now, utc)
        self._outbox.journal.append(_record(line, utc))

    def age_s(self, line: str, now: float) -> float | None:
        """How long ago a line was blocked so the last time, None if it was not."""
        found = self._at.get(line)
        return None if found is None else now - found[0]

    def restore(self, records: Iterable[Mapping[str, Any]], now: float, utc: float) -> None:
        """Take them from journal records; other kinds, and what is too old, are skipped."""
        for record in records:
            if record.get("k") == KIND and record["at"] >= utc - KEPT_S:
                self._at[record["line"]] = (now - (utc - record["at"]), record["at"])

    def records(self) -> Iterator[bytes]:
        """The records that restore the present ones."""
        return (_record(line, utc) for line, (_, utc) in list(self._at.items()))


def _record(line: str, utc: float) -> bytes:
    return orjson.dumps({"k": KIND, "line": line, "at": utc})
