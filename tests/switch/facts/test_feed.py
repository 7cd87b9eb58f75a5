"""The feed of addresses: full and delta say the same, and a hash proves it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.model import Location
from switch import config
from switch.facts.feed import (
    COLUMNS,
    Answer,
    Content,
    Feed,
    answer_record,
    digest_of,
    hash_of,
    row_of,
    table_of,
)
from switch.facts.snapshot import Snapshot
from switch.store.rows import SINKS

DEMO = Path(__file__).parents[3] / "configs" / "demo"


@pytest.fixture(scope="module")
def facts() -> Snapshot:
    return config.load(DEMO).snapshot({})


def export(feed: Feed, table: dict[str, Content], at: int = 5) -> list[dict[str, Any]]:
    """What an export does; its records."""
    records = list(feed.changes(table))
    for record in records:
        feed.take(record)
    header = feed.header(at, "ops")
    feed.take(header)
    return [*records, header]


def answered(number: str, version: int, accepted: bool = True, at: int = 9) -> dict[str, Any]:
    return answer_record(Answer(number, version, at, accepted, "" if accepted else "no street"))


def test_every_line_in_service_has_a_row(facts: Snapshot) -> None:
    table = table_of(facts)
    assert [row["line"] for row in table.values()] == [
        *("101", "102", "103", "104", "105", "107", "108", "109")
    ], "all but the terminated one"
    row = table["+33199000102"]
    assert set(row) == set(COLUMNS) - {"operation"}
    assert (row["insee"], row["postcode"], row["floor"], row["room"]) == (
        *("75108", "75008"),
        *("5", "512"),
    )
    assert (row["name"], row["address_of"]) == ("Démonstration SARL", "line")
    assert table["+33199000107"]["address_of"] == "site", "what its emergency calls carry"


def test_a_line_that_has_the_default_only_is_left_out(facts: Snapshot) -> None:
    line = facts.lines["107"]
    lost = replace(line, policy=replace(line.policy, site_location=None))
    assert row_of(lost, "Demo") is None
    bare = Location("75108", {"country": "FR"}, validated=False)
    assert row_of(replace(line, policy=replace(line.policy, site_location=bare)), "Demo") is None


def test_a_confirmation_changes_no_row(facts: Snapshot) -> None:
    line = facts.lines["101"]
    place = line.policy.location
    assert place is not None
    unconfirmed = replace(place, confirmed=False, version=7)
    other = replace(line, policy=replace(line.policy, location=unconfirmed))
    assert row_of(other, "Demo") == row_of(line, "Demo")


def test_a_version_is_made_by_a_change_only(facts: Snapshot) -> None:
    feed, table = Feed(), table_of(facts)
    export(feed, table)
    assert (feed.version, len(list(feed.changes(table)))) == (1, 0)
    before = feed.hash
    gone = {number: row for number, row in table.items() if row["line"] != "104"}
    (deletion, header) = export(feed, gone)
    assert (deletion["number"], deletion["digest"], deletion["version"]) == ("+33199000104", "", 2)
    assert header["hash"] == feed.hash != before
    assert list(feed.since(1, gone)) == [
        {"operation": "delete", "number": "+33199000104", "line": "104"}
    ]
    assert list(feed.since(2, gone)) == []


def test_a_number_change_is_a_deletion_and_a_new_row(facts: Snapshot) -> None:
    feed, table = Feed(), table_of(facts)
    export(feed, table)
    line = replace(facts.lines["101"], number="+33199000199")
    row = row_of(line, "Démonstration SARL")
    assert row is not None
    swapped = {number: each for number, each in table.items() if number != "+33199000101"}
    swapped["+33199000199"] = row
    export(feed, swapped)
    told = [(each["operation"], each["number"]) for each in feed.since(1, swapped)]
    assert told == [("delete", "+33199000101"), ("set", "+33199000199")]


def test_an_empty_feed_has_a_version_too() -> None:
    feed = Feed()
    assert [record["version"] for record in export(feed, {})] == [1]
    assert (feed.version, feed.hash) == (1, hash_of({}))


def test_what_is_lacking(facts: Snapshot) -> None:
    feed, table = Feed(), table_of(facts)
    number = "+33199000101"
    assert feed.lack(number, table[number]) == "never exported"
    export(feed, table)
    assert feed.lack(number, table[number]) == "no answer to version 1"
    feed.take(answered(number, 1, accepted=False))
    assert feed.lack(number, table[number]) == "refused in version 1: no street"
    feed.take(answered(number, 1, at=10))
    assert feed.lack(number, table[number]) == ""
    moved = {**table[number], "street": "rue de Rome"}
    assert feed.lack(number, moved) == "changed since version 1"
    export(feed, {**table, number: moved})
    feed.take(answered(number, 1, at=11))
    assert feed.lack(number, moved) == "no answer to version 2", "a late answer to the old row"
    assert feed.lack("+33199000102", table["+33199000102"]) == "no answer to version 1"


CELLS = st.fixed_dictionaries({"line": st.just("1"), "street": st.sampled_from("abc")})
TABLES = st.dictionaries(st.sampled_from([f"+3319900010{n}" for n in range(6)]), CELLS)


@given(st.lists(TABLES, min_size=2, max_size=6), st.randoms())
def test_a_full_export_and_a_delta_make_the_same_table(
    tables: list[dict[str, Content]], random: Any
) -> None:
    feed, records = Feed(), []
    received: dict[str, Content] = {}
    version, table = 0, {}
    for each in tables:
        table = {number: {"number": number, **row} for number, row in sorted(each.items())}
        if list(feed.changes(table)) or not feed.version:
            records += export(feed, table)
        if random.random() < 0.6:  # the receiver misses some versions
            for row in feed.since(version, table):
                if row.pop("operation") == "set":
                    received[row["number"]] = row
                else:
                    received.pop(row["number"], None)  # it may have come and gone meanwhile
            version = feed.version
            assert received == table
            assert feed.hash == hash_of({n: digest_of(row) for n, row in received.items()})
    # However a restart finds the records, it goes on where it was, and rows are as in the database.
    random.shuffle(records)
    again = Feed()
    for record in records:
        row = SINKS[record["k"]].row(orjson.loads(orjson.dumps(record)))
        again.take({"k": record["k"], **(row or {})})
    assert (again.version, again.hash, again.entries) == (feed.version, feed.hash, feed.entries)
    restated = Feed()
    for record in again.records():
        restated.take(record)
    assert (restated.version, restated.entries) == (feed.version, feed.entries)
