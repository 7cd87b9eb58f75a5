"""Updates, each way they can go, with the time jumped."""

import pytest

from firmware_agent.agent.quiet import AFTER_EMERGENCY_S
from firmware_agent.agent.update import TRIAL_LIMIT_S
from firmware_agent.messages.desired import Op, Window
from firmware_agent.messages.reported import Problem
from firmware_agent.messages.topics import Kind
from firmware_agent.slots import MAX_BOOTS
from tests.firmware_agent.agent.life import LINE, NEW, OLD, TODAY, Life, firmware

WHOLE = [
    "OFFERED", "META_VERIFIED", "DOWNLOADING", "VERIFIED", "INSTALLING", "WAIT_WINDOW",
    "REBOOTING", "TRIAL", "CONFIRMED",
]  # fmt: skip


@pytest.fixture
def life() -> Life:
    """A device in service."""
    life = Life().boot()
    life.beacon()
    life.desire(1)
    assert life.reported.emergency_ready
    return life


def test_whole_update(life: Life) -> None:
    life.desire(2, firmware())
    assert life.states == WHOLE
    assert (life.reported.fw.version, life.reported.fw.slot) == ("1.1.0", "B")
    assert life.reported.fw.state == "CONFIRMED"
    assert life.files.read("download.img") is None


def test_image_that_never_registers_is_left_and_the_old_one_is_back(life: Life) -> None:
    life.calls(1)
    life.desire(2, firmware())
    life.world.registers = False
    life.calls(0)
    assert life.states[-1] == "TRIAL"
    assert not life.reported.emergency_ready
    life.pass_time(TRIAL_LIMIT_S - 20)
    assert life.states[-1] == "TRIAL"
    life.world.registers = True  # the old firmware can
    life.pass_time(40)
    assert life.states[-2:] == ["ROLLING_BACK", "ROLLED_BACK"]
    assert (life.reported.fw.version, life.reported.fw.slot) == ("1.0.0", "A")
    assert life.reported.emergency_ready
    problems = [each.err for each in life.documents(Kind.OTA) if each.state == "ROLLING_BACK"]
    assert problems == [Problem("trial", "", "not regained: SIP")]
    life.desire(3, firmware())
    assert life.states[-1] == "ROLLED_BACK", "the same image isn't tried again by itself"


def test_restart_update_tries_what_was_rolled_back_again(life: Life) -> None:
    life.world.audio = False
    life.desire(2, firmware())
    assert life.states[-1] == "ROLLED_BACK"
    life.world.audio = True
    life.order(Op.RESTART_UPDATE)
    assert life.states[-1] == "CONFIRMED"
    assert life.reported.fw.attempt == 2


def test_failed_audio_self_test_rolls_back_at_once(life: Life) -> None:
    life.world.audio = False
    began = life.now
    life.desire(2, firmware())
    assert life.states[-1] == "ROLLED_BACK"
    assert life.documents(Kind.OTA)[-1].err.msg == "not regained: MQTT, audio"
    assert life.now - began < 1


def test_never_reboots_in_a_call(life: Life) -> None:
    life.calls(1)
    life.desire(2, firmware())
    assert life.states[-1] == "WAIT_WINDOW"
    life.pass_time(6 * 3600, step=60)
    assert life.states[-1] == "WAIT_WINDOW"
    life.calls(0)
    assert life.states[-1] == "CONFIRMED"


def test_not_within_30_minutes_after_an_emergency_call(life: Life) -> None:
    life.calls(1, is_emergency=True)
    life.desire(2, firmware())
    life.pass_time(600)
    life.calls(0)
    life.pass_time(AFTER_EMERGENCY_S - 40)
    assert life.states[-1] == "WAIT_WINDOW"
    life.pass_time(80)
    assert life.states[-1] == "CONFIRMED"


def test_the_30_minutes_outlive_a_power_cut(life: Life) -> None:
    life.calls(1, is_emergency=True)
    life.calls(0)
    life.boot()
    life.desire(2, firmware())
    life.pass_time(AFTER_EMERGENCY_S - 60)
    assert life.states[-1] == "WAIT_WINDOW"
    life.pass_time(120)
    assert life.states[-1] == "CONFIRMED"


def test_clock_that_jumps_doesnt_end_the_30_minutes(life: Life) -> None:
    life.calls(1, is_emergency=True)
    life.calls(0)
    life.desire(2, firmware())
    life.beacon(TODAY + 7200)
    life.pass_time(60)
    assert life.states[-1] == "WAIT_WINDOW"


def test_ordered_reboot_waits_for_the_call_too(life: Life) -> None:
    life.calls(1)
    life.order(Op.REBOOT)
    assert life.documents(Kind.ACK)[-1].result == "accepted"
    assert life.boots == 1
    life.calls(0)
    assert life.boots == 2
    assert life.events("boot")[-1].detail["reason"] == "command"


def test_waits_for_the_window_in_the_zone_of_the_site(life: Life) -> None:
    """It is 00:00 UTC: 01:00 in Paris, 04:00 on La Réunion."""
    life.desire(2, firmware(window=Window("Europe/Paris", "02:00", "05:00")))
    assert life.states[-1] == "WAIT_WINDOW"
    life.pass_time(3500, step=30)
    assert life.states[-1] == "WAIT_WINDOW"
    life.pass_time(200, step=30)
    assert life.states[-1] == "CONFIRMED"


def test_window_that_is_open_there_is_open(life: Life) -> None:
    life.desire(2, firmware(window=Window("Indian/Reunion", "23:00", "04:30")))
    assert life.states[-1] == "CONFIRMED"


def test_wrong_hash_is_fetched_anew_once_then_rejected(life: Life) -> None:
    life.world.downloads = [b"other", b"other"]
    life.desire(2, firmware())
    assert life.states[-1] == "REJECTED"
    assert life.documents(Kind.OTA)[-1].err.code == "hash"
    assert len(life.events("forged")) == 2
    assert life.reported.emergency_ready


def test_wrong_hash_once_is_forgiven(life: Life) -> None:
    life.world.downloads = [b"other"]
    life.desire(2, firmware())
    assert life.states[-1] == "CONFIRMED"


def test_interrupted_download_is_taken_up_again(life: Life) -> None:
    life.world.downloads = [None, None]
    life.desire(2, firmware())
    assert life.states[-1] == "SUSPENDED"
    life.pass_time(30)
    assert life.states[-1] == "CONFIRMED"


def test_downgrade_under_the_floor_is_rejected_and_told(life: Life) -> None:
    life.beacon(TODAY + 60, floor=5)
    life.desire(2, firmware(security=4))
    assert life.states[-1] == "REJECTED"
    event = life.events("downgrade")[0]
    assert event.detail == {"target": "ooma-office/1.1.0.img", "floor": 5}
    assert life.slots.floor() == 5


def test_expired_metadata_are_asked_for_without_end(life: Life) -> None:
    life.world.metadata = Problem("expired")
    life.desire(2, firmware())
    life.pass_time(3600)
    assert life.states == ["OFFERED"]
    assert life.documents(Kind.OTA)[-1].err == Problem("expired")
    life.world.metadata = None
    life.pass_time(400)
    assert life.states[-1] == "CONFIRMED"


def test_forged_metadata_are_rejected_after_five_times(life: Life) -> None:
    life.world.metadata = Problem("metadata")
    life.desire(2, firmware())
    life.pass_time(3600)
    assert life.states == ["OFFERED", "REJECTED"]
    assert len(life.events("forged")) == 5


def test_verified_metadata_that_disagree_reject_at_once(life: Life) -> None:
    life.world.metadata, life.world.may_pass = Problem("mismatch"), False
    life.desire(2, firmware())
    assert life.states == ["OFFERED", "REJECTED"]


def test_withdrawn_before_the_reboot(life: Life) -> None:
    life.calls(1)
    life.desire(2, firmware())
    life.desire(3)
    assert life.reported.fw.state == "IDLE"
    life.calls(0)
    assert life.boots == 1


def test_another_offer_takes_the_place_of_the_first(life: Life) -> None:
    life.world.is_busy = True
    life.desire(2, firmware(NEW, "1.0.5"))
    life.world.is_busy = False
    life.desire(3, firmware())
    assert life.states[-1] == "CONFIRMED"
    assert life.reported.fw.version == "1.1.0"


def test_rollback_of_a_rollout_installs_the_old_image_again(life: Life) -> None:
    life.desire(2, firmware())
    life.desire(3, firmware(OLD, "1.0.0", rollout="r2"))
    assert (life.reported.fw.version, life.reported.fw.state) == ("1.0.0", "CONFIRMED")
    assert life.reported.fw.slot == "A"


def test_trial_that_ends_in_a_call_waits_for_its_end(life: Life) -> None:
    life.calls(1)
    life.desire(2, firmware())
    life.world.registers = False
    life.calls(0)
    life.calls(1)
    life.pass_time(2 * TRIAL_LIMIT_S)
    assert life.states[-1] == "TRIAL"
    life.calls(0)
    assert "ROLLING_BACK" in life.states


def test_boot_counter_bounds_trials_without_the_agent() -> None:
    """The agent of the new image never runs: the boot loader alone goes back."""
    life = Life().boot()
    life.beacon()
    life.desire(1)
    life.calls(1)
    life.desire(2, firmware())
    agent = life.agent
    life._reboot = lambda command: life.slots.arm()  # type: ignore[method-assign]
    life.agent.quiet.calls = 0
    life.do(lambda: agent.settle(life.at))
    del life._reboot  # type: ignore[method-assign]
    for _ in range(MAX_BOOTS):
        assert life.slots.boot().image.version == "1.1.0"
    life.boot()
    assert life.states[-1] == "ROLLED_BACK"
    assert life.documents(Kind.OTA)[-1].err.code == "boots"
    assert life.reported.lines[0].line == LINE
