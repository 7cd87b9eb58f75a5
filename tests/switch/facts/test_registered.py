"""One version of a registered location: its state, its reminders, and its way through the journal."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.facts.registered import (
    DAY_MS,
    Address,
    LocationState,
    Registered,
    Source,
    registered_of,
)
from switch.store.rows import SINKS

AT = 1_790_000_000_000
VERSION = Registered(
    line="101",
    version=2,
    at=AT,
    address=Address("69383", {"country": "FR", "RD": "rue Paul Bert"}),
    validated=True,
    source=Source.STORE,
    changed_at=AT,
)


def test_states() -> None:
    assert VERSION.state is LocationState.UNCONFIRMED
    assert VERSION.confirmed("customer", AT + 5).state is LocationState.CONFIRMED
    assert replace(VERSION, validated=False).state is LocationState.UNVALIDATED
    nowhere = replace(VERSION, address=None, confirmed_at=AT)
    assert nowhere.state is LocationState.UNVALIDATED
    assert nowhere.location is None


def test_what_the_policy_sees() -> None:
    place = VERSION.location
    assert place is not None
    assert (place.insee, place.version, place.confirmed) == ("69383", 2, False)


@pytest.mark.parametrize(
    ("after_days", "sent", "due"),
    [
        (0, (), 0),
        (2.99, (0,), None),
        (3, (0,), 3),
        (6.99, (0, 3), None),
        (7, (0, 3), 7),
        (400, (0, 3, 7), None),
        (8, (0,), 7),  # the switch was down on day 3: one reminder, not two at once
        (8, (), 7),
        (-1, (), None),  # the wall clock was set back
    ],
)
def test_reminders_on_day_0_3_and_7(after_days: float, sent: tuple[int, ...], due: Any) -> None:
    version = replace(VERSION, reminded=sent)
    assert version.due_day(AT + round(after_days * DAY_MS)) == due


def test_a_confirmation_or_a_lost_address_stops_them() -> None:
    week = AT + 7 * DAY_MS
    assert VERSION.confirmed("customer", AT).due_day(week) is None
    assert replace(VERSION, validated=False).due_day(week) is None


def test_what_happens_to_a_version_is_later_than_what_was_known_also_when_the_clock_goes_back() -> (
    None
):
    reminded = VERSION.reminded_on(0, AT - 5_000)
    confirmed = reminded.confirmed("customer", AT - 9_000)
    assert VERSION.changed_at < reminded.changed_at < confirmed.changed_at


@given(
    st.builds(
        Registered,
        line=st.just("101"),
        version=st.integers(1, 9),
        at=st.integers(1, 2**42),
        address=st.none()
        | st.builds(Address, st.just("2A004"), st.dictionaries(st.text(max_size=3), st.text())),
        validated=st.booleans(),
        source=st.sampled_from(Source),
        by=st.text(max_size=4),
        why=st.text(max_size=4),
        site=st.text(max_size=4),
        filed_site=st.text(max_size=4),
        number=st.text(max_size=4),
        confirmed_at=st.none() | st.integers(1, 2**42),
        confirmed_by=st.text(max_size=4),
        reminded=st.lists(st.sampled_from([0, 3, 7])).map(tuple),
        changed_at=st.integers(1, 2**42),
    )
)
def test_a_record_or_a_row_gives_it_back(version: Registered) -> None:
    record = orjson.loads(orjson.dumps(version.record()))
    assert registered_of(record) == version
    row = SINKS["location"].row(record)
    assert row is not None
    assert registered_of(row) == version


@pytest.mark.parametrize(
    "broken",
    [{"address": "12 rue X"}, {"address": {"insee": "75108"}}, {"version": "two"}, {"source": "?"}],
)
def test_what_nobody_can_read_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        registered_of(VERSION.record() | broken)


def test_a_record_of_before_is_the_store_s() -> None:
    old = {"line": "101", "version": 3, "at": 7, "confirmed_at": 9, "validated": True}
    version = registered_of({**old, "address": {"insee": "75108", "civic": {}}})
    assert (version.source, version.changed_at) == (Source.STORE, 9)
