"""What went wrong with the catalogues of a night."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the problems; of earlier nights none are known."""
    op.add_column("nights", sa.Column("catalog_problems", sa.JSON(), nullable=False, server_default="[]"))
