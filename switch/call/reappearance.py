"""Stolen hardware that shows itself: it is refused, and the operator hears from where (terms 2(b)).

One notice a line, day and address: a phone tries every few minutes. Deliberately absent: the refusal
itself. Provisioning tells of the same hardware at the broker.
"""

from datetime import UTC, datetime

from switch.call.exchange import Exchange
from switch.facts.line import Line
from switch.sip.message import Request

CLAUSE = "2(b)"


def note_stolen(exchange: Exchange, user: str, request: Request, source: str, now: float) -> None:
    """The credentials that went with the stolen hardware of line `user` were used from `source`."""
    line = exchange.facts.lines.get(user)
    if line is None:
        return
    user_agent = request.get("User-Agent") or ""
    exchange.outbox.note(
        "line.stolen_seen",
        line=line.id,
        method=request.method,
        source=source,
        user_agent=user_agent,
    )
    tell(exchange, line, source, user_agent, now)


def tell(exchange: Exchange, line: Line, source: str, what: str, now: float) -> None:
    """The operator hears, once a line, day and `source`; `what` is the hardware's own word."""
    day = datetime.fromtimestamp(exchange.wall(now), UTC).date()
    exchange.outbox.note(
        "notice.due",
        kind="stolen_seen",
        id=f"stolen_seen {line.id} {day} {source}",
        line=line.id,
        account=line.account,
        audience="operator",
        clause=CLAUSE,
        fields={"source": source, "user_agent": what},
    )
