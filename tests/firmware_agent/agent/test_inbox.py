"""Documents, commands and beacons: forged, replayed, expired, unreadable, poisonous."""

import pytest

from firmware_agent.agent.kept import desired_file
from firmware_agent.messages.desired import Beacon, Op, Transport, Window
from firmware_agent.messages.desired import Command as Order
from firmware_agent.messages.envelope import sign
from firmware_agent.messages.reported import AckResult
from firmware_agent.messages.topics import Kind
from tests.firmware_agent.agent.life import (
    DEVICE,
    LINE,
    SERVICE,
    STRANGER,
    TODAY,
    Life,
    document,
    firmware,
    line,
)


@pytest.fixture
def life() -> Life:
    """A device in service, of document 5."""
    life = Life().boot()
    life.beacon()
    life.desire(5)
    assert life.reported.state == "applied"
    return life


def is_untouched(life: Life) -> bool:
    return life.reported.applied_rev == 5 and life.reported.emergency_ready


def test_applied_document_is_reported_once_with_its_hash(life: Life) -> None:
    assert [each.applied_rev for each in life.documents(Kind.REPORTED)].count(5) == 1
    assert life.reported.attest.config_sha256 == life.agent.config.kept.good
    assert life.reported.lines[0].location_gen == 1


def test_one_report_a_connection_when_the_document_is_retained() -> None:
    life = Life().boot()
    raw = life.desire(1)
    for _ in range(3):
        before = len(life.documents(Kind.REPORTED))
        life.disconnect()
        life.retained = raw
        life.connect()
        life.pass_time(5)
        assert len(life.documents(Kind.REPORTED)) == before + 1
        assert life.reported.applied_rev == 1


def test_new_location_is_acknowledged(life: Life) -> None:
    life.desire(6, lines=(line(location_gen=2),))
    assert life.reported.lines[0].location_gen == 2


def test_new_secret_is_told_when_it_is_in_use(life: Life) -> None:
    life.world.registers = False
    life.desire(6, lines=(line(gen=2),))
    assert [each.detail["generation"] for each in life.events("secret_generation")] == [1]
    assert not life.reported.lines[0].registered
    life.do(lambda: life.agent.on_line(LINE, True, life.at))
    assert [each.detail["generation"] for each in life.events("secret_generation")] == [1, 2]


def test_first_use_of_a_secret_is_told_once_not_at_each_boot(life: Life) -> None:
    life.boot()
    assert life.reported.emergency_ready
    assert len(life.events("secret_generation")) == 1


def test_lower_rev_is_a_replay_and_ignored(life: Life) -> None:
    life.desire(4)
    assert is_untouched(life)
    assert life.reported.seen_rev == 5


def test_same_document_is_reported_again(life: Life) -> None:
    before = len(life.documents(Kind.REPORTED))
    life.receive(
        Kind.DESIRED, life.files.read(desired_file(life.agent.config.kept.good or "")) or b""
    )
    assert len(life.documents(Kind.REPORTED)) == before + 1
    assert is_untouched(life)


def test_same_rev_with_other_content_is_an_alarm(life: Life) -> None:
    life.desire(5, lines=(line(location_gen=9),))
    assert is_untouched(life)
    assert life.events("rev_conflict")[0].detail["rev"] == 5


@pytest.mark.parametrize(
    "raw",
    [
        sign(document(6), STRANGER),
        sign(Beacon(TODAY, 1, {}), SERVICE),
        sign(document(6, device="dev-0002"), SERVICE),
        sign(document(6), SERVICE)[:-30],
        sign(document(6), SERVICE).replace(b'"payload":"ey', b'"payload":"e1'),
        b"x" * 70_000,
        b"[" * 60_000,
    ],
    ids=["stranger", "other type", "other device", "truncated", "changed", "oversize", "nested"],
)
def test_forged_document_changes_nothing_and_is_told(life: Life, raw: bytes) -> None:
    for _ in range(3):
        life.receive(Kind.DESIRED, raw)
    assert is_untouched(life)
    assert life.reported.seen_rev == 5
    assert [each.detail["what"] for each in life.events("forged")] == ["desired"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"lines": (line(transport=Transport.TLS),)}, "lines[0].sip.transport"),
        ({"lines": (line(), line())}, "lines"),
        ({"lines": (line(secret_gen=7),)}, "lines[0].sip.secret_sealed"),
        (
            {"wanted": firmware(window=Window("Mars/Base", "01:00", "02:00"))},
            "firmware.window.zone",
        ),
        ({"lines": (line(user="a b"),)}, "lines[0].sip.user"),
        ({"revert_after_s": 1}, "revert_after_s"),
    ],
    ids=["no TLS", "line twice", "moved secret", "unknown zone", "bad user", "out of range"],
)
def test_document_that_cant_be_applied_is_refused_whole(
    life: Life, changes: dict[str, object], path: str
) -> None:
    life.receive(Kind.DESIRED, sign(document(6, **changes), SERVICE))  # type: ignore[arg-type]
    assert is_untouched(life)
    reported = life.reported
    assert (reported.seen_rev, reported.state) == (6, "rejected")
    assert reported.err is not None
    assert reported.err.path == path
    life.boot()
    assert life.reported.err == reported.err, "and it is still told after a reboot"
    life.desire(7)
    assert (life.reported.applied_rev, life.reported.state) == (7, "applied")


def test_poison_is_reverted_and_last_good_is_back(life: Life) -> None:
    """A document that is right in every key and leads nowhere."""
    life.world.registers = False
    life.desire(6, lines=(line(gen=2),), revert_after_s=120)
    assert (life.reported.applied_rev, life.reported.state) == (6, "applying")
    life.pass_time(100)
    assert life.reported.applied_rev == 6
    life.world.registers = True
    life.pass_time(30)
    assert (life.reported.applied_rev, life.reported.state) == (5, "rejected")
    assert life.reported.err is not None
    assert life.reported.err.code == "not_regained"
    assert life.events("reverted")[0].detail == {"rev": 6, "to": 5, "lacking": "SIP"}
    assert is_untouched(life)
    stored = [name for name in life.files.content if name.startswith("desired-")]  # type: ignore[attr-defined]
    assert len(stored) == 1


def test_poison_that_cuts_mqtt_is_reverted_too(life: Life) -> None:
    life.world.registers = False
    life.desire(6, revert_after_s=120, lines=(line(gen=2),))
    life.disconnect()
    life.world.registers = True
    life.pass_time(200)
    life.connect()
    assert life.events("reverted")[0].detail["lacking"] == "MQTT"
    assert is_untouched(life)


def test_poison_outlives_a_reboot_and_is_reverted_then(life: Life) -> None:
    life.world.registers = False
    life.desire(6, revert_after_s=120, lines=(line(gen=2),))
    life.boot()
    assert life.reported.state == "applying"
    life.world.registers = True
    life.disconnect()
    life.pass_time(130)
    life.connect()
    assert is_untouched(life)


def test_newer_document_that_is_refused_leaves_the_tried_one_alone(life: Life) -> None:
    life.world.registers = False
    life.desire(6, lines=(line(gen=2),))
    life.receive(Kind.DESIRED, sign(document(7, lines=(line(), line())), SERVICE))
    life.do(lambda: life.agent.on_line(LINE, True, life.at))
    reported = life.reported
    assert (reported.applied_rev, reported.seen_rev, reported.state) == (6, 7, "rejected")


def test_cleared_document_changes_nothing(life: Life) -> None:
    life.receive(Kind.DESIRED, b"")
    assert is_untouched(life)
    assert not life.events("forged")


def test_command_is_done_once_and_acknowledged_each_time(life: Life) -> None:
    for _ in range(3):
        life.order(Op.REBOOT, "c7")
    life.pass_time(1)
    assert life.boots == 2
    assert [each.result for each in life.documents(Kind.ACK)] == ["accepted", "done", "done"]


def test_expired_command_is_not_done(life: Life) -> None:
    life.order(Op.REBOOT, exp=TODAY - 1)
    assert life.documents(Kind.ACK)[-1].result == "expired"
    assert life.boots == 1


def test_command_for_another_device_or_by_a_stranger_is_not_done(life: Life) -> None:
    life.receive(Kind.CMD, sign(Order("dev-0002", "c1", TODAY + 9, Op.WIPE, {}), SERVICE))
    life.receive(Kind.CMD, sign(Order(DEVICE, "c2", TODAY + 9, Op.WIPE, {}), STRANGER))
    assert not life.wiped
    assert not life.documents(Kind.ACK)
    assert life.events("forged")


def test_a_wipe_waits_for_the_end_of_an_emergency_call_and_of_no_other(life: Life) -> None:
    life.calls(1, is_emergency=True)
    life.order(Op.WIPE)
    acks = [each.document.result for each in life.said if each.kind is Kind.ACK]  # type: ignore[attr-defined]
    assert acks == [AckResult.ACCEPTED]
    life.pass_time(3600)
    assert not life.wiped
    life.calls(1)  # another call goes on
    assert life.wiped


def test_wipe_is_told_before_it_is_done(life: Life) -> None:
    life.order(Op.WIPE)
    assert life.wiped
    assert life.documents(Kind.ACK)[-1].result == "done"
    assert life.events("wiped")
    assert not life.agent.reports.is_emergency_ready


def test_beacon_gives_time_and_an_old_one_asks_for_a_signed_answer() -> None:
    life = Life(system=0).boot()  # 1970
    life.beacon(TODAY)
    assert life.agent.time.utc(life.at) == TODAY
    life.boot()
    life.beacon(TODAY - 7200)
    assert int(life.agent.time.utc(life.at)) == TODAY, "time doesn't go back"
    nonce = life.events("time_wanted")[-1].detail["nonce"]
    life.order(Op.TIME, "t1", exp=0, nonce="other", time=TODAY + 1)
    assert life.documents(Kind.ACK)[-1].result == "refused"
    life.order(Op.TIME, "t2", exp=0, nonce=nonce, time=TODAY + 600)
    assert life.documents(Kind.ACK)[-1].result == "done"
    assert life.agent.time.utc(life.at) == TODAY + 600
    life.order(Op.TIME, "t3", exp=0, nonce=nonce, time=TODAY + 9999)
    assert life.documents(Kind.ACK)[-1].result == "refused", "a nonce serves once"


def test_silence_of_the_beacon_asks_for_the_time() -> None:
    life = Life().boot()
    life.pass_time(60)
    assert life.events("time_wanted")


def test_moves_are_told_once_and_outlive_a_power_cut(life: Life) -> None:
    from firmware_agent.agent.signals import Place
    from firmware_agent.messages.reported import Network

    def see(mac: str, address: str) -> None:
        place = Place(Network(mac, "office.example"), address, "FR")
        life.do(lambda: life.agent.on_place(place, life.at))

    see("02:00:00:00:00:01", "192.0.2.1")
    assert not life.events("moved"), "the first place is no move"
    life.boot()
    see("02:00:00:00:00:02", "198.51.100.1")
    see("02:00:00:00:00:02", "198.51.100.1")
    assert [
        (each.detail["what"], each.detail["before"], each.detail["after"])
        for each in life.events("moved")
    ] == [
        ("gateway_mac", "02:00:00:00:00:01", "02:00:00:00:00:02"),
        ("public_ip", "192.0.2.1", "198.51.100.1"),
    ]
    sample = life.documents(Kind.TLM)[-1]
    assert (sample.public_ip, sample.country) == ("198.51.100.1", "FR")


def test_events_wait_for_the_connection(life: Life) -> None:
    life.disconnect()
    life.world.registers = False
    for _ in range(40):
        life.agent.tell(life.events("boot")[0].kind, life.at, reason="x")
    life.connect()
    assert len(life.events("boot")) == 1 + 32, "the oldest go first"
    seqs = [each.seq for each in life.documents(Kind.EVT)]
    assert seqs == sorted(seqs)


def test_sid_grows_over_connections_and_boots(life: Life) -> None:
    life.connect()
    life.boot()
    life.connect()
    sids = [each.sid for each in life.documents(Kind.STATUS)]
    assert sids == sorted(set(sids))
    assert len(sids) == 4
