"""A line's life: the later record counts, wherever it was kept, and it is restated as it was told."""

from pathlib import Path

import orjson
import pytest

from policy.model import LineState
from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.console.commands import CommandRefused
from switch.console.line_life import LineLives

DEMO = Path(__file__).parents[3] / "configs" / "demo"


def state(line: str, word: str, at: int, clause: str = "") -> dict[str, object]:
    told = {"line": line, "state": word, "clause": clause, "by": "ops", "at": at}
    return {"k": "line_state", **told}


@pytest.fixture
def lives() -> LineLives:
    found = config.load(DEMO)
    exchange = build_exchange(found, {}, NoAnnouncer(), {}, b"a key of 16 bytes")
    return LineLives(exchange, found.snapshot)


def state_of(lives: LineLives, line: str) -> LineState:
    return lives._exchange.facts.lines[line].state


def test_the_later_of_journal_and_database_counts(lives: LineLives) -> None:
    database = [state("101", "suspended", 5, "2(k)(a)"), state("102", "active", 9)]
    journal = [state("102", "suspended", 7, "2(k)(b)"), state("101", "active", 8)]
    lives.restore([*database, *journal])
    assert state_of(lives, "101") is LineState.ACTIVE
    assert state_of(lives, "102") is LineState.ACTIVE


def test_a_checkpoint_restates_who_and_when(lives: LineLives) -> None:
    lives.restore([state("101", "suspended", 5, "2(k)(a)")])
    assert [orjson.loads(record) for record in lives.records()] == [
        state("101", "suspended", 5, "2(k)(a)")
    ]


def test_a_change_counts_even_if_the_clock_was_set_back(lives: LineLives) -> None:
    lives.restore([state("101", "suspended", 5_000, "2(k)(a)")])
    lives.change("101", LineState.ACTIVE, "", "ops", 10)
    assert state_of(lives, "101") is LineState.ACTIVE
    (record,) = map(orjson.loads, lives.records())
    assert record["at"] == 5_001, "the database keeps the later of two"


def test_what_cannot_be_read_is_told_and_left_out(lives: LineLives) -> None:
    lives.restore([state("101", "asleep", 5), state("102", "suspended", 6, "2(k)(a)")])
    assert state_of(lives, "101") is LineState.ACTIVE
    assert state_of(lives, "102") is LineState.SUSPENDED
    assert [name for name, _ in lives._exchange.outbox.events] == ["line.unreadable"]


def test_a_location_comes_back_by_its_version(lives: LineLives) -> None:
    def place(version: int, insee: str) -> dict[str, object]:
        address = {"insee": insee, "civic": {"country": "FR", "A3": "Lyon"}}
        rest = {"address": address, "validated": True, "confirmed_at": 1, "at": version}
        return {"k": "location", "line": "101", "version": version, **rest}

    lives.restore([place(3, "69383"), place(2, "69382")])
    location = lives._exchange.facts.lines["101"].policy.location
    assert location is not None
    assert (location.insee, location.version) == ("69383", 3)
    restated = [orjson.loads(record) for record in lives.records()]
    assert [record["version"] for record in restated] == [2, 3], "none is ever dropped"


def test_nobody_leaves_termination(lives: LineLives) -> None:
    lives.change("101", LineState.TERMINATED, "2(l)", "ops", 1)
    with pytest.raises(CommandRefused) as refused:
        lives.change("101", LineState.ACTIVE, "", "ops", 2)
    assert refused.value.slug == "terminated"


def test_secrets_outlive_a_restart_and_the_later_record_counts(lives: LineLives) -> None:
    lives.keep_secret("101", {}, {"MD5": "a"}, 5)
    facts = lives._exchange.facts
    first = facts.ha1("101", "MD5")
    assert (first is not None, facts.next_ha1("101", "MD5")) == (True, "a")
    lives.keep_secret("101", {"MD5": "a"}, {}, 6)
    records = [orjson.loads(record) for record in lives.records()]
    lives.restore(
        [{"k": "line_secret", "line": "101", "ha1": {}, "next_ha1": {}, "at": 4}, *records]
    )
    facts = lives._exchange.facts
    assert (facts.ha1("101", "MD5"), facts.next_ha1("101", "MD5")) == ("a", None)


def test_a_line_is_out_of_service_until_its_device_acknowledges(lives: LineLives) -> None:
    assert lives._exchange.facts.lines["101"].policy.in_service
    lives.acknowledge({"101": False, "nobody": False})
    assert not lives._exchange.facts.lines["101"].policy.in_service
    before = lives._exchange.facts
    lives.acknowledge({"101": False})
    assert lives._exchange.facts is before
    lives.change("101", LineState.SUSPENDED, "2(k)(a)", "ops", 5)
    assert not lives._exchange.facts.lines["101"].policy.in_service
    lives.acknowledge({"101": True})
    assert lives._exchange.facts.lines["101"].policy.in_service


def test_what_another_node_did_is_put_in_force_once(lives: LineLives) -> None:
    lives.change("101", LineState.SUSPENDED, "2(k)(a)", "ops", 5)
    lives._exchange.outbox.clear()
    own, news = state("101", "suspended", 5, "2(k)(a)"), state("102", "suspended", 6, "2(k)(b)")
    assert lives.hear([own, news, state("unheard-of", "suspended", 7)])[0] == news
    assert state_of(lives, "102") is LineState.SUSPENDED
    kept = [orjson.loads(record) for record in lives._exchange.outbox.journal]
    assert news in kept, "a restart without the database knows it"
    assert own not in kept
    assert lives.hear([own, news]) == []
    assert lives.hear([state("102", "active", 5)]) == [], "older than what is known"
    assert lives.hear([{"k": "line_state", "line": "102"}]) == [], "unreadable"


def test_secrets_and_locations_of_another_node(lives: LineLives) -> None:
    secret = {"k": "line_secret", "line": "101", "ha1": {"MD5": "1" * 32}, "next_ha1": {}, "at": 5}
    place = {
        "k": "location", "line": "101", "version": 7, "at": 9, "validated": True, "changed_at": 9,
        "address": {"insee": "69383", "civic": {"country": "FR", "PC": "69003"}},
    }  # fmt: skip
    assert len(lives.hear([secret, place])) == 2
    line = lives._exchange.facts.lines["101"]
    assert line.ha1 == {"MD5": "1" * 32}
    assert line.policy.location is not None
    assert (line.policy.location.insee, line.policy.location.confirmed) == ("69383", False)
    confirmed = {**place, "confirmed_at": 12, "confirmed_by": "customer", "changed_at": 12}
    assert len(lives.hear([place, confirmed])) == 1
    found = lives._exchange.facts.lines["101"].policy.location
    assert found is not None
    assert found.confirmed
