"""UDP loses and repeats: nothing happens twice (RFC 3261 §17, RFC 6026)."""

from tests.flows.actors import World, established, sdp


def test_a_repeated_invite_gets_the_last_response_again(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    a.put(caller.invite)
    b.silent()
    callee.answer(180)
    caller.expect(180)
    a.put(caller.invite)
    caller.expect(180)
    b.silent()
    assert len(world.exchange.calls) == 1


def test_a_challenge_leaves_nothing_behind(world: World) -> None:
    """Else a flood of INVITEs under invented addresses has each 401 repeated for 32 s, and calls for help
    wait behind them."""
    a = world.phone("101")
    a.password, before = "", len(world.exchange.transactions)
    caller = a.call("102")
    challenge = caller.expect(401)
    assert len(world.exchange.transactions) == before
    world.after(40)
    a.silent()
    a.put(caller.invite)
    again = caller.fails(401)
    assert again.to_tag == challenge.to_tag, "a repetition is answered as before (§8.2.7)"
    assert not world.core.dropped, "its ACK is expected"
    caller.cancel()
    caller.expect(481)


def test_a_repeated_200_is_acknowledged_again_and_not_relayed(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    ok = callee.answer(200, body=sdp("102"))
    first = callee.expect("ACK")
    caller.expect(200)
    b.put(ok)
    assert callee.expect("ACK").to_bytes() == first.to_bytes()
    a.silent()
    caller.ack()
    world.after(40)  # its transaction is gone
    b.put(ok)
    assert callee.expect("ACK").to_bytes() == first.to_bytes()
    a.silent()


def test_our_200_is_repeated_until_the_ack(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    b.called().answer(200, body=sdp("102"))
    caller.expect(200)
    world.after(3.6)
    assert a.got == [200, 200, 200]
    ack = caller.ack()
    a.put(ack)
    world.after(20)
    a.silent()
    assert len(world.records("ack")) == 1


def test_a_repeated_bye(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, _callee = established(a, b, "102")
    bye = caller.send("BYE")
    caller.expect(200)
    a.put(bye)
    caller.expect(200)
    assert b.got == ["BYE"]
    assert len(world.cdrs) == 1


def test_our_bye_is_repeated_until_it_is_answered(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.send("BYE")
    bye = callee.expect("BYE")
    world.after(1.6)
    assert b.got == ["BYE", "BYE"]
    b.reply(bye, 200)
    world.after(10)
    b.silent()


def test_an_old_cseq_is_refused(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.send("INFO", body=b"x", content_type="application/dtmf-relay")
    b.reply(callee.expect("INFO"), 200)
    caller.expect(200)
    caller.send("INFO", cseq=1, body=b"x", content_type="application/dtmf-relay")
    caller.expect(500)
    b.silent()
