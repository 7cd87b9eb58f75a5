"""The tables of the database, for SQLite and PostgreSQL alike.

All instants are UTC milliseconds, all durations milliseconds. Every table that the journal fills
has a key by which a record that arrives twice is known. Changes to this file need a migration
beside it; a test compares the two.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Cumulative ms per (line, cycle, leg), written by greatest-of: order and repetition don't matter.
usage: Final = Table(
    "usage",
    metadata,
    Column("line", String, primary_key=True),
    Column("cycle", Integer, primary_key=True),
    Column("leg", String, primary_key=True),
    Column("direction", String, nullable=False),
    Column("ms", BigInteger, nullable=False),
    Column("counts", Boolean, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("clock", String, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# One row per percentage that a line reached in a cycle: the key is what makes a notice go out once.
thresholds: Final = Table(
    "thresholds",
    metadata,
    Column("line", String, primary_key=True),
    Column("cycle", Integer, primary_key=True),
    Column("percentage", Integer, primary_key=True),
    Column("occurred_at", BigInteger, nullable=False),
)

# `key` is call and line: a call between two lines of this switch may leave a record for each.
cdr: Final = Table(
    "cdr",
    metadata,
    Column("key", String, primary_key=True),
    Column("call_id", String, nullable=False),
    Column("line", String),
    Column("account", String),
    Column("direction", String, nullable=False),
    Column("src", String, nullable=False),
    Column("dst", String, nullable=False),
    Column("dst_raw", String, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("answer", BigInteger),
    Column("end", BigInteger, nullable=False),
    Column("counted_ms", BigInteger, nullable=False),
    Column("exempt_reason", String),
    Column("disposition", String, nullable=False),
    Column("ending", String, nullable=False),
    Column("hangup_by", String),
    Column("sip_status", Integer),
    Column("rule", String),
    Column("clause", String),
    Column("emergency", Boolean, nullable=False),
    Column("forwarded_by", String),
    Column("estimated", Boolean, nullable=False),
    Column("legs", JSON, nullable=False),
    Column("attempts", JSON, nullable=False),
    Index(None, "start"),
    Index(None, "line", "start"),
)

# Where phones registered, coarsely: on change only. The registrar's truth is in memory and the
# journal.
bindings: Final = Table(
    "bindings",
    metadata,
    Column("aor", String, primary_key=True),
    Column("contact", String, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("record", JSON, nullable=False),
)

# What the store owns of a line's life; a state in a file is only the first one.
line_state: Final = Table(
    "line_state",
    metadata,
    Column("line", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("clause", String),
    Column("by", String),
    Column("at", BigInteger, nullable=False),
)

location: Final = Table(
    "location",
    metadata,
    Column("line", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("address", JSON, nullable=False),
    Column("validated", Boolean, nullable=False),
    Column("confirmed_at", BigInteger),
    Column("at", BigInteger, nullable=False),
)

# Emergency attempts. Each row's hash covers the one before; rows are added and never changed, which
# triggers see to (in the migration). `body` is the exact text that was hashed.
audit: Final = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False, unique=True),
    Column("call_id", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "call_id"),
)

notice: Final = Table(
    "notice",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("line", String),
    Column("account", String),
    Column("kind", String, nullable=False),
    Column("percentage", Integer),
    Column("clause", String),
    Column("channel", String, nullable=False),
    Column("state", String, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Index(None, "at"),
    Index(None, "line"),
)
