"""The versions of locations, what files make of them, and that no order of records changes anything."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.model import Location
from switch import config
from switch.facts.line import Line, LineLife
from switch.facts.locations import Locations, sighted
from switch.facts.registered import Address, LocationState, Registered, Source

DEMO = Path(__file__).parents[3] / "configs" / "demo"
NOW = 1_795_000_000_000  # 18 November 2026
CIVIC = {"country": "FR", "RD": "rue Paul Bert", "PC": "69003"}


def version(n: int, at: int = 0, line: str = "101", **more: object) -> Registered:
    when = at or n
    kept = {"address": Address("69383", dict(CIVIC)), "source": Source.STORE, "changed_at": when}
    return Registered(line, n, when, validated=True, **(kept | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def line() -> Line:
    """101 of the demo, as if its file said nothing of a confirmation."""
    return replace(config.load(DEMO).snapshot({}).lines["101"], confirmed_on=None)


def test_the_newest_version_counts_and_none_is_dropped() -> None:
    locations = Locations()
    for each in (version(3), version(1), version(2)):
        locations.keep(each)
    assert locations.current["101"].version == 3
    assert [each.version for each in locations.of("101")] == [1, 2, 3]
    restated = [orjson.loads(record) for record in locations.records()]
    assert restated == [version(n).record() for n in (1, 2, 3)]
    assert locations.of("102") == []


def test_two_versions_of_one_number_are_both_kept() -> None:
    locations = Locations()
    locations.keep(version(2, at=5))
    locations.keep(version(2, at=9))  # counted anew after everything was lost
    assert [each.at for each in locations.of("101")] == [5, 9]


def test_lines_of_a_building_share_its_address() -> None:
    locations = Locations()
    one, two = locations.keep(version(1)), locations.keep(version(1, line="102"))
    assert one.address is two.address


@given(st.permutations(range(6)))
def test_no_order_of_records_changes_what_is_known(order: list[int]) -> None:
    first, second = version(1), version(2)
    told = [
        first,
        first.reminded_on(0, 5),
        first.reminded_on(0, 5).confirmed("customer", 8),
        second,
        second.reminded_on(0, 10),
        second.reminded_on(0, 10).reminded_on(3, 20),
    ]
    locations = Locations()
    for place in order:
        locations.keep(told[place])
    assert locations.current["101"].reminded == (0, 3)
    assert [each.state for each in locations.of("101")] == [
        LocationState.CONFIRMED,
        LocationState.UNCONFIRMED,
    ]
    assert [each.version for each, _ in locations.due(NOW)] == [2]


def test_only_the_newest_version_is_reminded_of() -> None:
    locations = Locations()
    locations.keep(version(1, at=NOW))
    assert [(each.line, day) for each, day in locations.due(NOW)] == [("101", 0)]
    locations.keep(version(2, at=NOW).confirmed("customer", NOW))
    assert list(locations.due(NOW)) == []


# -- what a file leads to ------------------------------------------------------------------------


def known(line: Line) -> Registered:
    first = sighted(line, None, NOW)
    assert first is not None
    return first


def test_a_line_that_is_seen_first_is_unconfirmed(line: Line) -> None:
    first = known(line)
    assert (first.version, first.source, first.state) == (1, Source.FILE, LocationState.UNCONFIRMED)
    assert first.why == "line added"
    assert first.address is not None and first.address.insee == "75108"
    assert sighted(line, first, NOW + 1) is None


def test_the_file_may_tell_when_the_customer_confirmed(line: Line) -> None:
    first = known(replace(line, confirmed_on=date(2026, 1, 2)))
    assert first.state is LocationState.CONFIRMED
    assert first.confirmed_at == datetime(2026, 1, 2, tzinfo=UTC).timestamp() * 1000
    assert first.confirmed_by == "file"


def test_a_day_that_is_written_later_confirms_what_was_unconfirmed(line: Line) -> None:
    first = known(line)
    assert sighted(replace(line, confirmed_on=date(2026, 1, 2)), first, NOW) is None, "too old"
    later = sighted(replace(line, confirmed_on=date(2026, 11, 20)), first, NOW)
    assert later is not None
    assert (later.version, later.state) == (1, LocationState.CONFIRMED)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"number": "+33199000199"}, "number changed from +33199000101 to +33199000199"),
        ({"filed_site": "lyon", "site": "lyon"}, "site changed from paris-8 to lyon"),
    ],
)
def test_another_number_or_site_has_the_customer_asked_again(
    line: Line, changes: dict[str, str], why: str
) -> None:
    first = known(replace(line, confirmed_on=date(2026, 1, 2)))
    changed = replace(line, confirmed_on=date(2026, 1, 2), **changes)
    second = sighted(changed, first, NOW + 1)
    assert second is not None
    assert (second.version, second.state, second.why) == (2, LocationState.UNCONFIRMED, why)


def moved(line: Line, to: Location) -> Line:
    return replace(line, policy=replace(line.policy, location=to))


def test_another_address_in_the_file_is_a_version(line: Line) -> None:
    first = known(line)
    second = sighted(moved(line, Location("69383", CIVIC)), first, NOW + 1)
    assert second is not None
    assert (second.version, second.why) == (2, "address changed in the file")
    assert second.address == Address("69383", CIVIC)


def test_the_file_s_address_is_nothing_to_a_line_that_the_store_owns(line: Line) -> None:
    own = version(4, filed_site=line.filed_site, number=line.number)
    owned = replace(moved(line, Location("69383", CIVIC, 4)), life=LineLife(registered=own))
    assert sighted(owned, own, NOW) is None
    ported = sighted(replace(owned, number="+33199000199"), own, NOW)
    assert ported is not None
    assert (ported.version, ported.source) == (5, Source.STORE)
    assert ported.address == own.address
    assert ported.state is LocationState.UNCONFIRMED
