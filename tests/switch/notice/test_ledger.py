"""A crossing is owed one notice, whatever happens between the two."""

from typing import Any

import orjson

from switch.notice.ledger import Ledger

CROSSING = {"line": "101", "cycle": 4, "percentage": 80, "occurred_at": 1_700_000_000_000}


def ledger() -> tuple[Ledger, list[bytes]]:
    journal: list[bytes] = []
    return Ledger(journal.append, {"101": "demo"}.get), journal  # type: ignore[arg-type]


def test_a_crossing_becomes_a_notice_that_cites_its_clause() -> None:
    notices, journal = ledger()
    notices([("call.end", {}), ("usage.threshold", CROSSING)])
    (record,) = map(orjson.loads, journal)
    assert record == {
        "k": "notice",
        "id": "fair_use 101 4 80",
        "at": 1_700_000_000_000,
        "line": "101",
        "account": "demo",
        "kind": "fair_use",
        "percentage": 80,
        "clause": "3(a)",
        "channel": "outbox",
        "state": "queued",
    }
    assert journal[0].startswith(b'{"k":'), "the writer sorts records by their first bytes"


def test_a_restart_writes_only_what_is_missing() -> None:
    notices, journal = ledger()
    notices([("usage.threshold", CROSSING)])
    written = orjson.loads(journal.pop())
    ninety: dict[str, Any] = {"k": "threshold", **CROSSING, "percentage": 90}
    notices.restore([{"k": "threshold", **CROSSING}, {"k": "beat"}, ninety, written])
    (missing,) = map(orjson.loads, journal)
    assert missing["percentage"] == 90
