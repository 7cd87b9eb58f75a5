"""What devices are told, and what they say of it: by message, without a broker."""

from dataclasses import replace
from pathlib import Path

import pytest

from firmware_agent.messages import reported as wire
from firmware_agent.messages.topics import Kind
from policy.engine import decide
from policy.model import CallRequest
from switch.facts.line import hashes_of
from switch.facts.registered import Address, Registered, Source
from switch.observe.alarms import Alarms
from switch.provisioning.device import Event, Life
from tests.switch.provisioning.house import FakeDevice, House

NAME, OTHER = "dev-00000001", "dev-00000002"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, (NAME, "101"), (OTHER, "102"))


@pytest.fixture
def device(house: House) -> FakeDevice:
    return FakeDevice(house, NAME).join()


def move(house: House, line: str) -> Registered:
    """The line's location gets a new version."""
    known = house.exchange.facts.lines[line]
    assert known.policy.location is not None
    location = known.policy.location
    made = Registered(
        line,
        location.version + 1,
        1_800_000_000_000,
        Address(location.insee, {**location.civic, "FLR": "7"}),
        True,
        Source.STORE,
        site=known.site,
    )
    house.lives.register(made)
    house.lives.renew(line)
    return made


# -- documents -------------------------------------------------------------------------------------


def test_a_document_says_all_of_it(house: House, device: FakeDevice) -> None:
    line = device.desired().lines[0]
    assert (line.line, line.sip.user, line.location_id) == ("101", "101", "paris-8")
    assert line.sip.registrars == ("127.0.0.1:5060",)
    assert line.codecs == ("PCMA", "PCMU")
    assert device.desired().rev == 1


def test_nothing_changed_nothing_sent(house: House, device: FakeDevice) -> None:
    before = house.count(Kind.DESIRED)
    house.fleet.settings_changed()
    house.lives.renew("101")
    house.fleet.facts_changed()
    assert house.count(Kind.DESIRED) == before


def test_a_new_location_is_sent_at_once_and_puts_the_line_out_of_service(
    house: House, device: FakeDevice
) -> None:
    assert house.exchange.facts.lines["101"].policy.in_service
    moved = move(house, "101")
    assert device.desired().rev == 2
    assert device.desired().lines[0].location_gen == moved.version
    house.fleet.settle()
    assert not house.exchange.facts.lines["101"].policy.in_service
    device.report()
    assert house.exchange.facts.lines["101"].policy.in_service


def test_an_emergency_call_of_a_line_out_of_service_connects_and_says_so(
    house: House, device: FakeDevice
) -> None:
    moved = move(house, "101")
    house.fleet.settle()
    facts = house.exchange.facts.policy_facts("101", "127.0.0.1", 0.0)
    decision = decide(CallRequest("18", "101", "127.0.0.1", 0.0), facts, house.exchange.rules)
    assert decision.action == "connect"
    assert decision.destination.location.version == moved.version  # type: ignore[union-attr]
    assert any(step.rule == "device" for step in decision.steps)


def test_a_rejected_document_is_told_once_and_the_line_stays_out(
    house: House, device: FakeDevice
) -> None:
    move(house, "101")
    for _ in range(3):
        device.report(
            applied_rev=1,
            state=wire.Applied.REJECTED,
            err=wire.Problem("bad_codec", "lines[0].codecs", "none is known"),
            lines=(wire.LineState("101", 1, True, 1),),
        )
    assert house.story(NAME).count("rejected") == 1
    assert not house.exchange.facts.lines["101"].policy.in_service


def test_a_broker_that_forgot_everything_gets_the_very_same_documents(
    house: House, device: FakeDevice
) -> None:
    raw = house.last(Kind.DESIRED, NAME)
    again = house.reborn()
    again.fleet.publish_all()
    assert again.last(Kind.DESIRED, NAME) == raw
    assert again.last(Kind.BEACON, "")


def test_a_device_that_has_seen_more_than_we_remember_outranks_us(
    house: House, device: FakeDevice
) -> None:
    device.report(seen_rev=40, applied_rev=40)
    assert device.desired().rev == 41


def not_regained(device: FakeDevice, seen: int) -> None:
    device.report(
        seen_rev=seen,
        applied_rev=1,
        state=wire.Applied.REJECTED,
        err=wire.Problem("not_regained", "", "sip did not come back"),
    )


def test_a_document_that_lost_us_is_offered_anew_once(house: House, device: FakeDevice) -> None:
    """The fault may have been ours: the next revision says the same. Not again and again, neither on
    connections nor after a restart; what changes afterwards is offered as always."""
    move(house, "101")
    wanted = device.desired()
    assert wanted.rev == 2
    not_regained(device, 2)
    assert replace(device.desired(), rev=2) == wanted
    assert device.desired().rev == 3
    for boot in range(5):
        device.boot = f"boot-{boot}"
        not_regained(device, 3)
        device.will(device.sid)
        device.online()
        not_regained(device, 3)
    assert device.desired().rev == 3
    device.house = house.reborn()
    device.house.fleet.publish_all()
    not_regained(device, 3)
    assert device.desired().rev == 3
    move(device.house, "101")
    assert device.desired().rev == 4


def test_the_operator_sees_that_a_device_went_back(house: House, device: FakeDevice) -> None:
    alarms = Alarms()
    move(house, "101")
    not_regained(device, 2)
    for name in ("device.rejected", "device.applied"):
        for fields in house.events(name):
            alarms.take(name, fields)
    rejected = house.events("device.rejected")[-1]
    assert house.story(NAME)[-1] == "rejected"
    alarms.take("device.rejected", rejected)
    (sentence,) = alarms.standing
    assert NAME in sentence and "not_regained" in sentence
    device.report()
    assert house.story(NAME)[-1] == "applied"
    alarms.take("device.applied", house.events("device.applied")[-1])
    assert alarms.standing == ()


def test_another_line_of_the_files_comes_with_a_secret_of_its_own(
    house: House, device: FakeDevice
) -> None:
    twin = house.twin(NAME)
    twin.definition = twin.definition.model_copy(update={"line": "103"})
    house.fleet.settings_changed()
    line = device.desired().lines[0]
    assert (line.line, line.sip.user, line.sip.secret_gen) == ("103", "103", 2)
    coming = hashes_of("103", house.fleet.realm, device.secret())
    assert house.exchange.facts.next_ha1("103", "MD5") == coming["MD5"]


def test_a_line_that_is_gone_leaves_the_document(house: House, device: FakeDevice) -> None:
    facts = house.exchange.facts
    house.lives.use(replace(facts, lines={k: v for k, v in facts.lines.items() if k != "101"}))
    assert device.desired().lines == ()
    house.lives.use(facts)
    assert device.desired().lines[0].line == "101"


def test_a_document_that_devices_would_refuse_is_never_sent(
    house: House, device: FakeDevice
) -> None:
    before = house.count(Kind.DESIRED)
    house.fleet.registrar = replace(house.fleet.registrar, domain="no domain at all")
    house.fleet.settings_changed()
    assert house.count(Kind.DESIRED) == before
    told = [each for each in house.events("device.undocumented") if each["device"] == NAME]
    assert told and "domain" in str(told[0]["reason"])
    assert device.desired().rev == 1


def test_a_line_moves_with_the_files(house: House, device: FakeDevice) -> None:
    twin = house.twin(NAME)
    twin.definition = twin.definition.model_copy(update={"codecs": ("PCMA",)})
    house.fleet.settings_changed()
    assert device.desired().lines[0].codecs == ("PCMA",)


# -- secrets ---------------------------------------------------------------------------------------


def test_both_secrets_count_until_the_new_one_is_reported_and_used(
    house: House, device: FakeDevice
) -> None:
    facts = house.exchange.facts
    realm = house.fleet.realm
    assert facts.ha1("101", "MD5") == hashes_of("101", realm, "demo-101")["MD5"]
    coming = hashes_of("101", realm, device.secret())["MD5"]
    assert facts.next_ha1("101", "MD5") == coming
    house.service.on_events([("line.secret_used", {"line": "101"})])  # a REGISTER used it
    facts = house.exchange.facts
    assert facts.ha1("101", "MD5") == coming
    assert facts.next_ha1("101", "MD5") is None


def test_a_register_alone_retires_nothing(house: House) -> None:
    device = FakeDevice(house, NAME)
    device.claim()
    device.online()
    house.service.on_events([("line.secret_used", {"line": "101"})])
    assert house.exchange.facts.next_ha1("101", "MD5") is not None
    device.report()  # now it says so, too
    assert house.exchange.facts.next_ha1("101", "MD5") is None


def test_a_rotation(house: House, device: FakeDevice) -> None:
    house.service.on_events([("line.secret_used", {"line": "101"})])
    first = device.secret()
    house.fleet.rotate(house.twin(NAME), "person")
    second = device.secret()
    house.service.on_events([("line.secret_used", {"line": "101"})])  # and it doesn't report it yet
    assert first != second
    facts = house.exchange.facts
    assert facts.ha1("101", "MD5") == hashes_of("101", house.fleet.realm, first)["MD5"]
    assert facts.next_ha1("101", "MD5") == hashes_of("101", house.fleet.realm, second)["MD5"]
    again = house.reborn().exchange.facts
    assert again.ha1("101", "MD5") == facts.ha1("101", "MD5")
    assert again.next_ha1("101", "MD5") == facts.next_ha1("101", "MD5")


# -- connections -----------------------------------------------------------------------------------


def test_a_will_of_an_older_connection_is_ignored(house: House, device: FakeDevice) -> None:
    device.online()
    device.will(device.sid - 1)
    assert house.twin(NAME).online
    device.will(device.sid)
    assert not house.twin(NAME).online
    assert house.story(NAME)[-1] == "outage"


def test_a_cloned_device_is_quarantined(house: House, device: FakeDevice) -> None:
    """Two with one identity throw each other out; each counts its connections by itself."""
    sids = {0: device.sid, 1: device.sid}
    for turn in range(8):
        device.will(sids[1 - turn % 2])
        sids[turn % 2] += 1
        device.online(sid=sids[turn % 2])
    assert house.twin(NAME).device.life is Life.QUARANTINED
    assert NAME not in house.fleet.users()
    assert house.events("device.clone")
    house.fleet.change(house.twin(NAME), Event.CLEAR, "person")
    assert NAME in house.fleet.users()


def test_a_broker_that_crashes_again_and_again_makes_no_clones(
    house: House, device: FakeDevice
) -> None:
    for _ in range(20):
        house.fleet.out_of_reach()
        assert not house.twin(NAME).online
        house.fleet.publish_all()
        device.online()
    assert house.twin(NAME).device.life is Life.CLAIMED


def test_some_reconnects_are_no_clone(house: House, device: FakeDevice) -> None:
    for _ in range(3):
        device.will(device.sid)
        device.online()
    assert house.twin(NAME).device.life is Life.CLAIMED
