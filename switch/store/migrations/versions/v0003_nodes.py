"""When a row was written, for the other nodes of a shared database; outages."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# What one node changes and the others must hear of.
HEARD = ("line_state", "location", "line_secret", "contract_step", "case_step", "disclosure_step")


def upgrade() -> None:
    """Add the column to what is there, and the table."""
    for name in HEARD:
        op.add_column(
            name, sa.Column("written", sa.BigInteger(), nullable=False, server_default="0")
        )
        op.create_index(f"ix_{name}_written", name, ["written"])
    op.create_table(
        "outage",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("told_at", sa.BigInteger()),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outage"),
    )
    op.create_index("ix_outage_line", "outage", ["line"])
    op.create_index("ix_outage_since", "outage", ["since"])


def downgrade() -> None:
    """Take them away."""
    op.drop_table("outage")
    for name in HEARD:
        op.drop_index(f"ix_{name}_written", name)
        op.drop_column(name, "written")
