"""A phone in an emergency call that is up, and the proof that it still is."""

from tests.flows.actors import Actor, Talk, World, hang_up, sdp

WITH_SILENCE = (
    b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 13 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\n"
    b"a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
)


def up(world: World, dialled: str = "18", body: bytes | None = None) -> tuple[Actor, Talk, Talk]:
    """A phone in an emergency call."""
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call(dialled, body=body)
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    return a, caller, callee


def still_up(world: World, caller: Talk, callee: Talk) -> None:
    assert len(world.exchange.calls) == 1
    caller.actor.silent()
    callee.actor.silent()
    hang_up(caller, callee)
    world.assert_idle()
