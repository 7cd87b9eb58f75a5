"""RFC 3665 §3: calls that succeed and end, between two phones."""

from tests.flows.actors import World, established, hang_up, sdp


def test_a_call_from_101_to_102(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    assert callee.invite.body == sdp("101")
    callee.answer(180)
    caller.expect(180)
    callee.answer(200, body=sdp("102"))
    ok = caller.expect(200)
    assert ok.body == sdp("102")
    callee.expect("ACK")
    caller.ack()
    b.silent()
    world.after(10)
    hang_up(caller, callee)
    (cdr,) = world.cdrs
    assert cdr["disposition"] == "answered"
    assert cdr["hangup_by"] == "caller"
    assert cdr["end"] - cdr["answer"] == 10_000
    world.assert_idle()


def test_the_callee_hangs_up(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    hang_up(callee, caller)
    assert world.cdrs[0]["hangup_by"] == "callee"
    world.assert_idle()


def test_the_legs_share_nothing_but_the_call(world: World) -> None:
    """Topology is hidden: Call-ID, tags, Contact and branches are each leg's own."""
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", ("X-Secret", "a.example"), ("User-Agent", "Phone/1"))
    callee = b.called()
    text = callee.invite.to_bytes().decode()
    assert caller.call_id not in text
    assert caller.tag and f"tag={caller.tag}" not in text
    assert "X-Secret" not in text and "Phone/1" not in text
    assert len(callee.invite.get_all("Via")) == 1
    assert callee.invite.uri == b.contact.strip("<>"), (
        "the phone's own Contact, parameters included"
    )
    assert callee.invite.max_forwards == 69


def test_early_media_crosses(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller = a.call("0145678901")
    callee = c.called()
    callee.answer(183, body=sdp("early"))
    assert caller.expect(183).body == sdp("early")
    callee.answer(200, body=sdp("early"))
    assert caller.expect(200).body == sdp("early")


def test_a_late_offer_is_answered_in_the_ack(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102", body=b"")
    callee = b.called()
    assert callee.invite.body == b""
    callee.answer(200, body=sdp("102"))
    assert caller.expect(200).body == sdp("102")
    b.silent()  # the ACK waits for the answer
    caller.ack(sdp("101"))
    assert callee.expect("ACK").body == sdp("101")
    hang_up(caller, callee)
    world.assert_idle()


def test_a_phone_that_is_not_registered_is_480(world: World) -> None:
    a = world.phone("101")
    caller = a.call("102")
    refusal = caller.fails(480)
    assert 'text="unreachable"' in refusal.get("Reason")
    world.assert_idle()


def test_busy(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    b.called().answer(486)
    b.expect("ACK")
    assert 'Q.850;cause=17;text="busy"' in caller.fails(486).get("Reason")
    assert world.cdrs[0]["disposition"] == "busy"
    world.assert_idle()


def test_nobody_answers(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    callee = b.called()
    callee.answer(180)
    caller.expect(180)
    world.after(120.2)
    cancel = callee.expect("CANCEL")
    b.reply(cancel, 200)
    callee.answer(487)
    b.expect("ACK")
    assert 'text="no_answer"' in caller.fails(480).get("Reason")
    world.assert_idle()
