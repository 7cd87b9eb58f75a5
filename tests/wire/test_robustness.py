"""Damaged messages against the running switch: it stays up, in time, and in its memory; calls go on."""

import contextlib
import json
import random
import socket
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from switch.console.commands import CommandRefused
from tests.wire.attacker import RATE, Attacker
from tests.wire.mutations import mutate
from tests.wire.rig import Rig, until
from tests.wire.softphone import PhoneDialog, Softphone

PAGE_KB = 4
GROWTH_LIMIT_KB = 2048
ANSWER_LIMIT_S = 1.0
BETWEEN_CHECKS = 250
LINGER_S = 4.0  # 64*T1 of the rig below, and a little


class FastRig(Rig):
    """Timers at a tenth, so that what a message leaves behind is gone within seconds."""

    def _write_config(self) -> None:
        super()._write_config()
        path = self.config / "vigie.toml"
        text = path.read_text("utf-8")
        path.write_text(
            text.replace("[sip]", "[sip]\nt1_s = 0.05\nt2_s = 0.4\nt4_s = 0.5", 1), "utf-8"
        )

    @property
    def server(self) -> tuple[str, int]:
        """Where phones register."""
        return ("127.0.0.1", self.port)

    def rss_kb(self) -> int:
        """Resident memory of the switch."""
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * PAGE_KB

    def gauge(self, name: str) -> float:
        """The sum of a gauge over its labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics") as page:
            lines = page.read().decode().split("\n")
        found = [line for line in lines if line.startswith(f"vigie_{name}")]
        assert found, f"no gauge {name}"
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def shows(self, name: str, value: float) -> bool:
        """Whether a gauge has this value."""
        return self.gauge(name) == value

    def errors(self) -> list[str]:
        """What the switch caught instead of dying; each line is a bug."""
        lines = [
            json.loads(line) for line in self.log.read_text("utf-8").split("\n") if line[:1] == "{"
        ]
        found = [line for line in lines if line["event"] == "switch.error"]
        return [str(line.get("exception", line)) for line in found]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastRig]:
    """A switch of its own: no other test's messages are in its log."""
    with FastRig(tmp_path_factory.mktemp("robust")) as running:
        yield running


@pytest.fixture
def live_call(rig: FastRig) -> Iterator[tuple[Softphone, Softphone, PhoneDialog]]:
    """101 and 102 talk meanwhile, and hang up properly at the end."""
    with Softphone(rig.server, "101") as alice, Softphone(rig.server, "102") as bob:
        alice.register()
        bob.register()
        mine, _ = alice.call(bob)
        yield alice, bob, mine
        bye = alice.within(mine, "BYE")
        alice.send(bye)
        bob.takes_bye()
        assert alice.final(bye).status == 200
        alice.register(expires=0)
        bob.register(expires=0)


def check_alive(rig: FastRig, judge: Softphone) -> None:
    """OPTIONS is answered in time."""
    assert rig.process is not None
    assert rig.process.poll() is None, "the switch is gone"
    options = judge.request("OPTIONS", judge.uri())
    judge.send(options)
    assert judge.final(options, ANSWER_LIMIT_S).status == 200


def bombard(rig: FastRig, judge: Softphone, attacker: Attacker, count: int) -> None:
    for _ in range(0, count, BETWEEN_CHECKS):
        attacker.attack(BETWEEN_CHECKS)
        check_alive(rig, judge)


@pytest.mark.parametrize(
    "count", [10_000, pytest.param(100_000, marks=pytest.mark.full)], ids=["short", "full"]
)
def test_damaged_datagrams(
    rig: FastRig, live_call: tuple[Softphone, Softphone, PhoneDialog], count: int
) -> None:
    with (
        Softphone(rig.server, "104", host="127.0.0.9") as judge,
        contextlib.closing(Attacker(rig.server, "103", seed=count)) as attacker,
    ):
        bombard(rig, judge, attacker, int(LINGER_S * RATE))  # until as much ends as begins
        bombard(rig, judge, attacker, count // 2)
        half = rig.rss_kb()
        bombard(rig, judge, attacker, count // 2)
        growth = rig.rss_kb() - half
    for call in rig.ask("call.list"):
        if call["line"] != "101":
            with contextlib.suppress(CommandRefused):  # it has just ended by itself
                rig.ask("call.hangup", call_id=call["call_id"], force=True)
    # Nothing stays behind but the live call.
    for gauge, left in (("calls_active", 1), ("dialogs_active", 2), ("transactions_active", 0)):
        until(partial(rig.shows, gauge, left), 20, f"{gauge} = {left}", every_s=0.2)
    assert rig.errors() == []
    assert growth <= GROWTH_LIMIT_KB, f"{growth} KB more in the second half"


# -- streams -----------------------------------------------------------------------------------

OPTIONS = (
    b"OPTIONS sip:vigie SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK%d;rport\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\n"
)


def connect(rig: FastRig) -> socket.socket:
    return socket.create_connection(rig.server, timeout=5)


def is_closed(connection: socket.socket, limit_s: float = 2.0) -> bool:
    """Whether the switch ends the connection; what it says before doesn't matter."""
    end = time.monotonic() + limit_s
    connection.settimeout(0.1)
    while time.monotonic() < end:
        with contextlib.suppress(TimeoutError):
            try:
                if not connection.recv(65_536):
                    return True
            except ConnectionResetError:
                return True
    return False


LOST = {
    "no length": OPTIONS % (1, 1) + b"\r\n",
    "negative length": OPTIONS % (2, 2) + b"Content-Length: -1\r\n\r\n",
    "conflicting lengths": OPTIONS % (3, 3) + b"Content-Length: 0\r\nl: 5\r\n\r\nabcde",
    "a length of words": OPTIONS % (4, 4) + b"Content-Length: many\r\n\r\n",
    "an enormous length": OPTIONS % (5, 5) + b"Content-Length: 99999999999\r\n\r\n",
    "a body beyond the limit": OPTIONS % (6, 6) + b"Content-Length: 70000\r\n\r\n",
    "an endless header": OPTIONS % (7, 7) + b"X: " + b"y" * 20_000,
    "endless lines": OPTIONS % (8, 8) + b"X: y\r\n" * 5_000,
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a TLS hello": bytes.fromhex("160301020001000001fc0303") + b"\0" * 500 + b"\n\r\n\n\n",
    "noise": bytes(range(256)) * 80,
}


@pytest.mark.parametrize("octets", LOST.values(), ids=LOST.keys())
def test_a_stream_that_lost_its_way_is_closed(
    rig: FastRig, live_call: tuple[Softphone, Softphone, PhoneDialog], octets: bytes
) -> None:
    with connect(rig) as connection, Softphone(rig.server, "104", "tcp") as other:
        with contextlib.suppress(ConnectionError):
            connection.sendall(octets)
        assert is_closed(connection)
        check_alive(rig, other)
    assert rig.errors() == []


def test_damaged_streams(rig: FastRig, live_call: tuple[Softphone, Softphone, PhoneDialog]) -> None:
    """Whole messages, damaged and cut into pieces, on many connections; another is not affected."""
    dice = random.Random(18)
    with (
        Softphone(rig.server, "104", "tcp") as judge,
        Softphone(rig.server, "103", "tcp") as phone,
        contextlib.ExitStack() as held,
    ):
        phone.register()
        opened: list[socket.socket] = []
        for round_ in range(2_000):
            if len(opened) < 8:
                opened.append(held.enter_context(connect(rig)))
            connection = dice.choice(opened)
            message = dice.choice((phone.invite("104"), phone.request("REGISTER", phone.uri())))
            phone.sign(message)
            octets = mutate(dice, message.to_bytes())
            cut = dice.randrange(len(octets) + 1)
            try:
                connection.settimeout(0.2)
                connection.sendall(octets[:cut])
                connection.sendall(octets[cut:])
                connection.setblocking(False)
                gone = not connection.recv(65_536)
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone or dice.random() < 0.05:
                opened.remove(connection)
                connection.close()  # half a message may be left
            if round_ % 200 == 0:
                check_alive(rig, judge)
        check_alive(rig, judge)
        phone.register(expires=0)
    assert rig.errors() == []


def test_a_stream_that_drips_holds_nobody_up(
    rig: FastRig, live_call: tuple[Softphone, Softphone, PhoneDialog]
) -> None:
    """Slow-loris: hundreds of halves of messages; calls and registrations go on, and all is let go."""
    before = rig.gauge("calls_active")
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(connect(rig)) for _ in range(300)]
        octets = OPTIONS % (9, 9) + b"Content-Length: 0\r\n\r\n"
        with Softphone(rig.server, "104", "tcp", host="127.0.0.8") as other:
            for place in range(12):
                for connection in slow:
                    connection.sendall(octets[place : place + 1])
                check_alive(rig, other)
            other.register()
            other.register(expires=0)
    assert rig.gauge("calls_active") == before
    assert rig.errors() == []
