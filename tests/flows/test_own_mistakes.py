"""Should the switch itself make a mistake, callers are told, and calls for help go on."""

from typing import Never

import pytest

from switch.call import incoming
from switch.call.callee_leg import CalleeLeg
from tests.flows.actors import World, sdp


def mistake(*_: object) -> Never:
    raise RuntimeError("a mistake")


def test_an_invite_that_makes_no_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a = world.phone("101")
    monkeypatch.setattr(incoming, "decide", mistake)
    with pytest.raises(RuntimeError):
        a.call("102")
    world.pump()
    a.expect(500)
    world.assert_idle()


def test_a_call_that_got_no_further(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a = world.phone("101")
    monkeypatch.setattr(incoming, "_try_targets", mistake)
    with pytest.raises(RuntimeError):
        a.call("102")
    world.pump()
    a.expect(500)
    world.assert_idle()


def test_a_call_that_rings_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a, c = world.phone("101"), world.carrier(1)
    monkeypatch.setattr(incoming.afterwards, "alert", mistake)
    with pytest.raises(RuntimeError):
        a.call("18")
    world.pump()
    c.called().answer(200, body=sdp("c"))
    assert a.got == [200]


def test_a_refusal_that_we_do_not_understand(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next route of an emergency call is tried."""
    a, c, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    monkeypatch.setattr(CalleeLeg, "_tries_again", mistake)
    with pytest.raises(RuntimeError):
        c.called().answer(500)
    world.pump()
    c2.called().answer(200, body=sdp("c"))
    assert a.got == [200]
