"""Emergency routes: repairs on the same trunk, the race of the routes, UDP and TCP."""

from pathlib import Path

import pytest

from policy.model import Location
from tests.flows.actors import Actor, Talk, World, sdp
from tests.flows.ways_out import FIRST, changed, refuse, up

# -- repairs ------------------------------------------------------------------------------------------


def second(world: World, *headers: tuple[str, str]) -> tuple[Talk, Actor, Talk]:
    """The call has come to the second carrier, which gets the location: caller, carrier, its INVITE."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18", *headers)
    refuse(c1, 503)
    return caller, c2, c2.called()


def again(c: Actor, refused: Talk, status: int) -> Talk:
    refused.answer(status)
    c.expect("ACK")
    repaired = c.called()
    assert repaired.call_id == refused.call_id
    assert repaired.invite.uri == refused.invite.uri
    assert repaired.invite.cseq.number == refused.invite.cseq.number + 1
    assert repaired.invite.get("P-Access-Network-Info")
    return repaired


@pytest.mark.parametrize("status", [415, 424, 488, 513])
def test_without_the_location(world: World, status: int) -> None:
    caller, c2, first = second(world)
    assert "geolocation" in (first.invite.get("Supported") or "")
    repaired = again(c2, first, status)
    assert not repaired.invite.has("Geolocation")
    assert not repaired.invite.has("Geolocation-Routing")
    assert "geolocation" not in (repaired.invite.get("Supported") or "")
    assert repaired.invite.body == sdp("101")
    up(caller, repaired)


def test_without_extensions(world: World) -> None:
    caller, c2, first = second(world)
    repaired = again(c2, first, 420)
    for name in ("Supported", "Require", "Session-Expires", "Min-SE"):
        assert not repaired.invite.has(name)
    assert repaired.invite.has("Geolocation") and b"geopriv" in repaired.invite.body
    up(caller, repaired)
    world.after(3600)
    assert world.exchange.calls, "no session timer ends it"


def test_a_trunk_is_repaired_once(world: World) -> None:
    """What it refuses next is the next route's."""
    _caller, c2, first = second(world)
    c1 = world.carrier(1)
    repaired = again(c2, first, 424)
    repaired.answer(420)
    c2.expect("ACK")
    c2.silent()
    assert c1.called().invite.uri == "sip:112@127.0.1.1:5070"


@pytest.mark.parametrize("status", [428, 436, 437, 438])
def test_without_the_signature(world: World, status: int) -> None:
    caller, c2, first = second(world, ("Identity", "eyJh;info=<https://cert.example/a>"))
    assert first.invite.has("Identity")
    repaired = again(c2, first, status)
    assert not repaired.invite.has("Identity")
    up(caller, repaired)


@pytest.mark.parametrize("status", [424, 420])
def test_once_only(world: World, status: int) -> None:
    _caller, c2, first = second(world)
    c1 = world.carrier(1)
    again(c2, first, status).answer(status)
    c2.expect("ACK")
    assert c1.called().invite.uri == "sip:112@127.0.1.1:5070", "the next route"


@pytest.mark.parametrize(
    "status", [302, 400, 401, 403, 404, 408, 424, 428, 480, 486, 488, 500, 503, 600, 603, 606]
)
def test_any_other_failure_is_the_next_routes(world: World, status: int) -> None:
    """The first carrier is given no location and no signature, so there is nothing to leave out."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    refuse(c1, status)
    c2.expect("INVITE")
    c1.silent()


@pytest.mark.parametrize("status", [424, 428, 437])
def test_what_concerns_the_hop_never_reaches_the_phone(world: World, status: int) -> None:
    """RFC 6442 §4.1: whoever adds a location doesn't pass a 424 on to those who didn't."""
    world.speakers.free = 0
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    for carrier in (c1, c2, c2, c1, c2, c2) if status == 424 else (c1, c2, c1, c2):
        refuse(carrier, status)
    (final,) = a.got
    assert final not in (424, 428, 437)


def test_a_repaired_invite_has_its_whole_patience(world: World) -> None:
    _caller, c2, first = second(world)
    world.after(1.4)
    again(c2, first, 424)
    c1 = world.carrier(1)
    world.after(1.4)
    c1.silent()
    world.after(0.2)
    c1.expect("INVITE")


# -- the race ------------------------------------------------------------------------------------------


def test_each_silent_route_is_given_its_time(world: World) -> None:
    """1.5 s each: 18 by both, then 112 by both."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    asked: list[tuple[float, str, str]] = []
    for _ in range(61):
        for carrier in (c1, c2):
            asked += [(round(world.now % 1000, 1), carrier.name, m.uri) for m in carrier.inbox]  # type: ignore[union-attr]
            carrier.inbox.clear()
        world.after(0.1)
    first: dict[tuple[str, str], float] = {}
    for at, name, uri in asked:
        first.setdefault((name, uri), at)
    assert first == {
        ("carrier-1", "sip:18@127.0.1.1:5070"): 0.0,
        ("carrier-2", "urn:service:sos.fire"): 1.5,
        ("carrier-1", "sip:112@127.0.1.1:5070"): 3.0,
        ("carrier-2", "urn:service:sos"): 4.5,
    }


def test_a_second_silent_route_does_not_wait_for_the_first(world: World) -> None:
    """100 from the first and nothing from the second: the third starts 1.5 s later."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    c1.called().answer(100)
    world.after(8.05)
    c2.expect("INVITE")
    world.after(1.4)
    assert [m for m in c1.got if m == "INVITE"] == []
    world.after(0.2)
    third = c1.called()
    assert third.invite.uri == "sip:112@127.0.1.1:5070"


def test_a_route_that_fails_late_leaves_the_next_its_time(world: World) -> None:
    """The patience is the new route's own, not what the failed one left of its own."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    one = c1.called()
    world.after(1.4)
    c1.inbox.clear()  # the INVITE again, by UDP
    one.answer(503)
    c1.expect("ACK")
    c2.expect("INVITE")
    world.after(1.4)
    c1.silent()
    world.after(0.2)
    c1.expect("INVITE")


def test_a_route_that_fails_after_its_100_leaves_no_long_silence(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    one = c1.called()
    one.answer(100)
    world.after(3)
    one.answer(503)
    c1.expect("ACK")
    c2.expect("INVITE")
    world.after(1.6)
    assert c1.called().invite.uri == "sip:112@127.0.1.1:5070"


def test_the_rival_fails_and_the_next_starts_at_once(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    c1.called().answer(100)
    world.after(8.05)
    refuse(c2, 486)
    third = c1.called()
    assert third.invite.uri == "sip:112@127.0.1.1:5070"
    assert c1.got == [], "the first stays in the race"


def test_the_last_route_may_still_ring(world: World) -> None:
    """All have sent 100 and none rings: nobody is given up before a phone would be."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    talks = []
    for carrier in (c1, c2, c1, c2):
        talk = carrier.called()
        talk.answer(100)
        talks.append(talk)
        world.after(8.05)
    world.after(60)
    assert a.got == []
    talks[1].answer(180)
    caller.expect(180)
    assert c1.got == ["CANCEL", "CANCEL"] and c2.got == ["CANCEL"]
    up(caller, talks[1])


def test_nobody_ever_rings_then_the_words(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    speaker = world.speaker()
    a.call("18")
    for carrier in (c1, c2, c1, c2):
        carrier.called().answer(100)
        world.after(8.05)
    world.after(121)
    speaker.expect("INVITE")
    assert world.speakers.asked == ["emergency_failed"]


def test_ringing_is_never_cut(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    one = c1.called()
    one.answer(180)
    caller.expect(180)
    world.after(170)
    assert a.got == [] and c2.got == []
    assert world.exchange.calls


# -- paths ----------------------------------------------------------------------------------------------


def test_a_carrier_without_tcp_gets_no_location_that_is_too_large(tmp_path: Path) -> None:
    world = changed(tmp_path, (FIRST, f"{FIRST}\npidf_lo = true\ntcp_for_large = false"))
    a, udp, tcp = world.phone("101"), world.carrier(1), world.carrier(1, "TCP")
    a.call("18")
    invite = udp.called().invite
    assert not invite.has("Geolocation")
    assert "VG7510800" in (invite.get("P-Access-Network-Info") or "")
    assert invite.body == sdp("101")
    assert len(invite.to_bytes()) <= 1300
    tcp.silent()


def test_a_location_that_fits_goes_by_udp(tmp_path: Path) -> None:
    """Measured, not guessed: TCP costs a connection, and is a second thing that can fail."""
    world = changed(tmp_path, (FIRST, f"{FIRST}\npidf_lo = true"))
    object.__setattr__(world.exchange.facts.lines["101"].policy, "location", Location("75108", {}))
    a, udp, tcp = world.phone("101"), world.carrier(1), world.carrier(1, "TCP")
    tiny = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    a.call("18", body=tiny)
    for carrier in (udp, tcp):
        for message in carrier.inbox:
            size = len(message.to_bytes())
            assert (carrier is udp) == (size <= 1300), size
    assert len(udp.inbox) + len(tcp.inbox) == 1


def test_a_large_head_counts_too(world: World) -> None:
    """A signature of 900 octets makes an INVITE without any location too large for UDP."""
    a, udp, tcp = world.phone("101"), world.carrier(1), world.carrier(1, "TCP")
    a.call("18", ("Identity", "e" * 900 + ";info=<https://cert.example/a>"))
    udp.silent()
    assert len(tcp.called().invite.to_bytes()) > 1300


# -- a trunk whose connection doesn't open ---------------------------------------------------------

BY_TCP = ('transport = "udp"', 'transport = "tcp"')


def swallows(world: World, is_connecting: bool = True) -> None:
    """The first carrier's address takes SYNs, and says nothing."""
    first = ("127.0.1.1", 5070)
    world.exchange.is_connecting = lambda flow: is_connecting and flow.remote == first


def test_a_connection_that_does_not_open_gets_a_rival_in_time(tmp_path: Path) -> None:
    world = changed(tmp_path, BY_TCP)
    a, c2 = world.phone("101"), world.carrier(2)
    swallows(world)
    caller = a.call("18")
    c2.silent()
    world.after(0.16)
    up(caller, c2.called())


def test_the_trunk_whose_syn_was_lost_may_still_win(tmp_path: Path) -> None:
    world = changed(tmp_path, BY_TCP)
    a, c1, c2 = world.phone("101"), world.carrier(1, "TCP"), world.carrier(2)
    swallows(world)
    caller = a.call("18")
    world.after(0.2)
    late, rival = c1.called(), c2.called()
    late.answer(180)
    caller.expect(180)
    c2.silent()  # no 100 yet: its CANCEL waits for one (§9.1)
    rival.answer(100)
    c2.expect("CANCEL")
    late.answer(200, body=sdp("psap"))
    caller.expect(200)


def test_a_trunk_that_is_connected_has_its_time(tmp_path: Path) -> None:
    world = changed(tmp_path, BY_TCP)
    a, c2 = world.phone("101"), world.carrier(2)
    swallows(world, is_connecting=False)
    a.call("18")
    world.after(1.4)
    c2.silent()
    world.after(0.2)
    c2.expect("INVITE")


def test_the_last_way_out_is_waited_for(tmp_path: Path) -> None:
    """Nobody is beside it: its SYN may have been lost, and the next one gets through."""
    world = changed(tmp_path, BY_TCP)
    a = world.phone("101")
    for number in (1, 2):
        world.carrier(number, "TCP")
    world.exchange.is_connecting = lambda flow: True
    caller = a.call("112")
    world.after(1.0)
    up(caller, world.actors["TCP", ("127.0.1.1", 5071)].called())


def test_112_by_a_way_that_is_waited_for_is_no_rival(tmp_path: Path) -> None:
    """It would need the very connections that don't open, and overtake 18 there."""
    world = changed(tmp_path, BY_TCP)
    a, c1, c2 = world.phone("101"), world.carrier(1, "TCP"), world.carrier(2, "TCP")
    world.exchange.is_connecting = lambda flow: True
    a.call("18")
    world.after(1.4)
    assert [c1.called().invite.request_uri.user, len(c2.got)] == ["18", 1]
    c1.silent()


def test_nor_is_it_when_the_rival_has_failed(tmp_path: Path) -> None:
    world = changed(tmp_path, BY_TCP)
    a, c1, c2 = world.phone("101"), world.carrier(1, "TCP"), world.carrier(2)
    swallows(world)
    caller = a.call("18")
    world.after(0.2)
    late, rival = c1.called(), c2.called()
    rival.answer(503)
    world.after(0.5)
    c1.silent()
    late.answer(180)
    caller.expect(180)


def test_a_trunk_that_probing_found_down_is_not_tried_first(tmp_path: Path) -> None:
    world = changed(tmp_path, BY_TCP)
    swallows(world)
    c2 = world.carrier(2)
    world.exchange.trunks.start(world.now)
    world.pump()
    for _ in range(60):
        world.after(0.5)
        for probe in [m for m in c2.inbox if getattr(m, "method", "") == "OPTIONS"]:
            c2.reply(probe, 200)
        c2.inbox.clear()
    a = world.phone("101")
    a.call("18")
    c2.expect("INVITE")
