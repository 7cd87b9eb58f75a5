"""Only its two ends end an emergency call: no refresh, restart, cap or drain, and no ACK that is lost."""

from dataclasses import replace

import pytest

from tests.flows.actors import Talk, World, hang_up, sdp
from tests.flows.emergency_talk import still_up, up


def expired(world: World, caller: Talk, callee: Talk) -> None:
    assert ("emergency.session_expired" in [name for name, _ in world.events]) or (
        "emergency.refresh_failed" in [name for name, _ in world.events]
    )
    for talk in (caller, callee):
        assert "BYE" not in talk.actor.got


@pytest.mark.parametrize("status", [408, 481, 500, 503])
def test_a_refresh_that_fails_alarms_and_never_hangs_up(world: World, status: int) -> None:
    """The carrier doesn't support session timers, so we refresh; it says no each time."""
    _, caller, callee = up(world)
    for _ in range(3):
        world.after(900)
        for message in list(callee.actor.inbox):
            callee.actor.inbox.remove(message)
            if getattr(message, "method", "") in ("INVITE", "UPDATE"):
                callee.actor.reply(message, status)
        caller.actor.inbox.clear()
        callee.actor.inbox.clear()
    assert len(world.exchange.calls) == 1
    if status in (408, 481):
        assert "emergency.refresh_failed" in [name for name, _ in world.events]
    hang_up(caller, callee)


def test_a_refresh_that_nobody_answers_alarms_and_never_hangs_up(world: World) -> None:
    _, caller, callee = up(world)
    world.after(3 * 1800)
    expired(world, caller, callee)
    assert len(world.exchange.calls) == 1


@pytest.mark.parametrize("who", ["phone", "carrier", "both"])
def test_after_a_restart_it_ends_only_when_neither_side_knows_it(world: World, who: str) -> None:
    """Both hung up while the switch was down: a call that nobody is in must not keep the phone busy."""
    _, caller, callee = up(world)
    sides = {"phone": [caller], "carrier": [callee], "both": [caller, callee]}[who]
    after = world.restarted()
    for _ in range(31):
        after.after(1)
        for talk in (caller, callee):
            for asked in [m for m in talk.actor.inbox if getattr(m, "method", "") == "OPTIONS"]:
                talk.actor.inbox.remove(asked)
                talk.actor.reply(asked, 481 if talk in sides else 200)
    assert len(after.exchange.calls) == (who != "both")
    assert bool(after.exchange.in_emergency) == (who != "both")
    if who != "both":
        hang_up(caller, callee)


def test_no_cap_counts_it_or_cuts_it(world: World) -> None:
    _, caller, callee = up(world)
    (call,) = world.exchange.calls.values()
    call.on_cap_reached(world.now)
    still_up(world, caller, callee)


def test_a_suspension_and_a_drain_in_the_middle_change_nothing(world: World) -> None:
    _, caller, callee = up(world)
    world.exchange.is_draining = True
    facts = world.exchange.facts
    line = facts.lines["101"]
    state = type(line.policy.state)("suspended")
    changed = replace(line, policy=replace(line.policy, state=state))
    world.exchange.facts = replace(facts, lines={**facts.lines, "101": changed})
    world.after(60)
    still_up(world, caller, callee)


def test_a_session_that_is_too_short_costs_no_round_trip(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18", ("Supported", "timer"), ("Session-Expires", "30"))
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    still_up(world, caller, callee)


def test_an_answer_that_is_never_acknowledged_alarms_and_is_never_cut(world: World) -> None:
    """The ACK was lost, or can't be read: phone and PSAP speak all the same."""
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    psap = c.called()
    psap.answer(200, body=sdp("psap"))
    psap.expect("ACK")
    caller.expect(200)
    world.after(40)
    assert set(a.got) == {200}, "repeated, and no BYE"
    c.silent()
    assert "emergency.not_acknowledged" in [name for name, _ in world.events]
    psap.send("INVITE", body=sdp("psap", 2))
    a.reply(caller.expect("INVITE"), 200, body=sdp("101", 2))
    psap.expect(200)
    psap.ack(cseq=psap.cseq)
    caller.expect("ACK")
    hang_up(psap, caller)
    (audit,) = world.records("audit")
    assert audit["answered"] is True
    world.assert_idle()


def test_ringing_that_is_never_acknowledged_does_not_end_it(world: World) -> None:
    """The phone requires 100rel and sends no PRACK: it rings, and the PSAP may still answer."""
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18", ("Require", "100rel"))
    psap = c.called()
    psap.answer(180)
    world.after(40)
    assert set(a.got) == {180}
    psap.answer(200, body=sdp("psap"))
    psap.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, psap)
    world.assert_idle()


def test_without_an_answer_in_its_ack_there_is_no_call(world: World) -> None:
    """The PSAP made the offer and nobody ever answered it."""
    a, c = world.phone("101"), world.carrier(1)
    a.call("18", body=b"")
    c.called().answer(200, body=sdp("psap"))
    world.after(40)
    assert a.got[-1] == "BYE"
