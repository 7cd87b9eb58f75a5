"""How many hops a call for help has, so that a loop of them ends; and the same call by two ways."""

from switch.sip.parser import parse
from tests.flows.actors import World
from tests.flows.damaged import answers


def test_a_loop_through_a_pbx_ends(world: World) -> None:
    """A PBX that is registered as 101 and is a trunk's far end sends each 18 back as its own call, with
    one hop less: the first leaves with all hops, the later ones count."""
    phone, carrier = world.phone("101"), world.carrier(1)
    phone.call("18")
    turns = 0
    while carrier.inbox:
        hops = carrier.called().invite.max_forwards
        turns += 1
        assert turns < 80, "an endless loop"
        phone.inbox.clear()
        phone.call("18", max_forwards=str(hops - 1))
    assert answers(phone) == [483]
    assert turns == 35


def test_a_second_call_for_help_has_the_hops_that_it_says(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    phone.call("18", max_forwards="0")
    phone.call("15", max_forwards="5")
    assert [i.max_forwards for i in (carrier.expect("INVITE"), carrier.expect("INVITE"))] == [69, 4]


def test_what_a_trunk_brings_without_hops_is_a_loop(world: World) -> None:
    carrier = world.carrier(1)
    carrier.call("18", max_forwards="0")
    carrier.expect(483)


def test_the_same_call_by_another_way_is_under_way_already(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    first = phone.call("18")
    again = parse(first.invite.to_bytes())
    again.set("Via", phone.via())
    phone.put(again)
    phone.expect(482)
    carrier.expect("INVITE")
    carrier.silent()
