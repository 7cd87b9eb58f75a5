"""Reliable provisional responses (RFC 3262): RSeq on one side, RAck on the other.

Two small machines without timers of their own: the leg retransmits what `ReliableSender` holds until
`acknowledge` takes the PRACK; `ReliableReceiver` tells a new provisional from a repeated one.
"""

from dataclasses import dataclass

from switch.sip.flow import Flow

MAX_RSEQ_DIGITS = 10  # §7.1: below 2**32
FIRST_RSEQ = 1  # any start is legal (§3); a fixed one keeps captures readable


@dataclass(slots=True)
class Unacknowledged:
    """A provisional that waits for its PRACK: bytes to repeat, and the wait before the next."""

    rseq: int
    flow: Flow
    data: bytes
    interval_s: float
    carries_offer: bool


class ReliableSender:
    """The UAS side: one provisional at a time waits for its PRACK (§3)."""

    __slots__ = ("next_rseq", "waiting")

    def __init__(self) -> None:
        self.next_rseq = FIRST_RSEQ
        self.waiting: Unacknowledged | None = None

    def take_rseq(self) -> int:
        """The next RSeq of this INVITE."""
        rseq = self.next_rseq
        self.next_rseq += 1
        return rseq

    def acknowledge(self, rack: str | None, invite_cseq: int) -> Unacknowledged | None:
        """What a PRACK's RAck acknowledges; None when nothing waits under it (answer 481)."""
        waiting = self.waiting
        if waiting is None or rack is None:
            return None
        if rack.split() != [str(waiting.rseq), str(invite_cseq), "INVITE"]:
            return None
        self.waiting = None
        return waiting


class ReliableReceiver:
    """The UAC side: accepts provisionals in order, once (§4)."""

    __slots__ = ("last_rseq",)

    def __init__(self) -> None:
        self.last_rseq: int | None = None

    def accept(self, value: str) -> bool:
        """True for the next provisional in order; False for a repeated or early one, or no RSeq at all."""
        if not (value.isascii() and value.isdigit() and len(value) <= MAX_RSEQ_DIGITS):
            return False
        rseq = int(value)
        if self.last_rseq is not None and rseq != self.last_rseq + 1:
            return False
        self.last_rseq = rseq
        return True
