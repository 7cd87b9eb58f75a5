"""RFC 3261 §18.1.1: what is too large for UDP goes by TCP, and by UDP without the location if it can't."""

from pathlib import Path

import pytest

from switch import config
from tests.flows.actors import DEMO, Actor, Talk, World, sdp


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The first carrier wants the location too, and takes UDP."""
    text = (DEMO / "vigie.toml").read_text("utf-8")
    changed = text.replace('profile = "A"', 'profile = "C"\npidf_lo = true', 1)
    assert changed != text
    changed = changed.replace('dialplan = "../..', f'dialplan = "{DEMO.parents[1]}')
    (tmp_path / "vigie.toml").write_text(changed, "utf-8")
    (tmp_path / "networks.csv").write_bytes((DEMO / "networks.csv").read_bytes())
    return World(config.load(tmp_path))


def by_tcp(world: World) -> tuple[Talk, Actor, Actor, Talk]:
    a, udp, tcp = world.phone("101"), world.carrier(1), world.carrier(1, "TCP")
    caller = a.call("18")
    udp.silent()
    return caller, udp, tcp, tcp.called()


def test_an_invite_with_the_location_goes_by_tcp(world: World) -> None:
    _caller, _udp, _tcp, large = by_tcp(world)
    assert len(large.invite.to_bytes()) > 1300
    assert large.invite.via.transport == "TCP"
    assert large.invite.has("Geolocation") and b"geopriv" in large.invite.body
    assert "transport=tcp" in (large.invite.get("Contact") or "")


def test_tcp_that_does_not_open_gives_way_to_udp_without_the_location(world: World) -> None:
    caller, udp, tcp, large = by_tcp(world)
    world.lose_flow(tcp)
    small = udp.called()
    assert small.invite.via.transport == "UDP"
    assert small.invite.via.branch != large.invite.via.branch
    assert "transport" not in (small.invite.get("Contact") or "")
    assert not small.invite.has("Geolocation") and not small.invite.has("Geolocation-Routing")
    assert small.invite.body == sdp("101")
    assert small.invite.get("Content-Type") == "application/sdp"
    assert small.invite.get_all("P-Access-Network-Info") == large.invite.get_all(
        "P-Access-Network-Info"
    )
    assert len(small.invite.to_bytes()) <= 1300
    small.answer(200, body=sdp("psap"))
    caller.expect(200)


def test_tcp_that_breaks_after_a_sign_of_life_is_no_reason_to_ask_twice(world: World) -> None:
    _caller, udp, tcp, large = by_tcp(world)
    large.answer(100)
    world.lose_flow(tcp)
    udp.silent()


def test_a_small_request_stays_on_udp(world: World) -> None:
    a, udp, tcp = world.phone("101"), world.carrier(1), world.carrier(1, "TCP")
    a.call("0145678901")
    assert udp.called().invite.via.transport == "UDP"
    tcp.silent()
