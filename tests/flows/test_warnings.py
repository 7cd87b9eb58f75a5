"""The abroad warning in an answered call, and what follows a refused emergency call."""

import orjson
import pytest

from policy.model import LineState
from switch.call.registered_from import declared
from switch.console.line_life import LineLives
from switch.facts.whereabouts import Declaration
from tests.flows.actors import Actor, Talk, World, established, hang_up, sdp
from tests.flows.ways_out import refuse


def hearing(phone: Actor, speaker: Actor) -> tuple[Talk, Talk]:
    """A phone that offers no media hears the warning in an answered call."""
    caller = phone.call("18", body=b"")
    words = speaker.called()
    words.answer(200, body=sdp("words"))
    caller.expect(200)
    caller.ack(sdp("101"))
    words.expect("ACK")
    return caller, words


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
    caller, words = hearing(a, speaker)
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
    world.exchange.unheard.note("101", world.now - 30, 0.0)
    caller = a.call("18")
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, callee)
    assert world.speakers.asked == []


@pytest.mark.parametrize("is_lost", ["no worker", "worker lost"])
def test_so_it_does_after_a_kill_in_between(world: World, is_lost: str) -> None:
    """The block is in the journal before its 403 leaves."""
    a, speaker = world.phone("101", "127.0.2.1"), world.speaker()
    line = world.exchange.facts.lines["101"]
    declared(world.exchange, line, Declaration("DE", world.now), world.now)
    if is_lost == "no worker":
        world.speakers.free = 0
    caller = a.call("18")
    if is_lost == "worker lost":
        speaker.called().answer(503)
    caller.fails(403)
    world = world.restarted()
    c = world.carrier(1)
    a.inbox.clear()  # how the first call ended is said once more
    a.call("18")
    c.called().answer(200, body=sdp("psap"))
    assert a.got == [200]
    assert world.speakers.asked == []
    again = World(world.found, world.now)
    restated = [orjson.loads(record) for record in world.exchange.unheard.records()]
    again.exchange.unheard.restore(restated, again.now, again.exchange.wall(again.now))
    assert again.exchange.unheard.age_s("101", again.now) == pytest.approx(1.0, abs=0.01)


def test_after_a_minute_of_being_down_it_does_not(world: World) -> None:
    a = world.phone("101", "127.0.2.1")
    world.exchange.unheard.note("101", world.now, world.exchange.wall(world.now))
    world.pump()
    world = world.restarted(after=61.0)
    a.call("18")
    assert world.speakers.asked == ["abroad"]


def test_a_redial_later_is_warned_again(world: World) -> None:
    a, c = world.phone("101", "127.0.2.1"), world.carrier(1)
    world.exchange.unheard.note("101", world.now - 61, 0.0)
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


# -- the contract ends, or the hardware is stolen, while the warning is heard ----------------------


def becomes(world: World, state: LineState) -> None:
    """The operator's command, while the call is there: bindings end with it."""
    lives = LineLives(world.exchange, world.found.snapshot)
    lives.change("101", state, "2(l)", "operator", 0)
    world.pump()


@pytest.mark.parametrize("is_answered", [False, True])
def test_key_1_of_a_line_whose_contract_ended_meanwhile_reaches_nobody(
    world: World, is_answered: bool
) -> None:
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller = a.call("18", body=b"" if is_answered else None)
    words = speaker.called()
    words.answer(200 if is_answered else 183, body=sdp("words"))
    caller.expect(200 if is_answered else 183)
    becomes(world, LineState.TERMINATED)
    if is_answered:
        caller.ack(sdp("101"))
        words.expect("ACK")
        words.send("BYE", ("X-Vigie-Key", "1"))
        refusal = caller.expect("BYE")
        a.reply(refusal, 200)
    else:
        words.answer(380, ("X-Vigie-Key", "1"))
        refusal = caller.fails(403)
    assert 'text="terminated"' in refusal.get("Reason")
    c.silent()
    (audit,) = world.records("audit")
    assert (audit["verdict"], audit["override"]) == ("unauthenticated", False)
    world.assert_idle()


def test_nor_does_it_when_the_words_of_such_a_line_are_lost(world: World) -> None:
    """Without the warning a block that rests on the address would connect."""
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller = a.call("18")
    words = speaker.called()
    becomes(world, LineState.TERMINATED)
    words.answer(503)
    assert 'text="terminated"' in caller.fails(403).get("Reason")
    c.silent()


def test_114_of_such_a_line_ends_with_its_words(world: World) -> None:
    a, c, speaker = world.phone("101"), world.carrier(1), world.speaker()
    caller = a.call("114")
    words = speaker.called()
    becomes(world, LineState.TERMINATED)
    words.answer(380)
    assert 'text="terminated"' in caller.fails(403).get("Reason")
    c.silent()


def test_a_phone_that_is_reported_stolen_meanwhile_goes_on(world: World) -> None:
    """A live emergency call is never cut; a new one is refused."""
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller = a.call("18")
    words = speaker.called()
    words.answer(183, body=sdp("words"))
    caller.expect(183)
    becomes(world, LineState.STOLEN)
    words.answer(380, ("X-Vigie-Key", "1"))
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    assert a.register().status == 403
    again = a.call("18")
    again.fails(403)
    c.silent()
    hang_up(caller, callee)
    assert [audit["verdict"] for audit in world.records("audit")] == [
        "stolen",
        "override_connected",
    ]


@pytest.mark.parametrize(
    ("kind", "said", "content_type", "body"),
    [
        ("application/dtmf", b"1\r\n", "application/dtmf-relay", b"Signal=1\r\nDuration=160\r\n"),
        ("application/dtmf", b"hello", "application/dtmf", b"hello"),
        ("application/dtmf-relay", b"Signal=1", "application/dtmf-relay", b"Signal=1"),
    ],
)
def test_a_key_by_info_is_said_as_the_worker_reads_it(
    world: World, kind: str, said: bytes, content_type: str, body: bytes
) -> None:
    a, speaker = world.phone("101", "127.0.2.1"), world.speaker()
    caller = a.call("18")
    words = speaker.called()
    words.answer(183, body=sdp("words"))
    caller.expect(183)
    caller.send("INFO", body=said, content_type=kind)
    info = words.expect("INFO")
    assert (info.content_type, info.body) == (content_type, body)


def test_between_phones_a_key_crosses_as_it_was_said(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.send("INFO", body=b"1", content_type="application/dtmf")
    assert callee.expect("INFO").content_type == "application/dtmf"


def test_a_phone_that_changes_its_media_while_it_hears_the_words(world: World) -> None:
    """Its re-INVITE is the worker's to answer; unanswered, it would stand in the way of the PSAP's."""
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller, words = hearing(a, speaker)
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
    caller, words = hearing(a, speaker)
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
