"""Offer and answer in every legal place (RFC 6337 §2): re-INVITE, UPDATE, 100rel, and glare."""

import pytest

from tests.flows.actors import World, established, hang_up, sdp


@pytest.mark.parametrize("holder", ["caller", "callee"])
def test_hold_and_resume(world: World, holder: str) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    first, second = (caller, callee) if holder == "caller" else (callee, caller)
    for version, mine, theirs in ((2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")):
        first.reinvite(body=sdp("holder", version, mine))
        asked = second.expect("INVITE")
        assert asked.body == sdp("holder", version, mine)
        second.actor.reply(asked, 200, body=sdp("held", version, theirs))
        second.expect("ACK")
        assert first.expect(200).body == sdp("held", version, theirs)
        first.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_a_refused_reinvite_leaves_the_call_as_it_was(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    b.reply(callee.expect("INVITE"), 488)
    callee.expect("ACK")
    caller.fails(488)
    hang_up(callee, caller)
    world.assert_idle()


def test_a_reinvite_without_offer(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite()
    asked = callee.expect("INVITE")
    assert asked.body == b""
    b.reply(asked, 200, body=sdp("102", 2))
    assert caller.expect(200).body == sdp("102", 2)
    b.silent()
    caller.ack(sdp("101", 2))
    assert callee.expect("ACK").body == sdp("101", 2)
    hang_up(caller, callee)
    world.assert_idle()


@pytest.mark.parametrize("asker", ["caller", "callee"])
def test_update_crosses_as_update_where_the_peer_takes_it(world: World, asker: str) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Allow", "INVITE, ACK, BYE, UPDATE"))
    callee = b.called()
    callee.answer(200, ("Allow", "INVITE, ACK, BYE, UPDATE"), body=sdp("102"))
    caller.expect(200)
    callee.expect("ACK")
    caller.ack()
    first, second = (caller, callee) if asker == "caller" else (callee, caller)
    first.send("UPDATE", body=sdp("new", 2))
    asked = second.expect("UPDATE")
    assert asked.body == sdp("new", 2)
    second.actor.reply(asked, 200, body=sdp("answer", 2))
    assert first.expect(200).body == sdp("answer", 2)
    hang_up(caller, callee)
    world.assert_idle()


def test_update_crosses_as_reinvite_where_the_peer_does_not(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.send("UPDATE", body=sdp("101", 2))
    b.reply(callee.expect("INVITE"), 200, body=sdp("102", 2))
    callee.expect("ACK")
    assert caller.expect(200).body == sdp("102", 2)


def test_update_before_the_answer(world: World) -> None:
    """An offer in UPDATE in the early dialog (RFC 3311 §5.1), after 183 answered the first."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Supported", "100rel"), ("Allow", "UPDATE, PRACK"))
    callee = b.called()
    callee.answer(
        183, ("Allow", "UPDATE, PRACK"), ("Require", "100rel"), ("RSeq", "1"), body=sdp("102")
    )
    b.reply(callee.expect("PRACK"), 200)
    progress = caller.expect(183)
    caller.send("PRACK", ("RAck", f"{progress.get('RSeq')} {progress.cseq.number} INVITE"))
    caller.expect(200)
    caller.send("UPDATE", body=sdp("101", 2))
    asked = callee.expect("UPDATE")
    b.reply(asked, 200, body=sdp("102", 2))
    assert caller.expect(200).body == sdp("102", 2)


# -- glare ---------------------------------------------------------------------------------------


def test_both_sides_offer_at_once(world: World) -> None:
    """Our offer to B is open when B's arrives: 491, and B's own 491 crosses back to A (§14.1)."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    asked = callee.expect("INVITE")
    callee.reinvite(body=sdp("102", 2))
    callee.fails(491)
    b.reply(asked, 491)
    callee.expect("ACK")
    caller.fails(491)
    callee.reinvite(body=sdp("102", 3))
    a.reply(caller.expect("INVITE"), 200, body=sdp("101", 3))
    caller.expect("ACK")
    callee.expect(200)
    callee.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_a_second_offer_of_the_same_side_is_500(world: World) -> None:
    """§14.2: a second INVITE before the answer to the first gets 500 with Retry-After."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    callee.expect("INVITE")
    caller.reinvite(body=sdp("101", 3))
    assert caller.fails(500).has("Retry-After")
    b.silent()


def test_update_while_our_reinvite_is_open_is_491(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    callee.expect("INVITE")
    callee.send("UPDATE", body=sdp("102", 2))
    callee.expect(491)


# -- reliable provisional responses --------------------------------------------------------------


def rack(response: object) -> tuple[str, str]:
    return ("RAck", f"{response.get('RSeq')} {response.cseq.number} INVITE")  # type: ignore[attr-defined]


def test_reliable_on_both_sides_with_the_answer_in_183(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Supported", "100rel"))
    callee = b.called()
    assert "100rel" in callee.invite.get("Supported")
    callee.ring_reliably(183, sdp("102"))
    prack = callee.expect("PRACK")
    assert prack.get("RAck") == f"1 {callee.invite.cseq.number} INVITE"
    b.reply(prack, 200)
    progress = caller.expect(183)
    assert progress.body == sdp("102")
    assert progress.get("Require") == "100rel"
    caller.send("PRACK", rack(progress))
    caller.expect(200)
    callee.answer(200)
    callee.expect("ACK")
    ok = caller.expect(200)
    assert ok.body in (b"", sdp("102"))
    caller.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_a_repeated_reliable_provisional_is_acknowledged_once(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    a.call("102", ("Supported", "100rel"))
    callee = b.called()
    ringing = callee.ring_reliably(180)
    b.reply(callee.expect("PRACK"), 200)
    b.put(ringing)
    b.silent()
    a.expect(180)
    a.silent()


def test_the_caller_requires_it_and_the_callee_does_not_know_it(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Require", "100rel"))
    callee = b.called()
    callee.answer(180)
    ringing = caller.expect(180)
    assert ringing.has("RSeq")
    b.silent()
    world.after(1.6)
    assert a.got == [180, 180]
    caller.send("PRACK", rack(ringing))
    caller.expect(200)
    world.after(5)
    a.silent()


def test_no_prack_ends_the_call(world: World) -> None:
    """RFC 3262 §3: 64*T1 without PRACK, 5xx."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Require", "100rel"))
    callee = b.called()
    callee.answer(180)
    world.after(33)
    finals = [status for status in a.got if isinstance(status, int) and status >= 300]
    assert finals and 500 <= finals[0] < 600
    assert "CANCEL" in b.got
    assert caller


def test_a_wrong_rack_is_481(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Require", "100rel"))
    b.called().answer(180)
    caller.expect(180)
    caller.send("PRACK", ("RAck", "77 1 INVITE"))
    caller.expect(481)


def test_an_offer_in_18x_is_answered_in_prack(world: World) -> None:
    """Late offer: the callee's reliable 183 offers, the caller's PRACK answers (RFC 3262 §5)."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Supported", "100rel"), body=b"")
    callee = b.called()
    callee.ring_reliably(183, sdp("102"))
    b.silent()  # our PRACK waits for the caller's answer
    progress = caller.expect(183)
    assert progress.body == sdp("102")
    caller.send("PRACK", rack(progress), body=sdp("101"))
    caller.expect(200)
    prack = callee.expect("PRACK")
    assert prack.body == sdp("101")
    b.reply(prack, 200)
    callee.answer(200)
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_an_offer_in_prack_crosses_as_update(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Supported", "100rel"))
    callee = b.called()
    callee.answer(183, ("Allow", "UPDATE"), ("Require", "100rel"), ("RSeq", "1"), body=sdp("102"))
    b.reply(callee.expect("PRACK"), 200)
    progress = caller.expect(183)
    caller.send("PRACK", rack(progress), body=sdp("101", 2))
    update = callee.expect("UPDATE")
    assert update.body == sdp("101", 2)
    a.silent()
    b.reply(update, 200, body=sdp("102", 2))
    assert caller.expect(200).body == sdp("102", 2)
    callee.answer(200)
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_an_answer_in_an_unacknowledged_183_is_repeated_in_the_200(world: World) -> None:
    """The 183 with the answer may be lost: the 200 that overtakes its PRACK carries it again."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Supported", "100rel"))
    callee = b.called()
    callee.ring_reliably(183, sdp("102"))
    b.reply(callee.expect("PRACK"), 200)
    callee.answer(200)
    callee.expect("ACK")
    caller.expect(183)  # as if it were lost
    assert caller.expect(200).body == sdp("102")
    caller.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_a_late_offer_reinvite_that_is_never_acknowledged(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite()
    b.reply(callee.expect("INVITE"), 200, body=sdp("102", 2))
    world.after(33)
    assert "BYE" in a.got
    assert "BYE" in b.got
    world.assert_idle()


def test_a_reinvite_before_the_first_ack(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(200, body=sdp("102"))
    caller.expect(200)
    callee.expect("ACK")
    callee.reinvite(body=sdp("102", 2))  # crosses the caller's ACK
    assert b.inbox[0].status in (491, 500)  # type: ignore[union-attr]
    first = caller.invite.cseq.number
    caller.ack(cseq=first)
    hang_up(caller, callee) if b.got else None
    world.assert_idle()


def test_a_carrier_that_answers_the_call_and_not_the_prack(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("0145678901", ("Supported", "100rel"))
    callee = c.called()
    callee.ring_reliably()
    c.expect("PRACK")
    ringing = caller.expect(180)
    caller.send("PRACK", ("RAck", f"{ringing.get('RSeq')} {caller.invite.cseq.number} INVITE"))
    caller.expect(200)
    callee.answer(200, body=sdp("c"))
    c.expect("ACK")
    caller.expect(200)
    caller.ack()
    world.after(40)
    assert len(world.exchange.calls) == 1
    a.silent()


def test_an_rseq_without_measure_is_passed_over(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("0145678901", ("Supported", "100rel"))
    callee = c.called()
    callee.answer(183, ("Require", "100rel"), ("RSeq", "9" * 5000), body=sdp("c"))
    c.silent()
    callee.answer(200, body=sdp("c"))
    c.expect("ACK")
    caller.expect(200)


def test_a_prack_that_the_answer_overtook(world: World) -> None:
    """It is on its way when the 200 leaves; 481 would tell the phone that its call is gone (RFC 3262 §3)."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Supported", "100rel"))
    callee = b.called()
    callee.ring_reliably()
    b.reply(callee.expect("PRACK"), 200)
    ringing = caller.expect(180)
    callee.answer(200, body=sdp("102"))
    callee.expect("ACK")
    rack = ("RAck", f"{ringing.get('RSeq')} {caller.invite.cseq.number} INVITE")
    answer = caller.expect(200)
    caller.send("PRACK", rack)
    assert caller.expect(200).cseq.method == "PRACK"
    caller.send("PRACK", ("RAck", f"77 {caller.invite.cseq.number} INVITE"))
    caller.expect(481)
    caller.ack()
    assert answer.body == sdp("102")
    hang_up(caller, callee)
    world.assert_idle()
