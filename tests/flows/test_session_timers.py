"""Session timers (RFC 4028): each leg has its own."""

import pytest

from tests.flows.actors import Actor, Talk, World, sdp

UPDATES = ("Allow", "INVITE, ACK, BYE, UPDATE")


def timed(world: World, a: Actor, b: Actor, asked: str, answered: str) -> tuple[Talk, Talk]:
    """A call with the caller's Session-Expires `asked` and the callee's `answered`."""
    caller = a.call("102", ("Supported", "timer"), ("Session-Expires", asked), UPDATES)
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
