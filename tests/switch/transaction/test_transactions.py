"""Matching (RFC 3261 §17.1.3, §17.2.3, §9.2), failures of transports, the gauges."""

import pytest

from switch.sip.build import make_request, make_response
from switch.sip.errors import LocalProtocolError
from switch.sip.flow import Flow
from switch.transaction import State

OLD = "SIP/2.0/UDP 192.0.2.7:5062;branch=1"


def receive(wire, request):
    return wire.layer.receive_request(request, wire.udp, wire.now)


def test_a_server_transaction_is_branch_sent_by_and_method(wire) -> None:
    first = receive(wire, wire.request("INVITE"))
    assert first is not None
    assert receive(wire, wire.request("INVITE")) is None
    others = [
        wire.request("INVITE", branch="z9hG4bK2"),
        wire.request("INVITE", via="SIP/2.0/UDP 192.0.2.8:5062;branch=z9hG4bK1"),
        wire.request("INVITE", via="SIP/2.0/UDP 192.0.2.7:5063;branch=z9hG4bK1"),
        wire.request("OPTIONS"),
    ]
    assert all(receive(wire, other) is not None for other in others)
    assert (wire.layer.server_count, wire.layer.client_count, len(wire.layer)) == (5, 0, 5)


def test_ack_opens_no_transaction(wire) -> None:
    with pytest.raises(LocalProtocolError, match="ACK"):
        receive(wire, wire.request("ACK"))


@pytest.mark.parametrize("old", [{}, {"via": OLD}], ids=["cookie", "RFC 2543"])
def test_a_cancel_finds_its_invite_and_has_its_own_transaction(wire, old) -> None:
    invite = receive(wire, wire.request("INVITE", **old))
    cancel = wire.request("CANCEL", **old)
    assert receive(wire, cancel) is not None
    assert wire.layer.find_invite(cancel) is invite
    assert receive(wire, wire.request("CANCEL", **old)) is None


@pytest.mark.parametrize("old", [{}, {"via": OLD}], ids=["cookie", "RFC 2543"])
def test_a_cancel_of_nothing_finds_nothing(wire, old) -> None:
    assert wire.layer.find_invite(wire.request("CANCEL", **old)) is None
    receive(wire, wire.request("OPTIONS", **old))
    assert wire.layer.find_invite(wire.request("CANCEL", **old)) is None


def test_a_cancel_after_the_final_response_still_finds_its_invite(wire) -> None:
    request = wire.request("INVITE")
    invite = receive(wire, request)
    invite.respond(wire.response(request, 200), wire.now)
    found = wire.layer.find_invite(wire.request("CANCEL"))
    assert found is invite
    assert found.is_answered


def test_cancel_while_ringing_as_a_server(wire) -> None:
    request, cancel = wire.request("INVITE"), wire.request("CANCEL")
    invite = receive(wire, request)
    invite.respond(wire.response(request, 180), wire.now)
    cancelling = receive(wire, cancel)
    cancelling.respond(wire.response(cancel, 200), wire.now)
    invite.respond(wire.response(request, 487), wire.now)
    assert wire.layer.receive_ack(wire.request("ACK"), wire.udp, wire.now)
    assert wire.sent() == ["180", "200", "487"]
    wire.fire(32)
    assert wire.is_clean()


@pytest.mark.parametrize(
    "change",
    [
        {"uri": "sip:103@example.com"},
        {"from_tag": "g"},
        {"call_id": "other@example.com"},
        {"cseq": "2"},
        {"via": "SIP/2.0/UDP 192.0.2.7:5062;branch=2"},
        {"via": "SIP/2.0/UDP 192.0.2.7:5063;branch=1"},
        {"via": "SIP/2.0/UDP 192.0.2.7:5062"},
    ],
)
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_without_the_cookie_all_of_the_2543_fields_count(wire, method, change) -> None:
    assert receive(wire, wire.request(method, via=OLD)) is not None
    assert receive(wire, wire.request(method, via=OLD)) is None
    assert receive(wire, wire.request(method, **{"via": OLD, **change})) is not None


def test_with_the_cookie_the_2543_fields_do_not_count(wire) -> None:
    assert receive(wire, wire.request("OPTIONS")) is not None
    assert receive(wire, wire.request("OPTIONS", cseq="2", from_tag="g")) is None


def test_without_the_cookie_an_ack_needs_the_to_tag_of_our_response(wire) -> None:
    request = wire.request("INVITE", via=OLD)
    tx = receive(wire, request)
    tx.respond(wire.response(request, 486, tag="ours"), wire.now)

    def ack(tag: str) -> bool:
        to = f"<sip:102@example.com>;tag={tag}"
        return wire.layer.receive_ack(wire.request("ACK", via=OLD, to=to), wire.udp, wire.now)

    assert not ack("another")
    assert tx.state is State.Completed
    assert ack("ours")
    assert tx.state is State.Confirmed
    assert ack("ours")


def test_a_response_needs_the_branch_and_the_method_of_cseq(wire) -> None:
    request = wire.request("INVITE")
    wire.layer.request(request, wire.udp, wire.user, wire.now)
    wrong = [
        wire.response(wire.request("INVITE", branch="z9hG4bK2"), 180),
        wire.response(wire.request("CANCEL"), 200),
        wire.response(wire.request("INVITE", via="SIP/2.0/UDP 192.0.2.7:5062"), 200),
    ]
    for number, response in enumerate(wrong, start=1):
        assert not wire.layer.receive_response(response, wire.udp, wire.now)
        assert wire.layer.strays == number
    assert wire.told() == []
    assert wire.layer.receive_response(wire.response(request, 180), wire.udp, wire.now)


def test_a_branch_is_used_once(wire) -> None:
    wire.layer.request(wire.request("INVITE"), wire.udp, wire.user, wire.now)
    with pytest.raises(LocalProtocolError, match="z9hG4bK1 is in use for INVITE"):
        wire.layer.request(wire.request("INVITE"), wire.udp, wire.user, wire.now)
    assert wire.sent() == ["INVITE"]


@pytest.mark.parametrize(("method", "via"), [("ACK", None), ("INVITE", "SIP/2.0/UDP 192.0.2.7")])
def test_what_opens_no_client_transaction(wire, method, via) -> None:
    request = wire.request(method, **({"via": via} if via else {}))
    with pytest.raises(LocalProtocolError, match="opens no transaction"):
        wire.layer.request(request, wire.udp, wire.user, wire.now)
    assert wire.is_clean()


# Transports


def follow(wire, branch: str, flow: Flow, method: str = "OPTIONS"):
    request = wire.request(method, branch=branch)
    return wire.layer.request(request, flow, wire.user, wire.now), request


def test_a_closed_connection_fails_what_was_sent_on_it_and_nothing_else(wire) -> None:
    on_it, _ = follow(wire, "z9hG4bKa", wire.tcp)
    opened_for, _ = follow(wire, "z9hG4bKb", wire.tcp._replace(connection=0), "INVITE")
    beside, _ = follow(wire, "z9hG4bKc", wire.tcp._replace(connection=4))
    elsewhere, _ = follow(wire, "z9hG4bKd", wire.tcp._replace(remote=("192.0.2.8", 5062)))
    over_udp, _ = follow(wire, "z9hG4bKe", wire.udp)
    wire.layer.transport_failed(wire.tcp, wire.now)
    assert wire.told() == ["transport error", "transport error"]
    assert on_it.state is opened_for.state is State.Terminated
    assert all(tx.state is State.Trying for tx in (beside, elsewhere, over_udp))


def test_a_connection_that_could_not_be_opened_fails_only_what_waited_for_it(wire) -> None:
    follow(wire, "z9hG4bKa", wire.tcp)
    waiting, _ = follow(wire, "z9hG4bKb", wire.tcp._replace(connection=0))
    wire.layer.transport_failed(wire.tcp._replace(connection=0), wire.now)
    assert waiting.state is State.Terminated
    assert wire.layer.client_count == 1


def test_icmp_fails_an_invite_that_nobody_answered_and_spares_one_that_rings(wire) -> None:
    silent, _ = follow(wire, "z9hG4bKa", wire.udp, "INVITE")
    ringing, request = follow(wire, "z9hG4bKb", wire.udp, "INVITE")
    wire.layer.receive_response(wire.response(request, 180), wire.udp, wire.now)
    wire.told()
    wire.layer.transport_failed(wire.udp, wire.now)
    assert wire.told() == ["transport error"]
    assert silent.state is State.Terminated
    assert ringing.state is State.Proceeding


def test_an_owner_may_send_again_while_it_is_told_of_a_failure(wire) -> None:
    class Persistent:
        count = 0

        def on_transport_error(self, tx, now) -> None:
            self.count += 1
            again = make_request(
                "OPTIONS",
                tx.request.uri,
                [
                    (n, v.replace("z9hG4bKa", "z9hG4bKb"))
                    for n, v in zip(tx.request.names, tx.request.values, strict=True)
                ],
            )
            wire.layer.request(again, tx.flow, self, now)

    owner = Persistent()
    wire.layer.request(wire.request("OPTIONS", branch="z9hG4bKa"), wire.tcp, owner, wire.now)
    wire.layer.transport_failed(wire.tcp, wire.now)
    assert owner.count == 1
    assert wire.layer.client_count == 1


def test_a_cancel_that_fails_bothers_nobody(wire) -> None:
    tx, request = follow(wire, "z9hG4bKa", wire.tcp, "INVITE")
    wire.layer.receive_response(wire.response(request, 180), wire.tcp, wire.now)
    tx.cancel(wire.now)
    wire.told()
    wire.layer.transport_failed(wire.tcp, wire.now)
    assert wire.told() == ["transport error"]
    assert wire.is_clean()


def test_a_thousand_calls_leave_nothing(wire) -> None:
    for number in range(1000):
        invite = wire.request("INVITE", branch=f"z9hG4bKa{number}")
        tx = receive(wire, invite)
        out = wire.request("INVITE", branch=f"z9hG4bKb{number}")
        wire.layer.request(out, wire.udp, wire.user, wire.now)
        for status in (100, 180, 200):
            wire.layer.receive_response(make_response(out, status, to_tag="t"), wire.udp, wire.now)
            tx.respond(make_response(invite, status, to_tag="u"), wire.now)
        bye = wire.request("BYE", branch=f"z9hG4bKc{number}")
        receive(wire, bye).respond(make_response(bye, 200, to_tag="u"), wire.now)
    assert len(wire.layer) == 3000
    wire.fire(32)
    assert wire.is_clean()
    assert wire.layer.ignored == 0
