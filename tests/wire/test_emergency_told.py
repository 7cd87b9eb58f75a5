"""On the wire: the site is told within two seconds of the emergency INVITE, a PSAP calls back, and
the record of it all can be proved."""

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from switch.demo.handset import Handset, HandsetError
from tests.wire.conftest import unregister
from tests.wire.rig import Rig, free_port, until

LIMIT_S = 2.0


class Mailbox:
    """When each mail arrived (UTC s), and what it said."""

    def __init__(self) -> None:
        self.mails: list[tuple[float, str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append((time.time(), envelope.content.decode()))
        return "250 OK"


@pytest.fixture(scope="module")
def box() -> Mailbox:
    return Mailbox()


class MailServer:
    """Takes mail for `box`; a test may stop it and start it again."""

    def __init__(self, box: Mailbox) -> None:
        self.box = box
        self.port = free_port("127.0.0.1")
        self.start()

    def start(self) -> None:
        self._controller = Controller(self.box, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop(no_assert=True)


@pytest.fixture(scope="module")
def mail(box: Mailbox) -> Iterator[MailServer]:
    server = MailServer(box)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def told(mail: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A switch that mails, and writes each notice to the outbox as well."""
    running = Rig(tmp_path_factory.mktemp("told"))
    path = running.config / "vigie.toml"
    notice = f"""
[notice]
outbox = "always"

[notice.smtp]
host = "127.0.0.1"
port = {mail.port}
tls = "none"
sender = "vigie@example.org"
"""
    path.write_text(path.read_text("utf-8") + notice, "utf-8")
    with running:
        yield running


@pytest.fixture
def caller(told: Rig) -> Iterator[Handset]:
    with Handset() as handset:
        handset.register("101", "demo-101", told.address)
        yield handset
        unregister(handset)


def files(rig: Rig, kind: str) -> list[Path]:
    return sorted((rig.data / "outbox").glob(f"*-{kind}-*.json"))


def carrier_times(rig: Rig) -> list[float]:
    """When the carrier got each INVITE (UTC s)."""
    path = rig.data / "carrier.ndjson"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["t"] / 1000 for line in lines]


def dial_18(rig: Rig, caller: Handset) -> float:
    """Call and hang up; when the carrier got the INVITE."""
    seen = len(carrier_times(rig))
    call = caller.call(rig.uri("18"))
    caller.wait("call", call=call, state="confirmed", limit_s=10)
    caller.do("hangup", call=call)
    caller.wait("call", call=call, state="disconnected")
    return carrier_times(rig)[seen]


def test_file_and_mail_come_within_two_seconds_of_the_invite(
    told: Rig, box: Mailbox, caller: Handset, record_property: Any
) -> None:
    before, mails = len(files(told, "emergency_call")), len(box.mails)
    left_at = dial_18(told, caller)
    path = until(lambda: files(told, "emergency_call")[before:], LIMIT_S + 1)[0]
    mail = until(lambda: [m for m in box.mails[mails:] if "accueil@" in m[1]], LIMIT_S + 1)[0]
    file_s, mail_s = path.stat().st_mtime - left_at, mail[0] - left_at
    record_property("file_s", round(file_s, 3))
    record_property("mail_s", round(mail_s, 3))
    print(f"site told after the INVITE: file {file_s:.3f} s, mail {mail_s:.3f} s")
    assert -0.01 <= file_s < LIMIT_S, "after the INVITE, which waits for nothing"
    assert -0.01 <= mail_s < LIMIT_S
    notice = json.loads(path.read_bytes())
    assert set(notice["fields"]) == {"dialled", "place"}
    assert (notice["fields"]["dialled"], notice["line"]) == ("18", "101")
    assert "100 rue La Boétie" in notice["fields"]["place"]
    shown = [row for row in told.ask("notice.list", line="101") if row["kind"] == "emergency_call"]
    until(lambda: {"mail", "outbox"} <= _sent(told), 3.0, f"sent: {shown}")


def _sent(rig: Rig) -> set[str]:
    rows = rig.ask("notice.list", line="101")
    return {
        row["channel"] for row in rows if (row["kind"], row["state"]) == ("emergency_call", "sent")
    }


def test_a_mail_server_that_hangs_holds_up_no_call_and_no_file(
    told: Rig, caller: Handset, tmp_path: Path
) -> None:
    """A listener that never says a word: the greeting doesn't come."""
    path = told.config / "vigie.toml"
    text = path.read_text("utf-8")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        path.write_text(
            "\n".join(
                f"port = {port}"
                if line.startswith("port = ") and after == "[notice.smtp]"
                else line
                for line, after in _with_section(text)
            ),
            "utf-8",
        )
        assert told.run("config", "apply").returncode == 0
        try:
            before = len(files(told, "emergency_call"))
            started = time.time()
            left_at = dial_18(told, caller)
            assert left_at - started < 0.5
            new = until(lambda: files(told, "emergency_call")[before:], LIMIT_S + 1)[0]
            assert new.stat().st_mtime - left_at < LIMIT_S
        finally:
            path.write_text(text, "utf-8")
            assert told.run("config", "apply").returncode == 0


def _with_section(text: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in text.splitlines():
        section = line if line.startswith("[") else section
        yield line, section


def test_the_psap_calls_back_and_the_phone_that_called_rings_first(
    told: Rig, caller: Handset
) -> None:
    with Handset() as other:
        other.register("101", "demo-101", told.address)
        dial_18(told, caller)
        placed = told.begin(
            "demo", "call", "--from", "+33145000018", "--to", "+33199000101",
            "--header", "Priority: psap-callback", "--via", told.address,
        )  # fmt: skip
        try:
            ringing = caller.wait("incoming", limit_s=10)
            with pytest.raises(HandsetError, match="no incoming"):
                other.wait("incoming", limit_s=1.0)
            caller.do("answer", call=ringing["call"])
            caller.wait("call", call=ringing["call"], state="confirmed")
            caller.do("hangup", call=ringing["call"])
        finally:
            placed.kill()
            placed.wait()
        cdr = until(lambda: [c for c in told.cdrs() if c["exempt_reason"] == "psap_callback"], 3.0)[
            -1
        ]
        assert (cdr["line"], cdr["counted_ms"], cdr["disposition"]) == ("101", 0, "answered")
        unregister(other)


def test_the_record_is_shown_verified_and_exported(
    told: Rig, caller: Handset, tmp_path: Path
) -> None:
    before = len(told.ask("emergency.log", line="101"))
    dial_18(told, caller)
    entry = until(lambda: told.ask("emergency.log", line="101")[before:], 3.0)[0]
    shown = told.ask("emergency.show", call_id=entry["call_id"])
    assert (shown["dialled"], shown["insee"], shown["verdict"]) == ("18", "75108", "connected")
    assert shown["attempts"][0]["profile"] == "A"
    assert {notice["kind"] for notice in shown["notices"]} >= {"emergency_call"}
    verified = told.run("emergency", "verify")
    assert verified.returncode == 0, verified.stdout
    head = verified.stdout.splitlines()[-1].removeprefix("head ")
    seq, _, digest = head.partition(":")
    assert told.ask("emergency.verify", head=head)["ok"] is True
    forged = told.run("emergency", "verify", "--head", f"{seq}:{digest[::-1]}")
    assert forged.returncode == 1
    assert "BROKEN" in forged.stdout
    out = tmp_path / "export.ndjson"
    assert told.run("emergency", "export", "--line", "101", "--out", str(out)).returncode == 0
    *lines, seal = out.read_bytes().splitlines(keepends=True)
    assert json.loads(seal)["sha256"] == hashlib.sha256(b"".join(lines)).hexdigest()
    rows = [json.loads(line) for line in lines[1:]]
    assert entry["call_id"] in {row["call_id"] for row in rows}
    for row in rows:
        assert hashlib.sha256(row["body"].encode()).hexdigest() == row["digest"]


def test_a_notice_outlives_a_kill_and_goes_out_once(
    told: Rig, box: Mailbox, mail: MailServer, caller: Handset
) -> None:
    mail.stop()
    before = len(told.ask("notice.list", line="101"))
    dial_18(told, caller)
    until(lambda: _waiting(told)[0:], 3.0, "a mail that waits")
    assert before < len(told.ask("notice.list", line="101"))
    mails = len(box.mails)
    assert told.process is not None
    told.process.kill()
    told.process.wait()
    mail.start()
    told.start()
    until(lambda: len(box.mails) > mails, 5.0, "the mail after the restart")
    until(lambda: not _waiting(told), 5.0, "all sent")
    time.sleep(0.5)  # time in which a second one would come
    sites = [text for _, text in box.mails[mails:] if "accueil@" in text]
    assert len(sites) == 1


def _waiting(rig: Rig) -> list[dict[str, Any]]:
    rows = rig.ask("notice.list", line="101")
    return [row for row in rows if (row["channel"], row["state"]) == ("mail", "queued")]
