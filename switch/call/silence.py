"""A peer that doesn't know its dialog, or never acknowledged it: its leg ends, and what an emergency call
outlives. Two people may be speaking while a phone's signalling is out of order, so only what leaves nobody in
such a call ends it. Deliberately absent: the session timer (refresh.py), which asks whether a peer is there.
"""

from typing import TYPE_CHECKING

from switch.call.state import LegState

if TYPE_CHECKING:
    from switch.call.leg import Leg


def dialog_gone(leg: "Leg", now: float) -> None:
    """481 or 408 in the dialog ends it (RFC 3261 §12.2.1.2). Not so an emergency call, unless both sides have
    answered that they don't know it: then nobody is left in it, and it would keep the line busy."""
    call = leg.call
    if call is not None and call.is_emergency:
        other = call.other_leg(leg)
        if not (leg.is_unknown and other is not None and other.is_unknown):
            leg.exchange.outbox.note("emergency.refresh_failed", leg=leg.label)
            leg.session.restart(now)
            return
    leg.lose("not_answered_in_dialog", now)


def never_acknowledged(leg: "Leg", now: float) -> None:
    """No ACK for our 2xx: the dialog is ended (RFC 3261 §13.3.1.4). Not an emergency call whose media is
    agreed: an ACK that gets lost, or that we can't read, must not end it."""
    had_offer = leg.ok is not None and leg.ok.had_offer
    leg.ok = None
    if leg.bye_reason is not None:
        leg.send_bye(leg.bye_reason, now)
    elif leg.call is not None and leg.call.is_emergency and not had_offer:
        leg.state = LegState.CONFIRMED
        leg.exchange.outbox.note("emergency.not_acknowledged", leg=leg.label)
    else:
        leg.lose("not_acknowledged", now)
