"""SIPp on both sides: the callee checks each message of the caller, after it went through the switch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.rig import Rig
from tests.wire.sipp import Sipp


@pytest.fixture
def callee_port(rig: Rig, tmp_path: Path) -> Iterator[int]:
    """Where the phone of line 104 is registered."""
    with Sipp("register", rig.address, "104", tmp_path) as phone:
        phone.verdict()
    yield phone.port
    with Sipp("unregister", rig.address, "104", tmp_path, port=phone.port) as phone:
        phone.verdict()


def test_ten_calls_with_hold_and_resume(rig: Rig, callee_port: int, tmp_path: Path) -> None:
    before = len(rig.cdrs())
    with (
        Sipp("callee", rig.address, "104", tmp_path, port=callee_port, calls=10) as callee,
        Sipp("caller", rig.address, "102", tmp_path, dial="104", calls=10) as caller,
    ):
        caller.verdict()
        callee.verdict()
    for position in range(10):
        rig.cdr_after(before + position, line="102", disposition="answered", dst_raw="104")


def test_cancel_while_ringing(rig: Rig, callee_port: int, tmp_path: Path) -> None:
    with (
        Sipp("callee-cancelled", rig.address, "104", tmp_path, port=callee_port) as callee,
        Sipp("caller-cancels", rig.address, "102", tmp_path, dial="104") as caller,
    ):
        caller.verdict()
        callee.verdict()


def test_a_wrong_password_and_a_terminated_line_may_not_register(rig: Rig, tmp_path: Path) -> None:
    for line, password in (("104", "guess"), ("106", "demo-106")):
        with Sipp(
            "register-refused", rig.address, line, tmp_path, password=password, host="127.0.6.7"
        ) as run:
            run.verdict()
        assert rig.ask("reg.list", line=line) == []
