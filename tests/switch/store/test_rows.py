"""The statements in both dialects."""

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from switch.store.rows import SINKS, insert_into

DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", sorted(DIALECTS))
@pytest.mark.parametrize("kind", sorted(SINKS))
def test_every_insert_minds_what_is_there(kind: str, name: str) -> None:
    text = str(insert_into(SINKS[kind], name).compile(dialect=DIALECTS[name]))
    assert "ON CONFLICT" in text


@pytest.mark.parametrize(("name", "greatest"), [("sqlite", "max("), ("postgresql", "greatest(")])
def test_usage_takes_the_greatest(name: str, greatest: str) -> None:
    text = str(insert_into(SINKS["usage"], name).compile(dialect=DIALECTS[name]))
    assert f"ms = {greatest}usage.ms, excluded.ms)" in text


def test_a_call_without_a_line_has_a_key() -> None:
    row = SINKS["cdr"].row({"call_id": "c1", "line": None})
    assert row is not None
    assert row["key"] == "c1 -"


def test_a_leg_that_counted_nothing_leaves_no_row() -> None:
    assert SINKS["usage"].row({"ms": 0}) is None
