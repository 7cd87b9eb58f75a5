"""The carrier as a process: started, found again, ended; calls by its control socket."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from switch.demo import carrier_process
from switch.demo.carrier_process import CarrierFailed
from switch.demo.carrier_view import CarrierView

pytestmark = pytest.mark.wire


@pytest.fixture
def addresses() -> list[tuple[str, int]]:
    host = f"127.0.{random.randint(100, 250)}.{random.randint(1, 250)}"
    port = random.randint(20_000, 30_000)
    return [(host, port), (host, port + 1)]


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    carrier_process.stop(tmp_path)


def vigie(data: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "switch", "demo", *arguments, "--data", str(data), "--json"]
    return subprocess.run(command, capture_output=True, timeout=30, check=False)


def test_it_is_started_once_and_adopted(data: Path, addresses: list[tuple[str, int]]) -> None:
    first = carrier_process.ensure(data, addresses)
    assert carrier_process.ensure(data, addresses) == first
    assert os.getsid(first.pid) == first.pid  # no child that would die with the switch's terminal
    carrier_process.stop(data)
    assert carrier_process.find(data) is None


def test_another_process_with_its_pid_is_not_taken_for_it(data: Path) -> None:
    known = {"pid": os.getpid(), "start": 1, "listen": []}
    (data / "carrier.pid").write_bytes(orjson.dumps(known))
    assert carrier_process.find(data) is None
    carrier_process.stop(data)  # and isn't ended


def test_other_addresses_replace_it(data: Path, addresses: list[tuple[str, int]]) -> None:
    first = carrier_process.ensure(data, addresses)
    second = carrier_process.ensure(data, addresses[:1])
    assert second.pid != first.pid
    assert second.listen == [f"{addresses[0][0]}:{addresses[0][1]}"]


def test_a_taken_address_is_named(data: Path, addresses: list[tuple[str, int]]) -> None:
    carrier_process.ensure(data, addresses)
    with pytest.raises(CarrierFailed, match=str(addresses[0][1])):
        carrier_process.ensure(data / "other", addresses)


def test_a_call_between_two_carriers(data: Path, addresses: list[tuple[str, int]]) -> None:
    (host, port), other = addresses
    carrier_process.ensure(data, [other])
    there = data / "there"
    carrier_process.ensure(there, [(host, port)])
    view = CarrierView(there)
    to = ("--via", f"{host}:{port}", "--from", "+33145678900", "--to")
    try:
        done = vigie(
            data,
            "call",
            *to,
            "+33199000101",
            "--seconds",
            "0.2",
            "--header",
            "Priority: psap-callback",
        )
        assert done.returncode == 0, done.stderr
        assert orjson.loads(done.stdout)["state"] == "ended"
        invite = view.newest()
        assert invite is not None
        assert invite.get("Priority") == "psap-callback"
        busy = vigie(data, "call", *to, "+33199000486")
        assert (busy.returncode, orjson.loads(busy.stdout)["status"]) == (1, 486)
        assert orjson.loads(vigie(there, "carrier", "--refuse", str(port)).stdout)["refused"] == [
            port
        ]
        assert orjson.loads(vigie(data, "call", *to, "+33199000101").stdout)["status"] == 503
        assert orjson.loads(vigie(there, "carrier", "--accept", str(port)).stdout)["refused"] == []
    finally:
        carrier_process.stop(there)


def test_without_a_carrier_the_commands_say_so(data: Path) -> None:
    done = vigie(data, "carrier")
    assert done.returncode == 1
    assert orjson.loads(done.stderr)["slug"] == "not_running"
