"""Phones behind a Kamailio: the switch knows where each of them is, and reaches it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.sip.build import make_cancel
from switch.sip.message import Request, Response
from tests.wire.rig import Rig, die_with_parent, free_port, until
from tests.wire.softphone import Softphone, dialog_of_response

HOST = "127.0.7.1"


@pytest.fixture(scope="module")
def front_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A switch that trusts the front."""
    rig = Rig(tmp_path_factory.mktemp("behind"))
    path = rig.config / "vigie.toml"
    text = re.sub(r"(?m)^\[sip\]", f'[sip]\ntrusted_proxies = ["{HOST}/32"]', path.read_text())
    path.write_text(text)
    with rig:
        yield rig


@pytest.fixture(scope="module")
def front(front_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The address of a running Kamailio in front of it."""
    program = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
    assert program, "kamailio is missing: apt-get install kamailio"
    address = (HOST, free_port(HOST))
    home = tmp_path_factory.mktemp("front")
    command = [
        program, "-f", str(Path(__file__).with_name("front.cfg")), "-DD", "-E",
        "-m", "64", "-M", "8", "-Y", str(home),
        "-A", f"LISTEN=udp:{address[0]}:{address[1]}", "-A", f'SWITCH="sip:{front_rig.address}"',
        "-A", f"SWITCH_PORT={front_rig.port}",
    ]  # fmt: skip
    with (home / "log").open("wb") as log:
        running = subprocess.Popen(command, stderr=log, preexec_fn=die_with_parent())
    try:

        def serves() -> bool:
            assert running.poll() is None, (home / "log").read_text()[-2000:]
            with Softphone(address, "101") as probe:
                probe.send(probe.request("OPTIONS", probe.uri()))
                return getattr(probe.read(0.2), "status", 0) == 200

        until(serves, 10.0, "Kamailio relays")
        yield address
    finally:
        running.terminate()
        running.wait(5)


def level_of_18(rig: Rig, phone: Softphone) -> str:
    """What the switch knows of being abroad when a registered phone dials 18 (and gives up)."""
    before = len(rig.ask("emergency.log", line=phone.line))
    invite = phone.invite("18")
    phone.send(invite)
    phone.expect(lambda m: isinstance(m, Response) and m.status > 100, what="an answer")
    phone.send(make_cancel(invite))
    response = phone.expect(
        lambda m: isinstance(m, Response) and m.status >= 200 and m.cseq.method == "INVITE",
        what="the end of the INVITE",
    )
    assert isinstance(response, Response)
    if response.status == 200:  # it crossed the CANCEL
        dialog = dialog_of_response(invite, response)
        phone.send(phone.within(dialog, "ACK", invite.cseq.number))
        phone.hang_up(dialog)
    (entry,) = until(lambda: rig.ask("emergency.log", line=phone.line)[before:], 2.0)
    return str(entry["level"])


def test_each_phone_is_where_it_is(front_rig: Rig, front: tuple[str, int]) -> None:
    with Softphone(front, "101") as home, Softphone(front, "102", host="127.0.2.1") as abroad:
        home.register()
        abroad.register()
        listed = front_rig.ask("reg.list")
        assert {row["line"]: row["source"] for row in listed} == {
            "101": "127.0.0.1",
            "102": "127.0.2.1",
        }
        assert level_of_18(front_rig, home) in (
            "E0",
            "E1",
        )  # no challenge: its origin is registered
        assert level_of_18(front_rig, abroad) == "E5"


def test_a_stranger_behind_the_front_is_nobody(front_rig: Rig, front: tuple[str, int]) -> None:
    with Softphone(front, "103") as home, Softphone(front, "103", host="127.0.3.1") as stranger:
        home.register()
        invite = stranger.invite("18")
        stranger.send(invite)
        assert stranger.final(invite).status == 401


def test_a_phone_cannot_say_where_it_is(front_rig: Rig, front: tuple[str, int]) -> None:
    """What it writes as received, in Path and in a Via below its own is not believed."""

    class Liar(Softphone):
        def via(self) -> str:
            return f"{super().via()};received=127.0.0.1, SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx"

        def request(self, *args: str, **more: str) -> Request:
            request = super().request(*args, **more)
            request.add("Path", "<sip:127.0.0.1;lr;received=sip:127.0.0.1>")
            return request

    with Liar(front, "104", host="127.0.2.1") as liar:
        liar.register()
        (row,) = front_rig.ask("reg.list", line="104")
        assert row["source"] == "127.0.2.1"
        assert level_of_18(front_rig, liar) == "E5"


def test_a_call_crosses_the_front_twice(front_rig: Rig, front: tuple[str, int]) -> None:
    before = len(front_rig.cdrs())
    with Softphone(front, "101") as alice, Softphone(front, "102", host="127.0.6.1") as bob:
        alice.register()
        bob.register()
        mine, theirs = alice.call(bob)
        assert theirs.invite.get("Via") is not None
        assert HOST in (theirs.invite.get("Record-Route") or "")
        bob.hang_up(theirs)
        alice.takes_bye()
        assert mine.call_id != theirs.call_id
    assert front_rig.cdr_after(before, line="101")["hangup_by"] == "callee"
