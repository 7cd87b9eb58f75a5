"""kill -9 in a call, and the next start: what the journal brings back."""

import orjson
import pytest

from switch.call.journal import live_records
from tests.flows.actors import Actor, Talk, World, established, hang_up, sdp


def test_a_call_goes_on_and_is_metered_exactly(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    answered = world.now
    world.after(10)
    world = world.restarted(after=3)
    assert len(world.exchange.calls) == 1
    world.after(7)
    _answer_probes(world, caller, callee)
    hang_up(caller, callee)
    (cdr,) = world.cdrs
    assert cdr["end"] - cdr["answer"] == round((world.now - answered) * 1000) == 20_000
    assert cdr["estimated"] is False
    world.assert_idle()


def test_a_carrier_call_is_counted_over_the_restart(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller, callee = established(a, c, "0145678901")
    world.after(30)
    world = world.restarted()
    world.after(29)
    _answer_probes(world, caller, callee)
    hang_up(callee, caller)
    (cdr,) = world.cdrs
    assert cdr["counted_ms"] == 60_000
    assert cdr["hangup_by"] == "callee"
    world.assert_idle()


def test_our_cseq_jumps(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    world = world.restarted()
    caller.send("BYE")
    assert callee.expect("BYE").cseq.number > 1000


def test_hold_after_the_restart(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    world = world.restarted()
    caller.reinvite(body=sdp("101", 2, "sendonly"))
    b.reply(callee.expect("INVITE"), 200, body=sdp("102", 2, "recvonly"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(callee, caller)
    world.assert_idle()


T38 = sdp("101", 9).replace(b"m=audio 40000 RTP/AVP 8 0 101", b"m=image 40002 udptl t38")


@pytest.mark.parametrize("is_over", [False, True], ids=["in the fax", "after the fax"])
@pytest.mark.parametrize("is_restated", [False, True], ids=["as it came", "from a checkpoint"])
def test_a_fax_is_one_over_the_restart(world: World, *, is_over: bool, is_restated: bool) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    bodies = [T38, sdp("101", 10)] if is_over else [T38]
    for body in bodies:
        caller.reinvite(body=body)
        b.reply(callee.expect("INVITE"), 200, body=body)
        callee.expect("ACK")
        caller.expect(200)
        caller.ack()
    if is_restated:
        live = list(live_records(world.exchange.calls.values()))
        world.journal = [each for each in world.journal if b'"k":"call"' not in each]
        world.journal = [each for each in world.journal if b'"k":"leg"' not in each] + live
    world = world.restarted()
    hang_up(caller, callee)
    (cdr,) = world.cdrs
    assert cdr["feature"] == "fax"


def test_an_unacknowledged_200_is_repeated(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(200, body=sdp("102"))
    before = caller.expect(200)
    callee.expect("ACK")
    world = world.restarted()
    assert caller.expect(200).to_bytes() == before.to_bytes()
    caller.ack()
    world.after(5)
    _answer_probes(world, caller, callee)
    assert 200 not in a.got
    hang_up(caller, callee)
    assert len(world.cdrs) == 1


def test_a_call_in_set_up_ends_at_both_ends(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(180)
    caller.expect(180)
    world = world.restarted()
    assert 'text="switch_restarted"' in caller.fails(480).get("Reason")
    assert b.got == ["INVITE"], "our INVITE again, with its own branch"
    callee.answer(180)
    b.reply(callee.expect("CANCEL"), 200)
    callee.answer(487)
    b.expect("ACK")
    assert len(world.cdrs) == 1
    world.assert_idle()


def test_a_late_200_to_a_call_in_set_up_is_hung_up(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(180)
    world = world.restarted()
    b.inbox.clear()
    callee.answer(200, body=sdp("102"))
    assert b.got == ["ACK", "BYE"]
    assert caller


def test_a_peer_that_died_meanwhile(world: World) -> None:
    """481 to the probe: closed at the last sign of life, marked estimated."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    for _ in range(10):
        world.exchange.meters.beat(world.now, world.exchange.wall(world.now))
        world.pump()
        world.after(1)
    world = world.restarted(after=5)
    while not b.inbox:
        world.after(0.1)
        for message in [m for m in a.inbox if getattr(m, "method", "") == "OPTIONS"]:
            a.inbox.remove(message)
            a.reply(message, 200)
    b.reply(callee.expect("OPTIONS"), 481)
    assert "BYE" in a.got
    (cdr,) = world.cdrs
    assert cdr["ending"] == "not_answered_in_dialog"
    assert caller


def test_a_second_crash_changes_nothing(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    world.after(10)
    world = world.restarted().restarted().restarted()
    hang_up(caller, callee)
    (cdr,) = world.cdrs
    assert cdr["end"] - cdr["answer"] == 13_000


def test_an_ended_call_is_not_taken_back(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    hang_up(caller, callee)
    world = world.restarted()
    assert not world.exchange.calls
    assert len(world.cdrs) == 1


RUN = 14  # more than the records of the call below; a position past the end is the whole


@pytest.mark.parametrize("position", range(RUN))
def test_killed_after_every_record(world: World, position: int) -> None:
    """Wherever the journal ends: no stuck call, no doubled CDR, both ends free in the end."""
    a, b = world.phone("101"), world.phone("102")
    before = len(world.journal)
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2, "sendonly"))
    b.reply(callee.expect("INVITE"), 200, body=sdp("102", 2, "recvonly"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    world.after(5)
    hang_up(caller, callee)
    assert before + RUN >= len(world.journal), "RUN covers the call"
    world = world.restarted(world.journal[: before + position])
    _free_all(world, a, b)
    ids = [orjson.loads(r)["call_id"] for r in world.journal if orjson.loads(r).get("k") == "cdr"]
    assert len(ids) == len(set(ids)) <= 1
    world.assert_idle()


@pytest.mark.parametrize("position", range(RUN))
def test_killed_while_the_phones_talk_on(world: World, position: int) -> None:
    """As above, but the phones know the call until the caller hangs up."""
    a, b = world.phone("101"), world.phone("102")
    before = len(world.journal)
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2, "sendonly"))
    b.reply(callee.expect("INVITE"), 200, body=sdp("102", 2, "recvonly"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    world = world.restarted(world.journal[: before + position])
    _answer_all(world, a, b)
    caller.send("BYE")
    (status,) = [s for s in a.got if s in (200, 481)][:1]
    if status == 200:
        _answer_all(world, a, b)
        assert len(world.cdrs) == 1
    assert len(world.cdrs) <= 1
    world.assert_idle()


def _answer_all(world: World, *actors: Actor) -> None:
    """Whatever is asked is answered well; an INVITE in a call that ended gets 486."""
    for _ in range(400):
        for actor in actors:
            while actor.inbox:
                message = actor.inbox.pop(0)
                method = getattr(message, "method", "")
                if method and method != "ACK":
                    actor.reply(message, 486 if method == "INVITE" else 200)
        world.after(0.1)


def _answer_probes(world: World, *talks: Talk) -> None:
    for talk in talks:
        for message in list(talk.actor.inbox):
            if getattr(message, "method", "") == "OPTIONS":
                talk.actor.inbox.remove(message)
                talk.actor.reply(message, 200)


def _free_all(world: World, *actors: Actor) -> None:
    """The phones hung up before the crash: they know no such call any more."""
    for _ in range(400):
        for actor in actors:
            while actor.inbox:
                message = actor.inbox.pop(0)
                method = getattr(message, "method", "")
                if method == "INVITE":
                    actor.reply(message, 486)
                elif method and method != "ACK":
                    actor.reply(message, 481)
        world.after(0.1)


def test_who_was_tried_is_known_after_the_restart(world: World) -> None:
    """Of an emergency call above all: CDR and audit name each carrier."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    c1.called().answer(503)
    c1.expect("ACK")
    callee = c2.called()
    callee.answer(200, body=sdp("two"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    world = world.restarted()
    _answer_probes(world, caller, callee)
    hang_up(caller, callee)
    tried = [("carrier-1", 503), ("carrier-2", 200)]
    assert [(each["trunk"], each["status"]) for each in world.cdrs[0]["attempts"]] == tried
    (record,) = [orjson.loads(each) for each in world.journal if b'"k":"audit"' in each]
    assert [(each["trunk"], each["status"]) for each in record["attempts"]] == tried


def test_a_route_by_tcp_that_was_outrun_before_the_restart(world: World) -> None:
    """It is cancelled once more; its transaction ends like any other when nobody answers."""
    a, c, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    slow = c.called()
    slow.answer(100)
    world.after(8.5)
    c2.called().answer(100)
    slow.answer(200, body=sdp("c"))
    caller.expect(200)
    caller.ack()
    world = world.restarted()
    assert "CANCEL" in c2.got
    world.after(40)
    a.inbox.clear()  # the probes of the restored call
    c.inbox.clear()
    caller.send("BYE")
    caller.expect(200)
    c.reply(slow.expect("BYE"), 200)
    world.assert_idle()
