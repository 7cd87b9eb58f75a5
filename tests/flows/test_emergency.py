"""Emergency calls: never challenged, never lost on the way, and blocked from abroad with a warning."""

import pytest

from tests.flows.actors import Actor, Talk, World, hang_up, sdp
from tests.flows.ways_out import up


def test_18_from_a_registered_phone_is_not_challenged(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.challenge = None  # so it sends no credentials
    a.password = ""
    caller = a.call("18")
    callee = c.called()
    assert callee.invite.request_uri.user == "18"
    assert "75108" in (callee.invite.get("P-Access-Network-Info") or "")
    assert "+33199000101" in (callee.invite.get("P-Asserted-Identity") or "")
    up(caller, callee)
    hang_up(caller, callee)
    assert world.cdrs[0]["emergency"] is True
    assert world.cdrs[0]["exempt_reason"] == "emergency"
    (audit,) = world.records("audit")
    assert audit["verdict"] == "connected"
    world.assert_idle()


def test_the_caller_is_never_withheld(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("18", ("Privacy", "id"), from_='"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')
    invite = c.expect("INVITE")
    assert "33199000101" in invite.get("From")
    assert "+33199000101" in invite.get("P-Asserted-Identity")
    assert invite.get("Privacy") in (None, "none")


@pytest.mark.parametrize("tag", ["precondition", "nothing-has-this"])
def test_an_extension_that_we_lack_does_not_cost_the_call(world: World, tag: str) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("18", ("Require", tag))
    assert not c.called().invite.has("Require")


@pytest.mark.parametrize("line", ["105", "107", "108"])
def test_suspended_unpaid_and_unlocated_lines_may(world: World, line: str) -> None:
    a, c = world.phone(line), world.carrier(1)
    a.call("18")
    c.expect("INVITE")


def test_no_100_in_a_second_and_a_half(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    c1.expect("INVITE")
    world.after(1.4)
    c2.silent()
    world.after(0.2)
    callee = c2.called()
    up(caller, callee)
    hang_up(caller, callee)
    world.assert_idle()


def test_a_connection_failure_goes_on_at_once(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18")
    c1.expect("INVITE")
    world.lose_flow(c1)
    c2.expect("INVITE")


def raced(world: World) -> tuple[Actor, Talk, Actor, Talk, Actor, Talk]:
    """100 but no ringing for 8 s: the second route runs beside the first."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    one = c1.called()
    one.answer(100)
    world.after(8.1)
    two = c2.called()
    assert c1.got == [], "the first is not cancelled"
    two.answer(100)
    return a, caller, c1, one, c2, two


def test_the_first_that_rings_wins_the_race(world: World) -> None:
    _a, caller, c1, one, c2, two = raced(world)
    one.answer(180)
    c2.reply(two.expect("CANCEL"), 200)
    two.answer(487)
    caller.expect(180)
    up(caller, one)
    c2.expect("ACK")
    hang_up(caller, one)
    assert c1.got == []
    world.assert_idle()


def test_a_200_that_crosses_our_cancel_is_kept_when_nobody_else_answered(world: World) -> None:
    _a, caller, c1, one, _c2, two = raced(world)
    one.answer(180)
    caller.expect(180)
    two.expect("CANCEL")
    two.answer(200, body=sdp("two"))
    two.expect("ACK")
    assert caller.expect(200).body == sdp("two")
    one.expect("CANCEL")
    caller.ack()
    assert world.exchange.calls
    assert c1.got == []


def test_a_200_that_crosses_our_cancel_is_hung_up_when_another_answered(world: World) -> None:
    _a, caller, _c1, one, c2, two = raced(world)
    one.answer(180)
    caller.expect(180)
    two.expect("CANCEL")
    up(caller, one)
    two.answer(200, body=sdp("two"))
    assert c2.got == ["ACK", "BYE"]


@pytest.mark.parametrize("status", [415, 424])
def test_a_route_that_chokes_on_the_location_is_asked_without(world: World, status: int) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    caller = a.call("18")
    c1.called().answer(503)
    first = c2.called()
    assert first.invite.has("Geolocation")
    assert b"<gp:geopriv" in first.invite.body or b"geopriv" in first.invite.body
    first.answer(status)
    c2.expect("ACK")
    again = c2.called()
    assert not again.invite.has("Geolocation")
    assert again.invite.body == sdp("101")
    assert "75108" in (again.invite.get("P-Access-Network-Info") or "")
    up(caller, again)


def test_all_routes_fail_then_112_then_the_last_words(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    speaker = world.speaker()
    caller = a.call("18")
    dialled = []
    for carrier in (c1, c2, c1, c2):
        callee = carrier.called()
        dialled.append(callee.invite.uri)
        callee.answer(503)
        carrier.expect("ACK")
    assert "18@" in dialled[0] and "112@" in dialled[2]
    assert dialled[3] == "urn:service:sos"
    words = speaker.called()
    assert world.speakers.asked == ["emergency_failed"]
    words.answer(183, body=sdp("words"))
    assert caller.expect(183).body == sdp("words")
    words.answer(480)
    (final,) = a.got
    assert final != 503
    assert world.records("audit")[0]["verdict"] == "failed"
    assert world.speakers.free == 4


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_hold_is_refused_and_the_call_goes_on(world: World, direction: str) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18")
    callee = c.called()
    up(caller, callee)
    caller.reinvite(body=sdp("101", 2, direction))
    caller.fails(488)
    c.silent()
    caller.send("REFER", ("Refer-To", "<sip:102@vigie>"))
    caller.expect(403)
    hang_up(callee, caller)


def test_an_expired_session_does_not_end_it(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("18", ("Supported", "timer"), ("Session-Expires", "300;refresher=uac"))
    up(caller, c.called())
    world.after(400)
    assert "BYE" not in a.got + c.got
    assert world.exchange.calls


def test_no_channel_limit_counts(world: World) -> None:
    a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
    for _ in range(world.exchange.facts.lines["101"].channels):
        a.call("102")
    assert b.got
    a.call("18")
    c.expect("INVITE")


# -- from abroad ---------------------------------------------------------------------------------


def test_abroad_the_warning_is_heard_then_403(world: World) -> None:
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller = a.call("18")
    words = speaker.called()
    assert world.speakers.asked == ["abroad"]
    assert words.invite.get("X-Vigie-Keys") == "1"
    words.answer(183, body=sdp("words"))
    assert caller.expect(183).body == sdp("words")
    words.answer(403)
    speaker.expect("ACK")
    refusal = caller.fails(403)
    assert 'text="abroad"' in refusal.get("Reason")
    assert "abroad" in refusal.get("Warning")
    c.silent()
    (audit,) = world.records("audit")
    assert (audit["verdict"], audit["level"]) == ("blocked_abroad", "E5")
    (ended,) = [fields for name, fields in world.events if name == "call.end"]
    assert ended["rang"] is False, "words of ours are no ringing: the set-up time would look fine"
    assert world.speakers.free == 4
    world.assert_idle()


def test_key_1_connects_under_a_new_to_tag(world: World) -> None:
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    caller = a.call("18")
    words = speaker.called()
    words.answer(183, body=sdp("words"))
    heard = caller.expect(183)
    words.answer(380, ("X-Vigie-Key", "1"))
    callee = c.called()
    callee.answer(180)
    assert caller.expect(180).to_tag != heard.to_tag
    up(caller, callee)
    hang_up(caller, callee)
    assert world.records("audit")[0]["verdict"] == "override_connected"
    world.assert_idle()


def test_hanging_up_during_the_warning(world: World) -> None:
    a, speaker = world.phone("101", "127.0.2.1"), world.speaker()
    caller = a.call("18")
    words = speaker.called()
    words.answer(183, body=sdp("words"))
    caller.expect(183)
    caller.cancel()
    assert a.got == [200, 487]
    speaker.reply(words.expect("CANCEL"), 200)
    words.answer(487)
    assert world.speakers.free == 4
    world.assert_idle()


def test_no_worker_and_only_the_address_says_abroad(world: World) -> None:
    """CORE: connect, audit suspect_abroad, alarm."""
    a, c = world.phone("101", "127.0.2.1"), world.carrier(1)
    world.speakers.free = 0
    a.call("18")
    c.expect("INVITE")


def test_a_worker_that_is_lost_before_it_speaks(world: World) -> None:
    a, c, speaker = world.phone("101", "127.0.2.1"), world.carrier(1), world.speaker()
    a.call("18")
    speaker.expect("INVITE")
    world.lose_flow(speaker)
    c.expect("INVITE")


def test_no_data_connects(world: World) -> None:
    a, c = world.phone("101", "127.0.3.1"), world.carrier(1)
    a.call("18")
    c.expect("INVITE")
    assert world.speakers.asked == []
