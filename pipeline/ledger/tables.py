"""The tables of the ledger; `migrations/` makes them.

Scenes, tiles and alerts are kept in versions: a row stands from the night `since` on, until the night `until` wrote
another (None: it still stands). So the state before any night can be read, and a night writes only what it changed.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    TypeDecorator,
    text,
)
from sqlalchemy import DateTime as PlainDateTime
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "fk": "fk_%(table_name)s", "pk": "pk_%(table_name)s"}


class Utc(TypeDecorator[datetime]):
    """A moment: aware in Python, UTC without a zone in the database, so that every database sorts it alike."""

    impl = PlainDateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: Utc, dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012


class Night(Base):
    """One whole night of one AOI: writing this row is the commit."""

    __tablename__ = "nights"
    aoi: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[date] = mapped_column(primary_key=True)
    attempt: Mapped[int]
    """1, and one more each time the night is run again: names of arrays carry it, so that none is ever changed."""
    granules: Mapped[list[str]]
    catalog: Mapped[str]
    failed: Mapped[list[str]]
    """Parts that failed, each with its reason."""
    blind_pct: Mapped[float | None]
    """This and what follows: see `manifest.Outlook`."""
    clear_on: Mapped[date | None]
    blind_days: Mapped[int | None]
    why_blind: Mapped[dict[str, Any]]
    newest_scene: Mapped[date | None]
    alarms: Mapped[list[str]]
    standing: Mapped[list[str]]
    """Keys of the alarms, to tell new ones from those that stood before."""
    catalog_problems: Mapped[list[str]]
    """See `manifest.Done`."""


class Failure(Base):
    """A night of an AOI that gave nothing at all; goes when the night is run again and does."""

    __tablename__ = "failures"
    aoi: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[date] = mapped_column(primary_key=True)
    error: Mapped[str]


class Versioned(Base):
    """What scenes, tiles and alerts have in common."""

    __abstract__ = True
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    aoi: Mapped[str]
    since: Mapped[date]
    until: Mapped[date | None]


def _of_a_night(table: str, key: str, *columns: str) -> tuple[Any, ...]:
    """A version begins with a whole night, is looked for by AOI and end, and one of each thing stands at a time."""
    standing = text("until IS NULL")
    one: dict[str, Any] = {"unique": True, "sqlite_where": standing, "postgresql_where": standing}
    return (
        ForeignKeyConstraint(["aoi", "since"], ["nights.aoi", "nights.as_of"], name=f"fk_{table}_night"),
        Index(f"ix_{table}_standing", "aoi", "until", *columns),
        Index(f"ix_{table}_since", "aoi", "since"),
        Index(f"ix_{table}_one", "aoi", key, **one),
    )


class Scene(Versioned):
    """One acquisition that was considered for an AOI, and what became of it."""

    __tablename__ = "scenes"
    __table_args__ = _of_a_night("scenes", "scene_id", "sensed")
    scene_id: Mapped[str]
    purpose: Mapped[str]
    """`look`: to find change; `normal`: only to know what is normal."""
    state: Mapped[str]
    """used, refused, waiting (for earlier scenes to compare with), partly (read on some tiles), failed."""
    why: Mapped[str]
    platform: Mapped[str]
    mgrs: Mapped[str]
    relative_orbit: Mapped[int | None]
    sensed: Mapped[datetime]
    revision: Mapped[str]
    offset_dn: Mapped[int | None]
    offset_evidence: Mapped[str]
    shift_row_px: Mapped[float | None]
    shift_col_px: Mapped[float | None]
    cloud_pct: Mapped[float | None]
    entry: Mapped[dict[str, Any]]
    """All of it, as the night wrote it."""


class Listing(Base):
    """One item of one catalogue under which a scene was listed."""

    __tablename__ = "listings"
    scene: Mapped[int] = mapped_column(ForeignKey("scenes.id", ondelete="CASCADE"), primary_key=True)
    catalog: Mapped[str] = mapped_column(primary_key=True)
    item_id: Mapped[str] = mapped_column(primary_key=True)


class Look(Base):
    """One scene on one tile: how much of what the tile answers for was clear."""

    __tablename__ = "looks"
    __table_args__ = (
        ForeignKeyConstraint(["aoi", "night"], ["nights.aoi", "nights.as_of"], name="fk_looks_night"),
        Index("ix_looks_night", "aoi", "night"),
    )
    aoi: Mapped[str] = mapped_column(primary_key=True)
    scene_id: Mapped[str] = mapped_column(primary_key=True)
    tile: Mapped[str] = mapped_column(primary_key=True)
    night: Mapped[date] = mapped_column(primary_key=True)
    clear_pct: Mapped[float]
    pixels: Mapped[dict[str, Any]]
    """Pixels by reason."""


class Tile(Versioned):
    """The arrays of one tile."""

    __tablename__ = "tiles"
    __table_args__ = _of_a_night("tiles", "tile")
    tile: Mapped[str]
    arrays: Mapped[str]
    """File name."""
    clear_days: Mapped[dict[str, Any]]
    """Scene day of the last clear look, or an empty text for never: how many pixels."""


class Alert(Versioned):
    """One alert as a night left it."""

    __tablename__ = "alerts"
    __table_args__ = (*_of_a_night("alerts", "alert_id"), Index("ix_alerts_id", "alert_id", "since"))
    alert_id: Mapped[str]
    kind: Mapped[str]
    status: Mapped[str]
    first_seen: Mapped[date]
    last_seen: Mapped[date]
    confirmed_on: Mapped[date | None]
    confidence: Mapped[float]
    area_ha: Mapped[float]
    mgrs: Mapped[str]
    record: Mapped[dict[str, Any]]
    """All of it, as `pipeline.alerts.record` wrote it."""


class Verdict(Base):
    """What somebody said about an alert. Rows are only ever added, and name alerts that need not exist any more."""

    __tablename__ = "verdicts"
    __table_args__ = (Index("ix_verdicts_alert", "alert_id"), Index("ix_verdicts_aoi", "aoi"))
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    alert_id: Mapped[str]
    verdict: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str]
    by: Mapped[str]
    on: Mapped[date]
    aoi: Mapped[str]
    record: Mapped[dict[str, Any]]
    """The alert as it was then: where its id is not known any more, its place still is."""


class Notice(Base):
    """One thing that happened, and whether one address has been told: never changed but in `state` and `told_on`.

    Rows of a night that is run again stay where something was told, so that it is not told twice.
    """

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_one", "group", "address", "aoi", "what", "of", unique=True),
        Index("ix_notices_state", "state"),
        Index("ix_notices_night", "aoi", "night"),
    )
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    group: Mapped[str]
    address: Mapped[str]
    """Its name; never the URL."""
    aoi: Mapped[str]
    night: Mapped[date]
    what: Mapped[str] = mapped_column(String(16))
    of: Mapped[str]
    """The alert's id, or the night on which an alarm began or ended."""
    facts: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16))
    """See `notices.State`."""
    told_on: Mapped[date | None]
    """The night whose message told it."""
