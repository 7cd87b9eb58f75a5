"""A line's contract over real sockets: what a person types is in force within a second."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.demo.handset import Handset
from tests.wire.rig import Rig, until

WITHIN_S = 1.0


@pytest.fixture
def own_rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as running:
        yield running


@pytest.fixture
def alice(own_rig: Rig) -> Iterator[Handset]:
    with Handset("--address", "127.0.0.1") as phone:
        phone.register("101", "demo-101", own_rig.address)
        yield phone


def talking(rig: Rig, phone: Handset, number: str) -> int:
    call = phone.call(rig.uri(number))
    phone.wait("call", call=call, state="confirmed")
    return int(call)


def typed(rig: Rig, *words: str) -> dict[str, object]:
    done = rig.run(*words, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_stolen_hardware_is_out_within_a_second(own_rig: Rig, alice: Handset) -> None:
    call = talking(own_rig, alice, "0145678901")
    begun = time.monotonic()
    own_rig.ask("line.stolen", line="101", asked_by="customer", by="claire")
    alice.wait("call", call=call, state="disconnected")
    assert time.monotonic() - begun < WITHIN_S
    assert own_rig.ask("reg.list", line="101") == []
    cdr = own_rig.cdr_after(0, line="101")
    assert (cdr["ending"], cdr["hangup_by"]) == ("stolen", "switch")
    [kind] = [each["kind"] for each in own_rig.ask("notice.list", line="101")]
    assert kind == "stolen"


def test_a_suspension_refuses_the_next_call_and_cuts_none(own_rig: Rig, alice: Handset) -> None:
    call = talking(own_rig, alice, "0145678901")
    own_rig.ask("line.suspend", line="101", ground="2(k)(d)", by="claire")
    refused = alice.call(own_rig.uri("0145678902"))
    alice.wait("call", call=refused, state="disconnected")
    assert own_rig.cdr_after(0, dst_raw="0145678902")["ending"] == "suspended"
    alice.do("hangup", call=call)
    alice.wait("call", call=call, state="disconnected")
    cdr = own_rig.cdr_after(0, dst_raw="0145678901")
    assert (cdr["ending"], cdr["hangup_by"]) == ("ok", "caller")
    assert cdr["counted_ms"] > 0
    rescue = talking(own_rig, alice, "18")
    alice.do("hangup", call=rescue)
    alice.wait("call", call=rescue, state="disconnected")


def test_what_is_on_file_outlives_kill_and_journal(own_rig: Rig) -> None:
    assert own_rig.run("line", "terminate", "102", "--way", "for_arrears").returncode == 1
    assert "warned_at" in typed(own_rig, "line", "warn", "102", "--about", "unpaid")
    assert "ends" in typed(own_rig, "line", "terminate", "103", "--way", "convenience")
    own_rig.ask("line.limit", line="104", channels=1)
    until(lambda: len(own_rig.ask("line.history", line="103")) == 1, 3.0, "the row", every_s=0.1)
    assert own_rig.process is not None
    own_rig.process.kill()
    own_rig.process.wait()
    own_rig.start()
    standing = {each["line"]: each for each in own_rig.ask("account.show", account="demo")["lines"]}
    assert standing["102"]["warned_at"]
    assert standing["103"]["ends"]["way"] == "convenience"
    assert standing["104"]["channels"] == 1
    assert own_rig.ask("line.show", line="103")["contract"] == {"ends": standing["103"]["ends"]}
    done = typed(own_rig, "line", "terminate", "102", "--way", "for_arrears")
    assert (done["state"], done["ground"]) == ("terminated", "2(l)(iii)")
    steps = until(
        lambda: own_rig.ask("line.history", line="102")[1:], 3.0, "the second row", every_s=0.1
    )
    assert [(step["name"], step["to"]) for step in steps] == [("for_arrears", "terminated")]
