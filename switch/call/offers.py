"""Offers and answers of one leg in its dialog (RFC 3264, RFC 3311, RFC 3261 §14): re-INVITE, UPDATE.

An offer of the peer is refused on glare, answered here when it only refreshes the session, else it
crosses. An offer for the peer goes out when none is open. The bodies pass untouched; whose turn it is
stands in `leg.offer`.
"""

from typing import TYPE_CHECKING

from switch.call import way
from switch.call.headers import ALLOW, CROSSING_BODIES
from switch.call.relay import body_of
from switch.call.state import LegState
from switch.call.vocabulary import Body, Update, Updated, Withdraw
from switch.dialog.dialog import contact_value
from switch.dialog.offer_answer import TABLE, OfferEvent, OfferState, glare_status
from switch.dialog.session_timer import (
    TooBrief,
    answer_headers,
    answer_timer,
    read_answer,
    supports,
)
from switch.sip.build import make_response
from switch.sip.message import Request, Response
from switch.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from switch.call.leg import Leg


def on_offer(leg: "Leg", tx: ServerTransaction, request: Request, now: float) -> None:
    """re-INVITE or UPDATE: refused on glare, answered here if it only refreshes, else crossed."""
    is_invite = request.method == "INVITE"
    body = body_of(request)
    refusal = _why_not(leg, request, body, is_invite)
    if refusal is not None:
        status, headers = refusal
        leg.reply(tx, request, status, now, headers)
        return
    settings = leg.exchange.settings
    timer = answer_timer(request, settings.session_expires_s, settings.min_se_s)
    if isinstance(timer, TooBrief):
        leg.reply(tx, request, 422, now, [("Min-SE", str(timer.min_se))])
        return
    _refresh_target(leg, request)
    leg.session.peer_supports = supports(request, "timer")
    leg.session.agreed = timer
    # A refresh ends at each leg (RFC 4028 §5 speaks of one dialog).
    if (
        body is None and not is_invite
    ):  # one that says nothing of media may come while an offer waits
        leg.session.restart(now)
        leg.reply(tx, request, 200, now, _fields(leg, tx))
        return
    leg.pending = tx
    if body is not None and body == leg.in_body:
        _accept(leg, 200, leg.out_body, now)
        return
    if body is not None:
        leg.offer = TABLE[leg.offer, OfferEvent.RECEIVE_OFFER]
        leg.agreed_body, leg.in_body = leg.in_body, body
    leg.report(Update(body, by_update=not is_invite), now)


def _why_not(
    leg: "Leg", request: Request, body: Body | None, is_invite: bool
) -> tuple[int, list[tuple[str, str]]] | None:
    """Status and headers that refuse a re-INVITE or UPDATE at this moment, None to take it."""
    if body is None and not is_invite:
        return None
    if leg.pending is not None or (is_invite and leg.ok is not None):
        return 500, [("Retry-After", "1")]
    match glare_status(leg.offer, request.method):
        case 500:
            return 500, [("Retry-After", "1")]
        case int(status):
            return status, []
    if body is not None and (request.content_type or "") not in CROSSING_BODIES:
        return 415, [("Accept", "application/sdp")]
    return None


def ask(leg: "Leg", update: Update, now: float) -> None:
    """Ask the peer for a change of media; the outcome comes back as `Updated`."""
    confirmed = leg.state is LegState.CONFIRMED and leg.ok is None
    by_update = (
        update.body is not None and leg.peer_takes_update and (update.by_update or not confirmed)
    )
    if leg.dialog is None or not _is_idle(leg) or not (confirmed or by_update):
        leg.report(Updated(491, None), now)
        return
    _send(leg, "UPDATE" if by_update else "INVITE", update.body, now)


def answer(leg: "Leg", updated: Updated, now: float) -> None:
    """Answer the peer's re-INVITE or UPDATE with what the other side said."""
    if leg.pending is None:
        return
    if updated.status < 300:
        _accept(leg, updated.status, updated.body, now)
    else:
        refuse_pending(leg, updated.status, now)


def on_cancel(leg: "Leg", now: float) -> None:
    """The peer cancels its re-INVITE while we owe the answer (RFC 3261 §9.2, §14)."""
    if leg.pending is not None and leg.pending.method == "INVITE":
        refuse_pending(leg, 487, now)
        leg.report(Withdraw(), now)


def withdraw(leg: "Leg", now: float) -> None:
    """Cancel the re-INVITE that we sent for the other side; an UPDATE can't be."""
    if leg.asked is not None and leg.asked.method == "INVITE":
        leg.asked.cancel(now)


def refresh(leg: "Leg", now: float) -> bool:
    """Refresh the session: by UPDATE where the peer takes it, else by the last offer again."""
    if leg.state is LegState.ENDED or leg.dialog is None:
        return True
    if not _is_idle(leg) or leg.ok is not None:
        return False
    leg.own_refresh = True
    if leg.peer_takes_update:
        _send(leg, "UPDATE", None, now)
    else:
        _send(leg, "INVITE", leg.out_body, now)
    return True


def _refresh_target(leg: "Leg", message: Request | Response) -> None:
    """Take the peer's new Contact; a carrier listens there."""
    assert leg.dialog is not None
    leg.dialog.refresh_target(message)
    if leg.is_trunk:
        way.of_carrier(leg.dialog)


def _is_idle(leg: "Leg") -> bool:
    return (
        leg.offer is OfferState.STABLE
        and leg.pending is None
        and leg.asked is None  # also a refresh without a body, whose answer isn't the other side's
        and leg.ack_waits is None
    )


def refuse_pending(leg: "Leg", status: int, now: float) -> None:
    """Refuse the offer that still waits for its answer, if there is one."""
    tx, leg.pending = leg.pending, None
    if tx is None:
        return
    if leg.offer is OfferState.REMOTE_OFFER:
        leg.in_body = leg.agreed_body  # else the same offer again would pass for a refresh
    leg.offer = TABLE.get((leg.offer, OfferEvent.REFUSED), OfferState.STABLE)
    headers = [("Retry-After", "1")] if status == 500 else []
    leg.reply(tx, tx.request, status, now, headers)


def _accept(leg: "Leg", status: int, body: Body | None, now: float) -> None:
    """2xx to the peer's re-INVITE or UPDATE, with the agreed session timer."""
    tx, leg.pending = leg.pending, None
    assert tx is not None
    request = tx.request
    headers = _fields(leg, tx)
    if body is not None:
        headers.append(("Content-Type", body.content_type))
        leg.out_body = body
    content = body.content if body else b""
    had_body = bool(request.body)
    response = make_response(request, status, headers=headers, body=content, to_tag=None)
    leg.offer = OfferState.STABLE
    leg.session.restart(now)
    tx.respond(response, now)
    if response.cseq.method == "INVITE":
        ok = leg.start_2xx(tx, response.cseq.number, now)
        ok.had_offer = not had_body and body is not None
        if ok.had_offer:
            leg.offer = OfferState.LOCAL_OFFER


def _fields(leg: "Leg", tx: ServerTransaction) -> list[tuple[str, str]]:
    """What each 2xx to a target refresh carries."""
    return [
        ("Contact", contact_value(tx.flow)),
        ("Allow", ALLOW),
        ("Supported", "timer, 100rel"),
        *answer_headers(leg.session.agreed, leg.session.peer_supports),
    ]


def _send(leg: "Leg", method: str, body: Body | None, now: float) -> None:
    """A re-INVITE or UPDATE of ours, with what a target refresh carries."""
    dialog = leg.dialog
    assert dialog is not None
    request = dialog.request(method)
    request.add("Contact", contact_value(dialog.flow))
    request.add("Allow", ALLOW)
    request.add("Supported", "timer")  # no 100rel: only a first INVITE's provisionals are awaited
    agreed = leg.session.agreed
    if agreed is not None:
        refresher = "uac" if agreed.is_refresher else "uas"
        request.add("Session-Expires", f"{agreed.interval_s};refresher={refresher}")
        request.add("Min-SE", str(leg.exchange.settings.min_se_s))
    if body is not None:
        request.add("Content-Type", body.content_type)
        request.body = body.content
        leg.offer = TABLE[leg.offer, OfferEvent.SEND_OFFER]
        leg.agreed_body, leg.out_body = leg.out_body, body
    leg.asked = leg.send(request, now)


def on_accepted(leg: "Leg", response: Response, method: str, now: float) -> None:
    """2xx to our re-INVITE or UPDATE."""
    dialog = leg.dialog
    assert dialog is not None
    _refresh_target(leg, response)
    body = body_of(response)
    had_no_offer = method == "INVITE" and leg.offer is OfferState.STABLE
    if had_no_offer and not leg.own_refresh:
        leg.ack_waits = response.cseq.number
    elif method == "INVITE":
        leg.send_ack(dialog, response.cseq.number, None, now)
    if leg.session.agreed is not None:
        leg.session.start(read_answer(response, leg.session.agreed.interval_s), now)
    leg.in_body = body or leg.in_body
    leg.offer = OfferState.REMOTE_OFFER if leg.ack_waits is not None else OfferState.STABLE
    on_settled(leg, Updated(response.status, body), now)


def on_settled(leg: "Leg", updated: Updated, now: float) -> None:
    """An offer of ours is settled; a refresh of our own concerns nobody else."""
    leg.asked = None
    if updated.status >= 300:
        if leg.offer is OfferState.LOCAL_OFFER:
            leg.out_body = leg.agreed_body
        leg.offer = TABLE.get((leg.offer, OfferEvent.REFUSED), OfferState.STABLE)
    if leg.own_refresh:
        leg.own_refresh = False
        if updated.status == 491 or updated.status >= 500:
            leg.session.retry(now)
        elif updated.status >= 300:
            leg.session.restart(now)
    elif leg.state is not LegState.ENDED:
        leg.report(updated, now)
