"""Who has been told what, and which alarms stood after a night."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the notices; of earlier nights no alarm counts as standing."""
    op.add_column("nights", sa.Column("standing", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("group", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("aoi", sa.String(), nullable=False),
        sa.Column("night", sa.Date(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("of", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("told_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_one", "notices", ["group", "address", "aoi", "what", "of"], unique=True)
    op.create_index("ix_notices_state", "notices", ["state"], unique=False)
    op.create_index("ix_notices_night", "notices", ["aoi", "night"], unique=False)
