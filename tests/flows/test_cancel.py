"""CANCEL at every moment (RFC 3261 §9), and BYE in its unlikely ones (§15)."""

from tests.flows.actors import World, established, hang_up, sdp


def test_before_the_callee_says_anything(world: World) -> None:
    """No CANCEL goes out before a provisional response (§9.1)."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    caller.cancel()
    assert a.got == [200, 487]
    b.silent()
    callee.answer(100)
    b.reply(callee.expect("CANCEL"), 200)
    callee.answer(487)
    b.expect("ACK")
    assert world.cdrs[0]["disposition"] == "cancelled"
    (attempt,) = world.cdrs[0]["attempts"]
    assert (attempt["contact"].partition("@")[0], attempt["status"]) == ("sip:102", 487)
    world.assert_idle()


def test_the_carrier_that_was_tried_is_on_record(world: World) -> None:
    a, carrier = world.phone("101"), world.carrier()
    caller = a.call("0145678901")
    callee = carrier.called()
    callee.answer(180)
    caller.expect(180)
    world.after(5)
    caller.cancel()
    (attempt,) = world.cdrs[0]["attempts"]
    assert attempt == {"trunk": "carrier-1", "contact": None, "status": 487, "ms": 5000}


def test_while_ringing_with_its_reason(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(180)
    caller.expect(180)
    caller.cancel(("Reason", "SIP;cause=200;text=elsewhere"))
    caller.expect(200)
    caller.fails(487)
    cancel = callee.expect("CANCEL")
    assert cancel.via.branch == callee.invite.via.branch
    b.reply(cancel, 200)
    callee.answer(487)
    b.expect("ACK")
    world.assert_idle()


def test_the_reason_of_a_cancel_crosses(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(180)
    caller.expect(180)
    caller.cancel(("Reason", "SIP;cause=200;text=elsewhere"))
    assert callee.expect("CANCEL").get("Reason") == "SIP;cause=200;text=elsewhere"


def test_crossing_the_answer(world: World) -> None:
    """The callee's 200 crosses our CANCEL: ACK, then BYE, and nothing is metered."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(180)
    caller.expect(180)
    caller.cancel()
    assert a.got == [200, 487]
    cancel = callee.expect("CANCEL")
    callee.answer(200, body=sdp("102"))
    b.reply(cancel, 200)
    callee.expect("ACK")
    b.reply(callee.expect("BYE"), 200)
    assert len(world.cdrs) == 1
    assert world.cdrs[0]["counted_ms"] == 0
    world.assert_idle()


def test_after_the_answer_it_changes_nothing(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(200, body=sdp("102"))
    caller.expect(200)
    callee.expect("ACK")
    caller.cancel()
    assert a.got in ([200], [481])
    b.silent()
    caller.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_a_silent_callee_after_cancel(world: World) -> None:
    """Nobody answers our CANCEL: 64*T1 later the branch is gone."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(180)
    caller.expect(180)
    caller.cancel()
    world.assert_idle()


def test_bye_before_the_ack(world: World) -> None:
    """The callee hangs up before the caller's ACK: our BYE waits for it (§15)."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(200, body=sdp("102"))
    caller.expect(200)
    callee.expect("ACK")
    callee.send("BYE")
    callee.expect(200)
    a.silent()
    caller.ack()
    a.reply(caller.expect("BYE"), 200)
    assert len(world.cdrs) == 1
    world.assert_idle()


def test_bye_of_the_caller_before_its_ack(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(200, body=sdp("102"))
    caller.expect(200)
    callee.expect("ACK")
    hang_up(caller, callee)
    world.assert_idle()
    assert len(world.cdrs) == 1


def test_crossing_byes(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.send("BYE")
    callee.send("BYE")
    assert a.got == [200]
    assert b.got == ["BYE", 200]
    assert len(world.cdrs) == 1
    world.after(2)
    world.assert_idle()


def test_bye_in_an_early_dialog(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(180)
    caller.expect(180)
    caller.send("BYE")
    assert sorted(map(str, a.got)) == ["200", "487"]
    b.reply(callee.expect("CANCEL"), 200)
    callee.answer(487)
    b.expect("ACK")
    world.assert_idle()


def test_bye_while_a_reinvite_waits(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2, "sendonly"))
    reinvite = callee.expect("INVITE")
    caller.send("BYE")
    got = a.got
    assert sorted(map(str, got)) == ["200", "487"]
    b.reply(callee.expect("BYE"), 200)
    b.reply(reinvite, 487)
    callee.expect("ACK")
    world.assert_idle()


def test_bye_of_the_callee_while_the_callers_reinvite_waits(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2, "sendonly"))
    reinvite = callee.expect("INVITE")
    callee.send("BYE")
    assert b.got == [200]
    assert a.got == [487, "BYE"]
    b.reply(reinvite, 487)
    world.assert_idle()


def test_bye_for_an_unknown_dialog(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    hang_up(caller, callee)
    world.after(40)
    caller.send("BYE")
    caller.expect(481)


def test_the_other_side_no_longer_knows_the_call(world: World) -> None:
    """481 to something in the dialog ends the call for both."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.send("INFO", body=b"Signal=1", content_type="application/dtmf-relay")
    b.reply(callee.expect("INFO"), 481)
    assert caller.expect(481)
    a.reply(caller.expect("BYE"), 200)
    b.expect("BYE")
    assert world.cdrs[0]["ending"] == "not_answered_in_dialog"
    world.assert_idle()


def test_never_acknowledged(world: World) -> None:
    """No ACK: the 200 is repeated for 64*T1, then both sides get BYE, and nothing counts."""
    a, b = world.phone("101"), world.phone("102")
    a.call("102")
    callee = b.called()
    callee.answer(200, body=sdp("102"))
    callee.expect("ACK")
    world.after(32.2)
    got = a.got
    assert got.count(200) > 8
    assert got[-1] == "BYE"
    assert "BYE" in b.got
    (cdr,) = world.cdrs
    assert cdr["counted_ms"] == 0
    assert cdr["ending"] == "not_acknowledged"
    world.assert_idle()


def test_cancel_of_a_reinvite(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    b.reply(callee.expect("INVITE"), 100)
    caller.cancel()
    assert a.got == [200, 487]
    assert b.got == ["CANCEL"]


def test_a_bye_that_nobody_answers(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, _callee = established(a, b, "102")
    caller.send("BYE")
    world.assert_idle()
    assert len(world.cdrs) == 1


def test_a_reinvite_that_nobody_answers_ends_the_call(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, _callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    world.after(33)
    assert 408 in a.got
    assert "BYE" in b.got
    world.assert_idle()
