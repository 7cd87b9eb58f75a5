"""The life of the processes: SIGTERM ends all of them, kill -9 ends no call."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.demo import carrier_process
from switch.demo.handset import Handset
from tests.wire.capture import Capture
from tests.wire.rig import ROOT, Rig, until
from tests.wire.test_usage import TOLERANCE_MS


@pytest.fixture
def own_rig(tmp_path: Path) -> Iterator[Rig]:
    """A switch for one test, which may kill it."""
    with Rig(tmp_path) as running:
        yield running


@contextlib.contextmanager
def registered(rig: Rig, line: str) -> Iterator[Handset]:
    with Handset("--address", "127.0.0.1") as handset:
        handset.register(line, f"demo-{line}", rig.address)
        yield handset


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def kill_switch(rig: Rig) -> list[int]:
    """kill -9 of the switch; the pids of what is to end with it, which the carrier is not."""
    assert rig.process is not None
    carrier = carrier_process.find(rig.data)
    children = [
        pid for pid in children_of(rig.process.pid) if carrier is None or pid != carrier.pid
    ]
    rig.process.kill()
    rig.process.wait(5)
    return children


def test_sigterm_ends_switch_workers_and_carrier(own_rig: Rig) -> None:
    assert own_rig.process is not None
    carrier = carrier_process.find(own_rig.data)
    assert carrier is not None
    until(lambda: len(children_of(own_rig.process.pid)) >= 2, what="two media workers")
    pids = [own_rig.process.pid, carrier.pid, *children_of(own_rig.process.pid)]
    with registered(own_rig, "101") as alice:
        call = alice.call(own_rig.uri("0145678901"))
        alice.wait("call", call=call, state="confirmed")
        own_rig.process.send_signal(signal.SIGTERM)
        assert own_rig.process.wait(10) == 0
        until(lambda: not any(map(is_alive, pids)), 2.0, f"all of {pids} ended")
    assert "Traceback" not in own_rig.log.read_text()
    assert not (own_rig.data / "control.sock").exists()


def test_ctrl_c_is_for_the_switch_alone(own_rig: Rig) -> None:
    """A terminal sends SIGINT to its whole foreground group; the children end when the switch says so."""
    assert own_rig.process is not None
    switch = own_rig.process.pid
    until(lambda: len(children_of(switch)) >= 3, what="two media workers and the broker")
    children = children_of(switch)
    for pid in [switch, *children]:
        if os.getpgid(pid) == os.getpgid(switch):
            os.kill(pid, signal.SIGINT)
    assert own_rig.process.wait(10) == 0
    until(lambda: not any(map(is_alive, children)), 2.0, f"all of {children} ended")
    log = own_rig.log.read_text()
    assert "Traceback" not in log
    assert "mqtt.broker_lost" not in log


def test_a_call_survives_kill_9_and_is_metered_exactly(own_rig: Rig) -> None:
    carrier = carrier_process.find(own_rig.data)
    with registered(own_rig, "101") as alice, Capture(own_rig.port) as capture:
        call = alice.call(own_rig.uri("0145678901"))
        alice.wait("call", call=call, state="confirmed")
        ok = until(lambda: capture.first("200", "INVITE", source_port=own_rig.carrier_ports[0]))
        time.sleep(0.3)
        children = kill_switch(own_rig)
        until(lambda: not any(map(is_alive, children)), 1.0, "the media workers ended with it")
        own_rig.start()
        assert carrier_process.find(own_rig.data) == carrier, "the carrier was adopted"
        assert own_rig.ask("usage.show", line="101")["live_ms"] > 0
        alice.do("hangup", call=call)
        alice.wait("call", call=call, state="disconnected")
        until(lambda: not own_rig.ask_carrier("status")["calls"], what="the BYE crossed")
        bye = until(lambda: capture.first("BYE", "BYE"))
    used = own_rig.ask("usage.show", line="101")["used_ms"]
    assert used == pytest.approx((bye.at - ok.at) * 1000, abs=TOLERANCE_MS)
    assert own_rig.cdr_after(0, line="101")["counted_ms"] == used


def test_a_call_in_set_up_ends_after_kill_9(own_rig: Rig) -> None:
    with registered(own_rig, "101") as alice, registered(own_rig, "102") as bob:
        call = alice.call(own_rig.uri("102"))
        ringing = bob.wait("incoming")["call"]
        alice.wait("call", call=call, state="early")
        kill_switch(own_rig)
        own_rig.start()
        ready = time.monotonic()
        alice.wait("call", call=call, state="disconnected", limit_s=5)
        bob.wait("call", call=ringing, state="disconnected", limit_s=5)
        assert time.monotonic() - ready < 5


def test_a_taken_port_is_one_line_that_names_it(rig: Rig, tmp_path: Path) -> None:
    second = subprocess.run(
        [*rig.vigie, "run", "--config", str(rig.config), "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=20,
        check=False,
    )
    assert second.returncode == 1
    told = second.stderr.splitlines()[-1]
    assert f"{rig.port}" in told or f"{rig.tls_port}" in told or f"{rig.http_port}" in told
    assert "Traceback" not in second.stderr
    assert rig.ask("status")["uptime_s"] > 0, "the first one goes on"
