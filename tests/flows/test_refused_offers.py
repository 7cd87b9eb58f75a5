"""An offer that was refused has changed nothing (RFC 3261 §14.1): neither side's last word is that offer."""

from tests.flows.actors import World, established, hang_up, sdp


def test_a_hold_that_met_glare_crosses_when_it_is_repeated(world: World) -> None:
    """The phone repeats the very same offer; it is no refresh, since nobody has agreed to it."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    hold = sdp("101", 2, "sendonly")
    caller.reinvite(body=hold)
    b.reply(callee.expect("INVITE"), 491)
    callee.expect("ACK")
    caller.fails(491)
    world.after(2)
    caller.reinvite(body=hold)
    asked = callee.expect("INVITE")
    assert asked.body == hold
    b.reply(asked, 200, body=sdp("102", 2, "recvonly"))
    callee.expect("ACK")
    assert caller.expect(200).body == sdp("102", 2, "recvonly")
    caller.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_a_refresh_is_not_answered_by_the_offer_that_was_refused(world: World) -> None:
    """A fax machine's T.38 is refused; the other side's refresh still gets the speech of before."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(
        body=sdp("101", 2).replace(b"m=audio 40000 RTP/AVP 8 0 101", b"m=image 40000 udptl t38")
    )
    b.reply(callee.expect("INVITE"), 488)
    callee.expect("ACK")
    caller.fails(488)
    callee.reinvite(body=sdp("102"))
    assert callee.expect(200).body == sdp("101")
    callee.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_our_refresh_repeats_what_was_agreed_and_not_what_was_refused(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2, "inactive"))
    b.reply(callee.expect("INVITE"), 488)
    callee.expect("ACK")
    caller.fails(488)
    world.after(901)
    assert callee.expect("INVITE").body == sdp("101")
