"""Client transactions as flows: retransmission, ACK and CANCEL on the wire, memory."""

import gc
import weakref

import pytest

from switch.sip.errors import LocalProtocolError
from switch.sip.message import Request
from switch.transaction import State


def invite(wire, flow=None):
    request = wire.request("INVITE")
    tx = wire.layer.request(request, flow or wire.udp, wire.user, wire.now)
    return tx, request


def receive(wire, request, status, tag="t") -> bool:
    return wire.layer.receive_response(wire.response(request, status, tag), wire.udp, wire.now)


def test_invite_is_sent_seven_times_over_udp_then_times_out(wire) -> None:
    invite(wire)
    assert wire.sent() == ["INVITE"]
    assert wire.times(31.9, wire.sent) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert wire.times(40, wire.told) == [32.0]
    assert wire.user.told == ["timeout"]
    assert wire.is_clean()


def test_invite_is_sent_once_over_tcp_and_times_out_all_the_same(wire) -> None:
    invite(wire, wire.tcp)
    assert wire.sent() == ["INVITE"]
    assert wire.times(31.9, wire.sent) == []
    wire.fire(32)
    assert wire.told() == ["timeout"]
    assert wire.is_clean()


def test_other_requests_are_repeated_up_to_t2_and_after_a_provisional_each_t2(wire) -> None:
    request = wire.request("OPTIONS")
    wire.layer.request(request, wire.udp, wire.user, wire.now)
    wire.sent()
    assert wire.times(12, wire.sent) == [0.5, 1.5, 3.5, 7.5, 11.5]
    receive(wire, request, 100)
    assert wire.told() == [100]
    # The running timer E (T2 already) fires at 15.5, then each T2; F isn't stopped by a 1xx.
    assert wire.times(31.9, wire.sent) == [15.5, 19.5, 23.5, 27.5, 31.5]
    wire.fire(32)
    assert wire.told() == ["timeout"]
    assert wire.is_clean()


def test_a_provisional_stops_the_repetition_and_ringing_has_no_limit_here(wire) -> None:
    tx, request = invite(wire)
    wire.sent()
    assert receive(wire, request, 180)
    wire.fire(600)
    assert wire.sent() == []
    assert tx.state is State.Proceeding
    assert len(wire.wheel) == 0


def test_the_ack_to_a_failure_is_of_the_invites_own_transaction(wire) -> None:
    _, request = invite(wire)
    wire.sent()
    receive(wire, request, 486, tag="theirs")
    ack = wire.sent_message()
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri) == ("ACK", request.uri)
    assert ack.via.branch == request.via.branch
    assert (ack.cseq.number, ack.cseq.method) == (1, "ACK")
    assert (ack.from_tag, ack.to_tag, ack.call_id) == ("f", "theirs", request.call_id)
    assert ack.get_all("Via") == [str(request.via)]


def test_a_failure_repeated_within_32_s_is_acknowledged_again_and_told_once(wire) -> None:
    tx, request = invite(wire)
    receive(wire, request, 486)
    assert wire.sent() == ["INVITE", "ACK"]
    for at in (0.5, 1.5, 31.9):
        wire.fire(at)
        assert receive(wire, request, 486)
        assert wire.sent() == ["ACK"]
    assert wire.told() == [486]
    wire.fire(32)
    assert tx.state is State.Terminated
    assert wire.is_clean()
    assert not receive(wire, request, 486)
    assert wire.layer.strays == 1


def test_over_tcp_nothing_lingers_after_a_failure(wire) -> None:
    _, request = invite(wire, wire.tcp)
    receive(wire, request, 486)
    assert wire.sent() == ["INVITE", "ACK"]
    assert wire.told() == [486]
    assert wire.is_clean()


def test_over_tcp_nothing_lingers_after_the_answer_to_another_request(wire) -> None:
    request = wire.request("BYE")
    wire.layer.request(request, wire.tcp, wire.user, wire.now)
    receive(wire, request, 200)
    assert wire.told() == [200]
    assert wire.is_clean()


def test_over_udp_a_repeated_answer_is_absorbed_for_t4(wire) -> None:
    request = wire.request("BYE")
    wire.layer.request(request, wire.udp, wire.user, wire.now)
    receive(wire, request, 200)
    wire.fire(4.9)
    assert receive(wire, request, 200)
    assert wire.told() == [200]
    wire.fire(5)
    assert wire.is_clean()


def test_each_2xx_goes_up_also_that_of_another_fork_for_32_s(wire) -> None:
    tx, request = invite(wire)
    assert receive(wire, request, 200, "a")
    assert receive(wire, request, 200, "b")
    assert receive(wire, request, 200, "a")
    assert wire.told() == [200, 200, 200]
    assert wire.sent() == ["INVITE"]  # the ACK to a 2xx is the dialog's
    assert tx.state is State.Accepted
    wire.fire(32)
    assert wire.is_clean()


def test_a_2xx_after_its_owner_has_gone_is_left_to_the_dialogs(wire) -> None:
    tx, request = invite(wire)
    receive(wire, request, 200)
    tx.owner = None
    assert not receive(wire, request, 200)
    assert wire.layer.strays == 1


def test_a_2xx_of_another_fork_after_a_failure_is_left_to_the_dialogs(wire) -> None:
    _, request = invite(wire)
    receive(wire, request, 486)
    assert not receive(wire, request, 200)
    assert wire.told() == [486]


def test_a_failure_after_a_2xx_is_dropped(wire) -> None:
    _, request = invite(wire)
    receive(wire, request, 200)
    assert receive(wire, request, 486)
    assert wire.sent() == ["INVITE"]
    assert wire.told() == [200]


# CANCEL


def test_cancel_waits_for_a_provisional_response(wire) -> None:
    tx, request = invite(wire)
    tx.cancel(wire.now)
    assert wire.sent() == ["INVITE"]
    wire.fire(0.5)
    assert wire.sent() == ["INVITE"]
    receive(wire, request, 100)
    assert wire.told() == [100]
    cancel = wire.sent_message()
    assert isinstance(cancel, Request)
    assert cancel.method == "CANCEL"
    assert cancel.via.branch == request.via.branch
    assert (cancel.cseq.number, cancel.to_tag) == (1, None)


def test_a_whole_cancel_ends_with_487_and_leaves_nothing(wire) -> None:
    tx, request = invite(wire)
    receive(wire, request, 180)
    tx.cancel(wire.now)
    assert wire.sent() == ["INVITE", "CANCEL"]
    assert receive(wire, wire.request("CANCEL"), 200)
    receive(wire, request, 487)
    assert wire.sent() == ["ACK"]
    assert wire.told() == [180, 487]
    wire.fire(32)
    assert wire.is_clean()


def test_cancel_is_sent_once_however_often_it_is_asked_for(wire) -> None:
    tx, request = invite(wire)
    tx.cancel(wire.now)
    tx.cancel(wire.now)
    receive(wire, request, 180)
    receive(wire, request, 183)
    tx.cancel(wire.now)
    assert wire.sent() == ["INVITE", "CANCEL"]


def test_cancel_is_repeated_like_any_request(wire) -> None:
    tx, request = invite(wire)
    receive(wire, request, 180)
    tx.cancel(wire.now)
    wire.sent()
    assert wire.times(8, wire.sent) == [0.5, 1.5, 3.5, 7.5]


def test_cancel_crossing_a_200_changes_nothing(wire) -> None:
    tx, request = invite(wire)
    receive(wire, request, 180)
    tx.cancel(wire.now)
    receive(wire, request, 200)
    assert wire.told() == [180, 200]
    tx.cancel(wire.now)
    assert wire.sent() == ["INVITE", "CANCEL"]
    receive(wire, wire.request("CANCEL"), 481)
    wire.fire(40)
    assert wire.told() == []
    assert wire.is_clean()


def test_a_final_response_without_a_provisional_overtakes_the_waiting_cancel(wire) -> None:
    tx, request = invite(wire)
    tx.cancel(wire.now)
    receive(wire, request, 200)
    assert wire.sent() == ["INVITE"]
    assert wire.told() == [200]


def test_no_final_response_within_32_s_of_cancel_ends_the_invite(wire) -> None:
    tx, request = invite(wire)
    receive(wire, request, 180)
    wire.fire(10)
    tx.cancel(wire.now)
    receive(wire, request, 180)  # still ringing, whatever it says
    wire.fire(41.9)
    assert "timeout" not in wire.told()
    wire.fire(42)
    assert wire.told() == ["timeout"]
    assert wire.is_clean()


def test_an_owner_may_cancel_while_it_is_told_of_the_first_provisional(wire) -> None:
    tx, request = invite(wire)
    told = wire.user.on_response

    def cancel_at_once(tx, response, now) -> None:
        told(tx, response, now)
        tx.cancel(now)

    wire.user.on_response = cancel_at_once
    tx.cancel(wire.now)
    receive(wire, request, 180)
    assert wire.sent() == ["INVITE", "CANCEL"]


# Memory


def test_the_request_is_there_when_the_owner_is_told_and_given_back_after(wire) -> None:
    tx, request = invite(wire)
    receive(wire, request, 401)  # the user asserts that it could still read the request
    with pytest.raises(LocalProtocolError, match="INVITE was given back in Completed"):
        _ = tx.request
    assert tx.owner is None


def test_a_lingering_transaction_holds_neither_request_nor_owner(wire) -> None:
    class Weak:
        def on_response(self, tx, response, now) -> None: ...

    class WeakRequest(Request):
        __slots__ = ("__weakref__",)

    plain = wire.request("BYE")
    request = WeakRequest(plain.method, plain.uri, plain.names, plain.values)
    owner = Weak()
    held = weakref.ref(request), weakref.ref(owner)
    wire.layer.request(request, wire.udp, owner, wire.now)
    receive(wire, request, 200)
    assert len(wire.layer) == 1
    gc.disable()  # by counting alone: no reference cycle
    try:
        del request, owner
        assert [ref() for ref in held] == [None, None]
    finally:
        gc.enable()


def test_an_invite_of_before_a_restart_is_cancelled_without_being_sent_again(wire) -> None:
    request = wire.request("INVITE")
    tx = wire.layer.resume(request, wire.udp, wire.user)
    assert wire.sent() == []
    tx.cancel(wire.now)
    assert wire.sent() == ["CANCEL"]
    receive(wire, request, 487)
    assert wire.sent() == ["ACK"]
    assert wire.told() == [487]
    receive(wire, wire.request("CANCEL"), 200)
    wire.fire(40)
    assert wire.is_clean()


def test_an_invite_of_before_a_restart_that_nobody_knows_ends_by_itself(wire) -> None:
    wire.layer.resume(wire.request("INVITE"), wire.udp, wire.user).cancel(wire.now)
    wire.fire(70)
    assert wire.told() == ["timeout"]
    assert wire.is_clean()
