"""The table of a device's life, and what each state leaves it."""

import pytest

from switch.provisioning import device
from switch.provisioning.device import RIGHTS, TABLE, Device, Event, Life, NotAllowedError


@pytest.mark.parametrize(("life", "event"), TABLE, ids=lambda each: each.value)
def test_every_row(life: Life, event: Event) -> None:
    after = Device("dev-00000001", life).on(event, 9, "somebody", "why")
    assert (after.life, after.by, after.why) == (TABLE[life, event], "somebody", "why")


@pytest.mark.parametrize("life", Life)
def test_what_stands_in_no_row_is_refused(life: Life) -> None:
    others = [event for event in Event if (life, event) not in TABLE]
    assert others
    for event in others:
        with pytest.raises(NotAllowedError, match=event.value):
            Device("dev-00000001", life).on(event, 9, "somebody")


def test_only_members_speak() -> None:
    assert {life for life, rights in RIGHTS.items() if rights.mqtt} == {Life.CLAIMED, Life.TAMPERED}
    assert RIGHTS.keys() == set(Life)


def test_a_later_change_is_later_also_when_the_clock_was_set_back() -> None:
    first = Device("dev-00000001").changed(100, line="101")
    assert first.changed(50, line="102").changed_at == 101


def test_a_record_brings_it_back() -> None:
    made = Device("dev-00000001", Life.CLAIMED, "101", identity=b"\x01" * 32, sealed=b"\xff\x00")
    assert device.read(made.record()) == made
