"""Phones by TCP: a leg names its binding, not its socket (RFC 5626)."""

import pytest

from switch.sip.flow import Flow
from tests.flows.actors import SWITCH, Actor, World, established


def phone(world: World, line: str, connection: int, port: int) -> Actor:
    """A registered phone by TCP, reached on its connection."""
    actor = Actor(world, line, Flow("TCP", SWITCH, ("127.0.0.1", port), connection), f"demo-{line}")
    actor.contact = f"<sip:{line}@127.0.0.1:{port};transport=tcp>"
    assert actor.register().status == 200
    return actor


def reconnected(world: World, old: Actor, connection: int, port: int) -> Actor:
    """The same phone after its connection broke: another port, another connection."""
    world.core.on_flow_closed(old.flow, world.now)
    world.pump()
    new = Actor(world, old.name, Flow("TCP", SWITCH, ("127.0.0.1", port), connection), old.password)
    new.contact, new.registration, new.cseq = old.contact, old.registration, old.cseq
    assert new.register().status == 200
    return new


def test_a_call_by_tcp(world: World) -> None:
    a, b = phone(world, "101", 1, 41001), phone(world, "102", 2, 41002)
    caller, callee = established(a, b, "102")
    caller.send("BYE")
    caller.expect(200)
    b.reply(callee.expect("BYE"), 200)
    world.assert_idle()


def test_a_bye_finds_the_phones_new_connection(world: World) -> None:
    a, b = phone(world, "101", 1, 41001), phone(world, "102", 2, 41002)
    caller, callee = established(a, b, "102")
    again = reconnected(world, b, 3, 41003)
    caller.send("BYE")
    caller.expect(200)
    bye = again.expect("BYE")
    assert bye.call_id == callee.call_id
    again.reply(bye, 200)
    b.silent()
    world.assert_idle()


def test_a_call_waits_two_seconds_for_the_phone_to_come_back(world: World) -> None:
    a, b = world.phone("101"), phone(world, "102", 2, 41002)
    world.core.on_flow_closed(b.flow, world.now)
    caller = a.call("102")
    world.after(1)
    a.silent()
    again = reconnected(world, b, 3, 41003)
    world.after(0.5)
    again.called().answer(180)
    caller.expect(180)


def test_a_phone_that_does_not_come_back_is_unreachable(world: World) -> None:
    a, b = world.phone("101"), phone(world, "102", 2, 41002)
    world.core.on_flow_closed(b.flow, world.now)
    caller = a.call("102")
    world.after(3)
    assert 'text="unreachable"' in caller.fails(480).get("Reason")
    world.assert_idle()


def test_a_connection_that_breaks_while_ringing(world: World) -> None:
    """The branch fails as by 503; nothing hangs."""
    a, b = world.phone("101"), phone(world, "102", 2, 41002)
    caller = a.call("102")
    b.called()
    world.core.on_flow_closed(b.flow, world.now)
    world.pump()
    world.after(130)
    assert caller
    assert any(isinstance(s, int) and s >= 300 for s in a.got)
    world.assert_idle()


@pytest.mark.parametrize("by", ["a broken connection", "a restart of the switch"])
def test_a_phone_that_is_back_calls_for_help_before_it_registers_anew(
    world: World, by: str
) -> None:
    """Never a second round trip: it is known by address and contact, and not only by its connection."""
    a = phone(world, "101", 1, 41001)
    if by == "a broken connection":
        world.core.on_flow_closed(a.flow, world.now)
        world.pump()
    else:
        world = world.restarted()
    back = Actor(world, "101", Flow("TCP", SWITCH, ("127.0.0.1", 41009), 9))
    back.contact, c = a.contact, world.carrier(1)
    back.call("18")
    assert "+33199000101" in (c.called().invite.get("P-Asserted-Identity") or "")
    stranger = Actor(world, "101", Flow("TCP", SWITCH, ("127.0.0.77", 41009), 10))
    stranger.call("18")
    assert stranger.got == [401], "another address is another phone"
    world.after(33)
    late = Actor(world, "101", Flow("TCP", SWITCH, ("127.0.0.1", 41010), 11))
    late.call("18")
    assert late.got == [401], "the binding has ended"


def test_a_bye_waits_for_the_phones_next_connection(world: World) -> None:
    a, b = phone(world, "101", 1, 41001), phone(world, "102", 2, 41002)
    caller, callee = established(a, b, "102")
    world.core.on_flow_closed(b.flow, world.now)
    caller.send("BYE")
    caller.expect(200)
    counted = world.cdrs[0]["end"]
    for _ in range(3):  # the connection is gone: each try fails, and another follows
        b.expect("BYE")
        world.lose_flow(b)
        world.after(1.1)
    b.inbox.clear()
    again = reconnected(world, b, 3, 41003)
    world.after(1.1)
    bye = again.expect("BYE")
    assert bye.call_id == callee.call_id
    again.reply(bye, 200)
    assert [cdr["end"] for cdr in world.cdrs] == [counted]
    world.assert_idle()
