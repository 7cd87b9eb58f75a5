"""One OPTIONS that a person waits for."""

import pytest

from switch.clock import Wheel
from switch.sip.build import make_response
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.outbox import Outbox
from switch.sip.parser import parse
from switch.transaction.transactions import Transactions
from switch.trunk.enquiry import NO_ANSWER, UNREACHABLE, Enquiry

FLOW = Flow("UDP", ("127.0.0.1", 5060), ("192.0.2.1", 5060))


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def layer(outbox: Outbox) -> Transactions:
    return Transactions(Wheel(), outbox)


def test_an_answer_with_its_time(layer: Transactions, outbox: Outbox) -> None:
    done: list[Enquiry] = []
    enquiry = Enquiry("carrier.example", FLOW, layer, done.append, 1000.0)
    (sent,) = [parse(data) for _, data in outbox.datagrams]
    assert isinstance(sent, Request)
    assert (sent.method, sent.uri) == ("OPTIONS", "sip:carrier.example")
    layer.receive_response(make_response(sent, 100, to_tag=None), FLOW, 1000.05)
    assert done == []
    layer.receive_response(make_response(sent, 404, to_tag="t"), FLOW, 1000.1)
    assert done == [enquiry]
    assert (enquiry.status, enquiry.reason) == (404, "")
    assert enquiry.answer_s == pytest.approx(0.1)


def test_no_path(layer: Transactions) -> None:
    done: list[Enquiry] = []
    Enquiry("carrier.example", FLOW, layer, done.append, 1000.0)
    layer.transport_failed(FLOW, 1000.2)
    assert [(each.status, each.reason) for each in done] == [(0, UNREACHABLE)]


def test_given_up(layer: Transactions, outbox: Outbox) -> None:
    done: list[Enquiry] = []
    enquiry = Enquiry("carrier.example", FLOW, layer, done.append, 1000.0)
    sent = parse(outbox.datagrams[0][1])
    assert isinstance(sent, Request)
    enquiry.give_up()
    layer.receive_response(make_response(sent, 200, to_tag="t"), FLOW, 1004.0)
    assert done == [] and (enquiry.status, enquiry.reason) == (0, NO_ANSWER)
