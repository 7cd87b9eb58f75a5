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
    carries_answer: bool = False


class ReliableSender:
    """The UAS side: one provisional at a time waits for its PRACK (§3)."""

    __slots__ = ("_overtaken", "next_rseq", "waiting")

    def __init__(self) -> None:
        self.next_rseq = FIRST_RSEQ
        self.waiting: Unacknowledged | None = None
        self._overtaken: list[int] = []

    def take_rseq(self) -> int:
        """The next RSeq of this INVITE."""
        rseq = self.next_rseq
        self.next_rseq += 1
        return rseq

    def acknowledge(self, rack: str | None, invite_cseq: int) -> Unacknowledged | None:
        """What a PRACK's RAck acknowledges; None when nothing waits under it (answer 481)."""
        waiting = self.waiting
        if waiting is None or not _matches(rack, waiting.rseq, invite_cseq):
            return None
        self.waiting = None
        return waiting

    def give_up(self) -> None:
        """A final response or another early dialog overtook what waits; its PRACK may be on its way."""
        if self.waiting is not None:
            self._overtaken.append(self.waiting.rseq)
            self.waiting = None

    def was_overtaken(self, rack: str | None, invite_cseq: int) -> bool:
        """Whether a PRACK is for what was given up: it is answered 200 all the same (§3), since 481 would
        say that the dialog is unknown."""
        return any(_matches(rack, rseq, invite_cseq) for rseq in self._overtaken)


def _matches(rack: str | None, rseq: int, invite_cseq: int) -> bool:
    return rack is not None and rack.split() == [str(rseq), str(invite_cseq), "INVITE"]


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
