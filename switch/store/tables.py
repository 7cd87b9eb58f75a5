"""The tables of the database, for SQLite and PostgreSQL alike.

All instants are UTC milliseconds, all durations milliseconds. Every table that the journal fills
has a key by which a record that arrives twice is known. `written` is the database's clock when a
row came or changed: by it the nodes of a shared database find what others did. Changes to this file
need a migration beside it; a test compares the two.
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
    # The node that metered the leg: one writer a leg. Exempt legs are here for the CDR's sake.
    Column("node", String, nullable=False),
    Column("exempt_reason", String),
)

# One row per percentage that a line reached in a cycle: the key is what makes a notice go out once.
thresholds: Final = Table(
    "thresholds",
    metadata,
    Column("line", String, primary_key=True),
    Column("cycle", Integer, primary_key=True),
    Column("percentage", Integer, primary_key=True),
    Column("occurred_at", BigInteger, nullable=False),
    # The node that wrote first, and when (the database's clock): it is the one that tells people.
    Column("node", String, nullable=False),
    Column("written", BigInteger),
    Index(None, "written"),
)

# Corrections of a line's minutes, by operators: rows are added and never changed (triggers).
adjustments: Final = Table(
    "adjustments",
    metadata,
    Column("id", String, primary_key=True),
    Column("line", String, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("ms", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("node", String, nullable=False),
    Column("written", BigInteger),
    Index(None, "line", "cycle"),
    Index(None, "written"),
)

# What the nodes of a shared database tell each other (store/shared.py); empty with SQLite.
usage_total: Final = Table(
    "usage_total",
    metadata,
    Column("line", String, primary_key=True),
    Column("cycle", Integer, primary_key=True),
    Column("node", String, primary_key=True),
    Column("direction", String, primary_key=True),
    Column("ms", BigInteger, nullable=False),
    Column("counted_ms", BigInteger, nullable=False),
    Column("written", BigInteger, nullable=False),
    Index(None, "written"),
)

live_leg: Final = Table(
    "live_leg",
    metadata,
    Column("leg", String, primary_key=True),
    Column("node", String, nullable=False),
    Column("line", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("counts", Boolean, nullable=False),
    Column("since", BigInteger, nullable=False),
    Index(None, "node"),
)

node_beat: Final = Table(
    "node_beat",
    metadata,
    Column("node", String, primary_key=True),
    Column("at", BigInteger, nullable=False),
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
    Column("plan", String),
    Column("feature", String),
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
    Column("written", BigInteger, nullable=False, server_default="0"),
    Index(None, "written"),
)

# When a line was out of reach, and why: `until` is null while it still is.
outage: Final = Table(
    "outage",
    metadata,
    Column("id", String, primary_key=True),
    Column("line", String, nullable=False),
    Column("account", String, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("cause", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("by", String, nullable=False),
    Column("because", String, nullable=False),
    Column("told_at", BigInteger),
    Column("changed_at", BigInteger, nullable=False),
    Column("node", String, nullable=False),
    Column("written", BigInteger, nullable=False, server_default="0"),
    Index(None, "written"),
    Index(None, "line"),
    Index(None, "since"),
)

# Versions are counted per line. `at` belongs to the key so that nothing is ever overwritten, not even by
# a switch that lost its memory and counts from 1 again. `source` is "file" or "store".
location: Final = Table(
    "location",
    metadata,
    Column("line", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("address", JSON, nullable=False),
    Column("validated", Boolean, nullable=False),
    Column("source", String, nullable=False),
    Column("by", String, nullable=False),
    Column("why", String, nullable=False),
    Column("site", String),
    Column("filed_site", String),
    Column("number", String),
    Column("confirmed_at", BigInteger),
    Column("confirmed_by", String),
    Column("reminded", JSON, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("written", BigInteger, nullable=False, server_default="0"),
    Index(None, "written"),
)

# The feed of numbers and addresses: its versions, what each changed (an empty digest takes a number
# out), and what the receiver answered.
feed: Final = Table(
    "feed",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("by", String, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)

feed_row: Final = Table(
    "feed_row",
    metadata,
    Column("number", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("line", String, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("content", JSON, nullable=False),
)

feed_ack: Final = Table(
    "feed_ack",
    metadata,
    Column("number", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("accepted", Boolean, nullable=False),
    Column("reason", String, nullable=False),
    Column("by", String, nullable=False),
)

# Emergency attempts. Each row's hash covers the one before, its own columns and `digest`, the SHA-256
# of `body`. Rows are added and never changed, which triggers see to (in the migration), but a purge
# may empty `body`: the chain holds without it.
audit: Final = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False, unique=True),
    Column("call_id", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("digest", String(64), nullable=False),
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
    # The notice that this is one channel of, and the SHA-256 of what it says (the legal clock).
    Column("notice", String, nullable=False),
    Column("audience", String),
    Column("recipients", String),
    Column("attempts", Integer, nullable=False),
    Column("reason", String),
    Column("hash", String(64)),
    Column("call_id", String),
    Index(None, "at"),
    Index(None, "line"),
)

# Steps of fair-use cases (terms 3(a)). Each stays; the last one of a case tells where it stands.
case_step: Final = Table(
    "case_step",
    metadata,
    Column("case", String, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("line", String, nullable=False),
    Column("account", String, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("rung", String, nullable=False),
    Column("happening", String, nullable=False),
    Column("by", String, nullable=False),
    Column("clause", String, nullable=False),
    Column("because", String, nullable=False),
    Column("notice", String, nullable=False),
    Column("deadline", BigInteger),
    Column("contacted", Boolean, nullable=False),
    Index(None, "line"),
    Column("written", BigInteger, nullable=False, server_default="0"),
    Index(None, "written"),
)

# Steps of contracts: the audit of activations, warnings, suspensions, terminations. Each stays. `line` is
# "" for what concerns an account as a whole.
contract_step: Final = Table(
    "contract_step",
    metadata,
    Column("line", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("name", String, primary_key=True),
    Column("actor", String, nullable=False),
    Column("by", String, nullable=False),
    Column("clause", String, nullable=False),
    Column("because", String, nullable=False),
    Column("before", String, nullable=False),
    Column("before_ground", String, nullable=False),
    Column("to", String, nullable=False),
    Column("number", String, nullable=False),
    Column("until", BigInteger),
    Column("way", String, nullable=False),
    Column("notice", String, nullable=False),
    Column("written", BigInteger, nullable=False, server_default="0"),
    Index(None, "written"),
)

# Requests to disclose a customer's data: every step stays; the export's has the seal of what left.
disclosure_step: Final = Table(
    "disclosure_step",
    metadata,
    Column("id", String, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("did", String, nullable=False),
    Column("by", String, nullable=False),
    Column("because", String, nullable=False),
    Column("seal", String, nullable=False),
    Column("line", String, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("classes", JSON, nullable=False),
    Column("ground", String, nullable=False),
    Column("reference", String, nullable=False),
    Column("asked_by", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("approved_by", JSON, nullable=False),
    Column("written", BigInteger, nullable=False, server_default="0"),
    Index(None, "written"),
)
