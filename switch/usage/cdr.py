"""The call detail record: what remains of a call once it is over, as operators and billing read it.

One record per call and line: a call between two accounts of this switch leaves one for each line,
with the milliseconds counted on that line. All instants are UTC milliseconds, all durations
milliseconds. Deliberately absent: rating and rounding, which belong to billing, and the content of
the call.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

import orjson

Direction = Literal["inbound", "outbound"]
Feature = Literal["fax"]
Disposition = Literal["answered", "busy", "no_answer", "cancelled", "refused", "failed"]

# Why a leg is in the record but not in the line's minutes. Limits and fair use never touch these.
EXEMPT_REASONS: Final = ("emergency", "psap_callback", "support", "free", "internal", "voicemail")


@dataclass(frozen=True, slots=True)
class CdrLeg:
    """One leg of the call: towards a line's phone (`line`) or a carrier (`trunk`)."""

    leg: str
    line: str | None = None
    trunk: str | None = None
    sip_call_id: str = ""
    direction: Direction = "inbound"
    answer: int | None = None
    end: int | None = None
    counted_ms: int = 0
    exempt_reason: str | None = None


@dataclass(frozen=True, slots=True)
class CdrAttempt:
    """One destination that was tried: a trunk's name or a contact URI, and what came of it."""

    trunk: str | None = None
    contact: str | None = None
    status: int | None = None
    ms: int = 0


@dataclass(frozen=True, slots=True)
class Cdr:
    """A finished call. `ending` is the reason slug; `rule` and `clause` are those of the decision.

    `estimated` says that the end was not seen but taken from the last sign of life, in the
    customer's favour. `line` is None when no line was involved (an inbound call to a number nobody
    has). `plan` is the line's when the call was answered, and holds for the whole of it.
    `feature`: it turned to fax (T.38).
    """

    call_id: str
    line: str | None
    account: str | None
    direction: Direction
    src: str
    dst: str
    dst_raw: str
    start: int
    answer: int | None
    end: int
    counted_ms: int
    exempt_reason: str | None
    disposition: Disposition
    ending: str
    hangup_by: str | None = None
    sip_status: int | None = None
    rule: str | None = None
    clause: str | None = None
    emergency: bool = False
    forwarded_by: str | None = None
    estimated: bool = False
    plan: str | None = None
    feature: Feature | None = None
    legs: tuple[CdrLeg, ...] = ()
    attempts: tuple[CdrAttempt, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the record as `cdr list --json` shows it."""
        shown = asdict(self)
        shown["legs"] = [asdict(leg) for leg in self.legs]
        shown["attempts"] = [asdict(attempt) for attempt in self.attempts]
        return shown

    def to_record(self) -> bytes:
        """Return the journal record that the database is filled from."""
        # orjson writes dataclasses itself; asdict would copy them deeply, at 100 us a call.
        return b'{"k":"cdr",' + orjson.dumps(self)[1:]

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Cdr":
        """Read a record of the journal or the database; fields unknown here are dropped."""
        known = {name: record[name] for name in _CDR_FIELDS if name in record}
        known["legs"] = tuple(
            CdrLeg(**_known(leg, _LEG_FIELDS)) for leg in record.get("legs") or ()
        )
        known["attempts"] = tuple(
            CdrAttempt(**_known(attempt, _ATTEMPT_FIELDS))
            for attempt in record.get("attempts") or ()
        )
        return cls(**known)


def _known(record: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Keep the fields that this version knows."""
    return {name: value for name, value in record.items() if name in names}


_CDR_FIELDS: Final = frozenset(field.name for field in fields(Cdr))
_LEG_FIELDS: Final = frozenset(field.name for field in fields(CdrLeg))
_ATTEMPT_FIELDS: Final = frozenset(field.name for field in fields(CdrAttempt))
