"""What people decide of hardware: stolen, retired, replaced; and what becomes of it when it shows itself."""

from pathlib import Path

import pytest

from firmware_agent.messages import reported as wire
from firmware_agent.messages.claim import ClaimResult
from firmware_agent.messages.codec import encode
from firmware_agent.messages.desired import Command, Op
from firmware_agent.messages.topics import Kind, Topic
from policy.model import LineState
from switch.facts.line import hashes_of
from switch.provisioning.device import Event, Life, NotAllowedError
from tests.switch.provisioning.house import FakeDevice, House
from tests.switch.provisioning.test_reports import telemetry

NAME, OTHER = "dev-00000001", "dev-00000002"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, (NAME, "101"), (OTHER, "102"))


@pytest.fixture
def device(house: House) -> FakeDevice:
    return FakeDevice(house, NAME).join()


def test_stolen(house: House, device: FakeDevice) -> None:
    house.fleet.steal(house.twin(NAME), "person")
    assert house.twin(NAME).device.life is Life.STOLEN
    assert house.exchange.facts.lines["101"].state is LineState.STOLEN
    assert house.last(Kind.DESIRED, NAME) == b""  # nothing is retained
    assert device.opened(Command, house.last(Kind.CMD, NAME)).op is Op.WIPE
    assert NAME in house.fleet.users()  # for the wipe, and not for long
    device.event(wire.Event.WIPED)
    assert NAME not in house.fleet.users()


def test_a_stolen_device_that_does_not_answer_is_cut_off(
    house: House, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    from switch.provisioning import fleet as module

    now = module.boottime()
    house.fleet.steal(house.twin(NAME), "person")
    monkeypatch.setattr(module, "boottime", lambda: now + 9)
    house.fleet.tick()
    assert NAME in house.fleet.users()
    monkeypatch.setattr(module, "boottime", lambda: now + 11)
    house.fleet.tick()
    assert NAME not in house.fleet.users()


def test_a_stolen_device_that_is_away_may_only_be_seen(house: House, device: FakeDevice) -> None:
    device.will(device.sid)
    house.fleet.steal(house.twin(NAME), "person")
    assert house.fleet.outcasts() == [NAME]
    assert house.count(Kind.CMD) == 0


def reappear(device: FakeDevice) -> None:
    device.will(device.sid)
    device.online()


@pytest.mark.parametrize("then", [None, Event.REPLACE, Event.DECOMMISSION])
def test_a_stolen_device_that_shows_itself_is_told_wiped_and_shut_out(
    house: House, device: FakeDevice, monkeypatch: pytest.MonkeyPatch, then: Event | None
) -> None:
    from switch.provisioning import fleet as module

    now = module.boottime()
    device.will(device.sid)
    twin = house.twin(NAME)
    house.fleet.steal(twin, "person")
    if then is not None:
        house.fleet.retire(twin, then, "person", "")
    assert not house.events("device.stolen_seen")
    reappear(device)
    assert house.story(NAME)[-1] == "reappeared"
    (seen,) = house.events("device.stolen_seen")
    assert (seen["device"], seen["way"], seen["line"]) == (NAME, "MQTT", "101")
    (notice,) = house.events("notice.due")
    assert (notice["kind"], notice["audience"], notice["clause"]) == (
        "stolen_seen",
        "operator",
        "2(b)",
    )
    assert device.opened(Command, house.last(Kind.CMD, NAME)).op is Op.WIPE
    reappear(device)  # the same minute: it is known
    assert len(house.events("device.stolen_seen")) == 1
    monkeypatch.setattr(module, "boottime", lambda: now + 12)
    house.fleet.tick()
    assert NAME not in house.fleet.users()
    assert not twin.online and house.last(Kind.STATUS, NAME) == b""
    monkeypatch.setattr(module, "boottime", lambda: now + 12 + 3500)
    house.fleet.tick()
    assert NAME not in house.fleet.users()
    monkeypatch.setattr(module, "boottime", lambda: now + 12 + 3601)
    house.fleet.tick()
    assert house.fleet.outcasts() == [NAME]
    reappear(device)
    assert len(house.events("device.stolen_seen")) == 2


def test_at_a_broker_of_ones_own_any_word_of_it_is_an_appearance(
    house: House, device: FakeDevice
) -> None:
    raw = encode(device.reported())
    device.will(device.sid)
    house.fleet.steal(house.twin(NAME), "person")
    before = house.twin(NAME).reported
    for _ in range(3):
        house.service.reports.take(Topic(Kind.REPORTED, NAME), raw)
    assert [each["way"] for each in house.events("device.stolen_seen")] == ["MQTT"]
    assert house.count(Kind.CMD) == 1
    assert house.twin(NAME).reported is before


def test_a_wiped_device_is_shut_out_for_good_and_its_claim_is_an_alarm(
    house: House, device: FakeDevice
) -> None:
    assert device.armed is not None
    assert device.armed.cid not in house.fleet.users()
    house.fleet.steal(house.twin(NAME), "person")
    device.event(wire.Event.WIPED)
    assert NAME not in house.reborn().fleet.users()
    assert device.armed.cid in house.fleet.users()
    assert device.claim().result is ClaimResult.REFUSED
    assert [each["way"] for each in house.events("device.stolen_seen")] == ["claim"]
    before = len(house.story(NAME))
    assert device.claim().result is ClaimResult.REFUSED
    assert len(house.story(NAME)) == before  # once an hour
    device.arm()  # a person has it back
    assert not house.twin(NAME).device.was_stolen
    assert device.claim().result is ClaimResult.ACCEPTED


@pytest.mark.parametrize("event", [Event.REPLACE, Event.DECOMMISSION])
def test_retired_hardware_that_shows_itself_is_wiped_without_an_alarm(
    house: House, device: FakeDevice, event: Event
) -> None:
    device.will(device.sid)
    house.fleet.retire(house.twin(NAME), event, "person", "")
    reappear(device)
    assert device.opened(Command, house.last(Kind.CMD, NAME)).op is Op.WIPE
    assert house.story(NAME)[-1] == "reappeared"
    assert house.events("device.retired_seen") and not house.events("device.stolen_seen")
    assert not house.events("notice.due")


@pytest.mark.parametrize("was_claimed", [True, False])
def test_a_theft_of_hardware_without_a_line_leaves_the_line_alone(
    house: House, was_claimed: bool
) -> None:
    """From its box, or on its way back after a replacement."""
    device = FakeDevice(house, NAME)
    if was_claimed:
        device.join()
        house.fleet.retire(house.twin(NAME), Event.REPLACE, "person", "")
    else:
        device.arm()
    house.fleet.steal(house.twin(NAME), "person")
    assert house.exchange.facts.lines["101"].state is LineState.ACTIVE
    if not was_claimed:
        assert device.claim().result is ClaimResult.REFUSED
        assert [each["way"] for each in house.events("device.stolen_seen")] == ["claim"]


def test_the_secret_that_was_stolen_is_known_after_the_replacement(
    house: House, device: FakeDevice
) -> None:
    stolen = hashes_of("101", house.found.settings.sip.realm, device.secret())
    house.fleet.steal(house.twin(NAME), "person")
    house.fleet.retire(house.twin(NAME), Event.REPLACE, "person", "")
    lost = house.reborn().exchange.authenticator.lost
    assert {name: lost("101", name) for name in stolen} == dict(stolen)
    assert lost("102", "MD5") is None
    house.service.on_events([("line.stolen_seen", {"line": "101"})])
    assert house.story(NAME)[-1] == "reappeared"


def test_what_a_stolen_device_says_is_not_believed(house: House, device: FakeDevice) -> None:
    house.fleet.steal(house.twin(NAME), "person")
    before = house.twin(NAME).reported
    device.say(Kind.REPORTED, before)
    device.say(Kind.TLM, telemetry(house, "FR", None))
    assert house.exchange.sightings.of("101").device is None


def test_decommissioned_for_good(house: House, device: FakeDevice) -> None:
    house.fleet.retire(house.twin(NAME), Event.DECOMMISSION, "person", "scrapped")
    facts = house.exchange.facts
    secret = hashes_of("101", house.fleet.realm, "demo-101")["MD5"]
    assert facts.ha1("101", "MD5") != secret and facts.next_ha1("101", "MD5") is None
    with pytest.raises(NotAllowedError):
        house.fleet.change(house.twin(NAME), Event.STEAL, "person")
