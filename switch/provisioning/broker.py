"""A private Mosquitto: started, watched, started again, and told of new users.

It dies with the switch (setpriv sets PR_SET_PDEATHSIG between fork and exec, which Python can't do
safely with threads about). It runs as the user of the switch: one that changes its user loses that
signal. A port that is taken is replaced by a free one, told once.
"""

import asyncio
import contextlib
import getpass
import shutil
import signal
import socket
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from switch.provisioning import broker_files
from switch.provisioning.broker_files import Encrypted
from switch.settings import HostPort

Note = Callable[[str, dict[str, object]], None]

LONGEST_PAUSE_S: Final = 5.0
LASTING_S: Final = 10.0
_READY_LIMIT_S: Final = 5.0
_SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"
HOW_TO_GET: Final = (
    "apt-get install mosquitto (its own service isn't needed), or name a broker in [mqtt] url"
)


def program() -> str | None:
    """Where Mosquitto is; Debian puts it where only root looks. None without it."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_SBIN)


def free_address(wanted: HostPort) -> HostPort:
    """`wanted` if its port is free, else another one of the same host. OSError if the host isn't ours."""
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    for port in (wanted.port, 0):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((wanted.host, port))
                probe.listen(1)
            except OSError:
                if port == 0:
                    raise
                continue
            return HostPort(wanted.host, probe.getsockname()[1])
    raise AssertionError("unreachable")


class Broker:
    """The broker of `directory`, listening on `wanted` or near it.

    `users` gives who may log in (name -> hash) whenever that is asked, `strays` who of them may only be
    seen; `refresh` has both asked again.
    """

    def __init__(
        self,
        directory: Path,
        wanted: HostPort,
        tls: Encrypted | None,
        switch_user: str,
        users: Callable[[], Mapping[str, str]],
        note: Note,
        strays: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Nothing is started before `run`."""
        self._directory = directory
        self._tls = tls
        self._switch_user = switch_user
        self._users = users
        self._strays = strays
        self._note = note
        self._wanted = wanted
        self.address = free_address(wanted)
        self.starts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        if self.address.port != wanted.port:
            note("mqtt.port_taken", {"wanted": str(wanted), "address": str(self.address)})

    @property
    def pid(self) -> int | None:
        """The broker's process, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def run(self) -> None:
        """Keep it running until cancelled."""
        pause_s = 0.0
        try:
            while True:
                began = asyncio.get_running_loop().time()
                code = await self._live()
                lasted = asyncio.get_running_loop().time() - began
                self._note("mqtt.broker_lost", {"code": code, "reason": self._last_words()})
                pause_s = 0.0 if lasted > LASTING_S else min(pause_s * 2 + 0.1, LONGEST_PAUSE_S)
                await asyncio.sleep(pause_s)
        finally:
            await self._end()

    async def wait_ready(self) -> None:
        """Return once it takes connections."""
        await self._ready.wait()

    async def refresh(self) -> None:
        """Have it take the users as they are now; whoever is none any more is disconnected."""
        users, strays = self._users().items(), self._strays()
        await asyncio.to_thread(
            broker_files.write_users, self._directory, self._switch_user, users, strays
        )
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)

    async def _live(self) -> int:
        """One life of it: the exit code."""
        mosquitto = program()
        if mosquitto is None:
            raise FileNotFoundError("mosquitto is not installed")
        path = await asyncio.to_thread(  # ten thousand users take their time, and so does the disk
            broker_files.write,
            self._directory,
            self.address,
            self._tls,
            self._switch_user,
            self._users().items(),
            self._strays(),
            getpass.getuser(),
        )
        with (self._directory / "broker.log").open("wb") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", mosquitto, "-c", str(path)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # a terminal's Ctrl-C is for the switch, which ends its broker
            )
        self.starts += 1
        listening = asyncio.create_task(self._await_listening())
        try:
            return await process.wait()
        finally:
            self._ready.clear()
            listening.cancel()

    async def _await_listening(self) -> None:
        """Until a connection is taken: Mosquitto doesn't say when it is ready."""
        for _ in range(round(_READY_LIMIT_S / 0.02)):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(*self.address)
                writer.close()
                self._ready.set()
                self._note("mqtt.broker_ready", {"address": str(self.address), "pid": self.pid})
                return
            await asyncio.sleep(0.02)

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 1.0)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            text = (self._directory / "broker.log").read_text(encoding="utf-8", errors="replace")
            if lines := text.strip().splitlines():
                return lines[-1][:200]
        return ""
