"""A line moves while the switch runs: 18 carries the new INSEE code, 933 reads it, a kill changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.demo.handset import Handset
from switch.media.readback import compose_readback
from switch.media.sounds import find_stale
from tests.wire.conftest import Phones
from tests.wire.rig import Rig, until

LINE = "104"
LYON = ("--insee", "69383", "--civic", "HNO=12", "--civic", "RD=rue Paul Bert")


@pytest.fixture
def moved(rig: Rig) -> Iterator[Rig]:
    """104 is in Lyon, and back in Paris afterwards, for the tests that follow."""
    told = rig.run("line", "locate", LINE, *LYON, "--why", "déménagement", "--by", "test")
    assert told.returncode == 0, told.stderr
    assert "12 rue Paul Bert, 69003 Lyon (unconfirmed)" in told.stdout
    yield rig
    assert rig.run("line", "locate", LINE, "--site", "paris-8").returncode == 0
    assert rig.run("line", "confirm", LINE).returncode == 0


def pani_of_18(rig: Rig, phone: Handset) -> str:
    view = rig.carrier_view()
    call = phone.call(rig.uri("18"))
    phone.wait("call", call=call, state="confirmed", limit_s=10)
    phone.do("hangup", call=call)
    phone.wait("call", call=call, state="disconnected")
    invite = view.newest()
    assert invite is not None
    return invite.get("P-Access-Network-Info") or ""


def test_18_and_933_know_the_new_place_and_a_reload_leaves_it(moved: Rig, phone: Phones) -> None:
    handset = phone(LINE)
    assert 'operator-specific-GI="VG6938300"' in pani_of_18(moved, handset)
    assert moved.run("config", "apply").returncode == 0
    assert "VG6938300" in pani_of_18(moved, handset)

    civic = moved.ask("line.show", line=LINE)["location"]["civic"]
    assert civic["A3"] == "Lyon"
    spoken = compose_readback(LINE, civic, "69383")
    sounds = moved.data / "sounds"
    moved.wait_for_sounds("verdict-connect")
    until(lambda: not find_stale(sounds, [spoken]), 60, "the read-back in its new words", 0.1)
    call = handset.call(moved.uri("933"))
    handset.wait("call", call=call, state="confirmed", limit_s=10)
    handset.do("hangup", call=call)

    notices = [(each["kind"], each["clause"]) for each in moved.ask("notice.list", line=LINE)]
    assert notices.count(("location_reminder", "1(d)")) == 1
    versions = json.loads(moved.run("line", "locations", LINE, "--json").stdout)
    assert [(row["version"], row["insee"], row["state"]) for row in versions[:2]] == [
        (1, "75108", "confirmed"),
        (2, "69383", "unconfirmed"),
    ]


def test_a_wrong_address_is_refused_with_the_right_code(rig: Rig) -> None:
    told = rig.run(
        "line", "locate", LINE, "--insee", "69123", "--civic", "RD=x", "--civic", "PC=69003"
    )
    assert told.returncode == 1
    assert "69383 Lyon 3e Arrondissement for the postcode 69003" in told.stderr


def test_a_killed_switch_goes_on_where_it_was(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    settings = rig.config / "vigie.toml"
    rewrite(settings, "\nworkers = 2", "\nworkers = 0")  # nothing is spoken here
    rewrite(settings, "reserved_workers = 1", "reserved_workers = 0")
    with rig:
        rig.ask("line.locate", line="101", insee="69383", civic={"RD": "rue Paul Bert"})
        rig.ask("line.confirm", line="101", by="Mme Dupont")
        first = rig.ask("emergency.feed")
        assert rig.process is not None
        rig.process.kill()
        rig.process.wait()
        rig.start()
        shown = rig.ask("line.show", line="101")["location"]
        assert (shown["insee"], shown["version"], shown["state"]) == ("69383", 2, "confirmed")
        assert shown["confirmed_by"] == "Mme Dupont"
        again = rig.ask("emergency.feed")
        assert (again["version"], again["hash"]) == (1, first["hash"])
        rig.ask("emergency.feed_ack", version=1)

        # Without its journal the next one has the database.
        until(lambda: rig.ask("line.locations", line="101")[1]["confirmed_at"], 3, "written")
        rig.process.terminate()
        rig.process.wait()
        for segment in (rig.data / "journal").iterdir():
            segment.unlink()
        rig.start()
        shown = rig.ask("line.show", line="101")["location"]
        assert (shown["insee"], shown["version"], shown["state"]) == ("69383", 2, "confirmed")
        report = rig.ask("emergency.report")
        assert report["feed_version"] == 1
        assert report["not_acknowledged"] == []
        assert [row["line"] for row in report["without_address"]] == ["107"]

        # Another number in the file has the customer asked again, an address that contradicts its
        # code is not taken over.
        rewrite(settings, "+33199000102", "+33199000192")
        assert rig.run("config", "apply").returncode == 0
        shown = rig.ask("line.show", line="102")["location"]
        assert (shown["version"], shown["state"]) == (2, "unconfirmed")
        notices = rig.ask("notice.list", line="102")
        assert "location_reminder" in {notice["kind"] for notice in notices}
        assert rig.ask("line.show", line="101")["location"]["insee"] == "69383"
        rewrite(settings, 'insee = "75108"', 'insee = "75107"')
        for command in ("check", "apply"):
            told = rig.run("config", command)
            assert told.returncode == 2
            assert "75008 is not of 75107" in told.stdout + told.stderr
        assert rig.ask("line.show", line="103")["location"]["insee"] == "75108"


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
