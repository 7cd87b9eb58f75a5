"""What is over goes, what is held stays, and nothing comes back by a replay."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.store import retention
from switch.store.journal import Journal
from switch.store.read import Reader
from switch.store.read_audit import AuditReader
from switch.store.read_contracts import ContractReader
from switch.store.retention import Retention, held_lines, period_of
from switch.store.settings import Hold, Period, RetentionSettings
from switch.store.writer import Writer
from tests.switch.store.postgresql import Server

OpenStore = Callable[..., Any]
DAY_MS = 86_400_000
NOW_S = 2_000_000_000.0  # 18 May 2033
NOW = round(NOW_S * 1000)


def attempt(call_id: str, at: int, line: str = "101") -> dict[str, Any]:
    return {"k": "audit", "call_id": call_id, "at": at, "line": line, "verdict": "connected"}


def notice(name: str, at: int, line: str | None = "101") -> dict[str, Any]:
    fields = {"kind": "fair_use", "channel": "mail", "state": "sent", "line": line}
    return {"k": "notice", "id": name, "notice": name, "at": at, **fields}


def step(line: str, at: int, name: str, to: str) -> dict[str, Any]:
    words = dict.fromkeys(
        ("actor", "by", "clause", "because", "before", "before_ground", "number", "way", "notice"),
        "",
    )
    row = {"line": line, "account": "demo", "at": at, "name": name, "to": to, "until": None}
    return {"k": "contract", **words, **row}


def asking(name: str, n: int, at: int, line: str = "101") -> dict[str, Any]:
    """The `n`th step of a request to disclose."""
    words = dict.fromkeys(("did", "by", "because", "seal", "reference", "asked_by", "stage"), "")
    row = {
        "id": name,
        "n": n,
        "at": at,
        "line": line,
        "since": 0,
        "until": 1,
        "ground": "authority",
    }
    return {"k": "disclosure", **words, **row, "classes": ["traffic"], "approved_by": []}


def outage(name: str, changed_at: int, line: str = "101") -> dict[str, Any]:
    row = {"id": name, "line": line, "account": "demo", "since": 1, "until": changed_at}
    return {"k": "outage", **row, "cause": "will", "reason": "", "by": "", "because": "", "told_at": None,
            "changed_at": changed_at}  # fmt: skip


def purge(store: Any, settings: RetentionSettings | None = None) -> Any:
    rules = settings or RetentionSettings()
    alarm = lambda name, fields: store.alarms.append((name, fields))  # noqa: E731
    return Retention(store.journal, store.writer, lambda: rules, alarm=alarm).purge(NOW_S)


def test_each_class_has_its_time(open_store: OpenStore, call_record: Any) -> None:
    old, fresh, ancient = NOW - 366 * DAY_MS, NOW - 364 * DAY_MS, NOW - 1_830 * DAY_MS

    async def run() -> None:
        async with open_store() as store:
            store.put(
                call_record("c1", end=old), call_record("c2", end=fresh),
                attempt("e1", old), attempt("e2", fresh),
                notice("n1", ancient), notice("n2", old), notice("n3", ancient, None),
            )  # fmt: skip
            await store.writer.settle()
            assert await purge(store) == {
                "traffic": 1, "emergency": 1, "notices": 2, "identity": 0, "disclosures": 0,
            }  # fmt: skip
            assert [cdr.call_id for cdr in await store.reader.cdrs()] == ["c2"]
            assert [entry["call_id"] for entry in await store.audit.log()] == ["e2"]
            assert [found.id for found in await store.reader.notices()] == ["n2"]
            assert (await store.audit.verify()).broken_at is None
            assert not any((await purge(store)).values())
            names = [name for name in store.alarm_names() if name.startswith("retention")]
            assert names == ["retention.purged"]

    asyncio.run(run())


def test_a_contract_goes_five_years_after_its_end(open_store: OpenStore) -> None:
    ancient, late = NOW - 1_830 * DAY_MS, NOW - 1_800 * DAY_MS

    async def run() -> None:
        async with open_store() as store:
            for line, end in (("101", ancient), ("102", late), ("103", ancient)):
                store.put(step(line, ancient - 2, "warned", ""))
                store.put(step(line, end, "for_arrears", "terminated"))
            store.put(step("104", ancient, "2(k)(a)", "suspended"))
            await store.writer.settle()
            hold = Hold(line="103", reason="a lawsuit")
            rules = RetentionSettings(holds=(hold,))
            told: list[Any] = []
            forget = lambda cutoffs, held: told.append((cutoffs["identity"], held))  # noqa: E731
            retention = Retention(store.journal, store.writer, lambda: rules, forget=forget)
            assert (await retention.purge(NOW_S))["identity"] == 2
            assert told == [(NOW - 1_826 * DAY_MS, {"103"})]
            left = await ContractReader(store.reader).steps()
            assert {row["line"] for row in left} == {"102", "103", "104"}

    asyncio.run(run())


def test_the_log_of_disclosures_goes_when_its_last_step_is_old(open_store: OpenStore) -> None:
    """Also that of a request which was never decided; not that of a line on hold."""
    ancient, late = NOW - 1_830 * DAY_MS, NOW - 1_800 * DAY_MS

    async def run() -> None:
        async with open_store() as store:
            store.put(asking("over", 1, ancient - 1), asking("over", 2, ancient))
            store.put(asking("lately", 1, ancient), asking("lately", 2, late))
            store.put(asking("held", 1, ancient, "103"))
            await store.writer.settle()
            rules = RetentionSettings(holds=(Hold(line="103", reason="a lawsuit"),))
            assert (await purge(store, rules))["disclosures"] == 2
            left = await ContractReader(store.reader).disclosures()
            assert sorted((row["id"], row["n"]) for row in left) == [
                ("held", 1), ("lately", 1), ("lately", 2),
            ]  # fmt: skip
            short = RetentionSettings(disclosures=(Period(since=date(2024, 1, 1), days=30),))
            assert (await purge(store, short))["disclosures"] == 3

    asyncio.run(run())


def test_outages_go_with_the_traffic(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(outage("o1", NOW - 366 * DAY_MS), outage("o2", NOW - 364 * DAY_MS))
            await store.writer.settle()
            assert (await purge(store))["traffic"] == 1

    asyncio.run(run())


def test_a_legal_hold_keeps_all_of_its_line(open_store: OpenStore, call_record: Any) -> None:
    old = NOW - 4_000 * DAY_MS
    held = RetentionSettings(holds=(Hold(line="101", reason="request 12/2033"),))

    async def run() -> None:
        async with open_store() as store:
            store.put(call_record("c1", end=old), attempt("e1", old), notice("n1", old))
            store.put(call_record("c2", "102", end=old), attempt("e2", old, "102"))
            store.put(notice("n2", old, "102"))
            await store.writer.settle()
            assert await purge(store, held) == {
                "traffic": 1,
                "emergency": 1,
                "notices": 1,
                "identity": 0,
                "disclosures": 0,
            }
            assert [cdr.call_id for cdr in await store.reader.cdrs()] == ["c1"]
            assert [entry["call_id"] for entry in await store.audit.log()] == ["e1"]
            after = {"traffic": 1, "emergency": 1, "notices": 1, "identity": 0, "disclosures": 0}
            assert await purge(store) == after

    asyncio.run(run())


def test_a_large_purge_goes_by_portions(
    open_store: OpenStore, call_record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PORTION", 2)

    async def run() -> None:
        async with open_store() as store:
            store.put(*(call_record(f"c{n}", end=1) for n in range(5)))
            await store.writer.settle()
            assert (await purge(store))["traffic"] == 5

    asyncio.run(run())


def test_a_database_that_fails_is_told_and_tried_again_later(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with open_store() as store:

            async def fails(errand: object) -> int:
                raise OSError("disk I/O error")

            monkeypatch.setattr(store.writer, "carry_out", fails)
            assert await purge(store) == {}
            assert store.alarms[-1] == ("retention.failed", {"error": "disk I/O error"})

    asyncio.run(run())


def test_old_segments_of_the_journal_go_too(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(attempt("e1", 1))
            await store.writer.settle()
            first = store.journal.number
            store.journal.checkpoint([])
            assert store.journal.remove_older(1.0) == 0, "written today"
            assert store.journal.remove_older(NOW_S) == 1
            assert store.journal.replay_starts_at() > first
            assert not list(store.journal.directory.glob(f"*{first:08d}*"))

    asyncio.run(run())


def test_periods_are_dated() -> None:
    one, two = Period(since=date(2024, 1, 1), days=365), Period(since=date(2030, 6, 1), days=180)
    assert period_of((two, one), date(2023, 12, 31)) is None
    assert period_of((two, one), date(2030, 5, 31)) is one
    assert period_of((two, one), date(2030, 6, 1)) is two


def test_a_hold_ends_on_its_day() -> None:
    settings = RetentionSettings(holds=(Hold(line="101", reason="r", until=date(2033, 5, 18)),))
    assert held_lines(settings, date(2033, 5, 18)) == {"101"}
    assert held_lines(settings, date(2033, 5, 19)) == frozenset()


def test_postgresql_purges_alike_and_refuses_other_changes(
    postgresql: Server, tmp_path: Path
) -> None:
    url = postgresql.url("retention").replace("postgresql://", "postgresql+asyncpg://")
    old = NOW - 366 * DAY_MS

    async def run() -> None:
        journal = Journal(tmp_path / "journal", segment_bytes=1 << 20)
        writer = Writer(url, lambda: journal.replay(whole=True), node="n1", interval_s=0.005)
        reader = Reader(url)
        task = asyncio.create_task(writer.run())
        try:
            async with asyncio.timeout(30):
                ancient = NOW - 1_830 * DAY_MS
                for record in (attempt("e1", old), attempt("e2", NOW), asking("d1", 1, ancient)):
                    writer.submit(record)
                await writer.settle()
                gone = await Retention(journal, writer, RetentionSettings).purge(NOW_S)
                assert {name for name, count in gone.items() if count} == {
                    "emergency",
                    "disclosures",
                }
                found = await AuditReader(reader).verify()
                assert (found.rows, found.purged, found.broken_at) == (3, 1, None)
                for statement in ("UPDATE audit SET at = 0", "DELETE FROM audit"):
                    with pytest.raises(DBAPIError, match="append-only"):
                        await writer.carry_out(_changing(statement))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await reader.close()
            journal.close()

    asyncio.run(run())


def _changing(statement: str) -> Callable[[AsyncConnection], Awaitable[int]]:
    async def errand(connection: AsyncConnection) -> int:
        await connection.execute(text(statement))
        return 0

    return errand
