"""The states of a call, seen from the middle, and of a leg."""

from enum import Enum


class CallState(Enum):
    """Where the call stands."""

    TRYING = "Trying"
    HEARING = "Hearing"  # answered, by an announcement
    CONNECTED = "Connected"
    ENDED = "Ended"


class LegState(Enum):
    """Where a leg stands: before, in and after its confirmed dialog."""

    EARLY = "Early"
    ANSWERED = "Answered"  # our 2xx to the caller waits for its ACK
    CONFIRMED = "Confirmed"
    ENDED = "Ended"
