"""An offer that waits for its answer is settled however the dialog ends: no transaction stays behind."""

from tests.flows.actors import World, established, hang_up, sdp


def test_a_phone_that_is_lost_while_its_offer_waits(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    callee.expect("INVITE")  # and it thinks about it
    callee.send("INFO", body=b"Signal=1", content_type="application/dtmf-relay")
    a.reply(caller.expect("INFO"), 481)  # the caller's phone has restarted
    assert not world.exchange.calls
    world.assert_idle()


def test_an_update_in_an_early_dialog_that_fails(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("Allow", "INVITE, UPDATE"))
    callee = b.called()
    callee.answer(183, body=sdp("102"))
    callee.send("UPDATE", body=sdp("102", 2))
    callee.answer(486)
    assert not world.exchange.calls
    assert 486 in a.got and caller
    world.assert_idle()


def test_a_reinvite_that_is_open_when_the_call_ends(world: World) -> None:
    """It was answered 100 and no more: nothing but our CANCEL ever ends its transaction (§17.1.1)."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    b.reply(callee.expect("INVITE"), 100)
    hanging = caller.send("BYE")
    assert a.got == [200, 487]
    assert hanging
    assert b.got == ["CANCEL", "BYE"]
    world.assert_idle()


def test_a_refresh_while_a_reinvite_waits(world: World) -> None:
    """An UPDATE without a body asks nothing of the media: both are answered, each as what it is."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    asked = callee.expect("INVITE")
    caller.send("UPDATE", ("Supported", "timer"))
    assert caller.expect(200).cseq.method == "UPDATE"
    b.reply(asked, 200, body=sdp("102", 2))
    callee.expect("ACK")
    answer = caller.expect(200)
    assert (answer.cseq.method, answer.body) == ("INVITE", sdp("102", 2))
    caller.ack(cseq=answer.cseq.number)
    hang_up(caller, callee)
    world.assert_idle()
