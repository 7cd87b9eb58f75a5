"""The states of our registration at a carrier (RFC 3261 §10.2), as a table.

A refresh that fails leaves the binding alone, since it lives on at the carrier until its expiry: only
then is the registration lost. What the actions do is in registration.py.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from switch.sip.errors import LocalProtocolError


class State(Enum):
    """Where a registration stands; the words of status pages and logs."""

    UNREGISTERED = "unregistered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFRESHING = "refreshing"
    FAILED = "failed"


class Event(Enum):
    """What can happen to it."""

    DUE = "due"  # time to send the next REGISTER
    ACCEPTED = "accepted"  # 2xx with our binding in it
    CHALLENGED = "challenged"  # 401 or 407 that we can answer
    TOO_BRIEF = "too brief"  # 423 with a Min-Expires that we can meet
    UNREACHABLE = "unreachable"  # no answer, or 503, and another next hop is left (RFC 3263 §4.3)
    REFUSED = "refused"  # everything else, and no next hop left
    EXPIRED = "expired"  # the binding's lifetime is over


class Action(Enum):
    """What is done about it."""

    SEND = "send"
    ANSWER = "answer"
    LENGTHEN = "lengthen"
    KEEP = "keep"
    BACK_OFF = "back off"
    LAPSE = "lapse"


_UNDER_WAY: Final = {
    Event.CHALLENGED: Action.ANSWER,
    Event.TOO_BRIEF: Action.LENGTHEN,
    Event.UNREACHABLE: Action.SEND,
}

TABLE: Final[Mapping[tuple[State, Event], tuple[Action, State]]] = {
    (State.UNREGISTERED, Event.DUE): (Action.SEND, State.REGISTERING),
    (State.FAILED, Event.DUE): (Action.SEND, State.REGISTERING),
    (State.REGISTERED, Event.DUE): (Action.SEND, State.REFRESHING),
    **{
        (state, event): (action, state)
        for state in (State.REGISTERING, State.REFRESHING)
        for event, action in _UNDER_WAY.items()
    },
    (State.REGISTERING, Event.ACCEPTED): (Action.KEEP, State.REGISTERED),
    (State.REFRESHING, Event.ACCEPTED): (Action.KEEP, State.REGISTERED),
    (State.REGISTERING, Event.REFUSED): (Action.BACK_OFF, State.FAILED),
    # A binding ends by its expiration interval or by request, not by a refused refresh (§10.2.2).
    (State.REFRESHING, Event.REFUSED): (Action.BACK_OFF, State.REGISTERED),
    (State.REGISTERED, Event.EXPIRED): (Action.LAPSE, State.FAILED),
    (State.REFRESHING, Event.EXPIRED): (Action.LAPSE, State.REGISTERING),
}


def step(state: State, event: Event) -> tuple[Action, State]:
    """What to do, and the next state. LocalProtocolError for an event that can't happen there."""
    row = TABLE.get((state, event))
    if row is None:
        raise LocalProtocolError(f"a registration that is {state.value} can't be {event.value}")
    return row
