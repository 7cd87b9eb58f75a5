"""Phones behind a front proxy: who is trusted to say where a phone is, and for what it counts."""

from dataclasses import replace

import pytest

from switch import config
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from tests.flows.actors import SWITCH, Actor, World

PROXY = Flow("UDP", SWITCH, ("127.0.7.1", 5060))
HOME, DE, UNKNOWN = "127.0.0.1", "127.0.2.1", "127.0.3.1"


class Behind(Actor):
    """A phone of a line whose requests come by the proxy, stamped with its address."""

    def __init__(self, world: World, line: str, address: str, flow: Flow = PROXY) -> None:
        self.address = address
        super().__init__(world, line, flow, f"demo-{line}")

    def via(self) -> str:
        phone = f"SIP/2.0/UDP 10.0.0.9:5062;branch=z9hG4bKp;received={self.address};rport=6000"
        return f"{super().via()}, {phone}"

    def put(self, message: Request | Response) -> None:
        self.world.join(self)  # what goes to the proxy now is for this phone
        super().put(message)


@pytest.fixture
def world(demo: config.Configuration) -> World:
    sip = demo.settings.sip.model_copy(update={"trusted_proxies": ("127.0.7.0/24",)})
    return World(replace(demo, settings=demo.settings.model_copy(update={"sip": sip})))


def calls_18(world: World, phone: Behind) -> list[str | int]:
    """What the phone gets within 2 s, without answering a challenge."""
    phone.password = ""
    phone.call("18")
    world.after(2)
    return phone.got


def test_evidence_is_of_the_phone_and_not_of_the_proxy(world: World) -> None:
    carrier = world.carrier(1)
    home, abroad = Behind(world, "101", HOME), Behind(world, "102", DE)
    assert home.register().status == abroad.register().status == 200
    calls_18(world, abroad)
    assert world.speakers.asked == ["abroad"]
    carrier.silent()
    calls_18(world, home)
    carrier.expect("INVITE")


def test_a_stranger_behind_the_same_proxy_is_challenged(world: World) -> None:
    assert Behind(world, "101", HOME).register().status == 200
    assert 401 not in calls_18(world, Behind(world, "101", HOME))
    assert set(calls_18(world, Behind(world, "103", UNKNOWN))) == {401}


def test_guessing_locks_the_guesser_out_and_not_the_proxy(world: World) -> None:
    guesser, other = Behind(world, "101", UNKNOWN), Behind(world, "101", "127.0.6.1")
    guesser.password = "guessed"
    for _ in range(11):
        assert guesser.register().status == 403
    failed = [fields for name, fields in world.events if name == "auth.failed"]
    assert failed[-1]["locked"] and failed[-1]["peer"] == f"{UNKNOWN}:6000"
    guesser.password = "demo-101"
    assert guesser.register().status == 403
    assert other.register().status == 200


def test_nobody_else_is_believed(world: World) -> None:
    stranger = Flow("UDP", SWITCH, ("127.0.2.9", 5060))
    liar = Behind(world, "101", HOME, stranger)
    assert (
        liar.register(3600, "", ("Path", "<sip:127.0.0.1;lr;received=sip:127.0.0.1>")).status == 200
    )
    (binding,) = world.exchange.registrar.bindings("101", world.now)
    assert (binding.source, binding.path) == ("127.0.2.9", ())
    calls_18(world, liar)
    assert world.speakers.asked == ["abroad"]


@pytest.mark.parametrize(("address", "is_warned"), [(HOME, False), (DE, True)])
def test_a_damaged_call_for_help_comes_from_where_the_proxy_says(
    demo: config.Configuration, address: str, is_warned: bool
) -> None:
    """In the proxies' own field, which is no part of what a mended INVITE keeps."""
    changed = {"trusted_proxies": ("127.0.7.0/24",), "source_header": "X-Source"}
    sip = demo.settings.sip.model_copy(update=changed)
    world = World(replace(demo, settings=demo.settings.model_copy(update={"sip": sip})))
    carrier = world.carrier(1)
    source = ("X-Source", f"sip:{address}:6000")
    phone = Actor(world, "101", PROXY, "demo-101")
    assert phone.register(3600, "", source).status == 200
    phone.password = ""
    phone.call("18", source, ("Expires", "soon"))
    assert world.speakers.asked == (["abroad"] if is_warned else [])
    assert carrier.got == ([] if is_warned else ["INVITE"])
