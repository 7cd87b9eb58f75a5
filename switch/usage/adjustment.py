"""A correction of a line's minutes: one more entry that adds to the sum, never a change of one.

It may be negative. A threshold that was announced stays announced, and isn't announced again in the
cycle, whatever corrections do to the sum.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Adjustment:
    """`ms` are added to the sum of a line. `id` is unique for ever; `at` is UTC ms."""

    id: str
    line: str
    ms: int
    reason: str = ""
    by: str = ""
    at: int = 0

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Read a record of the journal or a row."""
        return cls(
            record["id"],
            record["line"],
            record["ms"],
            record.get("reason") or "",
            record.get("by") or "",
            record.get("at") or 0,
        )
