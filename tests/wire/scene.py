"""A switch of its own whose two emergency trunks end in the test: where faults are tried.

Its name server and the reader of its log are the test's too, so that both can fall silent.
"""

import contextlib
import fcntl
import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.wire.emergency_call import Course, EmergencyCall
from tests.wire.far_end import Conduct, FarEnd
from tests.wire.name_server import NameServer
from tests.wire.rig import Rig, until
from tests.wire.softphone import Softphone

ABROAD = "127.0.2.1"  # DE in the demo's table of networks
NUMBERS = ("18", "15", "17", "112")
ZONE = "carrier.test"
_PIPE_BYTES = 4096  # a page: the least that a pipe can hold


class QuietRig(Rig):
    """The demo's switch with no simulated carrier and no probes: its trunks end in the test. Its log
    goes into a small pipe, whose reader can pause."""

    def __init__(self, home: Path, pdd_s: float, name_server: int) -> None:
        self._pdd_s = pdd_s
        self._name_server = name_server
        super().__init__(home)
        os.mkfifo(self.log)
        self._unread = os.open(self.log, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self._unread, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.log_is_read = threading.Event()
        self.log_is_read.set()
        self._is_over = False
        self.logged = b""
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def stop(self) -> None:
        super().stop()
        self._is_over = True
        self.log_is_read.set()
        self._reader.join()
        os.close(self._unread)

    def last_words(self) -> str:
        """Of what was read: the pipe itself has no end."""
        time.sleep(0.2)
        return self.logged.decode("utf-8", "replace")[-2000:]

    def _read_log(self) -> None:
        while not self._is_over:
            self.log_is_read.wait()
            if select.select([self._unread], [], [], 0.05)[0]:
                with contextlib.suppress(BlockingIOError):
                    self.logged = (self.logged + os.read(self._unread, 65_536))[-200_000:]

    def _write_config(self) -> None:
        super()._write_config()
        path = self.config / "vigie.toml"
        text = re.sub(r"(?m)^carrier = .*$", "carrier = []", path.read_text("utf-8"))
        text = re.sub(r'(?m)^(id = "carrier-\d")$', r"\1\nping_s = 0", text)
        servers = f'name_servers = ["127.0.0.1:{self._name_server}"]'
        text = text.replace("[sip]\n", f"[sip]\n{servers}\n", 1)
        text = text.replace("[emergency]\n", f"[emergency]\nemergency_pdd_s = {self._pdd_s}\n", 1)
        path.write_text(text, "utf-8")

    @property
    def pid(self) -> int:
        """The switch's."""
        assert self.process is not None
        return self.process.pid

    def children(self, program: bytes) -> list[int]:
        """Process ids of the switch's children whose command line has this word."""
        found = []
        for task in Path(f"/proc/{self.pid}/task").glob("*/children"):
            for child in map(int, task.read_text().split()):
                with contextlib.suppress(OSError):
                    if program in Path(f"/proc/{child}/cmdline").read_bytes():
                        found.append(child)
        return found

    def workers(self) -> list[int]:
        """Process ids of its media workers."""
        return self.children(b"switch.media.worker")

    def brokers(self) -> list[int]:
        """Process id of its MQTT broker; none while that starts anew."""
        return self.children(b"mosquitto")

    def gauge(self, name: str) -> float:
        """The sum of a metric over its labels."""
        with socket.create_connection(("127.0.0.1", self.http_port), 5) as web:
            web.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            page = b"".join(iter(lambda: web.recv(65_536), b"")).decode()
        return sum(
            float(line.rpartition(" ")[2])
            for line in page.split("\n")
            if re.match(rf"vigie_{name}[ {{]", line)
        )


class Scene:
    """The switch, its trunks' far ends, and registered phones."""

    def __init__(self, home: Path, pdd_s: float = 2.0) -> None:
        self.names = NameServer(ZONE, "127.0.1.1")
        self.rig = QuietRig(home, pdd_s, self.names.port)
        self._held = contextlib.ExitStack()
        self._phones: dict[tuple[str, str], Softphone] = {}
        self._numbers = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as held:
            held.enter_context(self.names)
            self.first, self.second = (
                held.enter_context(FarEnd("127.0.1.1", port)) for port in self.rig.carrier_ports
            )
            held.enter_context(self.rig)
            until(lambda: len(self.rig.workers()) == 2, 10, "two media workers")
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @property
    def far_ends(self) -> tuple[FarEnd, FarEnd]:
        """Of the first and the second emergency trunk."""
        return (self.first, self.second)

    def phone(self, line: str, host: str = "127.0.0.1") -> Softphone:
        """A registered phone, the same one at each call."""
        known = self._phones.get((line, host))
        if known is None:
            server = ("127.0.0.1", self.rig.port)
            known = self._held.enter_context(Softphone(server, line, host=host))
            known.register()
            self._phones[line, host] = known
        return known

    def dial(self, line: str, host: str = "127.0.0.1") -> Course:
        """An emergency call, to one number after the other."""
        self._numbers += 1
        number = NUMBERS[self._numbers % len(NUMBERS)]
        return EmergencyCall(self.phone(line, host), self.far_ends).place(number)

    def heal(self) -> None:
        """Let the switch forget that the first trunk failed: a call that only this trunk answers."""
        before = [far_end.conduct for far_end in self.far_ends]
        self.first.conduct, self.second.conduct = Conduct.ANSWERS, Conduct.UNAVAILABLE
        course = self.dial("101")
        self.first.conduct, self.second.conduct = before
        assert course.is_complete, course

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Change the configuration file."""
        path = self.rig.config / "vigie.toml"
        path.write_text(change(path.read_text("utf-8")), "utf-8")

    @contextmanager
    def configured(self, change: Callable[[str], str]) -> Iterator[None]:
        """Another configuration, applied and taken back."""
        path = self.rig.config / "vigie.toml"
        before = path.read_text("utf-8")
        changed = change(before)
        assert changed != before
        path.write_text(changed, "utf-8")
        try:
            self.rig.ask("config.apply")
            yield
        finally:
            path.write_text(before, "utf-8")
            self.rig.ask("config.apply")
