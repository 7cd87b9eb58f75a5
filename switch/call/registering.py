"""A REGISTER becomes a binding (RFC 3261 §10.3): who is it, is that its line, may the line be in service.

The counterpart of incoming.py, which asks the same of an INVITE. What the place of a new contact means for
emergency calls is registered_from.py's. Deliberately absent: the bindings themselves (registrar/).
"""

from collections.abc import Sequence

from policy.account_state import DEAD
from policy.model import LineState
from switch.auth.address import address_key
from switch.auth.authenticator import Accepted, Challenge
from switch.auth.lockout import known_record
from switch.call.ending import ENDINGS, ending_headers
from switch.call.exchange import Exchange
from switch.call.incoming import note_failed
from switch.call.reappearance import note_stolen
from switch.call.registered_from import registered
from switch.facts.line import Line
from switch.sip.build import make_response
from switch.sip.flow import Flow
from switch.sip.ids import new_tag
from switch.sip.message import Request
from switch.transaction.server import ServerTransaction


def receive_register(
    exchange: Exchange, tx: ServerTransaction, request: Request, flow: Flow, now: float
) -> None:
    """Answer a REGISTER that came by `flow`."""
    origin = exchange.settings.origin(request, flow)
    source = origin.remote[0]
    verdict = exchange.authenticator.verify(request, source, now)
    if isinstance(verdict, Challenge):
        _answer(tx, request, 401, verdict.headers, now)
        return
    if not isinstance(verdict, Accepted):
        note_failed(exchange, request, origin, verdict)
        if verdict.lost:
            note_stolen(exchange, verdict.lost, request, source, now)
        _refuse(exchange, tx, request, verdict.slug, now)
        return
    line = exchange.facts.lines.get(verdict.user)
    if line is None or request.to.uri.user_text != line.id:
        _refuse(exchange, tx, request, "unknown_line", now)
    elif line.state in DEAD:
        if line.state is LineState.STOLEN:
            note_stolen(exchange, line.id, request, source, now)
        _refuse(exchange, tx, request, line.state.value, now)
    elif _bind(exchange, tx, request, flow, line, now) and verdict.is_next:
        exchange.outbox.note("line.secret_used", line=line.id)


def _bind(
    exchange: Exchange,
    tx: ServerTransaction,
    request: Request,
    flow: Flow,
    line: Line,
    now: float,
) -> bool:
    """Have the registrar answer, and keep what follows from it; whether it took the request."""
    origin, wall = exchange.settings.origin(request, flow), exchange.wall(now)
    source = origin.remote[0]
    # The id is the configuration's own object: bindings by the thousand keep this one.
    response = exchange.registrar.register(request, flow, line.id, now, wall, origin)
    is_taken = response.status == 200
    if is_taken and exchange.authenticator.registered(line.id, source, now):
        exchange.outbox.journal.append(known_record(line.id, address_key(source), wall))
    tx.respond(response, now)
    if is_taken:
        registered(exchange, line, source, now)
    return is_taken


def _refuse(
    exchange: Exchange, tx: ServerTransaction, request: Request, slug: str, now: float
) -> None:
    headers = ending_headers(slug, exchange.settings.host)
    _answer(tx, request, ENDINGS[slug].status, headers, now)


def _answer(
    tx: ServerTransaction,
    request: Request,
    status: int,
    headers: Sequence[tuple[str, str]],
    now: float,
) -> None:
    tx.respond(make_response(request, status, to_tag=new_tag(), headers=headers), now)
