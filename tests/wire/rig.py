"""A switch of its own for the wire tests: the demo's configuration on free ports, in a process.

The rig asks it over its control socket, as `vigie` does. It dies with the tests, however they end.
"""

import ctypes
import json
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from switch.console import socket as control
from switch.demo import carrier_process
from switch.demo import device as demo_device
from switch.demo.carrier_view import CarrierView

ROOT = Path(__file__).resolve().parents[2]
RING_TIMEOUT_S = 5
_READY_LIMIT_S = 30.0
_STOP_LIMIT_S = 10.0
_PR_SET_PDEATHSIG = 1
_PORTS = range(10_000, 32_000, 2)
_told: set[int] = set()


def free_port(*hosts: str) -> int:
    """A port that is free for UDP and TCP on all `hosts`, and that nobody was told before.

    Below the range from which the kernel takes ports of outgoing connections, so that none of
    those has it by the time somebody listens.
    """
    kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    for port in random.SystemRandom().sample(_PORTS, 50):
        if port not in _told and all(
            _is_free(host, kind, port) for host in hosts for kind in kinds
        ):
            _told.add(port)
            return port
    raise OSError("no free port")


def _is_free(host: str, kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def die_with_parent(wish: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """For Popen's preexec_fn: no process outlives tests that were killed (prctl(2))."""
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, wish)


def until(
    test: Callable[[], Any], limit_s: float = 5.0, what: str = "", every_s: float = 0.02
) -> Any:
    """The first true value of `test`; AssertionError after `limit_s`."""
    end = time.monotonic() + limit_s
    while not (found := test()):
        assert time.monotonic() < end, f"not within {limit_s} s: {what or test}"
        time.sleep(every_s)
    return found


class Rig:
    """A running switch, its simulated carrier, and the ways to ask them."""

    def __init__(self, home: Path, *, device: bool = False) -> None:
        """`device`: with the demo's device, a process of its own."""
        self.has_device = device
        self.config = home / "config"
        self.data = home / "data"
        self.port = free_port("127.0.0.1")
        self.tls_port = free_port("127.0.0.1")
        self.http_port = free_port("127.0.0.1")
        self.mqtt_port = free_port("127.0.0.1")
        self.carrier_ports = (free_port("127.0.1.1"), free_port("127.0.1.1"))
        self.address = f"127.0.0.1:{self.port}"
        self.tls_address = f"127.0.0.1:{self.tls_port}"
        self.ready: Mapping[str, Any] = {}
        self._out = home / "stdout"
        self.log = home / "stderr"
        self.process: subprocess.Popen[bytes] | None = None
        self._write_config()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _write_config(self) -> None:
        """The demo's, with other ports: the networks and lines are the demo's own."""
        demo = ROOT / "configs" / "demo"
        text = (demo / "vigie.toml").read_text("utf-8")
        first, second = self.carrier_ports
        if not self.has_device:
            text, count = re.subn(r"(?m)^device = .*$", "", text)
            assert count == 1, "configs/demo/vigie.toml has no [demo] device any more"
        changes = (
            (r"127\.0\.0\.1:5060", self.address),
            (r"127\.0\.0\.1:5061", self.tls_address),
            (r"127\.0\.0\.1:8080", f"127.0.0.1:{self.http_port}"),
            (r"127\.0\.1\.1:5070", f"127.0.1.1:{first}"),
            (r"127\.0\.1\.1:5071", f"127.0.1.1:{second}"),
            (r"(?m)^port = 5070", f"port = {first}"),
            (r"(?m)^port = 5071", f"port = {second}"),
            (r'(?m)^dialplan = "\.\./\.\.', f'dialplan = "{ROOT}'),
            (r"(?m)^\[sip\]", f"[sip]\nring_timeout_s = {RING_TIMEOUT_S}"),
            # Its own: the usual one may be somebody else's by the time the switch is started again.
            (r"(?m)^\[http\]", f'[mqtt]\nlisten = "127.0.0.1:{self.mqtt_port}"\n\n[http]'),
        )
        for pattern, replacement in changes:
            text, count = re.subn(pattern, replacement, text)
            assert count, f"configs/demo/vigie.toml has no {pattern} any more"
        self.config.mkdir(parents=True)
        (self.config / "vigie.toml").write_text(text, "utf-8")
        (self.config / "networks.csv").write_bytes((demo / "networks.csv").read_bytes())

    def start(self) -> None:
        """Start the switch and wait for `ready`."""
        with self._out.open("wb") as out, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.vigie, "run", "--config", str(self.config), "--data", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=ROOT,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
        try:
            self.ready = until(self._ready_line, _READY_LIMIT_S, "ready")
        except BaseException:
            self.stop()
            raise

    def last_words(self) -> str:
        """The end of the switch's log."""
        return self.log.read_text("utf-8")[-2000:]

    def _ready_line(self) -> Mapping[str, Any] | None:
        assert self.process is not None
        assert self.process.poll() is None, f"the switch ended: {self.last_words()}"
        line = re.search(r"^ready (\{.*\})$", self._out.read_text(), re.MULTILINE)
        return json.loads(line[1]) if line else None

    def stop(self) -> None:
        """SIGTERM, then by force; the carrier too, whatever became of the switch."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        carrier_process.stop(self.data)
        demo_device.stop(self.data)

    # -- asking --------------------------------------------------------------------------------

    @property
    def vigie(self) -> list[str]:
        """The command line program."""
        return [sys.executable, "-m", "switch"]

    def run(self, *arguments: str, limit_s: float = 20.0) -> subprocess.CompletedProcess[str]:
        """`vigie ARGUMENTS` against this switch, as a person would type it."""
        return subprocess.run(
            [*self.vigie, *arguments, "--config", str(self.config), "--data", str(self.data)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=limit_s,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """The same without waiting: `communicate` with it."""
        return subprocess.Popen(
            [*self.vigie, *arguments, "--config", str(self.config), "--data", str(self.data)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            preexec_fn=die_with_parent(),
        )

    def ask(self, command: str, **args: object) -> Any:
        """What `vigie` asks the switch, without the start of a process."""
        return control.ask(Path(self.ready["control"]), command, args)

    def ask_carrier(self, command: str, **args: object) -> Any:
        """The same to the simulated carrier."""
        return control.ask(self.data / "carrier.sock", command, args)

    def carrier_view(self) -> CarrierView:
        """The INVITEs that the carrier gets from now on."""
        return CarrierView(self.data)

    def cdrs(self) -> list[dict[str, Any]]:
        """All CDRs."""
        found = self.ask("cdr.list")
        assert isinstance(found, list)
        return found

    def cdr_after(self, before: int, **expected: object) -> dict[str, Any]:
        """The CDR beyond the first `before` whose fields are `expected`, within 2 s."""

        def look() -> dict[str, Any] | None:
            new = self.cdrs()[before:]
            return next((cdr for cdr in new if expected.items() <= cdr.items()), None)

        return until(look, 2.0, f"a CDR with {expected}", every_s=0.1)  # type: ignore[no-any-return]

    def wait_for_sounds(self, *names: str) -> None:
        """Until these announcements can be played: they are spoken once per data directory."""
        for name in names:
            path = self.data / "sounds" / f"{name}.wav"
            until(path.exists, 60.0, f"{path} spoken", every_s=0.1)

    def uri(self, user: str) -> str:
        """The SIP URI by which a phone dials `user`."""
        return f"sip:{user}@{self.address}"
