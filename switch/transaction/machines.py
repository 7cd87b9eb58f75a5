"""The four transaction machines as tables (RFC 3261 §17, figures 5-8; RFC 6026 §7, §8).

`TABLE[state][event]` is a Row: the next state, and what is done. Creating a transaction is not a
row: the client sends its request and starts in Calling or Trying, the server starts in Proceeding
or Trying.

An event that has no row is an error with a culprit: from the transaction user it raises
LocalProtocolError, from the peer it is ignored and counted. Nothing passes silently.

Deliberately absent: timers A, E and G over reliable transports are never armed, so their rows need
no condition; timers D, I, J and K of zero are not armed either: the action ends the transaction at
once.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple, TypeVar


class State(Enum):
    """The states of the four machines, spelt as the figures spell them."""

    Calling = "Calling"
    Trying = "Trying"
    Proceeding = "Proceeding"
    Completed = "Completed"
    Confirmed = "Confirmed"
    Accepted = "Accepted"
    Terminated = "Terminated"

    # Tables are looked up for each message: hash by identity, in C, and not by the member's name.
    __hash__ = object.__hash__


class Event(Enum):
    """What can happen. Responses come from the peer (client) or from the user (server)."""

    REQUEST = "request"
    ACK = "ACK"
    RESPONSE_1XX = "1xx"
    RESPONSE_2XX = "2xx"
    RESPONSE_FAILURE = "300-699"
    CANCEL = "CANCEL"
    TRANSPORT_ERROR = "transport error"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"
    TIMER_TRYING = "200 ms without a response"
    TIMER_CANCEL = "64*T1 after CANCEL"

    __hash__ = object.__hash__


class Action(Enum):
    """What a row does, besides changing the state."""

    IGNORE = "nothing"
    END = "forget the transaction"
    # client
    RETRANSMIT_DOUBLING = "send the request again, double the interval"
    RETRANSMIT_CAPPED = "send the request again, double the interval up to T2"
    RETRANSMIT_AT_T2 = "send the request again, in T2 once more"
    PROVISIONAL = "stop timers A and B, pass the response up, send a CANCEL that waited"
    DELIVER = "pass the response up"
    ACCEPT = "pass the 2xx up, arm timer M"
    ACKNOWLEDGE = "send ACK, pass the response up, arm timer D"
    ACKNOWLEDGE_AGAIN = "send the same ACK"
    COMPLETE = "pass the response up, arm timer K"
    DEFER_CANCEL = "remember to CANCEL"
    SEND_CANCEL = "send CANCEL, arm its guard"
    TIME_OUT = "tell the user, forget the transaction"
    FAIL = "tell the user that the transport failed, forget the transaction"
    # server
    SEND = "send the response"
    SEND_ACCEPTED = "send the 2xx, arm timer L"
    SEND_REJECTED = "send the response, arm timers G and H"
    SEND_FINAL = "send the response, arm timer J"
    SEND_TRYING = "send 100"
    RESEND = "send the last response again"
    RESEND_DOUBLING = "send the last response again, double the interval up to T2"
    CONFIRM = "stop timers G and H, arm timer I"
    GIVE_UP_ACK = "tell the user that no ACK came, forget the transaction"

    __hash__ = object.__hash__


class Row(NamedTuple):
    """One arrow of a figure."""

    next_state: State
    action: Action


Table = dict[State, dict[Event, Row]]

INVITE_CLIENT: Final[Table] = {
    State.Calling: {
        Event.TIMER_A: Row(State.Calling, Action.RETRANSMIT_DOUBLING),
        Event.TIMER_B: Row(State.Terminated, Action.TIME_OUT),
        Event.TRANSPORT_ERROR: Row(State.Terminated, Action.FAIL),
        Event.RESPONSE_1XX: Row(State.Proceeding, Action.PROVISIONAL),
        Event.RESPONSE_2XX: Row(State.Accepted, Action.ACCEPT),
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.ACKNOWLEDGE),
        # §9.1: "If no provisional response has been received, the CANCEL request MUST NOT be sent;
        # rather, the client MUST wait for the arrival of a provisional response before sending the
        # request."
        Event.CANCEL: Row(State.Calling, Action.DEFER_CANCEL),
    },
    State.Proceeding: {
        Event.RESPONSE_1XX: Row(State.Proceeding, Action.DELIVER),
        Event.RESPONSE_2XX: Row(State.Accepted, Action.ACCEPT),
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.ACKNOWLEDGE),
        Event.CANCEL: Row(State.Proceeding, Action.SEND_CANCEL),
        # §9.1: "If there is no final response for the original request in 64*T1 seconds [...], the
        # client SHOULD then consider the original transaction cancelled and SHOULD destroy the
        # client transaction".
        Event.TIMER_CANCEL: Row(State.Terminated, Action.TIME_OUT),
        # Not in figure 5, which knows failure of sending only: the connection on which the
        # response was to come has closed. Over UDP nothing reports this event here
        # (Transactions.transport_failed).
        Event.TRANSPORT_ERROR: Row(State.Terminated, Action.FAIL),
    },
    State.Completed: {
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.ACKNOWLEDGE_AGAIN),
        Event.TIMER_D: Row(State.Terminated, Action.END),
        # Figure 5 informs the user here; it has its final response already, and was let go with it.
        Event.TRANSPORT_ERROR: Row(State.Terminated, Action.END),
        # A CANCEL that crossed the final response: §9.1 makes it "have no effect".
        Event.CANCEL: Row(State.Completed, Action.IGNORE),
    },
    State.Accepted: {
        # RFC 6026 §7.2: "If a 2xx response is received while the client INVITE state machine is in
        # the "Calling" or "Proceeding" states, it MUST transition to the "Accepted" state, pass
        # the 2xx to the TU [...] A 2xx response received while in the "Accepted" state MUST be
        # passed to the TU".
        Event.RESPONSE_2XX: Row(State.Accepted, Action.DELIVER),
        Event.TIMER_M: Row(State.Terminated, Action.END),
        # The ACK and the retransmitted 2xx belong to the dialog, which may find another connection.
        Event.TRANSPORT_ERROR: Row(State.Accepted, Action.IGNORE),
        Event.CANCEL: Row(State.Accepted, Action.IGNORE),
    },
    State.Terminated: {
        Event.CANCEL: Row(State.Terminated, Action.IGNORE),
    },
}

NON_INVITE_CLIENT: Final[Table] = {
    State.Trying: {
        Event.TIMER_E: Row(State.Trying, Action.RETRANSMIT_CAPPED),
        Event.TIMER_F: Row(State.Terminated, Action.TIME_OUT),
        Event.TRANSPORT_ERROR: Row(State.Terminated, Action.FAIL),
        Event.RESPONSE_1XX: Row(State.Proceeding, Action.DELIVER),
        Event.RESPONSE_2XX: Row(State.Completed, Action.COMPLETE),
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.COMPLETE),
    },
    State.Proceeding: {
        # §17.1.2.2: "If Timer E fires while in the "Proceeding" state, the request MUST be passed
        # to the transport layer for retransmission, and Timer E MUST be reset with a value of T2
        # seconds."
        Event.TIMER_E: Row(State.Proceeding, Action.RETRANSMIT_AT_T2),
        Event.TIMER_F: Row(State.Terminated, Action.TIME_OUT),
        Event.TRANSPORT_ERROR: Row(State.Terminated, Action.FAIL),
        Event.RESPONSE_1XX: Row(State.Proceeding, Action.DELIVER),
        Event.RESPONSE_2XX: Row(State.Completed, Action.COMPLETE),
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.COMPLETE),
    },
    State.Completed: {
        # §17.1.2.2: this state "exists to buffer any additional response retransmissions".
        Event.RESPONSE_1XX: Row(State.Completed, Action.IGNORE),
        Event.RESPONSE_2XX: Row(State.Completed, Action.IGNORE),
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.IGNORE),
        Event.TIMER_K: Row(State.Terminated, Action.END),
        # Nothing is sent any more in this state.
        Event.TRANSPORT_ERROR: Row(State.Completed, Action.IGNORE),
    },
    State.Terminated: {},
}

INVITE_SERVER: Final[Table] = {
    State.Proceeding: {
        Event.REQUEST: Row(State.Proceeding, Action.RESEND),
        Event.TIMER_TRYING: Row(State.Proceeding, Action.SEND_TRYING),
        Event.RESPONSE_1XX: Row(State.Proceeding, Action.SEND),
        Event.RESPONSE_2XX: Row(State.Accepted, Action.SEND_ACCEPTED),
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.SEND_REJECTED),
    },
    State.Completed: {
        Event.REQUEST: Row(State.Completed, Action.RESEND),
        Event.TIMER_G: Row(State.Completed, Action.RESEND_DOUBLING),
        Event.TIMER_H: Row(State.Terminated, Action.GIVE_UP_ACK),
        Event.ACK: Row(State.Confirmed, Action.CONFIRM),
    },
    State.Confirmed: {
        # §17.2.1: "The purpose of the "Confirmed" state is to absorb any additional ACK messages
        # that arrive, triggered from retransmissions of the final response." A late INVITE is one
        # of these.
        Event.ACK: Row(State.Confirmed, Action.IGNORE),
        Event.REQUEST: Row(State.Confirmed, Action.IGNORE),
        Event.TIMER_I: Row(State.Terminated, Action.END),
    },
    State.Accepted: {
        # RFC 6026 §7.1: "any retransmissions of the INVITE [...] will match this transaction state
        # machine and will be absorbed by the machine without changing its state."
        Event.REQUEST: Row(State.Accepted, Action.IGNORE),
        # RFC 6026 §7.1: a 2xx that the user retransmits is passed to the transport.
        Event.RESPONSE_2XX: Row(State.Accepted, Action.SEND),
        Event.TIMER_L: Row(State.Terminated, Action.END),
    },
    State.Terminated: {},
}

NON_INVITE_SERVER: Final[Table] = {
    State.Trying: {
        # §17.2.2: "any further request retransmissions are discarded".
        Event.REQUEST: Row(State.Trying, Action.IGNORE),
        Event.RESPONSE_1XX: Row(State.Proceeding, Action.SEND),
        Event.RESPONSE_2XX: Row(State.Completed, Action.SEND_FINAL),
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.SEND_FINAL),
    },
    State.Proceeding: {
        Event.REQUEST: Row(State.Proceeding, Action.RESEND),
        Event.RESPONSE_1XX: Row(State.Proceeding, Action.SEND),
        Event.RESPONSE_2XX: Row(State.Completed, Action.SEND_FINAL),
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.SEND_FINAL),
    },
    State.Completed: {
        Event.REQUEST: Row(State.Completed, Action.RESEND),
        # §17.2.2: "Any other final responses passed by the TU to the server transaction MUST be
        # discarded while in the "Completed" state."
        Event.RESPONSE_2XX: Row(State.Completed, Action.IGNORE),
        Event.RESPONSE_FAILURE: Row(State.Completed, Action.IGNORE),
        Event.TIMER_J: Row(State.Terminated, Action.END),
    },
    State.Terminated: {},
}

_TIMERS: Final[dict[str, Event]] = {
    event.value.removeprefix("timer "): event for event in Event if event.value.startswith("timer ")
} | {"trying": Event.TIMER_TRYING, "cancel": Event.TIMER_CANCEL}


Perform = TypeVar("Perform")


def bind(
    table: Table, actions: Mapping[Action, Perform]
) -> dict[State, dict[Event, tuple[State, Perform]]]:
    """Put the code of each action into a table; KeyError when an action of the table has none."""
    return {
        state: {event: (row.next_state, actions[row.action]) for event, row in rows.items()}
        for state, rows in table.items()
    }


def timer_event(name: str) -> Event:
    """Return the event of a timer armed as "A" … "M", "trying" or "cancel"."""
    return _TIMERS[name]


def response_event(status: int) -> Event:
    """Return the event of a response with this status (100 to 699)."""
    if status >= 300:
        return Event.RESPONSE_FAILURE
    return Event.RESPONSE_2XX if status >= 200 else Event.RESPONSE_1XX
