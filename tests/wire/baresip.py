"""Drives a baresip process: a phone that is not ours, with its own SIP and RTP stacks.

Commands and events go over its ctrl_tcp module (netstrings of JSON). It sends a tone, and writes what it
hears to WAV files.
"""

import array
import contextlib
import json
import math
import shutil
import socket
import subprocess
import time
import wave
from pathlib import Path
from typing import Any, Self

from switch.demo.wav import measure
from tests.wire.rig import die_with_parent, free_port, until

TONE_HZ = 440
_RATE_HZ = 8000
_TONE_S = 60

CONFIG = """
poll_method             epoll
sip_listen              {host}:{sip_port}
call_local_timeout      120
call_max_calls          4
audio_player            aubridge,nobody
audio_source            aufile,{home}/tone.wav
audio_alert             aubridge,nobody
rtp_ports               {rtp_port}-{last_rtp_port}
jitter_buffer_delay     5-10
net_interface           {host}
module_path             /usr/lib/baresip/modules
module                  g711.so
module                  sndfile.so
module                  aufile.so
module                  aubridge.so
module_tmp              account.so
module_app              menu.so
module_app              ctrl_tcp.so
ctrl_tcp_listen         127.0.0.1:{control_port}
snd_path                {home}/heard
"""


class Baresip:
    """One baresip with one account. Leave it as a context manager."""

    def __init__(
        self,
        home: Path,
        line: str,
        registrar: str,
        transport: str = "udp",
        host: str = "127.0.0.1",
        password: str = "",
    ) -> None:
        self.home = home
        self.line = line
        self.registrar = registrar
        self.transport = transport
        self.events: list[dict[str, Any]] = []
        self.seen = 0
        self._rest = b""
        control_port = self._write_files(host, password or f"demo-{line}")
        program = shutil.which("baresip")
        assert program, "baresip is missing: apt-get install baresip-core"
        with (home / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [program, "-f", str(home)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(),
            )
        try:
            self._control: socket.socket = until(
                lambda: _connect(control_port), 10.0, "baresip's control socket"
            )
        except BaseException:
            self._end()
            raise

    def _write_files(self, host: str, password: str) -> int:
        """Its configuration; the port of its control socket."""
        home, line = self.home, self.line
        (home / "heard").mkdir(parents=True)
        control_port, rtp_port = free_port("127.0.0.1"), free_port(host) & ~1
        (home / "config").write_text(
            CONFIG.format(
                home=home,
                host=host,
                sip_port=free_port(host),
                rtp_port=rtp_port,
                last_rtp_port=min(rtp_port + 20, 65534),
                control_port=control_port,
            )
        )
        where = f"{self.registrar};transport={self.transport}"
        (home / "accounts").write_text(
            f"<sip:{line}@{where}>;auth_user={line};auth_pass={password}"
            f';outbound="sip:{where}";regint=300;audio_codecs=pcma/8000/1,pcmu/8000/1\n'
        )
        (home / "contacts").write_text("")
        _write_tone(home / "tone.wav")
        return control_port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def do(self, command: str, params: str = "") -> None:
        """Send a command of its menu: dial, accept, hangup, hold, resume."""
        text = json.dumps({"command": command, "params": params, "token": "t"}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))

    def wait(self, kind: str, limit_s: float = 10.0) -> dict[str, Any]:
        """The next event of this type: CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED…"""
        end = time.monotonic() + limit_s
        while True:
            while self.seen < len(self.events):
                self.seen += 1
                if self.events[self.seen - 1].get("type") == kind:
                    return self.events[self.seen - 1]
            left = end - time.monotonic()
            assert left > 0 and self._read(left), (
                f"baresip {self.line}: no {kind}; heard {self.events[-6:]}\n{self.output()[-1500:]}"
            )

    def wait_for_registrar(self, answer: str = "200 OK") -> None:
        """Until the registrar has answered so. It registers at once, perhaps before anybody could
        listen to its events, so this is read from what it prints."""
        until(lambda: answer in self.output(), 10.0, f"{answer}: {self.output()[-1000:]}")

    def heard(self) -> tuple[float, float]:
        """Seconds and RMS of what was received so far, all calls together."""
        found = [measure(path) for path in (self.home / "heard").glob("dump-*-dec.wav")]
        seconds = sum(each[0] for each in found)
        return seconds, math.sqrt(sum(s * r * r for s, r in found) / seconds) if seconds else 0.0

    def output(self) -> str:
        """What it printed."""
        return (self.home / "output").read_text("utf-8", "replace")

    def close(self) -> None:
        """Unregister and quit; by force after 3 s."""
        with contextlib.suppress(OSError):
            self.do("quit")
        self._end()

    def _end(self) -> None:
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if hasattr(self, "_control"):
            self._control.close()

    def _read(self, limit_s: float) -> bool:
        self._control.settimeout(limit_s)
        try:
            chunk = self._control.recv(65536)
        except TimeoutError:
            return False
        self._rest += chunk
        while (colon := self._rest.find(b":")) > 0:
            length = int(self._rest[:colon])
            if len(self._rest) < colon + length + 2:
                break
            self.events.append(json.loads(self._rest[colon + 1 : colon + 1 + length]))
            self._rest = self._rest[colon + length + 2 :]
        return bool(chunk)


def _connect(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=1.0)
    except ConnectionRefusedError:
        return None


def _write_tone(path: Path) -> None:
    turn = 2 * math.pi * TONE_HZ / _RATE_HZ
    one_second = array.array("h", (int(12000 * math.sin(turn * n)) for n in range(_RATE_HZ)))
    with wave.open(str(path), "wb") as wav:
        wav.setparams((1, 2, _RATE_HZ, 0, "NONE", ""))
        wav.writeframes(one_second.tobytes() * _TONE_S)
