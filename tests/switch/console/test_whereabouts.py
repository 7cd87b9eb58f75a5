"""What customers declare, and what people read of a line's place."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from switch import config
from switch.app import build_exchange
from switch.call.exchange import Exchange, NoAnnouncer
from switch.clock import boottime
from switch.console.commands import CommandRefused, checked
from switch.console.whereabouts import Declarations, place_of, shown, stale_countries
from switch.facts.networks import Networks
from switch.facts.whereabouts import Mark, Whereabouts, network_key

DEMO = Path(__file__).parents[3] / "configs" / "demo"


@pytest.fixture
def exchange() -> Exchange:
    return build_exchange(config.load(DEMO), {}, NoAnnouncer(), {}, b"a key of 16 bytes")


def declare(exchange: Exchange, **args: object) -> Any:
    performed: list[bool] = []
    given = {"line": "101", **args}
    checked("line.declare", given)
    answer = Declarations(exchange, lambda: performed.append(True)).declare(given)
    assert performed == [True]
    return answer


def test_a_journey_is_declared_shown_and_taken_back(exchange: Exchange) -> None:
    utc_ms = round(exchange.wall(boottime()) * 1000)
    answer = declare(exchange, country="de", until=utc_ms + 86_400_000, by="ops")
    assert answer["line"] == "101"
    assert (answer["declared"]["country"], answer["declared"]["by"]) == ("DE", "ops")
    assert answer["declared"]["until"] == pytest.approx(utc_ms + 86_400_000, abs=50)
    assert answer["declared"]["at"] == pytest.approx(utc_ms, abs=1000)
    assert len(exchange.outbox.journal) == 1
    assert declare(exchange, clear=True)["declared"] is None
    with pytest.raises(CommandRefused, match="nothing is declared"):
        declare(exchange, clear=True)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"country": "Germany"}, "two-letter"),
        ({"country": "XQ"}, "two-letter"),  # no such country: it would count as abroad
        ({}, "two-letter"),
        ({"country": "DE", "until": 1000}, "in the past"),
        ({"line": "999", "country": "DE"}, "no line 999"),
    ],
)
def test_a_slip_of_the_pen_is_refused(
    exchange: Exchange, args: dict[str, object], message: str
) -> None:
    with pytest.raises(CommandRefused, match=message):
        declare(exchange, **args)
    assert not exchange.outbox.journal


def test_everything_known_is_shown(exchange: Exchange) -> None:
    now = boottime()
    key = network_key("192.0.2.1")
    assert key is not None
    exchange.sightings.learn("101", key, "192.0.2.0/24", now)
    exchange.sightings.mark("101", Mark(1, "E5", "DE", "127.0.2.1"), None, now)
    found = shown(exchange, exchange.facts.lines["101"], now)
    assert found["place"] == "abroad (DE)"
    assert found["abroad"] == {"since": 1, "level": "E5", "value": "DE", "source": "127.0.2.1"}
    (network,) = found["networks"]  # type: ignore[misc]
    assert (network["network"], network["usual"], network["days"]) == ("192.0.2.0/24", False, 1)
    assert found["device_report"] is found["moved_in_fr"] is None


def test_the_mark_of_a_line_in_lists() -> None:
    new = Mark(1, "E2", "RE", "127.0.4.1")
    assert place_of(Whereabouts()) == ""
    assert place_of(Whereabouts(moved=new)) == "new network in France (RE)"
    assert place_of(Whereabouts(moved=new, abroad=Mark(1, "E5", "DE", ""))) == "abroad (DE)"


def test_an_old_country_database_is_told() -> None:
    known = Networks(frozenset({"FR"}), database_version="country.mmdb 1a2b3c4d 2026-06-17")
    assert stale_countries(known, date(2026, 9, 15)) == []
    (found,) = stale_countries(known, date(2026, 11, 24))
    assert found["ok"] is False and "160 days old" in str(found["detail"])
    assert stale_countries(Networks(frozenset()), date(2026, 11, 24)) == []
