"""kill -9 under live calls, a database that is locked, a disk that is full: no call ends, no ms is lost.

SIPp calls out by the simulated carrier, which keeps its calls over the switch's death. A packet capture
judges the meters: the first 200 and the first BYE that reached a living switch.
"""

import random
import resource
import signal
import sqlite3
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from switch.sip.message import Request
from tests.wire.capture import Capture
from tests.wire.rig import until
from tests.wire.sipp import Sipp
from tests.wire.test_leaks import WideRig

LINE, NUMBER = "102", "0145678901"
TOLERANCE_MS = 1.5  # two kernel stamps, each rounded to a ms: 1.0, and what the sockets are apart


class PatientRig(WideRig):
    """With the timers of RFC 3261: a busy machine must not make a probe time out."""

    def _write_config(self) -> None:
        super()._write_config()
        path = self.config / "vigie.toml"
        text = path.read_text("utf-8")
        assert "t1_s = 0.05\nt2_s = 0.4\nt4_s = 0.5\n" in text
        path.write_text(text.replace("t1_s = 0.05\nt2_s = 0.4\nt4_s = 0.5\n", "", 1), "utf-8")


@pytest.fixture
def own_rig(tmp_path: Path) -> Iterator[WideRig]:
    """A switch for one test, which may kill it."""
    with PatientRig(tmp_path) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Run:
    """How many calls, how often killed, and when."""

    calls: int
    rate: int
    kills: int
    pause_s: tuple[float, float]
    stay_s: float


SHORT = Run(calls=60, rate=30, kills=2, pause_s=(0.2, 0.8), stay_s=14)
FULL = Run(calls=1_000, rate=50, kills=50, pause_s=(0.1, 1.5), stay_s=420)


def kill_and_start(rig: WideRig) -> float:
    """kill -9 and the next start; how long nobody was there, in seconds."""
    assert rig.process is not None
    began = time.monotonic()
    rig.process.send_signal(signal.SIGKILL)
    rig.process.wait(5)
    rig.start()
    return time.monotonic() - began


def intervals(capture: Capture, cdrs: list[dict[str, Any]]) -> dict[str, float]:
    """Of each call that the capture saw whole: from the carrier's 200 to the caller's BYE, in ms."""
    answers: dict[str, float] = {}
    byes: dict[str, float] = {}
    for packet in list(capture.packets):
        message, call_id = packet.message, packet.message.call_id
        if isinstance(message, Request):
            if message.method == "BYE":
                byes.setdefault(call_id, packet.at)
        elif message.status == 200 and message.cseq.method == "INVITE":
            answers.setdefault(call_id, packet.at)
    found: dict[str, float] = {}
    for cdr in cdrs:
        caller, callee = (leg["sip_call_id"] for leg in cdr["legs"])
        if callee in answers and caller in byes:
            found[cdr["call_id"]] = (byes[caller] - answers[callee]) * 1000
    return found


def survive(rig: WideRig, tmp_path: Path, run: Run, seed: int) -> dict[str, Any]:
    """The run; the table of what came of it."""
    draw = random.Random(seed)
    used_before = rig.ask("usage.show", line=LINE)["used_ms"]
    gone: list[float] = []
    with (
        Capture(rig.port) as capture,
        Sipp(
            "caller-stays",
            rig.address,
            LINE,
            tmp_path,
            dial=NUMBER,
            calls=run.calls,
            rate=run.rate,
            at_once=run.calls,
            stay_s=run.stay_s,
            limit_s=round(run.stay_s + 60),
            extra=("-aa",),
        ) as caller,
    ):
        until(
            lambda: rig.gauge("calls_active") == run.calls,
            run.calls / run.rate + 20,
            f"{run.calls} calls",
            every_s=0.1,
        )
        for _ in range(run.kills):
            time.sleep(draw.uniform(*run.pause_s))
            gone.append(kill_and_start(rig))
            assert rig.gauge("calls_active") == run.calls, "every call that was up goes on"
        caller.verdict()
        until(lambda: len(rig.ask("cdr.list", limit=5_000)) >= run.calls, 10, "CDRs", every_s=0.2)
    cdrs = rig.ask("cdr.list", limit=5_000)
    heard = intervals(capture, cdrs)
    errors = [cdr["counted_ms"] - heard[cdr["call_id"]] for cdr in cdrs if cdr["call_id"] in heard]
    used = rig.ask("usage.show", line=LINE)["used_ms"] - used_before
    return {
        "kills": run.kills,
        "calls": run.calls,
        "cdrs": len(cdrs),
        "distinct": len({cdr["call_id"] for cdr in cdrs}),
        "not_ok": [cdr["ending"] for cdr in cdrs if cdr["ending"] != "ok" or cdr["estimated"]],
        "judged": len(errors),
        "lost_ms": max((-error for error in errors), default=0.0),
        "doubled_ms": max(errors, default=0.0),
        "sum_differs_ms": used - sum(cdr["counted_ms"] for cdr in cdrs),
        "away_s": statistics.median(gone),
    }


def check(found: dict[str, Any]) -> None:
    print("\n" + "\n".join(f"{name:>16}  {value}" for name, value in found.items()))
    assert found["cdrs"] == found["distinct"] == found["calls"], "no CDR is lost or doubled"
    assert found["not_ok"] == []
    assert found["judged"] == found["calls"], "the capture saw them all"
    assert found["lost_ms"] <= TOLERANCE_MS
    assert found["doubled_ms"] <= TOLERANCE_MS
    assert found["sum_differs_ms"] == 0


def test_calls_survive_two_kills(own_rig: WideRig, tmp_path: Path) -> None:
    check(survive(own_rig, tmp_path, SHORT, seed=1))


@pytest.mark.full
def test_a_thousand_calls_survive_fifty_kills(own_rig: WideRig, tmp_path: Path) -> None:
    check(survive(own_rig, tmp_path, FULL, seed=2))


def some_calls(rig: WideRig, tmp_path: Path, count: int, stay_s: float = 0.5) -> None:
    """Calls that succeed from beginning to end."""
    with Sipp(
        "caller-stays",
        rig.address,
        LINE,
        tmp_path,
        dial=NUMBER,
        calls=count,
        rate=40,
        at_once=count,
        stay_s=stay_s,
        extra=("-aa",),
    ) as caller:
        caller.verdict()


def alarms(rig: WideRig, word: str) -> list[str]:
    return [each for each in rig.ask("status")["alarms"] if word in each]


def cdr_count(rig: WideRig) -> int:
    return len(rig.ask("cdr.list", limit=5_000))


def test_a_locked_database_costs_nothing(own_rig: WideRig, tmp_path: Path) -> None:
    rig = own_rig
    some_calls(rig, tmp_path, 1)
    until(lambda: cdr_count(rig) == 1, what="the first CDR")
    other = sqlite3.connect(rig.data / "vigie.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        some_calls(rig, tmp_path, 30)
        until(lambda: alarms(rig, "database"), 8, "the operator is told")
        kill_and_start(rig)  # and the process dies in the middle of it
        some_calls(rig, tmp_path, 10)
    finally:
        other.execute("ROLLBACK")
        other.close()
    until(lambda: cdr_count(rig) == 41, 15, "all CDRs", every_s=0.2)
    until(lambda: not alarms(rig, "database"), 8, "the alarm is over")
    used = rig.ask("usage.show", line=LINE)["used_ms"]
    assert used == sum(cdr["counted_ms"] for cdr in rig.ask("cdr.list", limit=5_000))


def test_a_full_disk_costs_nothing(own_rig: WideRig, tmp_path: Path) -> None:
    """No file may grow or be written beyond its first bytes: what a full disk does, without being root."""
    rig = own_rig
    some_calls(rig, tmp_path, 1)
    until(lambda: cdr_count(rig) == 1, what="the first CDR")
    assert rig.process is not None
    pid = rig.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (512, before[1]))
    try:
        some_calls(rig, tmp_path, 30)
        until(lambda: alarms(rig, "journal"), 8, "the operator is told")
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    some_calls(rig, tmp_path, 5)
    until(lambda: cdr_count(rig) == 36, 15, "all CDRs", every_s=0.2)
    until(lambda: not alarms(rig, "journal"), 8, "the alarm is over")
    kill_and_start(rig)
    used = rig.ask("usage.show", line=LINE)["used_ms"]
    assert used == sum(cdr["counted_ms"] for cdr in rig.ask("cdr.list", limit=5_000))
    assert cdr_count(rig) == 36
