"""Without pjsua2 everything imports, and the processes say what they miss."""

import json
import os
import socket
import subprocess
import sys

import pytest

from switch.media.lifeline import child_environment

WITHOUT = "import sys; sys.modules['pjsua2'] = None; "


def run(code: str, *fds: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code],
        env=child_environment(),
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_everything_imports() -> None:
    done = run("import switch.media.worker, switch.media.pool, switch.demo.phone")
    assert done.returncode == 0, done.stderr


@pytest.mark.wire
def test_the_worker_tells_the_pool() -> None:
    ours, theirs = socket.socketpair()
    arguments = ["--fd", str(theirs.fileno()), "--address", "127.0.0.1"]
    arguments += ["--parent", str(os.getpid())]
    done = run(f"from switch.media.worker import main; main({arguments})", theirs.fileno())
    theirs.close()
    assert done.returncode == 3
    assert json.loads(ours.recv(1000))["event"] == "unavailable"
    ours.close()


@pytest.mark.wire
def test_the_phone_tells_its_driver() -> None:
    done = run("from switch.demo.phone import main; main([])")
    assert done.returncode == 3
    assert json.loads(done.stdout)["event"] == "unavailable"
