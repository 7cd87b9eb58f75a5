"""Stolen hardware that shows itself: it is refused, and the operator hears from where (terms 2(b)).

One notice a line, day and address: a phone tries every few minutes. Deliberately absent: the refusal
itself, and the network's hardware (MQTT), which provisioning watches.
"""

from datetime import UTC, datetime

from switch.call.exchange import Exchange
from switch.facts.line import Line
from switch.sip.message import Request

CLAUSE = "2(b)"


def note_stolen(exchange: Exchange, line: Line, request: Request, source: str, now: float) -> None:
    """A stolen line's own credentials were used from the address `source`."""
    user_agent = request.get("User-Agent") or ""
    exchange.outbox.note(
        "line.stolen_seen",
        line=line.id,
        method=request.method,
        source=source,
        user_agent=user_agent,
    )
    day = datetime.fromtimestamp(exchange.wall(now), UTC).date()
    exchange.outbox.note(
        "notice.due",
        kind="stolen_seen",
        id=f"stolen_seen {line.id} {day} {source}",
        line=line.id,
        account=line.account,
        audience="operator",
        clause=CLAUSE,
        fields={"source": source, "user_agent": user_agent},
    )
