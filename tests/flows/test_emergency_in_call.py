"""What an emergency call changes and forbids while it lives (RFC 6881 SP-38)."""

from dataclasses import replace

import pytest

from tests.flows.actors import Actor, Talk, World, established, hang_up, sdp

WITH_SILENCE = (
    b"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 13 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\n"
    b"a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
)
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


# -- refreshes, moves, transfers -------------------------------------------------------------------


def test_a_refresh_passes(world: World) -> None:
    _, caller, callee = up(world)
    for method in ("INVITE", "UPDATE"):
        if method == "INVITE":
            caller.reinvite(body=sdp("101"))
            caller.expect(200)
            caller.ack()
        else:
            caller.send("UPDATE")
            caller.expect(200)
    still_up(world, caller, callee)


def test_a_change_of_address_passes(world: World) -> None:
    """A phone that moved from Wi-Fi to the mobile network."""
    _, caller, callee = up(world)
    moved = sdp("101", 2).replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 127.0.6.9")
    caller.reinvite(body=moved)
    asked = callee.expect("INVITE")
    assert b"c=IN IP4 127.0.6.9" in asked.body
    callee.actor.reply(asked, 200, body=sdp("psap", 2))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    still_up(world, caller, callee)


@pytest.mark.parametrize("by", ["caller", "psap"])
def test_a_transfer_is_403(world: World, by: str) -> None:
    _, caller, callee = up(world)
    who = caller if by == "caller" else callee
    who.send("REFER", ("Refer-To", "<sip:102@vigie>"))
    who.expect(403)
    still_up(world, caller, callee)


def test_a_call_that_replaces_it_is_refused(world: World) -> None:
    _, caller, callee = up(world)
    b = world.phone("102")
    replaces = f"{caller.call_id};to-tag=x;from-tag=y"
    b.call("101", ("Require", "replaces"), ("Replaces", replaces)).fails(420)
    still_up(world, caller, callee)


# -- no second call --------------------------------------------------------------------------------


def test_a_phone_in_an_emergency_call_gets_no_second_call(world: World) -> None:
    a, caller, callee = up(world)
    b = world.phone("102")
    b.call("101").fails(486)
    a.silent()
    hang_up(caller, callee)
    b.call("101")
    a.called()


def test_another_phone_of_the_line_takes_the_call(world: World) -> None:
    a, _, _ = up(world)
    other, b = world.phone("101"), world.phone("102")
    b.call("101")
    other.called()
    a.silent()


def test_which_phone_it_is_is_known_after_a_kill(world: World) -> None:
    a, caller, _ = up(world)
    other, b = world.phone("101"), world.phone("102")
    world = world.restarted()
    b.call("101")
    other.called()
    assert "INVITE" not in a.got
    assert caller.call_id


def test_a_second_emergency_call_is_never_refused(world: World) -> None:
    a, _, _ = up(world, "17")
    c = world.carrier(1)
    a.call("15")
    assert c.called().invite.request_uri.user == "15"


# -- nothing cuts it -------------------------------------------------------------------------------


def expired(world: World, caller: Talk, callee: Talk) -> None:
    assert ("emergency.session_expired" in [name for name, _ in world.events]) or (
        "emergency.refresh_failed" in [name for name, _ in world.events]
    )
    for talk in (caller, callee):
        assert "BYE" not in talk.actor.got


@pytest.mark.parametrize("status", [408, 481, 500, 503])
def test_a_refresh_that_fails_alarms_and_never_hangs_up(world: World, status: int) -> None:
    """The carrier doesn't support session timers, so we refresh; it says no each time."""
    _, caller, callee = up(world)
    for _ in range(3):
        world.after(900)
        for message in list(callee.actor.inbox):
            callee.actor.inbox.remove(message)
            if getattr(message, "method", "") in ("INVITE", "UPDATE"):
                callee.actor.reply(message, status)
        caller.actor.inbox.clear()
        callee.actor.inbox.clear()
    assert len(world.exchange.calls) == 1
    if status in (408, 481):
        assert "emergency.refresh_failed" in [name for name, _ in world.events]
    hang_up(caller, callee)


def test_a_refresh_that_nobody_answers_alarms_and_never_hangs_up(world: World) -> None:
    _, caller, callee = up(world)
    world.after(3 * 1800)
    expired(world, caller, callee)
    assert len(world.exchange.calls) == 1


@pytest.mark.parametrize("who", ["phone", "carrier", "both"])
def test_after_a_restart_it_ends_only_when_neither_side_knows_it(world: World, who: str) -> None:
    """Both hung up while the switch was down: a call that nobody is in must not keep the phone busy."""
    _, caller, callee = up(world)
    sides = {"phone": [caller], "carrier": [callee], "both": [caller, callee]}[who]
    after = world.restarted()
    for _ in range(31):
        after.after(1)
        for talk in (caller, callee):
            for asked in [m for m in talk.actor.inbox if getattr(m, "method", "") == "OPTIONS"]:
                talk.actor.inbox.remove(asked)
                talk.actor.reply(asked, 481 if talk in sides else 200)
    assert len(after.exchange.calls) == (who != "both")
    assert bool(after.exchange.in_emergency) == (who != "both")
    if who != "both":
        hang_up(caller, callee)


def test_no_cap_counts_it_or_cuts_it(world: World) -> None:
    _, caller, callee = up(world)
    (call,) = world.exchange.calls.values()
    call.on_cap_reached(world.now)
    still_up(world, caller, callee)


def test_a_suspension_and_a_drain_in_the_middle_change_nothing(world: World) -> None:
    _, caller, callee = up(world)
    world.exchange.is_draining = True
    facts = world.exchange.facts
    line = facts.lines["101"]
    state = type(line.policy.state)("suspended")
    changed = replace(line, policy=replace(line.policy, state=state))
    world.exchange.facts = replace(facts, lines={**facts.lines, "101": changed})
    world.after(60)
    still_up(world, caller, callee)


def test_a_session_that_is_too_short_costs_no_round_trip(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18", ("Supported", "timer"), ("Session-Expires", "30"))
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    still_up(world, caller, callee)


# -- the location is the one of the moment when it was dialled -------------------------------------


def test_the_location_is_frozen_when_the_call_begins(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    c1.expect("INVITE")
    facts = world.exchange.facts
    line = facts.lines["101"]
    assert line.policy.location is not None
    elsewhere = replace(line.policy.location, insee="13201", version=9)
    moved = replace(line, policy=replace(line.policy, location=elsewhere))
    world.exchange.facts = replace(facts, lines={**facts.lines, "101": moved})
    world.lose_flow(c1)
    callee = c2.called()
    assert b"75108" in callee.invite.body
    assert b"13201" not in callee.invite.body
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, callee)
    (record,) = world.records("audit")
    assert record["insee"] == "75108"
    assert record["address_version"] == line.policy.location.version


def test_an_answer_that_is_never_acknowledged_alarms_and_is_never_cut(world: World) -> None:
    """The ACK was lost, or can't be read: phone and PSAP speak all the same."""
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    psap = c.called()
    psap.answer(200, body=sdp("psap"))
    psap.expect("ACK")
    caller.expect(200)
    world.after(40)
    assert set(a.got) == {200}, "repeated, and no BYE"
    c.silent()
    assert "emergency.not_acknowledged" in [name for name, _ in world.events]
    psap.send("INVITE", body=sdp("psap", 2))
    a.reply(caller.expect("INVITE"), 200, body=sdp("101", 2))
    psap.expect(200)
    psap.ack(cseq=psap.cseq)
    caller.expect("ACK")
    hang_up(psap, caller)
    (audit,) = world.records("audit")
    assert audit["answered"] is True
    world.assert_idle()


def test_ringing_that_is_never_acknowledged_does_not_end_it(world: World) -> None:
    """The phone requires 100rel and sends no PRACK: it rings, and the PSAP may still answer."""
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18", ("Require", "100rel"))
    psap = c.called()
    psap.answer(180)
    world.after(40)
    assert set(a.got) == {180}
    psap.answer(200, body=sdp("psap"))
    psap.expect("ACK")
    caller.expect(200)
    caller.ack()
    hang_up(caller, psap)
    world.assert_idle()


def test_without_an_answer_in_its_ack_there_is_no_call(world: World) -> None:
    """The PSAP made the offer and nobody ever answered it."""
    a, c = world.phone("101"), world.carrier(1)
    a.call("18", body=b"")
    c.called().answer(200, body=sdp("psap"))
    world.after(40)
    assert a.got[-1] == "BYE"
