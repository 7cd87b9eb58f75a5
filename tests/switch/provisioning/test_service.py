"""The service around the fleet: a broker that isn't there, claims that wait for it, calls that end."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from firmware_agent.messages.claim import ClaimResult
from firmware_agent.messages.topics import Kind, Topic
from switch.provisioning import service as module
from switch.provisioning.broker import Broker, program
from switch.provisioning.device import Event, Life
from switch.provisioning.settings import DeviceSettings
from tests.switch.provisioning.house import FakeDevice, House

NAME = "dev-00000001"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, (NAME, "101"))


def test_without_mosquitto_the_switch_runs_and_says_so_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "program", lambda: None)
    assert house.service.open_broker() is None

    async def run() -> None:
        task = asyncio.create_task(house.service.run())
        await asyncio.sleep(0.2)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    ((name, fields),) = house.notes
    assert name == "mqtt.unavailable"
    assert "apt-get install mosquitto" in str(fields["advice"])


def test_without_devices_no_broker_is_run(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.service.open_broker() is None
    assert house.notes == []


def test_the_first_device_of_a_reload_opens_the_broker(tmp_path: Path) -> None:
    assert program(), "mosquitto is missing: apt-get install mosquitto"
    house = House(tmp_path)
    assert house.service.open_broker() is None
    device = DeviceSettings(id=NAME, serial="S", model="m")
    house.service.use(replace(house.service.plan, devices=(device,)))
    broker = house.service.broker
    assert broker is not None
    assert house.service.admission.place.broker == f"mqtt://{broker.address}"
    house.service.use(house.service.plan)
    assert house.service.broker is broker


def test_devices_of_another_node_are_not_taken_back(house: House) -> None:
    FakeDevice(house, NAME).join()
    other = House(house.data)
    other.service.plan = replace(other.service.plan, elsewhere="a")
    other.service.restore(house.records())
    assert other.service.devices.by_id == {}


def test_a_claim_is_answered_when_the_broker_knows_the_member(house: House) -> None:
    """The answer comes after the password file was written and Mosquitto was told to read it."""
    assert program(), "mosquitto is missing: apt-get install mosquitto"
    device = FakeDevice(house, NAME)
    armed = device.arm()
    order: list[str] = []

    async def run() -> None:
        broker = Broker(
            house.data / "mqtt", module.HostPort("127.0.0.1", 0), None, "s", dict, lambda n, f: None
        )

        async def refresh() -> None:
            order.append("refresh")

        broker.refresh = refresh  # type: ignore[method-assign]
        task = asyncio.create_task(house.service._tell_users(broker))
        house.service.reports.take(Topic(Kind.CLAIM_REQ, armed.cid), device.request())
        house.service.users_changed()
        before = len(house.sent)
        await asyncio.sleep(0.03)
        assert order == [] and len(house.sent) == before
        await asyncio.sleep(0.2)
        assert order == ["refresh"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert house.count(Kind.CLAIM_RESP) == 1
    assert device.answer().result is ClaimResult.ACCEPTED


@pytest.mark.parametrize(
    ("event", "slug"),
    [(Event.STEAL, "stolen"), (Event.REPLACE, "retired"), (Event.DECOMMISSION, "retired")],
)
def test_who_is_out_has_no_calls_but_for_emergency_calls(
    house: House, event: Event, slug: str
) -> None:
    FakeDevice(house, NAME).join()
    ended: list[str] = []

    def call(name: str, caller: str, callee: str, **marks: bool) -> SimpleNamespace:
        told = {"is_emergency": False, "is_callback": False, **marks}
        return SimpleNamespace(
            request=SimpleNamespace(line=caller),
            called_line=callee,
            hang_up=lambda slug, now: ended.append(f"{name} {slug}"),
            **told,
        )

    house.exchange.calls.update(
        {  # type: ignore[dict-item]
            "out": call("out", "101", ""),
            "in": call("in", "102", "101"),
            "emergency": call("emergency", "101", "", is_emergency=True),
            "callback": call("callback", "", "101", is_callback=True),
            "others": call("others", "102", "103"),
        }
    )
    if event is Event.STEAL:
        house.fleet.steal(house.twin(NAME), "person")
    else:
        house.fleet.retire(house.twin(NAME), event, "person", "")
    assert ended == [f"out {slug}", f"in {slug}"]


def test_a_restart_in_the_middle_of_a_claim_loses_nothing(house: House) -> None:
    device = FakeDevice(house, NAME)
    armed = device.arm()
    again = house.reborn()
    device.house = again
    again.service.reports.take(Topic(Kind.CLAIM_REQ, armed.cid), device.request())
    assert device.answer().result is ClaimResult.ACCEPTED
    assert again.twin(NAME).device.life is Life.CLAIMED


def test_unreadable_records_are_told_and_passed_over(house: House) -> None:
    house.service.restore(
        [
            {"k": "device", "id": NAME, "life": "asleep"},
            {"k": "device_reported", "device": NAME, "at": 1, "body": "{}", "reboots": 0},
            {"k": "rollout", "id": "r-1"},
            {"k": "rollout_device", "rollout": "r-1"},
        ]
    )
    assert len([name for name, _ in house.notes if name == "device.unreadable"]) == 2
    assert len(house.events("firmware.unreadable")) == 2
    assert house.twin(NAME).device.life is Life.UNCLAIMED


def test_many_documents_leave_in_turns(tmp_path: Path) -> None:
    """A reload that changes all of 500 devices takes the loop for some milliseconds at a time."""
    house = House(tmp_path, *((f"dev-{n:08d}", "101") for n in range(500)))
    for name in house.service.devices.by_id:
        FakeDevice(house, name).arm()
        twin = house.twin(name)
        twin.device = twin.device.changed(1, life=Life.CLAIMED)
    house.fleet.settings_changed()
    first = house.count(Kind.DESIRED)
    assert 0 < first < 500
    while house.fleet.work():
        pass
    assert house.count(Kind.DESIRED) == 500
