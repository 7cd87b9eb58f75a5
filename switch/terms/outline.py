"""From a CDR to the outline of a call that detectors look at: who, when, how long, and no more.

What isn't known is never a suspicion: the shares of speech are what the line's phone said of its media, and
most phones say nothing. A conference is mixed in the phone, so its size isn't told
either; what the switch sees of it are calls that are up together (acceptable_use/window.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import phonenumbers

from policy.acceptable_use.call import Call
from policy.model import NumberClass

Record = Mapping[str, Any]
_COUNTRIES_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What only the running switch knows of a line when its call ends: its account's time zone, its
    other live calls, the phone and network that it is registered with ("" = unknown), and the ms of media
    that the phone says it sent and received, at most."""

    zone: str
    live: int = 0
    user_agent: str = ""
    subnet: str = ""
    media: tuple[int, int] | None = None


def outline(record: Record, around: Circumstances, classify: Callable[[str], NumberClass]) -> Call:
    """Read a record of kind `cdr`; `classify` gives the class of a number that was dialled."""
    start, answer, end = record["start"], record["answer"], record["end"]
    local = datetime.fromtimestamp(start / 1000, UTC).astimezone(ZoneInfo(around.zone))
    # The record of a forwarded call is of the leg that went on; to the line it was a call that came in.
    is_forwarded = record.get("forwarded_by") is not None
    leaves = record["direction"] == "outbound"
    outbound = leaves and not is_forwarded
    peer = record["dst"] if outbound else record["src"]
    by_caller = record["hangup_by"] == "caller"
    duration_ms = 0 if answer is None else end - answer
    spoken, heard = _shares(around.media, duration_ms)
    return Call(
        call_id=record["call_id"],
        at=start,
        day=local.toordinal(),
        minute=local.hour * 60 + local.minute,
        outbound=outbound,
        peer=peer,
        answered=answer is not None,
        ring_ms=(end if answer is None else answer) - start,
        duration_ms=duration_ms,
        ended_by="caller" if by_caller else "callee" if record["hangup_by"] else "",
        status=record["sip_status"] or 0,
        number_class=classify(record["dst"]) if leaves else NumberClass.NATIONAL,
        country=country(peer),
        forwarded=is_forwarded,
        onward=record["dst"] if is_forwarded else "",
        is_fax=record.get("feature") == "fax",
        concurrent=around.live + 1,
        spoken=spoken,
        heard=heard,
        caller_id=record["src"] if outbound else "",
        user_agent=around.user_agent,
        subnet=around.subnet,
    )


def _shares(
    media: tuple[int, int] | None, duration_ms: int
) -> tuple[float, float] | tuple[None, None]:
    if media is None or not duration_ms:
        return None, None
    return min(media[0] / duration_ms, 1.0), min(media[1] / duration_ms, 1.0)


@lru_cache(_COUNTRIES_KEPT)
def country(number: str) -> str:
    """The country of an E.164 number, "" for an extension or a short number."""
    if not number.startswith("+"):
        return ""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""
