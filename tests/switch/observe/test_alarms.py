"""Alarms stand as long as what raised them."""

from switch.observe.alarms import Alarms


def test_what_raised_an_alarm_is_told_until_it_is_over() -> None:
    alarms = Alarms()
    alarms.take("store.failing", {"error": "disk full"})
    alarms.take("trunk.down", {"trunk": "a", "reason": "no answer"})
    alarms.take("trunk.down", {"trunk": "b", "reason": "no answer"})
    alarms.take("store.failing", {"error": "locked"})
    assert alarms.standing == (
        "The database can't be written (locked): records wait in the journal.",
        "Carrier a is down: no answer.",
        "Carrier b is down: no answer.",
    )
    alarms.take("store.recovered", {"queued": 0})
    alarms.take("trunk.up", {"trunk": "a"})
    assert alarms.standing == ("Carrier b is down: no answer.",)


def test_other_events_raise_nothing_and_a_missing_field_no_error() -> None:
    alarms = Alarms()
    alarms.take("call.end", {"outcome": "{ok}"})
    alarms.take("trunk.up", {})
    assert alarms.standing == ()
    alarms.take("media.unavailable", {})
    assert alarms.standing == ("Announcements can't be played: ?.",)
