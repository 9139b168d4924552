"""The first form of the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "failures",
        sa.Column("aoi", sa.String(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("aoi", "as_of", name="pk_failures"),
    )
    op.create_table(
        "nights",
        sa.Column("aoi", sa.String(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("granules", sa.JSON(), nullable=False),
        sa.Column("catalog", sa.String(), nullable=False),
        sa.Column("failed", sa.JSON(), nullable=False),
        sa.Column("blind_pct", sa.Double(), nullable=True),
        sa.Column("clear_on", sa.Date(), nullable=True),
        sa.Column("blind_days", sa.Integer(), nullable=True),
        sa.Column("why_blind", sa.JSON(), nullable=False),
        sa.Column("newest_scene", sa.Date(), nullable=True),
        sa.Column("alarms", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("aoi", "as_of", name="pk_nights"),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("aoi", sa.String(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_alert", "verdicts", ["alert_id"], unique=False)
    op.create_index("ix_verdicts_aoi", "verdicts", ["aoi"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("first_seen", sa.Date(), nullable=False),
        sa.Column("last_seen", sa.Date(), nullable=False),
        sa.Column("confirmed_on", sa.Date(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("area_ha", sa.Double(), nullable=False),
        sa.Column("mgrs", sa.String(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("aoi", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["aoi", "since"], ["nights.aoi", "nights.as_of"], name="fk_alerts_night"),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_id", "alerts", ["alert_id", "since"], unique=False)
    op.create_index(
        "ix_alerts_one",
        "alerts",
        ["aoi", "alert_id"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_index("ix_alerts_since", "alerts", ["aoi", "since"], unique=False)
    op.create_index("ix_alerts_standing", "alerts", ["aoi", "until"], unique=False)
    op.create_table(
        "looks",
        sa.Column("aoi", sa.String(), nullable=False),
        sa.Column("scene_id", sa.String(), nullable=False),
        sa.Column("tile", sa.String(), nullable=False),
        sa.Column("night", sa.Date(), nullable=False),
        sa.Column("clear_pct", sa.Double(), nullable=False),
        sa.Column("pixels", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["aoi", "night"], ["nights.aoi", "nights.as_of"], name="fk_looks_night"),
        sa.PrimaryKeyConstraint("aoi", "scene_id", "tile", "night", name="pk_looks"),
    )
    op.create_index("ix_looks_night", "looks", ["aoi", "night"], unique=False)
    op.create_table(
        "scenes",
        sa.Column("scene_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("mgrs", sa.String(), nullable=False),
        sa.Column("relative_orbit", sa.Integer(), nullable=True),
        sa.Column("sensed", sa.DateTime(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("offset_dn", sa.Integer(), nullable=True),
        sa.Column("offset_evidence", sa.String(), nullable=False),
        sa.Column("shift_row_px", sa.Double(), nullable=True),
        sa.Column("shift_col_px", sa.Double(), nullable=True),
        sa.Column("cloud_pct", sa.Double(), nullable=True),
        sa.Column("entry", sa.JSON(), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("aoi", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["aoi", "since"], ["nights.aoi", "nights.as_of"], name="fk_scenes_night"),
        sa.PrimaryKeyConstraint("id", name="pk_scenes"),
    )
    op.create_index(
        "ix_scenes_one",
        "scenes",
        ["aoi", "scene_id"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_index("ix_scenes_since", "scenes", ["aoi", "since"], unique=False)
    op.create_index("ix_scenes_standing", "scenes", ["aoi", "until", "sensed"], unique=False)
    op.create_table(
        "tiles",
        sa.Column("tile", sa.String(), nullable=False),
        sa.Column("arrays", sa.String(), nullable=False),
        sa.Column("clear_days", sa.JSON(), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("aoi", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["aoi", "since"], ["nights.aoi", "nights.as_of"], name="fk_tiles_night"),
        sa.PrimaryKeyConstraint("id", name="pk_tiles"),
    )
    op.create_index(
        "ix_tiles_one",
        "tiles",
        ["aoi", "tile"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_index("ix_tiles_since", "tiles", ["aoi", "since"], unique=False)
    op.create_index("ix_tiles_standing", "tiles", ["aoi", "until"], unique=False)
    op.create_table(
        "listings",
        sa.Column("scene", sa.Integer(), nullable=False),
        sa.Column("catalog", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["scene"], ["scenes.id"], name="fk_listings", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("scene", "catalog", "item_id", name="pk_listings"),
    )
