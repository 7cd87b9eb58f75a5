"""Where requests in a dialog go: to who is at the other end now, not to where it once spoke from."""

import pytest

from switch.sip.flow import Flow
from switch.sip.message import Request
from tests.flows.actors import SWITCH, Actor, Talk, World, established, sdp

NUMBER = "0145678901"


def at(world: World, old: Actor, host: str, port: int, transport: str = "UDP", n: int = 0) -> Actor:
    """The same phone or carrier at another address, port or connection."""
    new = Actor(world, old.name, Flow(transport, SWITCH, (host, port), n), old.password)
    new.contact, new.registration, new.cseq = old.contact, old.registration, old.cseq
    return new


def hung_up_at(leaving: Talk, where: Actor) -> Request:
    """The other side hangs up: the BYE comes to `where`."""
    leaving.send("BYE")
    leaving.expect(200)
    bye: Request = where.expect("BYE")
    where.reply(bye, 200)
    return bye


def test_a_nat_that_gives_another_port_in_the_call(world: World) -> None:
    """The phone's next request tells it, and its re-INVITE's 200 is repeated there."""
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    b.contact = callee.actor.contact = "<sip:102@192.168.1.20:5060>"
    moved = callee.actor = at(world, b, "127.0.0.1", 55555)
    callee.reinvite(body=sdp("102", 2))
    a.reply(caller.expect("INVITE"), 200, body=sdp("101", 2))
    caller.expect("ACK")
    world.after(0.6)
    assert moved.got == [200, 200]
    callee.ack()
    hung_up_at(caller, moved)
    b.silent()
    world.assert_idle()


def test_a_nat_that_gave_another_port_since_the_phone_spoke(world: World) -> None:
    """Its registration tells it."""
    a = world.phone("101")
    b = Actor(world, "102", Flow("UDP", SWITCH, ("127.0.0.1", 41001)), "demo-102")
    b.contact = "<sip:102@192.168.1.20:5060>"
    b.register()
    caller, _callee = established(a, b, "102")
    world.after(60)
    b.inbox.clear()
    moved = at(world, b, "127.0.0.1", 55556)
    assert moved.register().status == 200
    hung_up_at(caller, moved)
    b.silent()


def test_a_phone_that_sends_from_a_port_where_it_does_not_listen(world: World) -> None:
    """Without rport in its INVITE, nothing says that it would (RFC 3581 §3)."""
    world.phone("102")
    ear = Actor(world, "101", Flow("UDP", SWITCH, ("127.0.0.1", 5062)), "demo-101")
    mouth = at(world, ear, "127.0.0.1", 41062)
    ear.contact = mouth.contact = "<sip:101@127.0.0.1:5062>"
    assert ear.register().status == 200
    mouth.challenge, mouth.uses = ear.challenge, ear.uses
    mouth.cseq = 100
    via = ear.via().removesuffix(";rport")
    invite = mouth.request("INVITE", "sip:102@vigie", body=sdp("101"), via=via)
    mouth.put(mouth.authorized(invite))
    b = next(actor for actor in world.actors.values() if actor.name == "102")
    callee = b.called()
    callee.answer(200, body=sdp("102"))
    caller = Talk(ear, invite, is_caller=True)
    caller.expect(200)
    callee.expect("ACK")
    caller.actor = mouth
    caller.ack()
    hung_up_at(callee, ear)
    mouth.silent()


def test_the_bye_of_an_unregistered_phone_is_its_own(world: World) -> None:
    """Another phone of its line is registered by TCP: it has nothing to do with this call."""
    a = Actor(world, "101", Flow("TCP", SWITCH, ("127.0.0.1", 41001), 1), "demo-101")
    assert a.register().status == 200
    b = world.phone("102")
    soft = Actor(world, "101", Flow("TCP", SWITCH, ("127.0.0.1", 41009), 9), "demo-101")
    soft.contact = "<sip:soft@127.0.0.1:41009;transport=tcp>"
    _caller, callee = established(soft, b, "102")
    hung_up_at(callee, soft)
    a.silent()


def test_a_bye_is_not_another_phones_of_the_line(world: World) -> None:
    """The phone's connection is gone: its BYE waits for it, whoever else is registered."""
    a = world.phone("101")
    b = Actor(world, "102", Flow("TCP", SWITCH, ("127.0.0.1", 41001), 1), "demo-102")
    b.contact = "<sip:102@127.0.0.1:41001;transport=tcp>"
    other = Actor(world, "102", Flow("TCP", SWITCH, ("127.0.0.7", 41002), 2), "demo-102")
    other.contact = "<sip:102@127.0.0.7:41002;transport=tcp>"
    assert b.register().status == other.register().status == 200
    caller = a.call("102")
    callee = b.called()
    other.expect("INVITE")
    callee.answer(200, body=sdp("102"))
    caller.expect(200)
    callee.expect("ACK")
    caller.ack()
    other.inbox.clear()
    world.core.on_flow_closed(b.flow, world.now)
    caller.send("BYE")
    caller.expect(200)
    assert "BYE" not in other.got
    world.lose_flow(b)
    again = at(world, b, "127.0.0.1", 41005, "TCP", 5)
    assert again.register().status == 200
    world.after(1.1)
    again.expect("BYE")
    assert "BYE" not in other.got


@pytest.mark.parametrize("way", ["out", "in"])
def test_a_carriers_contact_is_where_it_listens(world: World, way: str) -> None:
    """It answers, or calls, from one of its machines; another has the call (RFC 3261 §12.2.1.1)."""
    a, c = world.phone("101"), world.carrier(1)
    d = Actor(world, "d", Flow("UDP", SWITCH, ("127.0.1.2", 5099)))
    c.contact = "<sip:d@127.0.1.2:5099>"
    if way == "out":
        caller = a.call(NUMBER)
        c.called().answer(200, body=sdp("c"))
        d.expect("ACK")
        caller.expect(200)
        caller.ack()
        phone = caller
    else:
        phone_call = c.call("+33199000101")
        phone = a.called()
        phone.answer(200, body=sdp("101"))
        phone_call.expect(200)
        phone.expect("ACK")
        phone_call.ack()
    hung_up_at(phone, d)
    c.silent()


def test_a_carriers_first_route_goes_before_its_contact(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    edge = Actor(world, "edge", Flow("UDP", SWITCH, ("127.0.1.3", 5061)))
    c.contact = "<sip:inner@10.9.9.9>"
    a.call(NUMBER)
    c.called().answer(200, ("Record-Route", "<sip:127.0.1.3:5061;lr>"), body=sdp("c"))
    ack = edge.expect("ACK")
    assert ack.uri == "sip:inner@10.9.9.9"
    assert ack.get("Route") == "<sip:127.0.1.3:5061;lr>"


@pytest.mark.parametrize(
    "contact", ["<sip:c@sbc.carrier.test>", "<sip:c@0.0.0.0>", "<sip:c@[::1]:5060>", "<tel:+33>"]
)
def test_a_contact_that_leads_nowhere(world: World, contact: str) -> None:
    """Then the way back is the one that the answer came."""
    a, c = world.phone("101"), world.carrier(1)
    c.contact = contact
    a.call(NUMBER)
    c.called().answer(200, body=sdp("c"))
    c.expect("ACK")


def test_a_carrier_that_closed_its_connection(world: World) -> None:
    """It called on a connection of its own, and closed it in the call: we open one (§18.1.1)."""
    b, c = world.phone("102"), world.carrier(2)
    once = at(world, c, "127.0.1.1", 5071, "TCP", 7)
    caller, callee = established(once, b, "+33199000102")
    world.core.on_flow_closed(once.flow, world.now)
    c = world.carrier(2)
    hung_up_at(callee, c)
    assert caller
    ended = [leg.dialog for leg in world.exchange.legs.values() if leg.is_trunk]
    assert [dialog.flow.connection for dialog in ended if dialog] == [0]


def test_a_bye_to_a_carrier_that_restarts(world: World) -> None:
    """Nobody listens for a moment: without its BYE the carrier would count on."""
    a, c = world.phone("101"), world.carrier(1)
    caller, callee = established(a, c, NUMBER)
    caller.send("BYE")
    caller.expect(200)
    first = callee.expect("BYE")
    world.lose_flow(c)
    world.after(1.1)
    again = callee.expect("BYE")
    assert again.cseq.number > first.cseq.number
    c.reply(again, 200)
    world.assert_idle()


def test_a_carrier_whose_contact_leads_nowhere(world: World) -> None:
    """It repeats its 200, since our ACK went astray: the call for help is acknowledged all the same."""
    a, c = world.phone("101"), world.carrier(1)
    c.contact = "<sip:inside@10.20.30.40:5060>"
    caller = a.call("18")
    callee = c.called()
    callee.answer(200, body=sdp("c"))
    caller.expect(200)
    caller.ack()
    c.silent()
    callee.answer(200, body=sdp("c"))
    c.expect("ACK")
