"""The batch writer: idempotent, and patient with every way in which a database fails."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson

from switch.store import writer
from switch.usage.cycle import Calendar

OpenStore = Callable[..., Any]
CallRecord = Callable[..., dict[str, Any]]
CYCLE = Calendar.from_request(0).cycle(3)


def usage_record(leg: str, ms: int, **fields: Any) -> dict[str, Any]:
    return {
        "k": "usage",
        "leg": leg,
        "line": "101",
        "cycle": 3,
        "direction": "outbound",
        "ms": ms,
        "counts": True,
        "final": True,
        "estimated": False,
        "clock": "boot",
        "at": 1_000 + ms,
        **fields,
    }


def threshold(percentage: int, occurred_at: int = 5) -> dict[str, Any]:
    return {
        "k": "threshold",
        "line": "101",
        "cycle": 3,
        "percentage": percentage,
        "occurred_at": occurred_at,
    }


def test_a_cdr_is_visible_within_500_ms(open_store: OpenStore, call_record: CallRecord) -> None:
    async def run() -> None:
        async with open_store(interval_s=0.05) as store:
            await asyncio.sleep(0)
            store.put(call_record("warm"))
            await store.writer.settle()
            began = time.monotonic()
            store.put(call_record("c1"))
            await store.writer.settle()
            shown = [cdr.call_id for cdr in await store.reader.cdrs()]
            assert time.monotonic() - began < 0.5
            assert "c1" in shown

    asyncio.run(run())


def test_a_cdr_keeps_all_its_fields(open_store: OpenStore, call_record: CallRecord) -> None:
    async def run() -> None:
        record = call_record()
        async with open_store() as store:
            store.put(record)
            await store.writer.settle()
            (cdr,) = await store.reader.cdrs()
        shown = cdr.as_json()
        assert {key: shown[key] for key in shown if key not in ("legs", "attempts")} == {
            key: record[key] for key in record if key not in ("k", "legs", "attempts")
        }
        assert shown["legs"][0]["counted_ms"] == 60_000
        assert shown["attempts"][0] == {
            "trunk": "carrier",
            "contact": None,
            "status": 200,
            "ms": 2_000,
        }

    asyncio.run(run())


def test_records_of_other_kinds_leave_nothing(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put({"k": "beat", "at": 1}, {"k": "call", "cdr": "x"}, {"k": "start", "leg": "a"})
            assert len(store.writer) == 0

    asyncio.run(run())


def test_usage_is_the_greatest_of_what_arrives(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            for ms in (300_000, 312_000, 305_000):
                store.put(usage_record("a", ms))
                await store.writer.settle()
            store.put(usage_record("a", 100_000, at=900_000))
            store.put(usage_record("b", 1_000, direction="inbound"))
            store.put(usage_record("c", 5_000, direction="inbound", counts=False))
            store.put(usage_record("exempt", 0))
            await store.writer.settle()
            reading = await store.reader.usage("101", CYCLE, 300_000_000)
        assert reading.used_ms == 313_000
        assert reading.by_direction == {"outbound": 312_000, "inbound": 6_000}

    asyncio.run(run())


def test_a_journal_replayed_twice_changes_nothing(
    open_store: OpenStore, call_record: CallRecord
) -> None:
    records = [
        call_record("c1"),
        call_record("c1", "102"),
        usage_record("a", 60_000),
        threshold(80),
        threshold(80, occurred_at=9),
        {"k": "audit", "call_id": "c1", "at": 5, "line": "101", "verdict": "connected"},
        {"k": "notice", "id": "n1", "at": 5, "kind": "usage", "channel": "mail", "state": "sent"},
    ]

    async def run() -> None:
        async with open_store() as store:
            store.put(*records)
            await store.writer.settle()
            before = await everything(store)
            store.put(*records)
            store.put(*reversed(records))
            await store.writer.settle()
            assert await everything(store) == before
            assert len(before[0]) == 2
            assert before[1].crossed == (80,)
        async with open_store() as store:
            store.put(usage_record("a", 60_000))
            await store.writer.settle()
            assert store.writer.replays == 1
            assert await everything(store) == before

    asyncio.run(run())


async def everything(store: Any) -> tuple[Any, ...]:
    return (
        await store.reader.cdrs(),
        await store.reader.usage("101", CYCLE, 300_000_000),
        await store.audit.log(),
        await store.reader.notices(),
        await store.audit.verify(),
    )


def test_one_bad_record_does_not_stop_the_others(
    open_store: OpenStore, call_record: CallRecord
) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put(
                call_record("c1"),
                {"k": "cdr"},
                {"k": "usage", "leg": "a"},
                call_record("null", direction=None),
                call_record("huge", start=2**63),
                call_record("object", src={"a": 1}),
                {"k": "audit", "line": "101"},
                call_record("c2"),
            )
            await store.writer.settle()
            assert {cdr.call_id for cdr in await store.reader.cdrs()} == {"c1", "c2"}
            assert store.writer.rejected >= 6
            assert not store.writer.is_failing

    asyncio.run(run())


def test_a_line_that_is_not_json_is_rejected(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.writer.feed([b'{"k":"cdr","call_id":'])
            await store.writer.settle()
            assert store.writer.rejected == 1

    asyncio.run(run())


def test_the_newest_state_wins_in_any_order(open_store: OpenStore) -> None:
    def state(name: str, at: int) -> dict[str, Any]:
        return {"k": "line_state", "line": "101", "state": name, "at": at, "clause": "2(k)(a)"}

    async def run() -> None:
        async with open_store() as store:
            for record in (state("suspended", 20), state("active", 10), state("suspended", 20)):
                store.put(record)
                await store.writer.settle()
            (found,) = await store.reader.line_states()
            assert (found.state, found.at, found.clause) == ("suspended", 20, "2(k)(a)")

    asyncio.run(run())


def test_locations_are_kept_by_version(open_store: OpenStore) -> None:
    async def run() -> None:
        async with open_store() as store:
            for version in (2, 1):
                store.put(
                    {
                        "k": "location",
                        "line": "101",
                        "version": version,
                        "address": {"insee": "75108"},
                        "validated": True,
                        "at": version,
                    }
                )
            await store.writer.settle()
            assert [found.version for found in await store.reader.locations()] == [1, 2]

    asyncio.run(run())


def test_bindings_are_written_on_change_only(open_store: OpenStore) -> None:
    hour_s = 3_600

    def bind(contact: str, expires: float) -> dict[str, Any]:
        return {"k": "bind", "aor": "101", "contact": contact, "expires": expires}

    async def run() -> None:
        async with open_store() as store:
            store.put(bind("sip:a", hour_s + 1), bind("sip:b", hour_s + 1))
            await store.writer.settle()
            changes = await total_changes(store)
            store.put(bind("sip:a", hour_s + 60.5))
            await store.writer.settle()
            assert await total_changes(store) == changes
            store.put(bind("sip:a", 2 * hour_s + 1))
            store.put({"k": "unbind", "aor": "101", "contact": "sip:b"})
            await store.writer.settle()
            (left,) = await store.reader.bindings(hour_s * 1000)
            assert (left["contact"], left["expires"]) == ("sip:a", 2 * hour_s + 1)

    async def total_changes(store: Any) -> int:
        async with store.writer._engine.connect() as connection:
            return int((await connection.exec_driver_sql("SELECT total_changes()")).scalar())

    asyncio.run(run())


def test_submit_takes_dictionaries(open_store: OpenStore, call_record: CallRecord) -> None:
    async def run() -> None:
        async with open_store() as store:
            record = call_record("c1")
            store.journal.write([orjson.dumps(record)])
            store.writer.submit(record)
            store.writer.submit({"k": "beat"})
            await store.writer.settle()
            assert len(await store.reader.cdrs()) == 1

    asyncio.run(run())


def test_a_rejection_is_over_an_hour_after_the_last_one(
    open_store: OpenStore, call_record: CallRecord, monkeypatch: Any
) -> None:
    async def run() -> None:
        async with open_store() as store:
            store.put({"k": "cdr"}, call_record("c1"))
            await store.writer.settle()
            assert set(store.alarm_names()) == {"store.rejected"}
            monkeypatch.setattr(writer, "REJECTION_STANDS_S", 0.0)
            store.put(call_record("c2"))
            await store.writer.settle()
            assert store.alarm_names()[-1] == "store.accepted"

    asyncio.run(run())
