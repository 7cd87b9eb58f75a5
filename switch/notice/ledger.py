"""The ledger of notices: what is to be told to whom, by which clause, and whether it went out.

A line that crosses a percentage of the fair-use threshold is owed a notice (terms 3(a)). The notice
is a journal record and, by the writer, a row; its id is the crossing's, so however often a crossing
is told, it makes one notice. A crossing whose notice didn't reach the journal before the process
died gets it at the next start.

Deliberately absent as yet: sending. A notice waits in the outbox, for an operator to read.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import orjson

CLAUSE: Final = "3(a)"
KIND: Final = "fair_use"
CHANNEL: Final = "outbox"
QUEUED: Final = "queued"


class Ledger:
    """Writes notices to `journal`. `account_of` tells the account of a line, "" for an unknown one."""

    def __init__(self, journal: Callable[[bytes], None], account_of: Callable[[str], str]) -> None:
        self._journal = journal
        self._account_of = account_of

    def __call__(self, events: Sequence[tuple[str, Mapping[str, object]]]) -> None:
        """Take what the machines note; crossings become notices."""
        for name, fields in events:
            if name == "usage.threshold":
                self._owe(fields)

    def restore(self, records: Iterable[Mapping[str, object]]) -> None:
        """Write the notices that crossings in the journal's `records` are still owed."""
        crossings: dict[str, Mapping[str, object]] = {}
        for record in records:
            if record.get("k") == "threshold":
                crossings[_id(record)] = record
            elif record.get("k") == "notice":
                crossings.pop(str(record["id"]), None)
        for record in crossings.values():
            self._owe(record)

    def _owe(self, crossing: Mapping[str, object]) -> None:
        line = str(crossing["line"])
        record = {
            "k": "notice",
            "id": _id(crossing),
            "at": crossing["occurred_at"],
            "line": line,
            "account": self._account_of(line),
            "kind": KIND,
            "percentage": crossing["percentage"],
            "clause": CLAUSE,
            "channel": CHANNEL,
            "state": QUEUED,
        }
        self._journal(orjson.dumps(record))


def _id(crossing: Mapping[str, object]) -> str:
    return f"{KIND} {crossing['line']} {crossing['cycle']} {crossing['percentage']}"
