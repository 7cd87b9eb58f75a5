"""What an emergency call changes in offers and answers: speech only, and no hold (RFC 6881 SP-38)."""

import pytest

from tests.flows.actors import World, established, sdp
from tests.flows.emergency_talk import WITH_SILENCE, still_up, up

SECURE = (
    b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"a=group:BUNDLE 0 1 2\r\na=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\n"
    b"m=audio 40000 RTP/SAVPF 111 13 8\r\na=rtpmap:111 opus/48000/2\r\n"
    b"a=fmtp:111 useinbandfec=1;usedtx=1\r\na=rtpmap:13 CN/8000\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:not-a-real-key\r\na=ice-ufrag:f\r\na=mid:0\r\n"
    b"a=candidate:1 1 UDP 2130706431 127.0.0.1 40000 typ host\r\na=silenceSupp:on - - - -\r\n"
    b"m=video 40002 RTP/SAVPF 13\r\na=rtpmap:13 VP8/90000\r\na=mid:1\r\na=sendonly\r\n"
    b"m=text 40004 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\na=mid:2\r\n"
)


# -- the media of an offer -------------------------------------------------------------------------


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


def test_keys_candidates_and_other_streams_cross_as_they_came(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("18", body=SECURE)
    offered = c.expect("INVITE").body.split(b"\r\n")
    changed = [line for line in offered if line not in SECURE.split(b"\r\n")]
    assert changed == [
        b"m=audio 40000 RTP/SAVPF 8 111",
        b"a=fmtp:111 useinbandfec=1;usedtx=0",
        b"a=silenceSupp:off - - - -",
    ]
    gone = [line for line in SECURE.split(b"\r\n") if line not in offered]
    assert gone == [
        b"m=audio 40000 RTP/SAVPF 111 13 8",
        b"a=fmtp:111 useinbandfec=1;usedtx=1",
        b"a=rtpmap:13 CN/8000",
        b"a=silenceSupp:on - - - -",
    ], "and the video stream keeps its payload type 13"


def test_the_last_codec_is_never_taken_out(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    only = WITH_SILENCE.replace(b"0 13 8", b"13")
    a.call("18", body=only)
    assert b"m=audio 40000 RTP/AVP 13\r\n" in c.expect("INVITE").body


def test_a_late_offer_of_the_psap_is_speech_only_too(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18", body=b"")
    callee = c.called()
    assert not callee.invite.body.startswith(b"v=0")
    callee.answer(200, body=WITH_SILENCE)
    offered = caller.expect(200).body
    assert b"m=audio 40000 RTP/AVP 8 0\r\n" in offered
    caller.ack(body=sdp("101"))
    assert callee.expect("ACK").body == sdp("101")
    still_up(world, caller, callee)


# -- hold ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_hold_is_488_and_the_call_goes_on(world: World, method: str, direction: str) -> None:
    _, caller, callee = up(world)
    body = sdp("101", 2, direction)
    if method == "INVITE":
        caller.reinvite(body=body)
        caller.ack_failure(caller.expect(488))
    else:
        caller.send("UPDATE", body=body)
        caller.expect(488)
    callee.actor.silent()
    still_up(world, caller, callee)


@pytest.mark.parametrize(
    ("found", "put"),
    [
        (b"c=IN IP4 127.0.0.1", b"c=IN IP4 0.0.0.0"),
        (b"t=0 0\r\n", b"t=0 0\r\na=inactive\r\n"),
        (b"m=audio 40000", b"m=audio 0"),
    ],
    ids=["the null address of RFC 2543", "a session attribute", "the stream refused"],
)
def test_other_ways_to_hold_are_refused_too(world: World, found: bytes, put: bytes) -> None:
    _, caller, callee = up(world)
    body = sdp("101", 2).replace(b"a=sendrecv\r\n", b"").replace(found, put)
    caller.reinvite(body=body)
    caller.ack_failure(caller.expect(488))
    still_up(world, caller, callee)


def test_another_stream_may_have_any_direction(world: World) -> None:
    _, caller, callee = up(world, body=SECURE)
    body = SECURE.replace(b"o=a 1 1", b"o=a 1 2")
    caller.reinvite(body=body)
    asked = callee.expect("INVITE")
    assert b"a=sendonly" in asked.body, "the video is the phone's own affair"
    callee.actor.reply(asked, 200, body=sdp("psap", 2))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    still_up(world, caller, callee)


def test_the_psap_may_hold(world: World) -> None:
    a, caller, callee = up(world)
    callee.reinvite(body=sdp("psap", 2, "sendonly"))
    asked = caller.expect("INVITE")
    a.reply(asked, 200, body=sdp("101", 2, "recvonly"))
    caller.expect("ACK")
    assert b"a=recvonly" in callee.expect(200).body
    callee.ack()
    still_up(world, caller, callee)


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_an_answer_does_not_hold_either(world: World, direction: str) -> None:
    a, caller, callee = up(world)
    callee.reinvite(body=sdp("psap", 2))
    a.reply(caller.expect("INVITE"), 200, body=sdp("101", 2, direction))
    caller.expect("ACK")
    assert b"a=sendrecv" in callee.expect(200).body
    callee.ack()
    still_up(world, caller, callee)


def test_nor_does_the_answer_to_a_late_offer(world: World) -> None:
    _, caller, callee = up(world)
    caller.reinvite()
    asked = callee.expect("INVITE")
    callee.actor.reply(asked, 200, body=WITH_SILENCE)
    assert b"RTP/AVP 8 0\r\n" in caller.expect(200).body
    caller.ack(body=sdp("101", 2, "inactive"))
    assert b"a=sendrecv" in callee.expect("ACK").body
    still_up(world, caller, callee)


def test_an_ordinary_call_is_held(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.reinvite(body=sdp("101", 2, "sendonly"))
    b.reply(callee.expect("INVITE"), 200, body=sdp("102", 2, "recvonly"))
    callee.expect("ACK")
    caller.expect(200)
