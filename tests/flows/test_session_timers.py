"""Session timers (RFC 4028): each leg has its own."""

import pytest

from tests.flows.actors import Actor, Talk, World, established, sdp

UPDATES = ("Allow", "INVITE, ACK, BYE, UPDATE")


def timed(
    world: World, a: Actor, b: Actor, asked: str, answered: str, number: str = "102"
) -> tuple[Talk, Talk]:
    """A call with the caller's Session-Expires `asked` and the callee's `answered`."""
    caller = a.call(number, ("Supported", "timer"), ("Session-Expires", asked), UPDATES)
    callee = b.called()
    fields = [("Session-Expires", answered), ("Require", "timer")] if answered else []
    callee.answer(200, UPDATES, *fields, body=sdp("102"))
    caller.expect(200)
    callee.expect("ACK")
    caller.ack()
    return caller, callee


def test_we_refresh_where_the_peer_leaves_it_to_us(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = timed(world, a, b, "600;refresher=uas", "600;refresher=uac")
    world.after(300.2)
    for talk in (caller, callee):
        update = talk.expect("UPDATE")
        assert update.body == b""
        assert update.get("Session-Expires").startswith("600")
        talk.actor.reply(
            update, 200, ("Session-Expires", "600;refresher=uac"), ("Require", "timer")
        )
    assert a.got == b.got == []
    world.after(300.2)
    assert a.got[0] == b.got[0] == "UPDATE"


def test_the_peers_refresh_and_we_answer_at_the_leg(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = timed(world, a, b, "600;refresher=uac", "600;refresher=uas")
    for _ in range(3):
        world.after(290)
        for talk in (caller, callee):
            talk.send("UPDATE", ("Session-Expires", "600;refresher=uac"), ("Supported", "timer"))
            assert talk.expect(200).get("Session-Expires").startswith("600")
        assert a.got == b.got == []
    assert world.exchange.calls


def test_a_refresh_by_the_same_offer_ends_at_the_leg(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, _callee = timed(world, a, b, "600;refresher=uac", "600;refresher=uas")
    caller.reinvite(
        ("Session-Expires", "600;refresher=uac"), ("Supported", "timer"), body=sdp("101")
    )
    assert caller.expect(200).body == sdp("102")
    caller.ack()
    b.silent()


@pytest.mark.parametrize("silent", ["caller", "callee"])
def test_a_peer_that_stops_refreshing_is_hung_up(world: World, silent: str) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = timed(world, a, b, "600;refresher=uac", "600;refresher=uas")
    alive = callee if silent == "caller" else caller
    world.after(300)
    alive.send("UPDATE", ("Session-Expires", "600;refresher=uac"), ("Supported", "timer"))
    alive.expect(200)
    world.after(269)
    assert a.got[-1] == b.got[-1] == "BYE"
    assert world.cdrs[0]["ending"] == "session_expired"
    world.assert_idle()


def test_a_trunk_that_finds_our_interval_too_brief(world: World) -> None:
    """422 from the callee: again with its Min-SE (§7.4)."""
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("0145678901")
    first = c.called()
    first.answer(422, ("Min-SE", "3600"))
    c.expect("ACK")
    second = c.called()
    assert second.call_id == first.call_id
    assert second.invite.cseq.number == first.invite.cseq.number + 1
    assert second.invite.get("Session-Expires").startswith("3600")
    second.answer(200, body=sdp("c"))
    caller.expect(200)


def test_a_peer_without_session_timers_is_refreshed_by_us(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(200, body=sdp("102"))
    callee.expect("ACK")
    assert caller.expect(200).get("Require") is None
    caller.ack()
    world.after(900.2)
    refresh = caller.expect("INVITE")
    assert refresh.body == sdp("102"), "the last offer or answer again, unchanged"
    a.reply(refresh, 200, body=sdp("101"))
    caller.expect("ACK")
    b.reply(callee.expect("INVITE"), 200, body=sdp("102"))
    callee.expect("ACK")
    assert world.exchange.calls


def test_a_reinvite_of_the_other_side_waits_for_our_refresh(world: World) -> None:
    """Both would be open at once, and the answer to one taken for the other's."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = timed(world, a, b, "600;refresher=uac", "600;refresher=uac")
    world.after(300.2)
    update = callee.expect("UPDATE")
    caller.reinvite(body=sdp("101", 2))
    caller.fails(491)
    b.silent()
    b.reply(update, 200, ("Session-Expires", "600;refresher=uac"), ("Require", "timer"))
    caller.reinvite(body=sdp("101", 2))
    b.reply(callee.expect("INVITE"), 200, body=sdp("102", 2))
    assert caller.expect(200).body == sdp("102", 2)


def test_a_refresh_that_met_glare_is_repeated_in_time(world: World) -> None:
    """Half an interval later the peer, who waits for it, would have hung up."""
    a, b = world.phone("101"), world.phone("102")
    _caller, callee = timed(world, a, b, "600;refresher=uac", "600;refresher=uac")
    world.after(300.2)
    b.reply(callee.expect("UPDATE"), 491)
    world.after(37.6)
    refresh = callee.expect("UPDATE")
    b.reply(refresh, 200, ("Session-Expires", "600;refresher=uac"), ("Require", "timer"))
    world.after(200)
    b.silent()


def test_a_reinvite_without_end_is_no_sign_of_life(world: World) -> None:
    """A peer that says 100 and nothing more: no timer of its transaction would ever end the call."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2))
    b.reply(callee.expect("INVITE"), 100)
    world.after(1805)
    assert not world.exchange.calls
    assert "BYE" in a.got


@pytest.mark.parametrize("digits", ["9" * 10, "9" * 400, "9" * 5000])
def test_an_interval_without_measure(world: World, digits: str) -> None:
    """In an offer, an answer and a refusal; 18 most of all must not fall silent over it."""
    a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
    a.call("18", ("Supported", "timer"), ("Session-Expires", digits), ("Min-SE", digits))
    c.expect("INVITE")
    caller, _callee = timed(world, b, c, "600;refresher=uac", digits, "0145678901")
    caller.send("BYE")
    caller.expect(200)
    c.expect("BYE")
    caller = b.call("0145678901", ("Supported", "timer"))
    c.called().answer(422, ("Min-SE", digits))
    c.expect("ACK")
    assert b.got == [480]


@pytest.mark.parametrize("answer", ["0", "1;refresher=uas", "5;refresher=uac"])
def test_an_interval_below_what_anybody_may_ask(world: World, answer: str) -> None:
    """It neither floods the peer with refreshes nor hangs up at once."""
    a, b = world.phone("101"), world.phone("102")
    _caller, callee = timed(world, a, b, "600;refresher=uac", answer)
    world.after(14)
    b.silent()
    world.after(2)
    b.reply(callee.expect("UPDATE"), 200, ("Session-Expires", answer), ("Require", "timer"))
    assert world.exchange.calls
