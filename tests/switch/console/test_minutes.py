"""`vigie usage`: shown from the meters or from the database, and corrected by one more entry."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from switch import config
from switch.console.commands import CommandRefused
from switch.console.minutes import Minutes
from switch.store.batch import Batch
from switch.store.database import migrate, open_for_writing, sqlite_url
from switch.store.read import Reader
from tests.flows.actors import DEMO, World

MINUTE = 60_000


@pytest.fixture(scope="module")
def demo() -> config.Configuration:
    return config.load(DEMO)


@pytest.fixture
def minutes(demo: config.Configuration, tmp_path: Path) -> Minutes:
    url = sqlite_url(tmp_path / "vigie.sqlite")
    return Minutes(World(demo).exchange, Reader(url))


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(CommandRefused) as refusal:
        act()
    return refusal.value.slug


def test_a_correction_adds_to_the_sum_and_is_on_record(minutes: Minutes) -> None:
    added = minutes.adjust({"line": "101", "ms": 10 * MINUTE, "reason": "seen twice", "by": "eve"})
    taken: Any = minutes.adjust({"line": "101", "ms": -4 * MINUTE, "reason": "and once"})
    assert taken["used_ms"] == 6 * MINUTE
    shown: Any = minutes.show({"line": "101"})
    assert (shown["used_ms"], shown["adjusted_ms"]) == (6 * MINUTE, 6 * MINUTE)
    records = [orjson.loads(r) for r in minutes._exchange.outbox.journal]
    assert [(r["k"], r["ms"], r["by"]) for r in records] == [
        ("adjust", 10 * MINUTE, "eve"),
        ("adjust", -4 * MINUTE, "operator"),
    ]
    assert added != taken


def test_the_state_is_the_rung_of_the_ladder_where_a_person_has_decided(minutes: Minutes) -> None:
    minutes.adjust({"line": "101", "ms": 5_001 * MINUTE, "reason": "a test"})
    shown: Any = minutes.show({"line": "101"})
    assert shown["state"] == "review_open", "what the meter knows"
    minutes.rung_of = lambda line, cycle: "per_minute" if line == "101" else ""
    shown = minutes.show({"line": "101"})
    assert shown["state"] == "per_minute"
    shown = minutes.show({"line": "102"})
    assert shown["state"] == "normal"


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        ({"ms": 0, "reason": "x"}, "bad_args"),
        ({"ms": 1.5, "reason": "x"}, "bad_args"),
        ({"ms": True, "reason": "x"}, "bad_args"),
        ({"ms": 400 * 86_400_000, "reason": "x"}, "bad_args"),
        ({"ms": 1, "reason": "  "}, "bad_args"),
        ({"ms": -1, "reason": "x"}, "below_zero"),
        ({"ms": 1, "reason": "x", "line": "nobody"}, "unknown_line"),
    ],
)
def test_what_is_no_correction(minutes: Minutes, args: dict[str, Any], slug: str) -> None:
    assert refused(lambda: minutes.adjust({"line": "101", **args})) == slug
    assert minutes._exchange.outbox.journal == []


def test_without_a_running_switch_the_database_tells(minutes: Minutes, tmp_path: Path) -> None:
    made: Any = minutes.adjust({"line": "101", "ms": MINUTE, "reason": "a test"})
    (record,) = [orjson.loads(r) for r in minutes._exchange.outbox.journal]
    usage = {
        "k": "usage",
        "leg": "c/a",
        "line": "101",
        "cycle": made["cycle"],
        "direction": "outbound",
        "ms": 5 * MINUTE,
        "counts": True,
        "exempt_reason": None,
        "estimated": False,
        "clock": "boot",
        "at": 1,
        "final": True,
    }
    exempt = {**usage, "leg": "d/a", "counts": False, "exempt_reason": "emergency"}

    async def run() -> tuple[Any, Any]:
        engine = open_for_writing(sqlite_url(tmp_path / "vigie.sqlite"))
        await migrate(engine)
        await Batch([record, usage, exempt], {}).write(engine)
        await engine.dispose()
        return await minutes.show_stored({"line": "101"}), await minutes.corrections(
            {"line": "101"}
        )

    shown, corrections = asyncio.run(run())
    assert (shown["used_ms"], shown["adjusted_ms"]) == (6 * MINUTE, MINUTE)
    assert shown["by_direction"] == {"inbound": 0, "outbound": 5 * MINUTE}
    assert [(c["ms"], c["reason"]) for c in corrections] == [(MINUTE, "a test")]


def test_before_the_first_start_nothing_was_used(minutes: Minutes) -> None:
    shown: Any = asyncio.run(minutes.show_stored({"line": "101"}))
    assert shown["used_ms"] == 0


def test_a_correction_can_not_be_changed_or_deleted(tmp_path: Path) -> None:
    async def run() -> list[str]:
        engine = open_for_writing(sqlite_url(tmp_path / "vigie.sqlite"))
        await migrate(engine)
        row = {
            "k": "adjust",
            "id": "adj-1",
            "line": "101",
            "cycle": 1,
            "ms": 1,
            "reason": "a test",
            "by": "eve",
            "at": 1,
        }
        await Batch([row, row], {}).write(engine)
        told = []
        for statement in ("UPDATE adjustments SET ms = 2", "DELETE FROM adjustments"):
            try:
                async with engine.begin() as connection:
                    await connection.exec_driver_sql(statement)
            except Exception as error:
                told.append(str(error))
        await engine.dispose()
        return told

    told = asyncio.run(run())
    assert len(told) == 2
    assert all("append-only" in each for each in told)
