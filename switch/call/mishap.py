"""A mistake of ours in the middle of a message: nobody waits for an answer that never comes.

The exception goes on to the log. A phone that is told nothing after the 100 waits for good, and a call for
help has other routes to try. Deliberately absent: mending what the mistake left behind.
"""

from switch.call.call import Call
from switch.call.callee_leg import CalleeLeg
from switch.call.caller_leg import CallerLeg
from switch.call.ending import ENDINGS, ending_headers
from switch.call.exchange import Exchange
from switch.call.vocabulary import Fail
from switch.sip.build import make_response
from switch.sip.ids import new_tag
from switch.sip.message import Request, Response
from switch.transaction.server import ServerTransaction

SLUG = "switch_error"


def with_request(exchange: Exchange, tx: ServerTransaction, request: Request, now: float) -> None:
    """Answer what isn't answered; a call whose targets ring already goes on."""
    owner = tx.owner
    call = owner.call if isinstance(owner, CallerLeg) else None
    if isinstance(call, Call):
        if not any(branch.is_open for branch in call.branches):
            call.hang_up(SLUG, now)
    elif not tx.is_answered:
        headers = ending_headers(SLUG, exchange.settings.host)
        status = ENDINGS[SLUG].status
        tx.respond(make_response(request, status, to_tag=new_tag(), headers=headers), now)


def with_response(exchange: Exchange, response: Response, now: float) -> None:
    """A refusal is one all the same: the branch is over, and the next one is tried."""
    leg = exchange.legs.get(response.from_tag or "")
    if isinstance(leg, CalleeLeg) and leg.is_open and response.status >= 300:
        leg.fail(Fail(500, SLUG), now)
