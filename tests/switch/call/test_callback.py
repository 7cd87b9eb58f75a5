"""Windows for call-backs: when they are open, and which phone they name."""

from types import SimpleNamespace
from typing import Any

import orjson

from switch.call.callback import PRIORITY, CallbackWindows, Window, marked
from switch.sip.outbox import Outbox

WINDOW = Window("101", 100.0, "c1", "sip:101@192.0.2.1:5060", "urn:uuid:1")


def binding(contact: str, instance: str | None = None) -> Any:
    return SimpleNamespace(contact=contact, instance=instance)


def test_a_window_is_open_until_its_time() -> None:
    windows = CallbackWindows(Outbox())
    windows.open(WINDOW, 10.0)
    assert windows.of("101", 100.0) is WINDOW
    assert windows.of("101", 100.1) is None
    assert windows.of("102", 50.0) is None


def test_the_end_of_the_call_prolongs_it_and_never_shortens_it() -> None:
    windows = CallbackWindows(Outbox())
    windows.prolong("101", 500.0, 10.0)
    assert windows.of("101", 10.0) is None, "there was none"
    windows.open(WINDOW, 10.0)
    windows.prolong("101", 90.0, 10.0)
    assert windows.of("101", 10.0) is WINDOW
    windows.prolong("101", 200.0, 10.0)
    longer = windows.of("101", 150.0)
    assert longer is not None
    assert (longer.contact, longer.call_id) == (WINDOW.contact, "c1")


def test_the_journal_brings_open_windows_back() -> None:
    outbox = Outbox()
    windows = CallbackWindows(outbox)
    windows.open(WINDOW, 10.0)
    windows.open(Window("102", 20.0, "c2"), 10.0)
    again = CallbackWindows(Outbox())
    again.restore([{"k": "beat"}, *map(orjson.loads, outbox.journal)], 50.0)
    assert again.of("101", 50.0) == WINDOW
    assert again.of("102", 10.0) is None, "it was over at the restart"
    assert [orjson.loads(record)["line"] for record in again.records()] == ["101"]


def test_windows_that_are_over_are_forgotten() -> None:
    windows = CallbackWindows(Outbox())
    for number in range(100):
        windows.open(Window(str(number), float(number), "c"), float(number))
    windows.open(WINDOW, 99.5)
    assert len(list(windows.records())) == 1


def test_the_phone_is_known_by_its_instance_else_by_its_contact() -> None:
    assert WINDOW.is_phone(binding("sip:elsewhere", "urn:uuid:1"))
    assert not WINDOW.is_phone(binding("sip:101@192.0.2.1:5060", "urn:uuid:2"))
    assert WINDOW.is_phone(binding("sip:101@192.0.2.1:5060"))
    assert not WINDOW.is_phone(binding("sip:101@192.0.2.9:5060"))
    assert not Window("101", 1.0, "c").is_phone(binding(""))


def test_only_a_call_back_says_that_it_is_one() -> None:
    other = ("Priority", "urgent")
    assert marked([("Subject", "x"), other], is_callback=True) == [("Subject", "x"), PRIORITY]
    assert marked([PRIORITY], is_callback=True) == [PRIORITY]
    assert marked([("Priority", "PSAP-Callback"), ("Subject", "x")], is_callback=False) == [
        ("Subject", "x")
    ]
    assert marked([other], is_callback=False) == [other]
