"""Announcements in the life of a call: what follows when one has ended.

Two ways to speak. Early media (183) ends in a final response of the worker; the call then goes on to
its next targets under a new To-tag, or is refused. Where a phone plays no early media, or made no
offer, the words come in an answered call, which then is re-targeted by re-INVITE or ended by BYE.
"""

from typing import TYPE_CHECKING

from policy.emergency_call import without_warning
from policy.engine import decide
from policy.model import Action, LineState
from switch.call import afterwards, offers, race
from switch.call.callee_leg import CalleeLeg
from switch.call.destination import destination_groups, last_words
from switch.call.ending import ENDINGS
from switch.call.forking import best_failure
from switch.call.hunt import Hunt
from switch.call.journal import answered_record
from switch.call.leg import Leg
from switch.call.state import CallState
from switch.call.vocabulary import Acknowledge, Connect, Disconnect, Fail, Lost, Update, Updated
from switch.routing.target import TargetKind

if TYPE_CHECKING:
    from switch.call.call import Call

GLARE_S = 1.0  # not the dialog's Call-ID's owner: up to 2 s (RFC 3261 §14.1)


def is_announcement(leg: Leg | None) -> bool:
    """Whether a media worker is at the other end."""
    return isinstance(leg, CalleeLeg) and leg.target.kind is TargetKind.ANNOUNCEMENT


def early_ended(call: "Call", leg: CalleeLeg, event: Fail, now: float) -> None:
    """Early media is over: it was heard, could not be played, or a key was pressed."""
    assert call.hunt is not None
    call.exchange.announcer.release(leg.target.flow.remote[1])
    call.record.spoke(leg, event.key, now)
    call.disarm()
    if call.last_words is not None:
        call.finish(*call.last_words, now)
        return
    if _goes_on(call, event.key, now):
        call.try_next(now)
        return
    decision = call.decision
    if decision.action is Action.BLOCK and leg.dialog is None:
        _block_unheard(call, now)
    else:
        slug = decision.reason if decision.action is not Action.CONNECT else "no_route"
        call.finish(slug, ENDINGS[slug].status, now)


def say_last_words(call: "Call", slug: str, status: int, now: float) -> bool:
    """No route took an emergency call: tell the caller what still helps, then refuse."""
    is_unanswered = call.state is CallState.TRYING
    has_offer = is_unanswered and call.caller is not None and call.caller.in_body is not None
    if call.last_words is not None:
        return False
    spoken = last_words(call.exchange, has_offer=has_offer)
    if spoken is None:
        return False
    call.last_words = (slug, status)
    call.hunt = Hunt([(spoken,)])
    call.try_next(now)
    return True


def answered(call: "Call", leg: CalleeLeg, event: Connect, now: float) -> None:
    """The worker answered: the caller hears the words in an answered, unmetered call."""
    call.exchange.announcer.release(leg.target.flow.remote[1])
    call.callee = leg
    call.branches.clear()
    call.state = CallState.HEARING
    call.caller_leg.connect(event.body, event.is_offer, now)
    call.note(answered_record(call))


def on_disconnect(call: "Call", leg: Leg, event: Disconnect, now: float) -> None:
    """HEARING: the caller hangs up, or the words are over."""
    spoken = call.callee
    if isinstance(spoken, CalleeLeg) and is_announcement(spoken):
        call.record.spoke(spoken, event.key, now)
    if leg is call.caller:
        call.cancel_branches(now)
        if call.callee is not None:
            call.callee.disconnect("ok", now)
        call.end(call.slug_of_hangup, "caller", event.at)
        return
    call.callee = None
    if _goes_on(call, event.key, now) and call.has_next:
        call.try_next(now)
    else:
        _end_heard(call, now)


def on_connect(call: "Call", leg: Leg, event: Connect, now: float) -> None:
    """HEARING: the target, or who says the last words, answered with an offer; the caller's phone is
    asked to take it."""
    assert isinstance(leg, CalleeLeg)
    call.disarm()
    call.callee = leg
    if is_announcement(leg):
        call.exchange.announcer.release(leg.target.flow.remote[1])
        call.branches.clear()
    else:
        call.record.attempted(call, leg, 200, now)
        call.cancel_branches(now, but=leg)
        call.branches.clear()
        call.record.answered(call, leg, now)
    retarget(call, now)


def retarget(call: "Call", now: float) -> None:
    """HEARING: ask the caller's phone to take the media of who answered, and waits for its answer."""
    if call.callee is not None and call.callee.ack_waits is not None:
        offers.ask(call.caller_leg, Update(call.callee.in_body, by_update=False), now)


def on_updated(call: "Call", leg: Leg, event: Updated, now: float) -> None:
    """HEARING: the caller's phone took the target's media, or refused it; or the other side says what
    it makes of the phone's own change."""
    if leg is not call.caller:
        offers.answer(call.caller_leg, event, now)
        return
    if call.callee is None:
        return
    if event.status == 491:  # its own re-INVITE crosses ours (RFC 3261 §14.1)
        call.arm("retarget", GLARE_S, now)
        return
    if event.status >= 300:
        call.disconnect_all("incompatible", now)
        call.end("incompatible", "switch", now)
        return
    call.callee.acknowledge(event.body, now)
    if is_announcement(call.callee):
        return
    call.state = CallState.CONNECTED
    call.record.acknowledged(call, now)
    call.note(answered_record(call))


def on_fail(call: "Call", leg: Leg, event: Fail, now: float) -> None:
    """HEARING: a target failed after the words; the next one, or the last words, or the end."""
    assert isinstance(leg, CalleeLeg)
    if leg in call.branches:
        call.branches.remove(leg)
    if is_announcement(leg):
        call.exchange.announcer.release(leg.target.flow.remote[1])
        _end_heard(call, now)
        return
    call.record.attempted(call, leg, event.status, now)
    call.failures.append(event)
    waits = any(branch.is_open for branch in call.branches)
    if waits and not race.goes_on(call, leg):
        return
    if call.has_next:
        call.try_next(now)
    elif not waits:
        call.finish_with(best_failure(call.failures), now)


def on_acknowledge(call: "Call", leg: Leg, event: Acknowledge, now: float) -> None:
    """HEARING: the ACK of the answer under which the words are spoken."""
    if leg is call.caller and is_announcement(call.callee) and call.callee is not None:
        call.callee.acknowledge(event.body, now)


def on_lost(call: "Call", leg: Leg, event: Lost, now: float) -> None:
    """HEARING: the caller or the worker is gone."""
    if leg is call.caller:
        call.cancel_branches(now)
        call.disconnect_all(event.slug, now)
        call.end(event.slug, "switch", now)
    else:
        call.callee = None
        _end_heard(call, now)


def _goes_on(call: "Call", key: str, now: float) -> bool:
    """Whether the call continues to its targets after the words."""
    decision = call.decision
    is_override = bool(decision.override_key) and key == decision.override_key
    is_next = decision.action is Action.CONNECT and call.has_next
    if not (is_override or is_next) or _has_no_line(call, now):
        return False
    if is_override:
        call.record.overridden()
        afterwards.alert(call)
    return True


def _has_no_line(call: "Call", now: float) -> bool:
    """Whether the caller's contract ended while the words were spoken: decided anew, the call reaches
    nobody (terms 2(l)). Hardware that was reported stolen meanwhile goes on: a new call of it is refused,
    but an emergency call that lives is never cut, and who holds the phone may need help."""
    exchange, request = call.exchange, call.request
    if request.line is None:
        return False
    seen = exchange.sightings.of(request.line)
    facts = exchange.facts.policy_facts(request.line, request.source_ip, now, seen)
    if facts.line is not None and facts.line.state is not LineState.TERMINATED:
        return False
    call.decision = decide(request, facts, exchange.rules)
    return True


def _end_heard(call: "Call", now: float) -> None:
    """The words were the answer: BYE, with the reason of the refusal."""
    slug = call.decision.reason
    if call.last_words is not None:
        slug = call.last_words[0]
    call.disconnect_all(slug, now)
    call.end(slug, "switch", now)


def _block_unheard(call: "Call", now: float) -> None:
    """Nobody heard the warning (no common codec, worker lost): the policy decides once more."""
    exchange, line = call.exchange, call.request.line
    call.decision = decision = without_warning(call.decision)
    if decision.action is Action.CONNECT and not _has_no_line(call, now):
        afterwards.alert(call)
        at = call.request.at
        call.start(Hunt(destination_groups(exchange, decision, line, call.id, at, now)), now)
        return
    decision = call.decision
    if line is not None and decision.action is Action.BLOCK:
        exchange.unheard.note(line, now, exchange.wall(now))
    call.finish(decision.reason, ENDINGS[decision.reason].status, now)
