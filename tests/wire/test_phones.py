"""pjsua2 phones on the switch: the calls of every day."""

import time

import pytest

from switch.demo.handset import Handset
from tests.wire.conftest import Phones
from tests.wire.rig import RING_TIMEOUT_S, Rig


def connect(caller: Handset, callee: Handset, uri: str) -> tuple[int, int]:
    """Call and answer; the two phones' numbers for the call."""
    here = caller.call(uri)
    there = int(callee.wait("incoming")["call"])
    callee.do("answer", call=there)
    caller.wait("call", call=here, state="confirmed")
    callee.wait("call", call=there, state="confirmed")
    return here, there


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_two_phones_talk_hold_and_resume(rig: Rig, phone: Phones, transport: str) -> None:
    before = len(rig.cdrs())
    alice, bob = phone("101", transport=transport), phone("102", transport=transport)
    here, there = connect(alice, bob, rig.uri("102"))
    for each, call in ((alice, here), (bob, there)):
        each.do("play", call=call, tone=440)
    time.sleep(0.6)  # sound is recorded in real time
    for each, call in ((alice, here), (bob, there)):
        each.do("heard", call=call)
        assert each.wait("heard", call=call)["rms"] > 500

    alice.do("hold", call=here)
    bob.wait("media", call=there, remote_hold=True)
    alice.do("resume", call=here)
    bob.wait("media", call=there, remote_hold=False, active=True)
    alice.wait("media", call=here, held=False, active=True)
    time.sleep(0.1)  # until the ACK has reached bob: before it pjsua2 begins no other re-INVITE
    bob.do("hold", call=there)
    alice.wait("media", call=here, remote_hold=True)
    bob.do("resume", call=there)
    alice.wait("media", call=here, remote_hold=False, active=True)

    bob.do("hangup", call=there)
    assert alice.wait("call", call=here, state="disconnected")["code"] == 200
    cdr = rig.cdr_after(before, line="101")
    assert (cdr["disposition"], cdr["exempt_reason"]) == ("answered", "internal")
    assert cdr["hangup_by"] == "callee"


def test_cancel_while_ringing(rig: Rig, phone: Phones) -> None:
    before = len(rig.cdrs())
    alice, bob = phone("101"), phone("102")
    here = alice.call(rig.uri("102"))
    there = bob.wait("incoming")["call"]
    alice.wait("call", call=here, state="early")
    alice.do("hangup", call=here)
    assert alice.wait("call", call=here, state="disconnected")["code"] == 487
    bob.wait("call", call=there, state="disconnected")
    assert rig.cdr_after(before, line="101")["disposition"] == "cancelled"


def test_busy(rig: Rig, phone: Phones) -> None:
    before = len(rig.cdrs())
    alice, bob = phone("101"), phone("102")
    here = alice.call(rig.uri("102"))
    bob.do("answer", call=bob.wait("incoming")["call"], code=486)
    assert alice.wait("call", call=here, state="disconnected")["code"] == 486
    cdr = rig.cdr_after(before, line="101")
    assert (cdr["disposition"], cdr["ending"]) == ("busy", "busy")


def test_nobody_answers(rig: Rig, phone: Phones) -> None:
    before = len(rig.cdrs())
    alice, bob = phone("101"), phone("102")
    here = alice.call(rig.uri("102"))
    there = bob.wait("incoming")["call"]
    ended = alice.wait("call", call=here, state="disconnected", limit_s=RING_TIMEOUT_S + 5)
    assert (ended["code"], ended["headers"]["Reason"]) == (
        480,
        'Q.850;cause=19;text="no_answer"',
    )
    bob.wait("call", call=there, state="disconnected")
    assert rig.cdr_after(before, line="101")["disposition"] == "no_answer"


def test_a_wrong_password_is_refused(rig: Rig) -> None:
    with Handset("--address", "127.0.6.9") as mallory:
        mallory.do("register", user="104", password="guess", registrar=rig.address, transport="udp")
        # pjsua2 tries again when the challenge is new; then it gives up.
        assert mallory.wait("register_failed", limit_s=10)["code"] in (401, 403)
    assert rig.ask("reg.list", line="104") == []


def test_a_terminated_line_may_not_register(rig: Rig) -> None:
    with Handset("--address", "127.0.0.1") as gone:
        gone.do("register", user="106", password="demo-106", registrar=rig.address, transport="udp")
        assert gone.wait("register_failed", limit_s=10)["code"] == 403


def test_an_unknown_extension_is_404_at_once(rig: Rig, phone: Phones) -> None:
    alice = phone("101")
    started = time.monotonic()
    here = alice.call(rig.uri("150"))
    ended = alice.wait("call", call=here, state="disconnected")
    assert time.monotonic() - started < 1.0
    assert (ended["code"], ended["headers"]["Reason"]) == (
        404,
        'Q.850;cause=1;text="unknown_number"',
    )
    assert not [each for each in alice.events if each["event"] == "media"], "nothing is spoken"


def test_an_unregistered_colleague_is_unreachable(rig: Rig, phone: Phones) -> None:
    alice = phone("101")
    here = alice.call(rig.uri("104"))
    ended = alice.wait("call", call=here, state="disconnected")
    assert ended["code"] == 480
    assert 'text="unreachable"' in ended["headers"]["Reason"]


def test_a_forked_call_is_answered_once(rig: Rig, phone: Phones) -> None:
    alice, desk, mobile = phone("101"), phone("102"), phone("102")
    here = alice.call(rig.uri("102"))
    ringing = desk.wait("incoming")["call"]
    lost = mobile.wait("incoming")["call"]
    desk.do("answer", call=ringing)
    alice.wait("call", call=here, state="confirmed")
    mobile.wait("call", call=lost, state="disconnected")
    alice.do("hangup", call=here)
    desk.wait("call", call=ringing, state="disconnected")
