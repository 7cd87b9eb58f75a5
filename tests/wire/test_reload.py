"""Reload without fear: files are taken over whole or not at all, and the store keeps what it owns."""

import base64
import contextlib
import os
import re
import select
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from switch.demo.handset import Handset
from switch.observe.metrics import GAUGES
from switch.settings import HostPort, parse_host_port
from tests.wire.rig import Rig, until


@pytest.fixture
def own_rig(tmp_path: Path) -> Iterator[Rig]:
    """A switch for one test, whose files change."""
    with Rig(tmp_path) as running:
        yield running


def rewrite(rig: Rig, old: str, new: str) -> None:
    path = rig.config / "vigie.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_suspension_outlives_apply_and_kill(own_rig: Rig) -> None:
    assert own_rig.run("line", "suspend", "104", "--ground", "2(k)(a)").returncode == 0
    applied = own_rig.ask("config.apply")
    assert applied["kept"] == ["line.104.state", "line.104.ground"]
    shown = own_rig.ask("line.show", line="104")
    assert (shown["state"], shown["origins"]["state"]) == ("suspended", "store")
    assert own_rig.process is not None
    own_rig.process.kill()
    own_rig.process.wait()
    own_rig.start()
    assert own_rig.ask("line.show", line="104")["state"] == "suspended"


def test_a_changed_file_is_taken_over_and_named(own_rig: Rig) -> None:
    rewrite(own_rig, 'number = "+33199000104"', 'number = "+33199000144"')
    (row,) = own_rig.ask("config.diff")
    assert row == {
        "key": "line.104.number",
        "running": "+33199000104",
        "file": "+33199000144",
        "owner": "file",
        "needs_restart": False,
    }
    assert own_rig.ask("config.apply")["changed"] == ["line.104.number"]
    assert own_rig.ask("line.show", line="104")["number"] == "+33199000144"
    assert own_rig.ask("config.diff") == []


def test_sighup_with_a_broken_file_keeps_the_old_and_blocks_no_other(own_rig: Rig) -> None:
    rewrite(own_rig, 'id = "104"', 'id = "104"\nchanels = 3')
    refused = own_rig.run("config", "apply")
    assert refused.returncode == 2
    assert "chanels" in refused.stderr and "vigie.toml:" in refused.stderr
    assert own_rig.process is not None
    os.kill(own_rig.process.pid, signal.SIGHUP)
    assert own_rig.ask("line.show", line="104")["state"] == "active"
    rewrite(own_rig, "\nchanels = 3", "\nchannels = 3")
    os.kill(own_rig.process.pid, signal.SIGHUP)
    until(lambda: own_rig.ask("config.diff") == [], 5.0, "the file taken over", every_s=0.1)


def test_check_names_file_line_and_key(own_rig: Rig) -> None:
    assert own_rig.run("check").returncode == 0
    rewrite(own_rig, "workers = 2", 'workers = "two"')
    checked = own_rig.run("check")
    assert checked.returncode == 2
    assert "vigie.toml:" in checked.stdout + checked.stderr
    assert "media.workers" in checked.stdout + checked.stderr


def test_a_drain_refuses_new_calls_but_never_18(own_rig: Rig) -> None:
    with Handset("--address", "127.0.0.1") as phone:
        assert own_rig.run("drain", "start").returncode == 0
        phone.register("101", "demo-101", own_rig.address)  # registrations go on
        call = phone.call(own_rig.uri("0145678901"))
        ended = phone.wait("call", call=call, state="disconnected")
        assert (ended["code"], "draining" in ended["headers"]["Reason"]) == (480, True)
        call = phone.call(own_rig.uri("18"))
        phone.wait("call", call=call, state="confirmed")
        assert own_rig.ask("drain.status") == {"draining": True, "calls_live": 1}
        phone.do("hangup", call=call)
        assert own_rig.ask("drain.stop")["draining"] is False
        call = phone.call(own_rig.uri("0145678901"))
        phone.wait("call", call=call, state="confirmed")


def test_every_metric_has_a_value_and_no_label_a_number(own_rig: Rig) -> None:
    with Handset("--address", "127.0.0.1") as phone:
        phone.register("101", "demo-101", own_rig.address)
        call = phone.call(own_rig.uri("0145678901"))
        phone.wait("call", call=call, state="confirmed")
        with urllib.request.urlopen(f"http://127.0.0.1:{own_rig.http_port}/metrics") as page:
            text = page.read().decode()
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    named = {name for name, *_ in samples}
    assert {f"vigie_{gauge.name}" for gauge in GAUGES} <= named
    assert samples["vigie_sip_requests_total", "INVITE", "in"] >= 1
    assert samples["vigie_sip_requests_total", "INVITE", "out"] >= 1
    assert samples["vigie_sip_responses_total", "200", "out"] >= 1
    assert samples["vigie_sip_responses_total", "200", "in"] >= 1
    assert samples["vigie_authentications_total", "accepted"] >= 1
    assert samples["vigie_calls_active", "outbound"] == 1
    assert samples["vigie_config_last_reload_successful",] == 1
    assert any(name == "vigie_policy_decisions_total" for name in named)
    assert not [labels for _, *labels in samples if any("0145678901" in x for x in labels)]


def test_what_is_read_once_waits_for_a_restart_and_phones_still_log_in(own_rig: Rig) -> None:
    rewrite(own_rig, 'realm = "vigie"', 'realm = "other"')
    rewrite(own_rig, "ring_timeout_s = 5", "ring_timeout_s = 6")
    applied = own_rig.ask("config.apply")
    assert applied["needs_restart"] == ["sip.realm"]
    assert applied["changed"] == ["sip.ring_timeout_s"]
    (row,) = own_rig.ask("config.diff")
    assert (row["key"], row["needs_restart"]) == ("sip.realm", True)
    with Handset("--address", "127.0.0.1") as phone:
        phone.register("101", "demo-101", own_rig.address)


def test_a_changed_carrier_leaves_its_calls_alone(own_rig: Rig) -> None:
    with Handset("--address", "127.0.0.1") as phone:
        phone.register("101", "demo-101", own_rig.address)
        call = phone.call(own_rig.uri("0145678901"))
        phone.wait("call", call=call, state="confirmed")
        rewrite(own_rig, 'id = "carrier-1"', 'id = "carrier-1"\nchannels = 7')
        assert own_rig.ask("config.apply")["changed"] == ["trunk.carrier-1.channels"]
        (carrier, _) = own_rig.ask("status")["trunks"]
        assert carrier["calls"] == own_rig.ask("status")["trunks"][0]["calls"]
        (live,) = own_rig.ask("call.list")
        phone.do("hangup", call=call)
        phone.wait("call", call=call, state="disconnected")
        assert own_rig.cdr_after(0, call_id=live["call_id"])["ending"] == "ok"


def test_a_line_that_is_removed_talks_to_the_end(own_rig: Rig) -> None:
    path = own_rig.config / "vigie.toml"
    text = path.read_text(encoding="utf-8")
    parts = text.split("\n[[line]]")
    (gone,) = (part for part in parts[1:] if 'id = "103"' in part)
    with Handset("--address", "127.0.0.1") as phone:
        phone.register("103", "demo-103", own_rig.address)
        call = phone.call(own_rig.uri("0145678901"))
        phone.wait("call", call=call, state="confirmed")
        path.write_text(text.replace(f"\n[[line]]{gone}", "", 1), encoding="utf-8")
        own_rig.ask("config.apply")
        assert own_rig.ask("reg.list", line="103") == []
        phone.do("hangup", call=call)
        phone.wait("call", call=call, state="disconnected")
    assert own_rig.cdr_after(0, line="103")["counted_ms"] > 0


def test_a_log_that_nobody_reads_stops_nothing(own_rig: Rig) -> None:
    own_rig.stop()
    own_rig.log.unlink()
    os.mkfifo(own_rig.log)
    unread = os.open(own_rig.log, os.O_RDWR)  # a pipe holds 64 KiB
    own_rig.start()
    for _ in range(400):
        own_rig.ask("line.suspend", line="104", ground="2(k)(a)")
        own_rig.ask("line.resume", line="104")
    assert own_rig.ask("line.show", line="104")["state"] == "active"
    os.set_blocking(unread, False)
    seen = os.read(unread, 1 << 20)
    assert len(seen) > 60_000, "the pipe was full"

    def rest() -> bool:
        return bool(select.select([unread], [], [], 0)[0]) and b"line.state" in os.read(
            unread, 1 << 20
        )

    until(rest, 3.0, "the rest, once it is read")
    os.close(unread)


def test_a_rollback_takes_what_was_in_force_before_also_after_a_restart(own_rig: Rig) -> None:
    def number() -> object:
        return own_rig.ask("line.show", line="104")["number"]

    refused = own_rig.run("config", "rollback")
    assert (refused.returncode, "no earlier" in refused.stderr) == (1, True)
    for old, new in (("104", "144"), ("144", "145")):
        rewrite(own_rig, f'number = "+33199000{old}"', f'number = "+33199000{new}"')
        own_rig.ask("config.apply")
    assert own_rig.process is not None
    own_rig.process.kill()
    own_rig.process.wait()
    own_rig.start()
    assert own_rig.ask("config.rollback")["changed"] == ["line.104.number"]
    assert number() == "+33199000144"
    assert "earlier configuration" in own_rig.ask("status")["alarms"][0]
    assert own_rig.run("config", "rollback").returncode == 0
    assert number() == "+33199000104"
    assert own_rig.run("config", "rollback").returncode == 1
    assert own_rig.ask("config.apply")["changed"] == ["line.104.number"]
    assert number() == "+33199000145", "the files were left alone"
    assert own_rig.ask("status")["alarms"] == []


def test_the_first_device_of_a_reload_is_served_without_a_restart(own_rig: Rig) -> None:
    """No device at the start, so no broker; one in the files, and it can be claimed."""
    path = own_rig.config / "vigie.toml"
    text = path.read_text("utf-8")
    (device,) = re.findall(r"^\[\[device\]\][^\[]*", text, re.MULTILINE)
    path.write_text(text.replace(device, ""), "utf-8")
    own_rig.stop()
    own_rig.start()
    assert "mqtt" not in own_rig.ready
    assert own_rig.ask("device.list") == []
    path.write_text(path.read_text("utf-8") + f"\n{device}\n", "utf-8")
    assert own_rig.run("config", "apply").returncode == 0
    broker = parse_host_port(device_claim(own_rig)["broker"].removeprefix("mqtt://"))
    until(lambda: takes_connections(broker), 5.0, "the broker")
    assert own_rig.ask("status")["alarms"] == []


def device_claim(rig: Rig) -> dict[str, str]:
    key = base64.b64encode(bytes(31) + b"\x01").decode()
    return rig.ask("device.claim", device="dev-ooma-109", key=key)  # type: ignore[no-any-return]


def takes_connections(at: HostPort) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(at, 1):
        return True
    return False
