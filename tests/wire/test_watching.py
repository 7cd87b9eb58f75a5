"""Forbidden uses on a running switch: in the shadow by default, and what follows where it isn't."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.demo.handset import Handset
from tests.wire.rig import Rig, until

RANGE = "005371234567"
# A call of a second must be enough: the limits are the operator's.
LIMITS = """
[acceptable_use.limits.D14]
together_to_one_range = [1, 2]
risk_ms_an_hour = [1, 2]

[acceptable_use.limits.D12]
attempts_a_cycle = [2, 9]
"""


class WatchedRig(Rig):
    """Two calls at a time to one range abroad are toll fraud here."""

    shadow = "true"

    def _write_config(self) -> None:
        super()._write_config()
        path = self.config / "vigie.toml"
        watched = f"\n[acceptable_use]\nshadow = {self.shadow}\n{LIMITS}"
        path.write_text(path.read_text("utf-8") + watched, "utf-8")


class BarringRig(WatchedRig):
    """Out of the shadow."""

    shadow = "false"


@pytest.fixture
def phone() -> Iterator[Handset]:
    with Handset("--address", "127.0.0.1") as running:
        yield running


def status_of(rig: Rig, phone: Handset, number: str) -> int:
    """What a call comes to; one that is answered is hung up."""
    call = phone.call(rig.uri(number))
    ended = ("confirmed", "disconnected")
    seen = phone.wait("call", limit_s=10, call=call, test=lambda event: event["state"] in ended)
    if seen["state"] == "confirmed":
        phone.do("hangup", call=call)
        phone.wait("call", call=call, state="disconnected")
        return 200
    return int(seen["code"])


def defraud(rig: Rig, phone: Handset) -> None:
    """Two calls abroad at a time."""
    calls = []
    for n in range(2):
        calls.append(phone.call(rig.uri(f"{RANGE}{n}")))
        phone.wait("call", call=calls[-1], state="confirmed")
    for call in calls:
        phone.do("hangup", call=call)
        phone.wait("call", call=call, state="disconnected")


def told(rig: Rig) -> bool:
    return "use.alert" in rig.log.read_text("utf-8")


def test_in_the_shadow_an_alert_is_told_and_nothing_follows(tmp_path: Path, phone: Handset) -> None:
    with WatchedRig(tmp_path) as rig:
        phone.register("101", "demo-101", rig.address)
        defraud(rig, phone)
        until(lambda: told(rig), 5, "use.alert in the log")
        assert rig.ask("line.show", line="101")["state"] == "active"
        assert rig.ask("case.list") == []
        assert status_of(rig, phone, f"{RANGE}9") == 200


def test_toll_fraud_bars_calls_abroad_until_a_person_lifts_it(
    tmp_path: Path, phone: Handset
) -> None:
    with BarringRig(tmp_path) as rig:
        phone.register("101", "demo-101", rig.address)
        defraud(rig, phone)
        until(lambda: rig.ask("line.show", line="101")["state"] == "fraud_hold", 5, "fraud_hold")
        shown = rig.ask("line.show", line="101")
        assert shown["ground"] == "2(k)(e)"
        assert status_of(rig, phone, f"{RANGE}9") == 403
        assert rig.cdr_after(2, line="101", ending="fraud_hold")["clause"].startswith("2(k)")
        assert status_of(rig, phone, "0145678901") == 200, "the country's own numbers stay open"
        assert status_of(rig, phone, "18") == 200
        kinds = {notice["kind"] for notice in rig.ask("notice.list", line="101")}
        assert "fraud_hold" in kinds
        (case,) = rig.ask("case.list")
        shown = rig.run("case", "show", case["case"])
        assert shown.returncode == 0, shown.stderr
        assert "is to be reviewed" in shown.stdout
        assert {"D12", "D14"} <= set(
            re.findall(r"D\d+", shown.stdout.partition("detectors see")[2])
        )
        assert "fair_use_detected" in shown.stdout
        assert rig.run("line", "resume", "101").returncode == 0
        assert status_of(rig, phone, f"{RANGE}9") == 200
