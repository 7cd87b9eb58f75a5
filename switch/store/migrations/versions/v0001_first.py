"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# The audit refuses deletes, and updates but the one of a purge: it empties `body` and changes nothing
# else. SQLite refuses by triggers that raise; PostgreSQL by ones that call a function that does.
_KEPT = ("seq", "id", "call_id", "at", "digest", "previous", "hash")
_SQLITE_APPEND_ONLY = """
CREATE TRIGGER audit_no_DELETE BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
"""
_SQLITE_PURGE_ONLY = f"""
CREATE TRIGGER audit_no_UPDATE BEFORE UPDATE ON audit
WHEN NEW.body <> '' OR {" OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _KEPT)}
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
"""
_POSTGRESQL = (
    """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
""",
    """
CREATE TRIGGER audit_append_only BEFORE DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
""",
    f"""
CREATE FUNCTION audit_purge_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.body <> '' OR {" OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in _KEPT)}
  THEN RAISE EXCEPTION 'the audit is append-only'; END IF;
  RETURN NEW;
END $$
""",
    """
CREATE TRIGGER audit_purge_only BEFORE UPDATE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_purge_only()
""",
)


_SQLITE_ADJUSTMENTS = """
CREATE TRIGGER adjustments_no_{verb} BEFORE {verb} ON adjustments
BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END
"""
_POSTGRESQL_REFUSE_ADJUSTMENTS = """
CREATE FUNCTION adjustments_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'corrections are append-only'; END $$
"""
_POSTGRESQL_ADJUSTMENTS = """
CREATE TRIGGER adjustments_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON adjustments
FOR EACH STATEMENT EXECUTE FUNCTION adjustments_refuse()
"""


def upgrade() -> None:
    """Create them."""
    _usage()
    _nodes()
    _cdr()
    _lines()
    _feed()
    _audit()
    _notice()
    _cases()
    _contracts()
    _disclosures()


def _usage() -> None:
    op.create_table(
        "usage",
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("leg", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("clock", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("exempt_reason", sa.String()),
        sa.PrimaryKeyConstraint("line", "cycle", "leg", name="pk_usage"),
    )
    op.create_table(
        "thresholds",
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("percentage", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("written", sa.BigInteger()),
        sa.PrimaryKeyConstraint("line", "cycle", "percentage", name="pk_thresholds"),
    )
    op.create_index("ix_thresholds_written", "thresholds", ["written"])
    op.create_table(
        "adjustments",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("written", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_adjustments"),
    )
    op.create_index("ix_adjustments_line_cycle", "adjustments", ["line", "cycle"])
    op.create_index("ix_adjustments_written", "adjustments", ["written"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(_SQLITE_ADJUSTMENTS.format(verb=verb))
    else:
        op.execute(_POSTGRESQL_REFUSE_ADJUSTMENTS)
        op.execute(_POSTGRESQL_ADJUSTMENTS)


def _nodes() -> None:
    op.create_table(
        "usage_total",
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.Column("counted_ms", sa.BigInteger(), nullable=False),
        sa.Column("written", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("line", "cycle", "node", "direction", name="pk_usage_total"),
    )
    op.create_index("ix_usage_total_written", "usage_total", ["written"])
    op.create_table(
        "live_leg",
        sa.Column("leg", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("leg", name="pk_live_leg"),
    )
    op.create_index("ix_live_leg_node", "live_leg", ["node"])
    op.create_table(
        "node_beat",
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_node_beat"),
    )


def _cdr() -> None:
    op.create_table(
        "cdr",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("line", sa.String()),
        sa.Column("account", sa.String()),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("src", sa.String(), nullable=False),
        sa.Column("dst", sa.String(), nullable=False),
        sa.Column("dst_raw", sa.String(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.BigInteger()),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("counted_ms", sa.BigInteger(), nullable=False),
        sa.Column("exempt_reason", sa.String()),
        sa.Column("disposition", sa.String(), nullable=False),
        sa.Column("ending", sa.String(), nullable=False),
        sa.Column("hangup_by", sa.String()),
        sa.Column("sip_status", sa.Integer()),
        sa.Column("rule", sa.String()),
        sa.Column("clause", sa.String()),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("forwarded_by", sa.String()),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("plan", sa.String()),
        sa.Column("feature", sa.String()),
        sa.Column("legs", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_cdr"),
    )
    op.create_index("ix_cdr_start", "cdr", ["start"])
    op.create_index("ix_cdr_line_start", "cdr", ["line", "start"])


def _lines() -> None:
    op.create_table(
        "bindings",
        sa.Column("aor", sa.String(), nullable=False),
        sa.Column("contact", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("aor", "contact", name="pk_bindings"),
    )
    op.create_table(
        "line_state",
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("clause", sa.String()),
        sa.Column("by", sa.String()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("line", name="pk_line_state"),
    )
    op.create_table(
        "location",
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.JSON(), nullable=False),
        sa.Column("validated", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("site", sa.String()),
        sa.Column("filed_site", sa.String()),
        sa.Column("number", sa.String()),
        sa.Column("confirmed_at", sa.BigInteger()),
        sa.Column("confirmed_by", sa.String()),
        sa.Column("reminded", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("line", "version", "at", name="pk_location"),
    )


def _feed() -> None:
    op.create_table(
        "feed",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_feed"),
    )
    op.create_table(
        "feed_row",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", "version", name="pk_feed_row"),
    )
    op.create_table(
        "feed_ack",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", "version", "at", name="pk_feed_ack"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
        sa.UniqueConstraint("id", name="uq_audit_id"),
    )
    op.create_index("ix_audit_call_id", "audit", ["call_id"])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in (_SQLITE_APPEND_ONLY, _SQLITE_PURGE_ONLY) if is_sqlite else _POSTGRESQL:
        op.execute(statement)


def _notice() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.String()),
        sa.Column("account", sa.String()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("percentage", sa.Integer()),
        sa.Column("clause", sa.String()),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("audience", sa.String()),
        sa.Column("recipients", sa.String()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("hash", sa.String(64)),
        sa.Column("call_id", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_notice"),
    )
    op.create_index("ix_notice_at", "notice", ["at"])
    op.create_index("ix_notice_line", "notice", ["line"])


def _cases() -> None:
    op.create_table(
        "case_step",
        sa.Column("case", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("rung", sa.String(), nullable=False),
        sa.Column("happening", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("clause", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("deadline", sa.BigInteger()),
        sa.Column("contacted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("case", "n", name="pk_case_step"),
    )
    op.create_index("ix_case_step_line", "case_step", ["line"])


def _contracts() -> None:
    op.create_table(
        "contract_step",
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("clause", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("before_ground", sa.String(), nullable=False),
        sa.Column("to", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("notice", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("line", "account", "at", "name", name="pk_contract_step"),
    )


def _disclosures() -> None:
    op.create_table(
        "disclosure_step",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("did", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("seal", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("ground", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("approved_by", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", "n", name="pk_disclosure_step"),
    )


def downgrade() -> None:
    """Take them away."""
    for name in (
        "disclosure_step",
        "contract_step",
        "case_step",
        "notice",
        "audit",
        "feed_ack",
        "feed_row",
        "feed",
        "location",
        "line_state",
        "bindings",
        "cdr",
        "node_beat",
        "live_leg",
        "usage_total",
        "adjustments",
        "thresholds",
        "usage",
    ):
        op.drop_table(name)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION adjustments_refuse()")
        op.execute("DROP FUNCTION audit_refuse()")
        op.execute("DROP FUNCTION audit_purge_only()")
