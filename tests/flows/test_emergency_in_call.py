"""What an emergency call changes and forbids while it lives (RFC 6881 SP-38)."""

from tests.flows.actors import World, hang_up, sdp

WITH_SILENCE = (
    b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 13 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\n"
    b"a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
)


def test_the_psap_is_offered_a_law_first_and_no_comfort_noise(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("18", body=WITH_SILENCE)
    offered = c.expect("INVITE").body
    assert b"m=audio 40000 RTP/AVP 8 0\r\n" in offered
    assert b"CN/8000" not in offered


def test_another_call_keeps_its_codecs(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("0145678901", body=WITH_SILENCE)
    assert c.expect("INVITE").body == WITH_SILENCE


def test_a_phone_in_an_emergency_call_gets_no_second_call(world: World) -> None:
    a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    second = b.call("101")
    second.fails(486)
    a.silent()
    hang_up(caller, callee)
    b.call("101")
    a.called()
