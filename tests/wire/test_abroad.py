"""18 from elsewhere: the source address decides (configs/demo/networks.csv)."""

import time
from pathlib import Path

import pytest

from switch.demo.handset import Handset
from tests.wire.conftest import Phones
from tests.wire.rig import Rig, until


def test_the_warning_is_heard_and_key_1_connects(
    rig: Rig, phone: Phones, whole_warning: tuple[Handset, int], tmp_path: Path
) -> None:
    assert whole_warning, "it goes on meanwhile: test_warning.py waits for its end"
    view = rig.carrier_view()
    guest = phone("104", "127.0.2.2")
    before = len(rig.ask("emergency.log", line="104"))
    call = guest.call(rig.uri("18"), record=str(tmp_path / "warning.wav"))
    guest.wait("media", call=call, active=True)
    time.sleep(2.0)  # speech is recorded in real time
    guest.do("heard", call=call)
    heard = guest.wait("heard", call=call)
    assert heard["rms"] > 300, "the warning is silence"
    assert view.newest() is None, "a blocked call reached the carrier"
    guest.do("dtmf", call=call, digits="1")
    guest.wait("call", call=call, state="confirmed")
    invite = view.newest()
    assert invite is not None
    assert "75108" in (invite.get("P-Access-Network-Info") or "")
    guest.do("hangup", call=call)
    guest.wait("call", call=call, state="disconnected")
    entry = until(lambda: rig.ask("emergency.log", line="104")[before:], 2.0)[0]
    assert (entry["level"], entry["verdict"]) == ("E5", "override_connected")


@pytest.mark.parametrize(
    ("address", "where"),
    [("127.0.3.1", "no data"), ("127.0.4.1", "Réunion"), ("127.0.6.1", "France, elsewhere")],
)
def test_18_connects_without_evidence_of_being_abroad(
    rig: Rig, phone: Phones, address: str, where: str
) -> None:
    view = rig.carrier_view()
    guest = phone("102", address)
    call = guest.call(rig.uri("18"))
    guest.wait("call", call=call, state="confirmed")
    guest.do("hangup", call=call)
    guest.wait("call", call=call, state="disconnected")
    assert view.newest() is not None, where


def test_monaco_is_not_france(rig: Rig, phone: Phones) -> None:
    view = rig.carrier_view()
    guest = phone("102", "127.0.5.1")
    call = guest.call(rig.uri("18"))
    guest.wait("media", call=call, active=True)
    guest.do("hangup", call=call)
    assert guest.wait("call", call=call, state="disconnected")["code"] == 487
    assert view.newest() is None


def test_a_registration_from_abroad_is_told_once_and_marked(rig: Rig, phone: Phones) -> None:
    def told() -> int:
        kinds = [each["kind"] for each in rig.ask("notice.list", line="108")]
        return kinds.count("registered_abroad")

    phone("108", "127.0.2.8")
    shown = rig.ask("line.show", line="108")["whereabouts"]
    assert shown["place"] == "abroad (DE)"
    assert shown["abroad"]["source"] == "127.0.2.8"
    assert [each["level"] for each in rig.ask("reg.list", line="108")] == ["E5"]
    until(lambda: told() == 2, 5.0, "customer and operator told of a registration from abroad")
    rig.ask("line.declare", line="108", country="FR")
    assert [each["level"] for each in rig.ask("reg.list", line="108")] == ["E4"]
    rig.ask("line.declare", line="108", clear=True)
    assert rig.ask("line.show", line="108")["whereabouts"]["declared"] is None
