"""The meters beside a packet capture (POLICY: from the first 200 OK to the first BYE, hold included)."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from tests.wire.capture import Capture
from tests.wire.conftest import Phones
from tests.wire.rig import ROOT, Rig, die_with_parent, until

TOLERANCE_MS = 1.0


def test_usage_agrees_with_a_capture_during_and_after_a_call(rig: Rig, phone: Phones) -> None:
    alice = phone("101")
    used_before = rig.ask("usage.show", line="101")["used_ms"]
    cdrs = len(rig.cdrs())
    with Capture(rig.port) as capture:
        call = alice.call(rig.uri("0145678901"))
        alice.wait("call", call=call, state="confirmed")
        ok = until(lambda: capture.first("200", "INVITE", source_port=rig.carrier_ports[0]))
        time.sleep(0.4)  # minutes grow in real time
        earliest = time.time()
        live = rig.ask("usage.show", line="101")
        latest = time.time()
        assert (earliest - ok.at) * 1000 - TOLERANCE_MS <= live["live_ms"]
        assert live["live_ms"] <= (latest - ok.at) * 1000 + TOLERANCE_MS
        assert live["used_ms"] == used_before + live["live_ms"]
        alice.do("hold", call=call)
        alice.wait("media", call=call, held=True)
        time.sleep(0.4)
        alice.do("hangup", call=call)
        alice.wait("call", call=call, state="disconnected")
        bye = until(lambda: capture.first("BYE", "BYE"))
    captured_ms = (bye.at - ok.at) * 1000
    after = rig.ask("usage.show", line="101")
    assert after["live_ms"] == 0
    assert after["used_ms"] - used_before == pytest.approx(captured_ms, abs=TOLERANCE_MS)
    cdr = rig.cdr_after(cdrs, line="101")
    assert cdr["counted_ms"] == after["used_ms"] - used_before
    assert cdr["exempt_reason"] is None


def test_what_a_person_types_shows_the_same(rig: Rig) -> None:
    shown = rig.run("usage", "show", "101", "--json")
    assert shown.returncode == 0, shown.stderr
    assert f'"used_ms": {rig.ask("usage.show", line="101")["used_ms"]}' in shown.stdout
    assert rig.run("usage", "show", "no-such-line").returncode == 1


def test_an_inbound_call_counts_on_the_called_line(rig: Rig, phone: Phones) -> None:
    bob = phone("102")
    used_before = rig.ask("usage.show", line="102")
    with Capture(rig.port) as capture:
        placed = rig.ask_carrier(
            "call.place",
            **{"from": "+33612345678", "to": "+33199000102", "headers": {}, "via": rig.address},
        )
        there = bob.wait("incoming")["call"]
        bob.do("answer", call=there)
        bob.wait("call", call=there, state="confirmed")
        time.sleep(0.3)
        rig.ask_carrier("call.hangup", call_id=placed["call_id"])
        bob.wait("call", call=there, state="disconnected")
        ok = until(lambda: capture.first("200", "INVITE", source_port=bob.ready["udp"]))
        bye = until(lambda: capture.first("BYE", "BYE", source_port=rig.carrier_ports[0]))
    after = rig.ask("usage.show", line="102")
    counted = after["by_direction"]["inbound"] - used_before["by_direction"]["inbound"]
    assert counted == pytest.approx((bye.at - ok.at) * 1000, abs=TOLERANCE_MS)


@pytest.mark.parametrize(("dialled", "exempt"), [("18", "emergency"), ("102", "internal")])
def test_exempt_calls_count_nothing(rig: Rig, phone: Phones, dialled: str, exempt: str) -> None:
    alice, bob = phone("101"), phone("102")
    used_before, cdrs = rig.ask("usage.show", line="101")["used_ms"], len(rig.cdrs())
    call = alice.call(rig.uri(dialled))
    if dialled == "102":
        bob.do("answer", call=bob.wait("incoming")["call"])
    alice.wait("call", call=call, state="confirmed")
    time.sleep(0.2)
    assert rig.ask("usage.show", line="101")["used_ms"] == used_before
    alice.do("hangup", call=call)
    alice.wait("call", call=call, state="disconnected")
    assert rig.ask("usage.show", line="101")["used_ms"] == used_before
    cdr = rig.cdr_after(cdrs, line="101")
    assert (cdr["counted_ms"], cdr["exempt_reason"]) == (0, exempt)


def read_terminal(descriptor: int, enough: int, limit_s: float = 15.0) -> list[str]:
    """The seconds of live calls that a terminal showed, as they changed."""
    text, end = "", time.monotonic() + limit_s
    while time.monotonic() < end:
        if select.select([descriptor], [], [], 0.2)[0]:
            with contextlib.suppress(OSError):
                text += os.read(descriptor, 65_536).decode("utf-8", "replace")
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
        seen = list(dict.fromkeys(re.findall(r"live\s+([\d.]+) s", plain)))
        if len(seen) >= enough:
            return seen
    return []


def test_watch_follows_a_call_in_a_terminal(rig: Rig, phone: Phones) -> None:
    alice = phone("101")
    call = alice.call(rig.uri("0145678901"))
    alice.wait("call", call=call, state="confirmed")
    ours, theirs = pty.openpty()
    watching = subprocess.Popen(
        [*rig.vigie, "usage", "show", "101", "--watch", "--config", rig.config, "--data", rig.data],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        preexec_fn=die_with_parent(),
    )
    try:
        seen = [float(each) for each in read_terminal(ours, 3)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(5) == 0
    finally:
        watching.kill()
        watching.wait()
        os.close(ours)
        os.close(theirs)
        alice.do("hangup", call=call)
        alice.wait("call", call=call, state="disconnected")
    assert len(seen) >= 3
    assert seen == sorted(seen), "the live part grows"
