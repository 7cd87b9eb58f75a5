"""When the row of an outage was written, for the other nodes of a shared database."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column to what is there."""
    op.add_column(
        "outage", sa.Column("written", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.create_index("ix_outage_written", "outage", ["written"])


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_outage_written", "outage")
    op.drop_column("outage", "written")
