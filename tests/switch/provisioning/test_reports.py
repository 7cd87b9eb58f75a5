"""What devices say of themselves: attestation, telemetry as evidence, events, and rubbish."""

from pathlib import Path

import pytest

from firmware_agent.messages import reported as wire
from firmware_agent.messages.desired import Beacon, Command, Op
from firmware_agent.messages.topics import Kind
from switch.provisioning.device import Life
from tests.switch.provisioning.house import FakeDevice, House, digest

NAME = "dev-00000001"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, (NAME, "101"))


@pytest.fixture
def device(house: House) -> FakeDevice:
    return FakeDevice(house, NAME).join()


# -- attestation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attest", "what"),
    [
        (wire.Attest(digest("other"), None), "document"),
        (wire.Attest(None, digest("other")), "certificate"),
    ],
)
def test_an_attestation_that_differs_opens_a_case(
    house: House, device: FakeDevice, attest: wire.Attest, what: str
) -> None:
    device.report(attest=attest)
    twin = house.twin(NAME)
    assert twin.device.life is Life.TAMPERED
    assert what in twin.device.why
    assert NAME in house.fleet.users()  # a person decides; it works meanwhile
    assert house.events("device.tampered")


def test_the_image_is_attested_where_it_is_known(house: House, device: FakeDevice) -> None:
    house.service.reports.known_image = lambda model, version: digest("the image")
    device.image = digest("the image")
    device.report()
    assert house.twin(NAME).device.life is Life.CLAIMED
    device.image = digest("another")
    device.report()
    assert house.twin(NAME).device.life is Life.TAMPERED


# -- signals for the policy ------------------------------------------------------------------------


def telemetry(house: House, country: str | None, ip: str | None, mac: str = "") -> wire.Tlm:
    return wire.Tlm(
        at=house.fleet.now_ms() // 1000,
        uptime_s=10,
        boot_reason="power",
        registered=True,
        calls=0,
        emergency_ready=True,
        public_ip=ip,
        network=wire.Network(mac, "office") if mac else None,
        country=country,
        mos=4.2,
    )


def test_telemetry_is_evidence_of_the_line(house: House, device: FakeDevice) -> None:
    sample = telemetry(house, "DE", "127.0.2.9", "00:11:22:33:44:55")
    device.say(Kind.TLM, sample)
    seen = house.exchange.sightings.of("101").device
    assert seen is not None
    assert (seen.country, seen.address) == ("DE", "127.0.2.9")
    assert len(seen.fingerprint) == 16
    signals = house.exchange.facts.signals(
        house.exchange.facts.lines["101"], "127.0.3.1", seen.at, house.exchange.sightings.of("101")
    )
    assert {(s.kind, s.says.value) for s in signals} >= {
        ("device_report", "abroad"),
        ("device_address", "abroad"),
    }
    assert house.exchange.rules.emergency.max_age_s["device_report"] == 900.0
    assert house.twin(NAME).mos == 4.2


def test_an_event_counts_once(house: House, device: FakeDevice) -> None:
    device.event(wire.Event.CRASH, where="codec")
    repeated = house.story(NAME).count("crash")
    device.seq -= 1
    device.event(wire.Event.CRASH, where="codec")
    assert house.story(NAME).count("crash") == repeated == 1


def test_a_device_that_wants_the_time_gets_it_signed(house: House, device: FakeDevice) -> None:
    device.event(wire.Event.TIME_WANTED, nonce="n-1")
    command = device.opened(Command, house.last(Kind.CMD, NAME))
    assert (command.op, command.args["nonce"], command.device) == (Op.TIME, "n-1", NAME)
    assert abs(int(command.args["time"]) - house.fleet.now_ms() // 1000) <= 1
    assert device.opened(Beacon, _beacon(house)).tuf_ts == 0


def _beacon(house: House) -> bytes:
    house.fleet.publish_beacon()
    return house.last(Kind.BEACON, "")


@pytest.mark.parametrize(
    "kind", [Kind.REPORTED, Kind.STATUS, Kind.TLM, Kind.OTA, Kind.EVT, Kind.ACK]
)
def test_rubbish_is_noted_and_changes_nothing(house: House, device: FakeDevice, kind: Kind) -> None:
    before = house.twin(NAME).reported
    from firmware_agent.messages.topics import Topic

    for raw in (b"", b"\xff\x00", b"{}", b"[]", b'{"seen_rev": -1}', b"x" * 70_000):
        house.service.reports.take(Topic(kind, NAME), raw)
    assert len(house.events("device.unreadable")) == 6
    assert house.twin(NAME).reported is before
