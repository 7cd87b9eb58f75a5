"""Which calls count against a line's caps, and what a reached cap does to them (see `usage.caps`).

Only calls that a line places to a paying number of a capped class. Emergency calls, PSAP call-backs
and support are of no such class, and what is exempt from the line's minutes is from its caps.
Deliberately absent: words for the caller. A reached cap is a suspicion of fraud, not a service.
"""

from typing import TYPE_CHECKING

from policy.model import CallRequest, Decision, ToNumber
from switch.call.exchange import Exchange
from switch.usage.allowance import Allowance, caps_of

if TYPE_CHECKING:
    from switch.call.call import Call


def allowance_of(exchange: Exchange, request: CallRequest, decision: Decision) -> Allowance | None:
    """The caps that a call falls under, None when it is free of them."""
    line = exchange.facts.lines.get(request.line or "")
    if line is None or decision.exempt_reason or not isinstance(decision.destination, ToNumber):
        return None
    # Emergency can't be in `caps`: its type names the classes that may be (facts.settings).
    for capped, terms in line.caps.items():
        if capped == decision.number_class.value:
            calendar = exchange.calendar(exchange.facts.accounts[line.account])
            return Allowance(line.id, capped, caps_of(terms), calendar)
    return None


def reached_cap(
    exchange: Exchange, request: CallRequest, decision: Decision, now: float
) -> tuple[Allowance, str] | None:
    """The cap that forbids a new call, with the name of its setting; None when none does."""
    allowance = allowance_of(exchange, request, decision)
    if allowance is None:
        return None
    cap = exchange.caps.allows(allowance, now, exchange.wall(now))
    return None if cap is None else (allowance, cap)


def is_over_cap(exchange: Exchange, call: "Call", now: float) -> bool:
    """Whether a cap forbids a new call; the log is told which."""
    reached = reached_cap(exchange, call.request, call.decision, now)
    if reached is None:
        return False
    allowance, cap = reached
    exchange.outbox.note(
        "usage.capped",
        call_id=call.id,
        line=allowance.line,
        number_class=allowance.number_class,
        cap=cap,
    )
    return True


def start_capped(call: "Call", at: float) -> None:
    """The call was answered at boottime `at`; also after a restart."""
    exchange = call.exchange
    allowance = allowance_of(exchange, call.request, call.decision)
    if allowance is not None:
        exchange.caps.start(call.id, allowance, call, at, exchange.wall(at))
