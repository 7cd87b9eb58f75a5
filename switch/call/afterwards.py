"""What an emergency call leads to beside the call: who is told, and that it may be called back.

Everything here appends to the outbox after the INVITE and can't hold it up. The site's reception
learns who called, from where, which number and when, and no more (after Kari's Law, 47 CFR §9.16(b),
which asks for as much); of calls to social help lines (119: children in danger) it learns nothing.
Deliberately absent: how people are told (notice/), and what is kept (record.py).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from policy.model import Action, NumberClass, ToEmergency
from switch.call.callback import open_window
from switch.call.state import CallState

if TYPE_CHECKING:
    from switch.call.call import Call

SITE_KIND: Final = "emergency_call"
SITE_CLAUSE: Final = "1(d)"
SHORT_CLAUSE: Final = "1(e)"

# RFC 4776 §3.4: the parts of a civic address that lead a person to a phone, and our words for them.
_INDOORS: Final = {"BLD": "bât.", "UNIT": "lot", "FLR": "étage", "ROOM": "bureau", "SEAT": "poste"}


def left(call: "Call", now: float) -> None:
    """The first INVITE of an emergency call has left on a trunk."""
    open_window(call, now)
    decision, request = call.decision, call.request
    if decision.number_class is not NumberClass.EMERGENCY_VITAL:
        return
    destination = decision.destination
    civic = destination.location.civic if isinstance(destination, ToEmergency) else {}
    _due(
        call,
        SITE_KIND,
        "site",
        SITE_CLAUSE,
        {"dialled": request.dialled, "place": place_words(civic)},
    )


def alert(call: "Call") -> None:
    """Tell whom the decision names, once the call is on its way; of a block, once it is final."""
    decision, record = call.decision, call.record
    is_block = decision.action is Action.BLOCK
    if is_block and not record.override and call.state is not CallState.ENDED:
        return  # the warning is being heard, and may be overridden
    for word in decision.alerts:
        audience, kind, *_ = word.split(":")
        if is_block and record.override and kind == "blocked_abroad":
            kind = "abroad_overridden"
        if (audience, kind) not in record.alerted:
            _due(call, kind, audience, decision.clause, {"dialled": call.request.dialled})


def ended(call: "Call", hangup_by: str, at: float) -> None:
    """The emergency call is over: the call-back's time counts from here, and a very short call is
    told, because the line isn't held for the PSAP (terms 1(e))."""
    exchange, record, line = call.exchange, call.record, call.request.line
    alert(call)
    if line is not None:
        utc = exchange.wall(at)
        exchange.callbacks.prolong(line, utc + exchange.settings.callback_s, utc)
    talked_s = 0.0 if record.answer is None else at - record.answer
    if not record.has_left or hangup_by != "caller" or talked_s >= exchange.settings.short_call_s:
        return
    fields = {"dialled": call.request.dialled, "duration_ms": round(talked_s * 1000)}
    exchange.outbox.note(
        "emergency.short_call", call_id=call.id, line=line or "", duration_ms=fields["duration_ms"]
    )
    _due(call, "short_emergency_call", "operator", SHORT_CLAUSE, fields)


def place_words(civic: Mapping[str, str]) -> str:
    """Where to find the caller, from the outside to the room: one line for people."""
    street = " ".join(civic[name] for name in ("HNO", "HNS", "RD") if civic.get(name))
    town = " ".join(civic[name] for name in ("PC", "A3") if civic.get(name))
    indoors = [f"{word} {civic[name]}" for name, word in _INDOORS.items() if civic.get(name)]
    parts = [civic.get("NAM", ""), street, town, *indoors, civic.get("LOC", "")]
    return ", ".join(part for part in parts if part)


def _due(call: "Call", kind: str, audience: str, clause: str, fields: Mapping[str, object]) -> None:
    request, exchange = call.request, call.exchange
    call.record.alerted.append((audience, kind))
    known = exchange.facts.lines.get(request.line or "")
    exchange.outbox.note(
        "notice.due",
        id=f"{kind} {call.id} {audience}",
        kind=kind,
        audience=audience,
        line=request.line or "",
        account=known.account if known else "",
        call_id=call.id,
        at=round(request.at * 1000),
        clause=clause,
        fields=dict(fields),
    )
