"""baresip, a phone of another make: registration on each transport, and sound both ways."""

import time
from pathlib import Path

import pytest

from tests.wire.baresip import Baresip
from tests.wire.rig import Rig, until

LOUD = 500
"""RMS of 16-bit samples; the tone that each side sends has 8,500."""


def registrar(rig: Rig, transport: str) -> str:
    return rig.tls_address if transport == "tls" else rig.address


@pytest.mark.parametrize(
    ("one", "other"), [("udp", "udp"), ("tcp", "tcp"), ("tls", "tls"), ("udp", "tls")]
)
def test_two_baresips_call_each_other_both_ways(
    rig: Rig, tmp_path: Path, one: str, other: str
) -> None:
    with (
        Baresip(tmp_path / "a", "101", registrar(rig, one), one) as alice,
        Baresip(tmp_path / "b", "102", registrar(rig, other), other) as bob,
    ):
        alice.wait_for_registrar()
        bob.wait_for_registrar()
        for line, transport in (("101", one), ("102", other)):
            found = [entry["transport"] for entry in rig.ask("reg.list", line=line)]
            assert found == [transport.upper()]
        for caller, callee in ((alice, bob), (bob, alice)):
            call(caller, callee)
    for line in ("101", "102"):
        assert rig.ask("reg.list", line=line) == [], "they unregistered when they left"


def call(caller: Baresip, callee: Baresip) -> None:
    """Call, answer, listen, hang up."""
    for each in (caller, callee):
        for dump in (each.home / "heard").iterdir():
            dump.unlink()
    caller.do("dial", f"sip:{callee.line}@{caller.registrar}")
    callee.wait("CALL_INCOMING")
    callee.do("accept")
    caller.wait("CALL_ESTABLISHED")
    callee.wait("CALL_ESTABLISHED")
    time.sleep(0.8)  # sound is recorded in real time
    callee.do("hangup")
    caller.wait("CALL_CLOSED")
    for each in (caller, callee):
        # The files are complete a moment after the event.
        until(lambda phone=each: phone.heard()[0] > 0.3, 2.0, f"{each.line}: RTP for 0.3 s")
        _, rms = each.heard()
        assert rms > LOUD, f"{each.line} heard silence"


def test_a_wrong_password_is_refused(rig: Rig, tmp_path: Path) -> None:
    with Baresip(tmp_path, "104", rig.address, password="guess", host="127.0.6.8") as mallory:
        mallory.wait_for_registrar("403 Forbidden")
    assert rig.ask("reg.list", line="104") == []
