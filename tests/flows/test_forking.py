"""Several phones of a line, proxies that fork, and the best of several answers (RFC 3261 §16.7)."""

import pytest

from tests.flows.actors import World, hang_up, sdp


def test_all_phones_ring_and_the_first_answer_wins(world: World) -> None:
    a, b1, b2 = world.phone("101"), world.phone("102"), world.phone("102")
    caller = a.call("102")
    one, two = b1.called(), b2.called()
    one.answer(180)
    caller.expect(180)
    two.answer(183, body=sdp("early"))
    a.silent()  # media of one would deny the others
    two.answer(200, body=sdp("two"))
    assert caller.expect(200).body == sdp("two")
    two.expect("ACK")
    b1.reply(one.expect("CANCEL"), 200)
    one.answer(487)
    b1.expect("ACK")
    caller.ack()
    hang_up(caller, two)
    assert len(world.cdrs) == 1
    world.assert_idle()


def test_the_losers_200_is_acknowledged_and_hung_up(world: World) -> None:
    a, b1, b2 = world.phone("101"), world.phone("102"), world.phone("102")
    caller = a.call("102")
    one, two = b1.called(), b2.called()
    one.answer(180)
    two.answer(180)
    one.answer(200, body=sdp("one"))
    one.expect("ACK")
    two.expect("CANCEL")
    ok = two.answer(200, body=sdp("two"))
    assert b2.got == ["ACK", "BYE"]
    b2.put(ok)
    assert b2.got == ["ACK"]
    assert [m for m in a.got if m == 200] == [200]
    caller.ack()
    assert len(world.exchange.calls) == 1


def test_a_6xx_ends_all(world: World) -> None:
    a, b1, b2 = world.phone("101"), world.phone("102"), world.phone("102")
    caller = a.call("102")
    one, two = b1.called(), b2.called()
    one.answer(180)
    caller.expect(180)
    two.answer(603)
    b2.expect("ACK")
    b1.reply(one.expect("CANCEL"), 200)
    caller.fails(603)
    one.answer(487)
    b1.expect("ACK")
    world.assert_idle()


@pytest.mark.parametrize(
    ("first", "second", "heard"),
    [(486, 404, {404, 486}), (408, 486, {486}), (500, 486, {486}), (480, 603, {603})],
)
def test_the_best_answer(world: World, first: int, second: int, heard: set[int]) -> None:
    a, b1, b2 = world.phone("101"), world.phone("102"), world.phone("102")
    caller = a.call("102")
    b1.called().answer(first)
    a.silent()
    b2.called().answer(second)
    (status,) = a.got
    assert status in heard
    assert caller


def test_a_phones_challenge_is_not_relayed(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    b.called().answer(401, ("WWW-Authenticate", 'Digest realm="phone",nonce="1"'))
    b.expect("ACK")
    (status,) = a.got
    assert status not in (401, 407)
    assert caller


def test_a_second_200_from_a_forking_proxy_is_hung_up(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("0145678901")
    callee = c.called()
    callee.answer(200, body=sdp("one"))
    callee.expect("ACK")
    caller.expect(200)
    c.reply(callee.invite, 200, tag="the-other", body=sdp("two"))
    ack, bye = c.expect("ACK"), c.expect("BYE")
    assert ack.to_tag == bye.to_tag == "the-other"
    c.reply(bye, 200)
    a.silent()
    caller.ack()
    hang_up(caller, callee)
    world.assert_idle()


def test_two_early_dialogs_from_one_target(world: World) -> None:
    """Two To-tags behind a carrier: the answer belongs to the second."""
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("0145678901")
    callee = c.called()
    c.reply(callee.invite, 180, tag="first")
    c.reply(callee.invite, 180, tag="second")
    assert a.got == [180, 180]
    c.reply(callee.invite, 200, tag="second", body=sdp("c"))
    assert c.expect("ACK").to_tag == "second"
    caller.expect(200)
    caller.ack()
    caller.send("BYE")
    caller.expect(200)
    assert c.expect("BYE").to_tag == "second"


def test_a_fork_that_ignores_its_bye_ends_nothing(world: World) -> None:
    """The second phone behind a carrier's proxy is gone at once: the call that is up has another peer."""
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("0145678901")
    callee = c.called()
    c.reply(callee.invite, 200, tag="first", body=sdp("c"))
    c.expect("ACK")
    caller.expect(200)
    caller.ack()
    c.reply(callee.invite, 200, tag="second", body=sdp("c"))
    assert c.got == ["ACK", "BYE"]
    world.after(40)
    assert len(world.exchange.calls) == 1
    a.silent()


@pytest.mark.parametrize("heard", [(), ("second",)])
def test_media_of_two_forks_are_two_early_dialogs(world: World, heard: tuple[str, ...]) -> None:
    """A carrier forks: one phone's early media, then another one answers. The caller's phone ignores a
    second description under the same To-tag, and would go on listening to the first."""
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("0145678901")
    callee = c.called()
    c.reply(callee.invite, 183, tag="first", body=sdp("first"))
    one = caller.expect(183)
    c.reply(callee.invite, 180, tag="second")
    assert caller.expect(180).to_tag == one.to_tag
    for tag in heard:
        c.reply(callee.invite, 183, tag=tag, body=sdp(tag))
        early = caller.expect(183)
        assert early.to_tag != one.to_tag
    c.reply(callee.invite, 200, tag="second", body=sdp("second"))
    two = caller.expect(200)
    assert two.body == sdp("second")
    assert two.to_tag != one.to_tag
    assert not heard or two.to_tag == early.to_tag
    assert c.expect("ACK").to_tag == "second"
    caller.ack()
    caller.send("BYE")
    caller.expect(200)
    assert c.expect("BYE").to_tag == "second"
