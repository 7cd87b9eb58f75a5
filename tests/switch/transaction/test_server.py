"""Server transactions as flows: repetition both ways, where responses go, memory."""

import pytest

from switch.sip.errors import LocalProtocolError
from switch.sip.flow import Flow
from switch.sip.message import Response
from switch.transaction import State


def opened(wire, method="INVITE", flow=None, **change):
    request = wire.request(method, **change)
    tx = wire.layer.receive_request(request, flow or wire.udp, wire.now)
    assert tx is not None
    tx.owner = wire.user
    return tx, request


def again(wire, method="INVITE", **change):
    return wire.layer.receive_request(wire.request(method, **change), wire.udp, wire.now)


def test_100_is_sent_after_200_ms_of_silence(wire) -> None:
    tx, request = opened(wire)
    assert wire.times(60, lambda: wire.outbox.datagrams and [wire.sent_message()]) == [0.2]
    assert tx.state is State.Proceeding
    assert tx.request is request


def test_100_of_our_own_copies_the_request_and_has_no_tag(wire) -> None:
    _, request = opened(wire)
    wire.fire(0.2)
    trying = wire.sent_message()
    assert isinstance(trying, Response)
    assert (trying.status, trying.to_tag) == (100, None)
    assert trying.get_all("Via") == request.get_all("Via")


def test_no_100_after_another_provisional_or_a_final_response(wire) -> None:
    tx, request = opened(wire)
    tx.respond(wire.response(request, 180), wire.now)
    tx, request = opened(wire, branch="z9hG4bK2")
    tx.respond(wire.response(request, 200), wire.now)
    wire.sent()
    wire.fire(1)
    assert wire.sent() == []


def test_what_is_answered_and_forgotten_is_not_repeated(wire) -> None:
    tx, request = opened(wire)
    tx.respond_and_forget(wire.response(request, 401), wire.now)
    assert wire.sent() == ["401"]
    assert tx.state is State.Terminated and len(wire.layer) == 0
    wire.fire(60)
    assert wire.sent() == []
    assert again(wire) is not None, "a repetition is a new request"
    with pytest.raises(LocalProtocolError):
        tx.respond_and_forget(wire.response(request, 401), wire.now)


def test_no_100_to_a_request_that_is_no_invite(wire) -> None:
    opened(wire, "OPTIONS")
    wire.fire(60)
    assert wire.sent() == []


def test_a_repeated_invite_is_absorbed_silently_until_something_was_sent(wire) -> None:
    tx, request = opened(wire)
    assert again(wire) is None
    assert wire.sent() == []
    tx.respond(wire.response(request, 180), wire.now)
    assert again(wire) is None
    assert wire.sent() == ["180", "180"]
    assert (wire.layer.absorbed, len(wire.layer)) == (2, 1)


def test_a_failure_is_repeated_until_its_ack_up_to_t2(wire) -> None:
    tx, request = opened(wire)
    tx.respond(wire.response(request, 486), wire.now)
    assert wire.sent() == ["486"]
    assert wire.times(12, wire.sent) == [0.5, 1.5, 3.5, 7.5, 11.5]
    assert wire.layer.receive_ack(wire.request("ACK"), wire.udp, wire.now)
    assert wire.layer.receive_ack(wire.request("ACK"), wire.udp, wire.now)
    assert again(wire) is None
    assert wire.times(16.9, wire.sent) == []
    assert len(wire.layer) == 1
    wire.fire(17)
    assert wire.is_clean()


def test_a_failure_without_ack_is_told_after_32_s(wire) -> None:
    tx, request = opened(wire)
    tx.respond(wire.response(request, 486), wire.now)
    assert wire.times(60, wire.told) == [32.0]
    assert wire.user.told == ["no ACK"]
    assert wire.is_clean()


def test_over_tcp_a_failure_is_sent_once_and_ends_with_its_ack(wire) -> None:
    tx, request = opened(wire, flow=wire.tcp)
    tx.respond(wire.response(request, 486), wire.now)
    wire.fire(20)
    assert wire.sent() == ["486"]
    assert wire.layer.receive_ack(wire.request("ACK"), wire.tcp, wire.now)
    assert wire.is_clean()


def test_a_2xx_is_not_repeated_by_the_transaction_but_by_its_user(wire) -> None:
    tx, request = opened(wire)
    tx.respond(wire.response(request, 200), wire.now)
    assert wire.sent() == ["200"]
    wire.fire(20)
    assert wire.sent() == []
    tx.retransmit()
    assert wire.sent() == ["200"]
    tx.acknowledged()
    tx.retransmit()
    assert wire.sent() == []


def test_retransmit_is_only_for_a_2xx(wire) -> None:
    tx, request = opened(wire)
    tx.respond(wire.response(request, 180), wire.now)
    wire.sent()
    tx.retransmit()
    assert wire.sent() == []
    tx.acknowledged()
    again(wire)
    assert wire.sent() == ["180"]


def test_a_repeated_invite_after_200_is_absorbed_for_32_s(wire) -> None:
    tx, request = opened(wire)
    tx.respond(wire.response(request, 200), wire.now)
    wire.sent()
    wire.fire(31.9)
    assert again(wire) is None
    assert wire.sent() == []
    wire.fire(32)
    assert wire.is_clean()
    assert again(wire) is not None


def test_an_ack_to_200_is_for_the_dialog_even_with_the_branch_of_the_invite(wire) -> None:
    tx, request = opened(wire)
    tx.respond(wire.response(request, 200), wire.now)
    assert not wire.layer.receive_ack(wire.request("ACK"), wire.udp, wire.now)


def test_an_ack_before_any_final_response_is_not_absorbed(wire) -> None:
    tx, _ = opened(wire)
    assert not wire.layer.receive_ack(wire.request("ACK"), wire.udp, wire.now)
    assert tx.state is State.Proceeding


def test_a_stray_ack_is_not_absorbed(wire) -> None:
    assert not wire.layer.receive_ack(wire.request("ACK"), wire.udp, wire.now)


def test_the_answer_to_another_request_is_repeated_on_demand_for_32_s_over_udp(wire) -> None:
    tx, request = opened(wire, "BYE")
    assert again(wire, "BYE") is None
    assert wire.sent() == []
    tx.respond(wire.response(request, 200), wire.now)
    wire.fire(31.9)
    assert again(wire, "BYE") is None
    assert wire.sent() == ["200", "200"]
    wire.fire(32)
    assert wire.is_clean()


def test_over_tcp_the_answer_to_another_request_ends_it(wire) -> None:
    tx, request = opened(wire, "BYE", wire.tcp)
    tx.respond(wire.response(request, 200), wire.now)
    assert wire.sent() == ["200"]
    assert wire.is_clean()


def test_is_answered(wire) -> None:
    tx, request = opened(wire)
    assert not tx.is_answered
    tx.respond(wire.response(request, 180), wire.now)
    assert not tx.is_answered
    tx.respond(wire.response(request, 487), wire.now)
    assert tx.is_answered


# Where responses go (§18.2.2, RFC 3581)


@pytest.mark.parametrize(
    ("via", "to"),
    [
        ("SIP/2.0/UDP 192.0.2.7:5999;rport;branch=z9hG4bK1", 5062),  # symmetric: to the source
        (
            "SIP/2.0/UDP 192.0.2.7:5999;branch=z9hG4bK1",
            5999,
        ),  # as the RFC says: to the sent-by port
        ("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1", 5060),
        (
            "SIP/2.0/UDP 10.0.0.4:5999;branch=z9hG4bK1",
            5062,
        ),  # a NAT: only the source port passes it
    ],
)
def test_where_a_response_over_udp_goes(wire, via, to) -> None:
    tx, request = opened(wire, via=via)
    tx.respond(wire.response(request, 180), wire.now)
    assert [flow for flow, _ in wire.outbox.datagrams] == [
        Flow("UDP", wire.udp.local, (wire.udp.remote[0], to))
    ]
    assert tx.flow == wire.udp


def test_a_response_over_tcp_goes_back_on_its_connection(wire) -> None:
    tx, request = opened(wire, flow=wire.tcp, via="SIP/2.0/TCP 192.0.2.7:5999;branch=z9hG4bK1")
    tx.respond(wire.response(request, 180), wire.now)
    assert [flow for flow, _ in wire.outbox.datagrams] == [wire.tcp]


# Memory


def test_the_request_is_given_back_with_the_final_response(wire) -> None:
    tx, request = opened(wire)
    tx.respond(wire.response(request, 180), wire.now)
    assert tx.request is request
    tx.respond(wire.response(request, 200), wire.now)
    with pytest.raises(LocalProtocolError, match="INVITE was given back in Accepted"):
        _ = tx.request
    assert tx.owner is None


def test_an_acknowledged_transaction_holds_less_than_a_kilobyte(wire) -> None:
    import sys

    tx, request = opened(wire)
    tx.respond(wire.response(request, 200), wire.now)
    tx.acknowledged()
    own = [tx, tx.key, *tx.key, tx.flow, tx._limit]
    for name in tx.__slots__:
        value = getattr(tx, name)
        assert not isinstance(value, (bytes, Response)), name
    assert sum(sys.getsizeof(part) for part in own) < 1024
