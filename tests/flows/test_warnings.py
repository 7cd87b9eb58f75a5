"""The abroad warning in an answered call, and what follows a refused emergency call."""

import pytest

from tests.flows.actors import World, hang_up, sdp
from tests.flows.ways_out import refuse


def test_without_an_offer_the_warning_is_an_answered_call(world: World) -> None:
    """No offer, no early media: the worker answers, the caller hears it in a call, then BYE."""
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller = a.call("18", body=b"")
    words = speaker.called()
    assert words.invite.get("X-Vigie-Answer") == "answer"
    words.answer(200, body=sdp("words"))
    assert caller.expect(200).body == sdp("words")
    caller.ack(sdp("101"))
    assert words.expect("ACK").body == sdp("101")
    words.send("BYE")
    words.expect(200)
    bye = caller.expect("BYE")
    assert 'text="abroad"' in bye.get("Reason")
    a.reply(bye, 200)
    c.silent()
    assert world.records("audit")[0]["verdict"] == "blocked_abroad"
    assert all(cdr["counted_ms"] == 0 for cdr in world.cdrs)
    assert world.speakers.free == 4
    world.assert_idle()


def test_key_1_in_an_answered_warning_moves_the_media(world: World) -> None:
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller = a.call("18", body=b"")
    words = speaker.called()
    words.answer(200, body=sdp("words"))
    caller.expect(200)
    caller.ack(sdp("101"))
    words.expect("ACK")
    words.send("BYE", ("X-Vigie-Key", "1"))
    words.expect(200)
    callee = c.called()
    assert callee.invite.body == b"", "the caller's phone is asked by re-INVITE"
    callee.answer(200, body=sdp("psap"))
    asked = caller.expect("INVITE")
    assert asked.body == sdp("psap")
    a.reply(asked, 200, body=sdp("101", 2))
    caller.expect("ACK")
    assert callee.expect("ACK").body == sdp("101", 2)
    hang_up(caller, callee)
    assert world.records("audit")[0]["verdict"] == "override_connected"
    world.assert_idle()


@pytest.mark.parametrize("is_spoken", [True, False])
def test_the_last_words_are_heard_in_an_answered_call_too(world: World, is_spoken: bool) -> None:
    """Key 1 in an answered warning, and no trunk takes the call: the caller is told what still helps."""
    a, speaker, last = world.phone("101", "127.0.2.1"), world.speaker(), world.speaker(30001)
    c1, c2 = world.carrier(1), world.carrier(2)
    caller = a.call("18", body=b"")
    words = speaker.called()
    words.answer(200, body=sdp("words"))
    caller.expect(200)
    caller.ack(sdp("101"))
    words.expect("ACK")
    words.send("BYE", ("X-Vigie-Key", "1"))
    words.expect(200)
    for carrier in (c1, c2, c1, c2):
        refuse(carrier, 503)
    assert world.speakers.asked == ["abroad", "emergency_failed"]
    goodbye = last.called()
    assert goodbye.invite.get("X-Vigie-Answer") == "answer"
    if is_spoken:
        goodbye.answer(200, body=sdp("goodbye"))
        asked = caller.expect("INVITE")
        assert asked.body == sdp("goodbye")
        a.reply(asked, 200, body=sdp("101", 2))
        caller.expect("ACK")
        assert goodbye.expect("ACK").body == sdp("101", 2)
        goodbye.send("BYE")
        goodbye.expect(200)
    else:
        goodbye.answer(500)
        goodbye.expect("ACK")
    bye = caller.expect("BYE")
    assert 'text="unreachable"' in bye.get("Reason")
    a.reply(bye, 200)
    (audit,) = world.records("audit")
    assert audit["verdict"] == "failed"
    outcomes = [fields["outcome"] for name, fields in world.events if name == "emergency.outcome"]
    assert outcomes == ["failed"]
    assert world.cdrs[0]["counted_ms"] == 0
    assert world.speakers.free == 4
    world.assert_idle()


def test_a_redial_within_a_minute_of_an_unheard_block_connects(world: World) -> None:
    """The device itself says abroad and nobody can speak: 403 at once; dialled again, it connects."""
    a, c = world.phone("101", "127.0.2.1"), world.carrier(1)
    world.exchange.warned["101"] = world.now - 30
    caller = a.call("18")
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, callee)
    assert world.speakers.asked == []


def test_a_redial_later_is_warned_again(world: World) -> None:
    a, c = world.phone("101", "127.0.2.1"), world.carrier(1)
    world.exchange.warned["101"] = world.now - 61
    a.call("18")
    c.silent()
    assert world.speakers.asked == ["abroad"]


def test_a_suspended_line_hears_why(world: World) -> None:
    a, c, speaker = world.phone("105"), world.carrier(1), world.speaker()
    caller = a.call("0145678901")
    words = speaker.called()
    assert world.speakers.asked == ["suspended"]
    words.answer(183, body=sdp("words"))
    caller.expect(183)
    words.answer(403)
    assert 'text="suspended"' in caller.fails(403).get("Reason")
    c.silent()
    world.assert_idle()


def test_who_hangs_up_on_a_refusal_was_refused_all_the_same(world: World) -> None:
    """The CDR says why there was no call, not only that the caller lost patience."""
    a, speaker = world.phone("105"), world.speaker()
    caller = a.call("0145678901")
    words = speaker.called()
    words.answer(183, body=sdp("words"))
    caller.expect(183)
    caller.cancel()
    caller.expect(200)
    caller.fails(487)
    speaker.reply(words.expect("CANCEL"), 200)
    words.answer(487)
    speaker.expect("ACK")
    (cdr,) = world.cdrs
    assert (cdr["ending"], cdr["disposition"], cdr["hangup_by"]) == (
        "suspended",
        "refused",
        "caller",
    )
    world.assert_idle()


def test_a_refusal_nobody_can_speak_is_immediate(world: World) -> None:
    a = world.phone("105")
    world.speakers.free = 0
    assert 'text="suspended"' in a.call("0145678901").fails(403).get("Reason")
    world.assert_idle()


def test_an_emergency_call_survives_a_restart(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    world.after(4)
    world = world.restarted()
    (call,) = world.exchange.calls.values()
    assert call.is_emergency
    hang_up(callee, caller)
    assert world.cdrs[0]["exempt_reason"] == "emergency"
    assert world.records("audit")[0]["verdict"] == "connected"
    world.assert_idle()


def test_an_emergency_call_in_set_up_survives_no_restart_but_says_so(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    callee.answer(180)
    caller.expect(180)
    world = world.restarted()
    caller.fails(480)
    assert c.got == ["INVITE"]
    callee.answer(180)
    c.reply(callee.expect("CANCEL"), 200)
    callee.answer(487)
    c.expect("ACK")
    assert len(world.records("audit")) == 1
    world.assert_idle()


def test_a_phone_that_changes_its_media_while_it_hears_the_words(world: World) -> None:
    """Its re-INVITE is the worker's to answer; unanswered, it would stand in the way of the PSAP's."""
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller = a.call("18", body=b"")
    words = speaker.called()
    words.answer(200, body=sdp("words"))
    caller.expect(200)
    caller.ack(sdp("101"))
    words.expect("ACK")
    caller.reinvite(body=sdp("101", 2))
    asked = words.expect("INVITE")
    assert asked.body == sdp("101", 2)
    speaker.reply(asked, 200, body=sdp("words", 2))
    words.expect("ACK")
    assert caller.expect(200).body == sdp("words", 2)
    caller.ack()
    words.send("BYE", ("X-Vigie-Key", "1"))
    words.expect(200)
    caller.reinvite(body=sdp("101", 3))  # nobody is there to answer it
    caller.fails(491)
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    a.reply(caller.expect("INVITE"), 200, body=sdp("101", 4))
    caller.expect("ACK")
    assert callee.expect("ACK").body == sdp("101", 4)
    hang_up(caller, callee)
    world.assert_idle()


def test_the_psaps_media_cross_the_phones_own_change(world: World) -> None:
    """491 asks for another try, and is no refusal of the emergency call."""
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller = a.call("18", body=b"")
    words = speaker.called()
    words.answer(200, body=sdp("words"))
    caller.expect(200)
    caller.ack(sdp("101"))
    words.expect("ACK")
    words.send("BYE", ("X-Vigie-Key", "1"))
    words.expect(200)
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    a.reply(caller.expect("INVITE"), 491)
    caller.expect("ACK")
    world.after(1.1)
    a.reply(caller.expect("INVITE"), 200, body=sdp("101", 2))
    caller.expect("ACK")
    assert callee.expect("ACK").body == sdp("101", 2)
    hang_up(caller, callee)
    world.assert_idle()
