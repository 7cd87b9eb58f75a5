"""The table of a call: what happens in which state, and the rows.

(state, word of the vocabulary) -> function(call, leg, event, now). What stands in no row can't concern
a call in that state: a loser's late report, a word after the end.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from switch.call import announced, emergency_media, offers, race
from switch.call.callee_leg import CalleeLeg
from switch.call.forking import best_failure
from switch.call.journal import acknowledged_record, answered_record, refreshed_record
from switch.call.leg import Leg
from switch.call.relay import answer_relay, say_as_relay, send_relay
from switch.call.state import CallState
from switch.call.vocabulary import (
    Acknowledge,
    Body,
    Cancel,
    Connect,
    Disconnect,
    Fail,
    Lost,
    Prack,
    Relay,
    Relayed,
    Ring,
    Update,
    Updated,
    Withdraw,
)
from switch.usage.evidence import last_sign

if TYPE_CHECKING:
    from switch.call.call import Call


# Endings that nobody saw: a peer fell silent, or no longer knows the call.
UNSEEN = frozenset({"session_expired", "not_answered_in_dialog"})
# So that the phones that lost don't show a missed call (RFC 3326 §3.1).
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


def on_ring(call: "Call", leg: Leg, event: Ring, now: float) -> None:
    """A target makes progress. Emergency: the first that rings wins the race."""
    assert isinstance(leg, CalleeLeg)
    if not announced.is_announcement(leg):
        call.record.rang(now)
    if call.is_emergency and leg.is_trunk:
        call.cancel_branches(now, but=leg)
        call.disarm()
    if sum(branch.is_open for branch in call.branches) > 1:
        # Several phones ring: media of one of them would deny the others (RFC 3960 §3).
        event = Ring(180, None)
        if call.record.ringing_relayed:
            return
    call.record.ringing_relayed = True
    if call.is_emergency and event.is_offer and event.body is not None:
        event = event._replace(body=emergency_media.speech_only(event.body))
    if event.is_other:
        call.caller_leg.open_new_early_dialog()
    call.caller_leg.ring(event, now)


def on_connect(call: "Call", leg: Leg, event: Connect, now: float) -> None:
    """The first answer wins; the others are cancelled in the same step."""
    assert isinstance(leg, CalleeLeg)
    call.disarm()
    if announced.is_announcement(leg) and not call.is_feature:
        announced.answered(call, leg, event, now)
        return
    call.state = CallState.CONNECTED
    call.callee = leg
    call.record.attempted(call, leg, 200, now)
    call.cancel_branches(now, but=leg, reason=ELSEWHERE)
    losers = [branch for branch in call.branches if branch is not leg]
    call.branches.clear()
    call.failures.clear()
    if announced.is_announcement(leg):
        call.exchange.announcer.release(leg.target.flow.remote[1])
    call.record.answered(call, leg, now)
    body = event.body
    if call.is_emergency and event.is_offer and body is not None:
        body = emergency_media.speech_only(body)
    if event.is_other:
        call.caller_leg.open_new_early_dialog()
    call.caller_leg.connect(body, event.is_offer, now)
    call.note(answered_record(call, losers))


def on_fail(call: "Call", leg: Leg, event: Fail, now: float) -> None:
    """A target failed: wait for its siblings, try the next group, or end (§16.7)."""
    assert isinstance(leg, CalleeLeg)
    call.record.attempted(call, leg, event.status, now)
    if leg in call.branches:
        call.branches.remove(leg)
    if announced.is_announcement(leg):
        announced.early_ended(call, leg, event, now)
        return
    if 300 <= event.status < 400 and leg.target.follows_redirects and call.hunt is not None:
        call.hunt.redirect(leg.target, event.contacts)
    call.failures.append(event)
    tries_all = call.is_emergency or call.is_callback
    if event.status >= 600 and not tries_all:
        call.cancel_branches(now)
        call.finish_with(event, now)
        return
    if any(branch.is_open for branch in call.branches) and not race.goes_on(call, leg):
        return
    retry = tries_all or event.status in leg.target.failover_on or event.status < 400
    if retry and call.has_next:
        if call.is_callback:
            call.disarm()  # the phone that called has refused: the others have their full time
        call.try_next(now)
    elif not any(branch.is_open for branch in call.branches):
        call.finish_with(best_failure(call.failures), now)


def on_cancel(call: "Call", leg: Leg, event: Cancel, now: float) -> None:
    """The caller gave up; the phones learn why."""
    call.cancel_branches(now, reason=event.reason)
    call.give_up(now)


def on_prack(call: "Call", leg: Leg, event: Prack, now: float) -> None:
    """The caller's answer to an offer in an 18x goes to the one that made it."""
    for branch in call.branches:
        branch.answer_prack(event.body, now)


def on_acknowledge(call: "Call", leg: Leg, event: Acknowledge, now: float) -> None:
    """An ACK: the caller's makes the call count; a late answer goes on."""
    if leg is call.caller:
        call.record.acknowledged(call, now)
        call.note(acknowledged_record(call))
    other = call.other_leg(leg)
    if other is not None:
        body = event.body
        if call.is_emergency and leg is call.caller:
            body = emergency_media.held_to(body, other.in_body)
        other.acknowledge(body, now)


def on_update(call: "Call", leg: Leg, event: Update, now: float) -> None:
    """re-INVITE or UPDATE crosses."""
    other = call.other_leg(leg)
    if other is None:
        offers.answer(leg, Updated(491, None), now)
        return
    if call.is_emergency:
        if leg is call.caller and emergency_media.is_hold(event.body, other.out_body):
            # An emergency call is not put on hold by the phone (RFC 6881 SP-38); it goes on.
            offers.answer(leg, Updated(488, None), now)
            return
        event = event._replace(body=event.body and emergency_media.speech_only(event.body))
    offers.ask(other, event, now)


def on_updated(call: "Call", leg: Leg, event: Updated, now: float) -> None:
    """Its answer crosses back."""
    other = call.other_leg(leg)
    if other is None:
        return
    if call.is_emergency and event.status < 300 and event.body is not None:
        event = event._replace(body=_fitting(call, leg, other, event.body))
    offers.answer(other, event, now)
    if event.status < 300 and event.body is not None and other.in_body is not None:
        call.record.agreed(other.in_body.content, event.body.content)
    if event.status < 300 and call.state is CallState.CONNECTED:
        call.note(refreshed_record(call, leg))
        call.note(refreshed_record(call, other))


def _fitting(call: "Call", leg: Leg, other: Leg, body: Body) -> Body:
    """What `leg` of an emergency call says in a 2xx: its answer, or the offer that it was asked for."""
    if leg.ack_waits is not None:
        return emergency_media.speech_only(body)
    if leg is call.caller:
        return emergency_media.held_to(body, other.in_body) or body
    return body


def on_withdraw(call: "Call", leg: Leg, event: Withdraw, now: float) -> None:
    """One side takes its re-INVITE back: so do we on the other."""
    other = call.other_leg(leg)
    if other is not None:
        offers.withdraw(other, now)


def on_relay(call: "Call", leg: Leg, event: Relay, now: float) -> None:
    """INFO, MESSAGE, NOTIFY cross."""
    other = call.other_leg(leg)
    if other is None:
        answer_relay(Relayed(event.transaction, 481, None), now)
    else:
        if announced.is_announcement(other):
            say_as_relay(event.request)
        send_relay(other, event, now)


def on_relayed(call: "Call", leg: Leg, event: Relayed, now: float) -> None:
    """Their answers cross back."""
    answer_relay(event, now)


def on_disconnect(call: "Call", leg: Leg, event: Disconnect, now: float) -> None:
    """One side hangs up; the time that counts is when its BYE was received."""
    other = call.other_leg(leg)
    if other is not None:
        other.disconnect("ok", now, event.reason)
    call.end("ok", "caller" if leg is call.caller else "callee", event.at)


def on_lost(call: "Call", leg: Leg, event: Lost, now: float) -> None:
    """One side is gone without BYE: the call ended when it last gave a sign of life."""
    other = call.other_leg(leg)
    if other is not None:
        other.disconnect(event.slug, now)
    if event.slug in UNSEEN:
        sign = last_sign(heard=max(leg.heard_at, call.record.answer or 0.0), beat=call.lived_until)
        if sign is not None:
            call.record.estimated = sign.estimated
            now = min(now, sign.at)
    call.end(event.slug, "switch", now)


def on_caller_lost(call: "Call", leg: Leg, event: object, now: float) -> None:
    """Before the answer: nobody is left to call for."""
    if isinstance(event, Lost):
        call.finish(event.slug, 500, now)
        return
    call.give_up(now)


# Each row takes the event of its own type; the key says which, the checker can't.
Row = Callable[["Call", Leg, Any, float], None]
_T, _H, _C = CallState.TRYING, CallState.HEARING, CallState.CONNECTED

TABLE: dict[tuple[CallState, type], Row] = {
    (_T, Ring): on_ring,
    (_T, Connect): on_connect,
    (_T, Fail): on_fail,
    (_T, Cancel): on_cancel,
    (_T, Prack): on_prack,
    (_T, Update): on_update,
    (_T, Updated): on_updated,
    (_T, Relay): on_relay,
    (_T, Relayed): on_relayed,
    (_T, Disconnect): on_caller_lost,
    (_T, Lost): on_caller_lost,
    (_H, Connect): announced.on_connect,
    (_H, Fail): announced.on_fail,
    (_H, Acknowledge): announced.on_acknowledge,
    (_H, Update): on_update,
    (_H, Updated): announced.on_updated,
    (_H, Withdraw): on_withdraw,
    (_H, Relay): on_relay,
    (_H, Relayed): on_relayed,
    (_H, Disconnect): announced.on_disconnect,
    (_H, Lost): announced.on_lost,
    (_C, Acknowledge): on_acknowledge,
    (_C, Update): on_update,
    (_C, Updated): on_updated,
    (_C, Withdraw): on_withdraw,
    (_C, Relay): on_relay,
    (_C, Relayed): on_relayed,
    (_C, Disconnect): on_disconnect,
    (_C, Lost): on_lost,
}
