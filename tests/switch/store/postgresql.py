"""A PostgreSQL of the tests' own: a cluster in a temporary directory, on a socket there and nowhere else.

It runs as another user when the tests run as root, since PostgreSQL refuses to be root.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_SERVER: Final = "postgres"
_START_LIMIT_S: Final = 20.0


def programs() -> Path:
    """Where initdb and postgres are; AssertionError names the package."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert found, "PostgreSQL is missing: apt-get install postgresql"
    return found[-1]


class Server:
    """A running server. `url(name)` is that of a database, made on the first call."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._as_user = _drop_root() if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._made: set[str] = set()

    def start(self) -> None:
        cluster = self.directory / "cluster"
        if not cluster.exists():
            self._run("initdb", "-D", str(cluster), "-U", _SERVER, "-A", "trust", "--no-sync")
        # No TCP: two test runs at once don't meet. fsync off: the machine won't lose power here.
        options = ["-k", str(self.directory), "-c", "listen_addresses=", "-c", "fsync=off"]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [programs() / "postgres", "-D", cluster, *options],
                stdout=log,
                stderr=log,
                preexec_fn=self._as_user,
            )
        end = time.monotonic() + _START_LIMIT_S
        while self._psql("postgres", "SELECT 1").returncode:
            assert time.monotonic() < end, (self.directory / "log").read_text()
            time.sleep(0.05)

    def stop(self, wish: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends it at once ("fast"): clients are cut off, as by a partition."""
        if self._process is not None:
            self._process.send_signal(wish)
            self._process.wait(10)
            self._process = None

    def url(self, name: str) -> str:
        if name not in self._made:
            self._made.add(name)
            made = self._psql("postgres", f'CREATE DATABASE "{name}"')
            assert made.returncode == 0, made.stderr
        return f"postgresql+asyncpg://{_SERVER}@/{name}?host={self.directory}"

    def _psql(self, database: str, statement: str) -> subprocess.CompletedProcess[bytes]:
        where = ["-h", str(self.directory), "-U", _SERVER, "-d", database]
        return subprocess.run(
            [programs() / "psql", *where, "-qtAc", statement], capture_output=True, check=False
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [programs() / program, *arguments],
            capture_output=True,
            preexec_fn=self._as_user,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server for the tests of a session; its directory is short, for the sake of the socket's path."""
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(directory, *_nobody())
    server = Server(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(directory, ignore_errors=True)


def _nobody() -> tuple[int, int]:
    """Who runs the server in the place of root: the package's user."""
    user = pwd.getpwnam("postgres")
    return user.pw_uid, user.pw_gid


def _drop_root() -> Callable[[], None]:
    uid, gid = _nobody()

    def drop() -> None:
        os.setgid(gid)
        os.setgroups([])
        os.setuid(uid)

    return drop
