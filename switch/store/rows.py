"""From journal records to rows, and how a row joins what is there already.

Every statement may be repeated with the same rows, in any order of batches, and leaves the same
table: greatest-of for sums and ends, the first for what is final (a CDR, a crossing), the newest
for states.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, Table, TextClause, bindparam, case, func, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement

from switch.store import device_tables, tables

Record = dict[str, Any]
Row = dict[str, Any]
Upsert = postgresql.Insert | sqlite.Insert


@dataclass(frozen=True, slots=True)
class Sink:
    """Where records of a kind go. `row` returns None for a record that leaves no row.

    `greatest`: columns that only grow. `newest`: a column that decides which of two rows is later;
    the other columns of the later one win. With neither, the first row stays. `where` counts for
    deleting.
    """

    table: Table
    row: Callable[[Record], Row | None]
    greatest: tuple[str, ...] = ()
    newest: str | None = None


# The database's own, and the writer's: no record has them.
WRITTEN, NODE = "written", "node"

# A table's columns are listed anew each time they are asked for, which costs more than a row.
_CDR, _LOCATION, _NOTICE = (
    tuple(name for name in table.columns.keys() if name != WRITTEN)  # noqa: SIM118 (not a mapping)
    for table in (tables.cdr, tables.location, tables.notice)
)


def _usage(record: Record) -> Row | None:
    if not record["ms"]:  # exempt legs of no account, calls never ACKed: nothing to add up
        return None
    return {
        "line": record["line"],
        "cycle": record["cycle"],
        "leg": record["leg"],
        "direction": record["direction"],
        "ms": record["ms"],
        "counts": record["counts"],
        "estimated": record["estimated"],
        "clock": record["clock"],
        "at": record["at"],
        "exempt_reason": record.get("exempt_reason"),
    }


def _threshold(record: Record) -> Row:
    return {name: record[name] for name in ("line", "cycle", "percentage", "occurred_at")}


def _adjustment(record: Record) -> Row:
    return {name: record[name] for name in ("id", "line", "cycle", "ms", "reason", "by", "at")}


def _cdr(record: Record) -> Row:
    row = {name: record.get(name) for name in _CDR}
    row["key"] = f"{record['call_id']} {record.get('line') or '-'}"
    row["emergency"] = bool(record.get("emergency"))
    row["estimated"] = bool(record.get("estimated"))
    row["legs"] = record.get("legs") or []
    row["attempts"] = record.get("attempts") or []
    return row


def _line_state(record: Record) -> Row:
    return {
        "line": record["line"],
        "state": record["state"],
        "clause": record.get("clause"),
        "by": record.get("by"),
        "at": record["at"],
    }


def _location(record: Record) -> Row:
    row = {name: record.get(name) for name in _LOCATION}
    row["validated"] = bool(record.get("validated"))
    row["source"] = record.get("source") or "store"
    row["by"], row["why"] = record.get("by") or "", record.get("why") or ""
    row["reminded"] = record.get("reminded") or []
    row["changed_at"] = record.get("changed_at") or record["at"]
    return row


def _of(table: Table) -> Callable[[Record], Row]:
    """A record that has the table's columns for fields."""
    names = [column.name for column in table.columns if column.name not in (WRITTEN, NODE)]
    return lambda record: {name: record[name] for name in names}


def _notice(record: Record) -> Row:
    row = {name: record.get(name) for name in _NOTICE}
    row["changed_at"] = record.get("changed_at") or record["at"]
    row["notice"] = record.get("notice") or record["id"]
    row["attempts"] = record.get("attempts") or 0
    row["recipients"] = " ".join(record.get("to") or ()) or None
    return row


def _whole(table: Table) -> Callable[[Record], Row]:
    """A record whose table keeps all of it in `body`, and some of it beside."""
    names = [column.name for column in table.columns if column.name != "body"]
    return lambda record: {**{name: record[name] for name in names}, "body": record}


SINKS: Final[dict[str, Sink]] = {
    "usage": Sink(tables.usage, _usage, greatest=("ms", "at")),
    "threshold": Sink(tables.thresholds, _threshold),
    "adjust": Sink(tables.adjustments, _adjustment),
    "cdr": Sink(tables.cdr, _cdr),
    "line_state": Sink(tables.line_state, _line_state, newest="at"),
    "location": Sink(tables.location, _location, newest="changed_at"),
    "feed": Sink(tables.feed, _of(tables.feed)),
    "feed_row": Sink(tables.feed_row, _of(tables.feed_row)),
    "feed_ack": Sink(tables.feed_ack, _of(tables.feed_ack)),
    "notice": Sink(tables.notice, _notice, newest="changed_at"),
    "case": Sink(tables.case_step, _of(tables.case_step)),
    "disclosure": Sink(tables.disclosure_step, _of(tables.disclosure_step)),
    "contract": Sink(tables.contract_step, _of(tables.contract_step)),
    "outage": Sink(tables.outage, _of(tables.outage), newest="changed_at"),
    "device": Sink(device_tables.device, _whole(device_tables.device), newest="changed_at"),
    "device_desired": Sink(
        device_tables.device_desired, _of(device_tables.device_desired), newest="rev"
    ),
    "device_reported": Sink(
        device_tables.device_reported, _of(device_tables.device_reported), newest="at"
    ),
    "device_event": Sink(device_tables.device_event, _of(device_tables.device_event)),
    "rollout": Sink(device_tables.rollout, _whole(device_tables.rollout), newest="changed_at"),
    "rollout_device": Sink(
        device_tables.rollout_device, _of(device_tables.rollout_device), newest="at"
    ),
    "line_secret": Sink(device_tables.line_secret, _of(device_tables.line_secret), newest="at"),
}


@cache
def key_of(sink: Sink) -> tuple[str, ...]:
    """The columns by which a row joins what is there."""
    return tuple(column.name for column in sink.table.primary_key.columns)


@cache
def insert_into(sink: Sink, dialect: str) -> Upsert:
    """Return the statement that adds rows of a sink, for executing with a list of rows.

    Made once: building it anew costs more than writing a row.
    """
    table = sink.table
    statement = upsert(table, dialect)
    if WRITTEN in table.columns:
        given: dict[str, Any] = {column.name: bindparam(column.name) for column in table.columns}
        statement = statement.values({**given, WRITTEN: database_time(dialect)})
    key = list(table.primary_key.columns)
    others = [column for column in table.columns if not column.primary_key]
    if sink.greatest:
        chosen = {
            column.name: _greatest(column, statement.excluded[column.name], dialect)
            for column in others
            if column.name in sink.greatest
        }
        return statement.on_conflict_do_update(index_elements=key, set_=chosen)
    if sink.newest is not None:
        is_newer = statement.excluded[sink.newest] >= table.c[sink.newest]
        kept = {
            column.name: case((is_newer, statement.excluded[column.name]), else_=column)
            for column in others
        }
        if WRITTEN in table.columns:  # a replay brings no news
            is_news = statement.excluded[sink.newest] > table.c[sink.newest]
            kept[WRITTEN] = case((is_news, statement.excluded[WRITTEN]), else_=table.c[WRITTEN])
        return statement.on_conflict_do_update(index_elements=key, set_=kept)
    return statement.on_conflict_do_nothing(index_elements=key)


def database_time(dialect: str) -> TextClause:
    """Return the database's clock in UTC ms: one clock for all nodes that write there."""
    if dialect == "postgresql":
        return text("CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")
    return text("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)")


def upsert(table: Table, dialect: str) -> Upsert:
    """Return the insert of a dialect, which knows ON CONFLICT; both spell it alike."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def _greatest(column: Column[Any], offered: ClauseElement, dialect: str) -> ClauseElement:
    """Return the greater of two values; SQLite calls that max."""
    return func.greatest(column, offered) if dialect == "postgresql" else func.max(column, offered)
