"""Reliable provisional responses (RFC 3262): the order of RSeq, the match of RAck."""

import pytest

from switch.dialog.reliable import ReliableReceiver, ReliableSender, Unacknowledged
from switch.sip.flow import Flow

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5062))


def waiting() -> ReliableSender:
    sender = ReliableSender()
    sender.waiting = Unacknowledged(sender.take_rseq(), FLOW, b"", 0.5, carries_offer=False)
    return sender


def test_a_prack_acknowledges_once() -> None:
    sender = waiting()
    taken = sender.acknowledge("1 7 INVITE", 7)
    assert taken is not None and taken.rseq == 1
    assert sender.acknowledge("1 7 INVITE", 7) is None
    assert sender.take_rseq() == 2


@pytest.mark.parametrize("rack", [None, "", "2 7 INVITE", "1 8 INVITE", "1 7 UPDATE", "1 7", "x"])
def test_a_rack_that_matches_nothing(rack: str | None) -> None:
    sender = waiting()
    assert sender.acknowledge(rack, 7) is None
    assert sender.waiting is not None


def test_the_receiver_takes_them_in_order() -> None:
    receiver = ReliableReceiver()
    assert receiver.accept("4000"), "any start is legal"
    assert not receiver.accept("4000")
    assert not receiver.accept("4002")
    assert receiver.accept("4001")
