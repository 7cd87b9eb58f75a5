"""Fork, fail-over, emergency race, warning and key 1: killed at every instant (see `kills`)."""

from switch import config
from tests.flows.actors import World, established, hang_up, sdp
from tests.flows.kills import survives


def test_a_fork(demo: config.Configuration) -> None:
    def story(world: World) -> None:
        a, b1, b2 = world.phone("101"), world.phone("102"), world.phone("102")
        caller = a.call("102")
        first, second = b1.called(), b2.called()
        first.answer(180)
        second.answer(180)
        caller.expect(180)
        first.answer(200, body=sdp("102"))
        caller.expect(200)
        first.expect("ACK")
        b2.reply(second.expect("CANCEL"), 200)
        second.answer(487)
        b2.expect("ACK")
        caller.ack()
        world.after(5)
        hang_up(caller, first)

    assert survives(demo, story) > 10


def test_a_fork_that_nobody_answers(demo: config.Configuration) -> None:
    def story(world: World) -> None:
        a, b1, b2 = world.phone("101"), world.phone("102"), world.phone("102")
        caller = a.call("102")
        first, second = b1.called(), b2.called()
        first.answer(180)
        caller.expect(180)
        first.answer(486)
        b1.expect("ACK")
        second.answer(480)
        b2.expect("ACK")
        caller.fails(486)

    assert survives(demo, story) > 5


def test_a_caller_that_cancels(demo: config.Configuration) -> None:
    def story(world: World) -> None:
        a, b = world.phone("101"), world.phone("102")
        caller = a.call("102")
        callee = b.called()
        callee.answer(180)
        caller.expect(180)
        caller.cancel()
        caller.expect(200)
        caller.fails(487)
        b.reply(callee.expect("CANCEL"), 200)
        callee.answer(487)
        b.expect("ACK")

    assert survives(demo, story) > 5


def test_a_fail_over(demo: config.Configuration) -> None:
    def story(world: World) -> None:
        a, one, two = world.phone("101"), world.carrier(1), world.carrier(2)
        caller = a.call("0145678901")
        first = one.called()
        first.answer(503)
        one.expect("ACK")
        second = two.called()
        second.answer(200, body=sdp("two"))
        caller.expect(200)
        second.expect("ACK")
        caller.ack()
        world.after(5)
        hang_up(second, caller)

    assert survives(demo, story) > 5


def test_an_emergency_race(demo: config.Configuration) -> None:
    def story(world: World) -> None:
        a, one, two = world.phone("101"), world.carrier(1), world.carrier(2)
        caller = a.call("18")
        first = one.called()
        first.answer(100)
        world.after(8.1)
        second = two.called()
        second.answer(200, body=sdp("two"))
        caller.expect(200)
        second.expect("ACK")
        one.reply(first.expect("CANCEL"), 200)
        first.answer(487)
        one.expect("ACK")
        caller.ack()
        world.after(5)
        hang_up(caller, second)

    assert survives(demo, story) > 5


def test_a_warning_and_key_1(demo: config.Configuration) -> None:
    def story(world: World) -> None:
        a, c = world.phone("101", "127.0.2.1"), world.carrier(1)
        speaker = world.speaker()
        caller = a.call("18")
        words = speaker.called()
        words.answer(183, body=sdp("words"))
        caller.expect(183)
        words.answer(380, ("X-Vigie-Key", "1"))
        speaker.expect("ACK")
        callee = c.called()
        callee.answer(180)
        caller.expect(180)
        callee.answer(200, body=sdp("psap"))
        caller.expect(200)
        callee.expect("ACK")
        caller.ack()
        world.after(5)
        hang_up(callee, caller)

    assert survives(demo, story) > 5


def test_a_warning_in_an_answered_call(demo: config.Configuration) -> None:
    def story(world: World) -> None:
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
        asked = caller.expect("INVITE")
        a.reply(asked, 200, body=sdp("101", 2))
        caller.expect("ACK")
        callee.expect("ACK")
        hang_up(caller, callee)

    assert survives(demo, story) > 5


def test_a_reinvite_and_a_late_offer(demo: config.Configuration) -> None:
    def story(world: World) -> None:
        a, b = world.phone("101"), world.phone("102")
        caller, callee = established(a, b, "102")
        callee.reinvite()
        asked = caller.expect("INVITE")
        a.reply(asked, 200, body=sdp("101", 2))
        callee.expect(200)
        callee.ack(sdp("102", 2))
        caller.expect("ACK")
        hang_up(callee, caller)

    assert survives(demo, story) > 10
