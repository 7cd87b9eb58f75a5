"""A file of the data directory is lost or broken: the other one makes up for it."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switch.demo.handset import Handset
from tests.wire.rig import Rig, until


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def own_rig(home: Path) -> Iterator[Rig]:
    """A switch for one test, which loses files."""
    with Rig(home) as running:
        yield running


def talk(rig: Rig, phone: Handset) -> int:
    """A call to the carrier; the minutes that 101 has used by then."""
    call = phone.call(rig.uri("0145678901"))
    phone.wait("call", call=call, state="confirmed")
    phone.do("hangup", call=call)
    phone.wait("call", call=call, state="disconnected")
    rig.cdr_after(0, line="101")
    used = rig.ask("usage.show", line="101")["used_ms"]
    assert used > 0
    return int(used)


def test_without_the_journal_the_database_tells(own_rig: Rig) -> None:
    own_rig.ask("line.suspend", line="104", ground="2(k)(b)")
    since = own_rig.ask("line.show", line="104")
    with Handset("--address", "127.0.0.1") as phone:
        phone.register("101", "demo-101", own_rig.address)
        used = talk(own_rig, phone)
        own_rig.stop()
        shutil.rmtree(own_rig.data / "journal")
        own_rig.start()
        assert own_rig.ask("usage.show", line="101")["used_ms"] == used
        (binding,) = own_rig.ask("reg.list", line="101")
        assert binding["line"] == "101"
        shown = own_rig.ask("line.show", line="104")
        assert (shown["state"], shown["ground"]) == ("suspended", "2(k)(b)")
        assert shown["state"] == since["state"]


def test_a_call_that_went_on_is_listed(own_rig: Rig) -> None:
    with Handset("--address", "127.0.0.1") as phone:
        phone.register("101", "demo-101", own_rig.address)
        call = phone.call(own_rig.uri("0145678901"))
        phone.wait("call", call=call, state="confirmed")
        (before,) = own_rig.ask("call.list")
        assert own_rig.process is not None
        own_rig.process.kill()
        own_rig.process.wait()
        own_rig.start()
        (after,) = own_rig.ask("call.list", line="101")
        same = ("call_id", "line", "direction", "src", "dst", "state", "emergency")
        assert [after[key] for key in same] == [before[key] for key in same]
        assert abs(after["answer"] - before["answer"]) <= 1
        assert own_rig.ask("call.list", line="102") == []
        (listed,) = own_rig.ask("call.show", call_id=after["call_id"])["legs"][:1]
        assert listed["line"] == "101"
        phone.do("hangup", call=call)
        phone.wait("call", call=call, state="disconnected")
        assert own_rig.ask("call.list") == []


def test_a_broken_database_stops_nothing_and_is_told(home: Path) -> None:
    rig = Rig(home)
    rig.data.mkdir(parents=True)
    (rig.data / "vigie.sqlite").write_bytes(b"this is no database" * 1000)
    with rig, Handset("--address", "127.0.0.1") as phone:
        phone.register("101", "demo-101", rig.address)
        call = phone.call(rig.uri("0145678901"))
        phone.wait("call", call=call, state="confirmed")
        phone.do("hangup", call=call)
        alarms = until(lambda: rig.ask("status")["alarms"], 3.0, "an alarm")
        assert any("database" in alarm for alarm in alarms)
        listed = rig.run("cdr", "list")
        assert listed.returncode == 1
        assert "store_unavailable" in listed.stderr
        (rig.data / "vigie.sqlite").unlink()  # the journal fills a new one
        until(lambda: not rig.ask("status")["alarms"], 15.0, "no alarm any more", every_s=0.2)
        assert rig.cdr_after(0, line="101")["disposition"] == "answered"


def sent_notices(rig: Rig) -> list[dict[str, Any]]:
    """Those of line 102, once all of them went out."""
    found: list[dict[str, Any]] = rig.ask("notice.list", line="102")
    return found if all(notice["state"] == "sent" for notice in found) else []


def test_a_threshold_that_was_crossed_unseen_is_noticed_once(own_rig: Rig) -> None:
    reading = own_rig.ask("usage.show", line="102")
    own_rig.stop()
    used = round(reading["threshold_ms"] * 0.85)
    row = {
        "line": "102",
        "cycle": reading["cycle"]["n"],
        "leg": "old/a",
        "direction": "outbound",
        "ms": used,
        "counts": True,
        "estimated": False,
        "clock": "boot",
        "at": round(time.time() * 1000),
        "node": "",
    }
    names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    with sqlite3.connect(own_rig.data / "vigie.sqlite") as database:
        database.execute(f"INSERT INTO usage ({names}) VALUES ({places})", row)
    for _ in range(2):  # the second start finds the notice in the journal
        own_rig.start()
        (notice,) = until(lambda: sent_notices(own_rig), 3.0, "a notice")
        assert (notice["kind"], notice["percentage"], notice["clause"]) == ("fair_use", 80, "3(a)")
        assert (notice["account"], notice["channel"]) == ("demo", "outbox")
        assert own_rig.ask("usage.show", line="102")["crossed"] == [80]
        assert own_rig.ask("status")["near_threshold"] == ["102"]
        own_rig.stop()
    listed = own_rig.run("notice", "list", "102", "--json")  # no switch runs
    assert [each["percentage"] for each in json.loads(listed.stdout)] == [80]
