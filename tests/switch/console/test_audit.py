"""The use cases of the emergency audit: what they refuse, and what an answer holds."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from switch.console.audit import Audit
from switch.console.commands import CommandRefused
from switch.store.audit import Head, Verification
from switch.store.database import sqlite_url
from switch.store.read import Reader
from switch.store.read_audit import Attempt, AuditReader


class Rows(AuditReader):
    """Answers as written down."""

    def __init__(self) -> None:
        self.expected: list[Head | None] = []

    async def show(self, call_id: str) -> Attempt | None:
        record = {"k": "audit", "call_id": call_id, "verdict": "connected", "notices": []}
        return Attempt(record, 7, "f" * 64) if call_id == "c1" else None

    async def verify(self, expected: Head | None = None) -> Verification:
        self.expected.append(expected)
        return Verification(9, Head(9, "a" * 64), None if expected is None else 5, 2)


def ask(audit: Audit, command: str, **args: object) -> Any:
    async def run() -> object:
        answer: Any = audit.table()[command](args)
        return await answer

    return asyncio.run(run())


def test_one_attempt_with_its_place_in_the_chain() -> None:
    shown = ask(Audit(Rows()), "emergency.show", call_id="c1")
    assert (shown["verdict"], shown["chain"]) == ("connected", {"seq": 7, "hash": "f" * 64})
    assert "k" not in shown


def test_a_call_that_is_not_on_record_is_refused() -> None:
    with pytest.raises(CommandRefused) as refusal:
        ask(Audit(Rows()), "emergency.show", call_id="c2")
    assert refusal.value.slug == "unknown_call"


def test_a_head_from_elsewhere_is_looked_for() -> None:
    rows = Rows()
    whole = ask(Audit(rows), "emergency.verify")
    assert (whole["ok"], whole["rows"], whole["purged"]) == (True, 9, 2)
    broken = ask(Audit(rows), "emergency.verify", head=f"9:{'b' * 64}")
    assert (broken["ok"], broken["broken_at"]) == (False, 5)
    assert rows.expected == [None, Head(9, "b" * 64)]


@pytest.mark.parametrize("head", ["9", "x:" + "a" * 64, "9:abc"])
def test_a_head_that_is_none_is_misuse(head: str) -> None:
    with pytest.raises(CommandRefused) as refusal:
        ask(Audit(Rows()), "emergency.verify", head=head)
    assert refusal.value.slug == "bad_args"


@pytest.mark.parametrize("command", ["emergency.log", "emergency.verify", "emergency.export"])
def test_without_a_database_they_say_so(tmp_path: Path, command: str) -> None:
    audit = Audit(AuditReader(Reader(sqlite_url(tmp_path / "none.sqlite"))))
    with pytest.raises(CommandRefused) as refusal:
        ask(audit, command)
    assert refusal.value.slug == "store_unavailable"
