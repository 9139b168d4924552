"""The nights of one AOI in the ledger: where one begins, and the one transaction that makes it the last whole one.

In: a `Manifest` and what else a night found. Out: the state before a night. Arrays are written before, under names that
no earlier night used, so that a run killed at any moment leaves the last whole night as it was. A night that is run
again starts from the state before it and takes its own rows back; earlier ones are refused. What a night reads and
writes follows the AOI and the search window, not the number of nights before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from pipeline.errors import ConfigError, StateError
from pipeline.ledger import notices, rows, tables
from pipeline.ledger.database import Database
from pipeline.ledger.manifest import Done, Manifest
from pipeline.ledger.overpasses import REMEMBERED, Seen
from pipeline.ledger.tables import Versioned

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger of one AOI."""

    database: Database
    aoi: str

    def load(self, as_of: date, *, scenes_since: date) -> Manifest:
        """The state that a night starts from.

        Args:
            as_of: the night.
            scenes_since: scenes sensed earlier are left out of the ledger.

        Raises:
            ConfigError: a later night has already been run.
            StateError: the database does not answer.
        """
        with self.database.reading() as connection:
            last = self._last(connection)
            if last is None:
                return Manifest()
            if last > as_of:
                raise ConfigError(
                    f"{self.aoi}: the last night is {last}, later than {as_of}; go on from {last} (a replay that was "
                    f"cut off: --from {last} and its --out), or run earlier nights apart from this state: "
                    "'vanwatch replay' with a new --out"
                )
            start = last if last < as_of else self._last(connection, before=as_of)
            return Manifest() if start is None else self._manifest(connection, start, as_of, scenes_since)

    def last(self) -> date | None:
        """The last whole night."""
        with self.database.reading() as connection:
            return self._last(connection)

    def first(self) -> date | None:
        """The first night."""
        with self.database.reading() as connection:
            return connection.scalar(select(func.min(tables.Night.as_of)).where(tables.Night.aoi == self.aoi))

    def attempt(self, as_of: date) -> int:
        """1 for a night that was never whole, else one more than the last time."""
        where = (tables.Night.aoi == self.aoi) & (tables.Night.as_of == as_of)
        with self.database.reading() as connection:
            return (connection.scalar(select(tables.Night.attempt).where(where)) or 0) + 1

    def seen(self, as_of: date) -> tuple[Seen, ...]:
        """The scenes of the last months that nights before this one considered, for whatever purpose."""
        scene, since = tables.Scene, datetime.combine(as_of - REMEMBERED, time(), UTC)
        where = and_(self._standing(scene, as_of), scene.sensed >= since)
        with self.database.reading() as connection:
            return tuple(
                Seen(*row) for row in connection.execute(select(*_seen()).where(where).order_by(scene.scene_id))
            )

    def newest(self, as_of: date, granules: Iterable[str]) -> tuple[Seen, ...]:
        """The newest scene of some granules, however old, that nights before this one considered."""
        scene = tables.Scene
        known = select(*_seen()).where(self._standing(scene, as_of)).order_by(scene.sensed.desc(), scene.scene_id)
        with self.database.reading() as connection:
            found = [connection.execute(known.where(scene.mgrs == mgrs).limit(1)).first() for mgrs in sorted(granules)]
        return tuple(Seen(*row) for row in found if row)

    def commit(self, before: Manifest, done: Done) -> None:
        """Make a night the last whole one, in one transaction.

        Args:
            before: what `load` gave for it.
            done: the night; its arrays are on the disk.

        Raises:
            StateError: the database cannot be written to, or another run has committed a night meanwhile; the night
                before stays the last.
        """
        night = done.after.as_of
        if night is None:
            raise ValueError("a night to be committed has a date")
        with self.database.writing() as connection:
            last = self._last(connection)
            if last == night:
                self._undo(connection, night)
                last = self._last(connection, before=night)
            if last != before.as_of:
                raise StateError(
                    f"{self.aoi}: another run has committed the night of {last} meanwhile; run {night} again"
                )
            self._put_night(connection, night, done)
            scenes = rows.changed(before.ledger, done.after.ledger, apart_from="night")
            self._put_scenes(connection, night, scenes | self._new_history(connection, done.history))
            ended = set(_tiles(before)) - set(_tiles(done.after))
            self._put(
                connection, night, tables.Tile, rows.tiles(rows.changed(_tiles(before), _tiles(done.after))), ended
            )
            known, now = rows.by_id(before.alerts), rows.by_id(done.after.alerts)
            changed = rows.changed(known, now, apart_from="as_of")
            self._put(connection, night, tables.Alert, rows.alerts(changed), set(known) - set(now))
            _insert(connection, tables.Look, rows.looks(self.aoi, night, done.looks))
            notices.put(connection, self.aoi, night, done.owed)

    def failed(self, as_of: date, error: str) -> None:
        """Remember that a night gave nothing at all, until it is run again and does.

        Raises:
            StateError: the database cannot be written to.
        """
        with self.database.writing() as connection:
            self._forget_failure(connection, as_of)
            _insert(connection, tables.Failure, [{"aoi": self.aoi, "as_of": as_of, "error": error}])

    def _last(self, connection: Connection, *, before: date = date.max) -> date | None:
        where = (tables.Night.aoi == self.aoi) & (tables.Night.as_of < before)
        return connection.scalar(select(func.max(tables.Night.as_of)).where(where))

    def _standing(self, table: type[Versioned], as_of: date) -> ColumnElement[bool]:
        """Rows as they stood before a night; two ranges of one index, whatever the number of nights."""
        still = or_(table.until.is_(None), table.until >= as_of)
        return and_(table.aoi == self.aoi, still, table.since < as_of)

    def _manifest(self, connection: Connection, start: date, as_of: date, scenes_since: date) -> Manifest:
        scene, tile, alert = tables.Scene, tables.Tile, tables.Alert
        night = select(tables.Night).where(tables.Night.aoi == self.aoi, tables.Night.as_of == start)
        last = connection.execute(night).mappings().one()
        since = datetime.combine(scenes_since, time(), UTC)
        recent = and_(self._standing(scene, as_of), scene.sensed >= since, scene.purpose == rows.LOOK)
        entries = select(scene.scene_id, scene.entry).where(recent).order_by(scene.scene_id)
        known = select(tile.tile, tile.arrays, tile.clear_days).where(self._standing(tile, as_of)).order_by(tile.tile)
        kept = connection.execute(known).all()
        records = select(alert.record).where(self._standing(alert, as_of)).order_by(alert.alert_id)
        return Manifest(
            as_of=start,
            granules=tuple(last["granules"]),
            ledger={row.scene_id: row.entry for row in connection.execute(entries)},
            alerts=tuple(connection.scalars(records)),
            tiles={key: arrays for key, arrays, _ in kept if arrays},
            clear_days={key: days for key, _, days in kept},
            standing=tuple(last["standing"]),
        )

    def _undo(self, connection: Connection, night: date) -> None:
        """Take back what the last night wrote."""
        connection.execute(delete(tables.Look).where(tables.Look.aoi == self.aoi, tables.Look.night == night))
        notices.take_back(connection, self.aoi, night)
        for table in (tables.Scene, tables.Tile, tables.Alert):
            mine = table.aoi == self.aoi
            connection.execute(delete(table).where(mine, table.since == night))
            connection.execute(update(table).where(mine, table.until == night).values(until=None))

    def _put_night(self, connection: Connection, night: date, done: Done) -> None:
        where = (tables.Night.aoi == self.aoi) & (tables.Night.as_of == night)
        connection.execute(delete(tables.Night).where(where))
        _insert(connection, tables.Night, [rows.night(self.aoi, night, done)])
        self._forget_failure(connection, night)

    def _forget_failure(self, connection: Connection, night: date) -> None:
        table = tables.Failure
        connection.execute(delete(table).where(table.aoi == self.aoi, table.as_of == night))

    def _new_history(self, connection: Connection, history: dict[str, Record]) -> dict[str, Record]:
        """Scenes considered for the normal only, that no row tells of yet."""
        if not history:
            return {}
        scene = tables.Scene
        where = and_(scene.aoi == self.aoi, scene.until.is_(None), scene.scene_id.in_(sorted(history)))
        rowset = connection.execute(select(scene.scene_id, scene.entry).where(where))
        known = {row.scene_id: row.entry for row in rowset}
        own = {key: entry for key, entry in history.items() if known.get(key, entry)["purpose"] == rows.NORMAL}
        return rows.changed(known, own, apart_from="night")

    def _put_scenes(self, connection: Connection, night: date, entries: dict[str, Record]) -> None:
        made = rows.scenes(entries)
        ids = self._put(connection, night, tables.Scene, made, set())
        listed = [
            {"scene": row, "catalog": catalog, "item_id": item}
            for row, scene in zip(ids, made, strict=True)
            for catalog, item in sorted({(catalog, item) for catalog, item in scene["entry"].get("listed", ())})
        ]
        _insert(connection, tables.Listing, listed)

    def _put(
        self, connection: Connection, night: date, table: type[Versioned], made: list[Record], ended: set[str]
    ) -> Sequence[int]:
        """End the versions that stand of what changed, and write the new ones; their ids in order."""
        key = getattr(table, rows.KEYS[table.__tablename__])
        names = [row[key.key] for row in made] + sorted(ended)
        for few in rows.few(names):
            standing = and_(table.aoi == self.aoi, table.until.is_(None), key.in_(few))
            connection.execute(update(table).where(standing).values(until=night))
        if not made:
            return []
        values = [{"aoi": self.aoi, "since": night, "until": None, **row} for row in made]
        returning = insert(table).returning(table.id, sort_by_parameter_order=True)
        return connection.execute(returning, values).scalars().all()


def _seen() -> tuple[Any, ...]:
    """The columns of `Seen`."""
    scene = tables.Scene
    return scene.scene_id, scene.mgrs, scene.platform, scene.relative_orbit, scene.sensed


def _insert(connection: Connection, table: type[tables.Base], made: list[Record]) -> None:
    if made:
        connection.execute(insert(table), made)


def _tiles(manifest: Manifest) -> dict[str, Record]:
    """What is kept of each tile; of one that was never done no arrays."""
    return {
        key: {"arrays": manifest.tiles.get(key, ""), "clear_days": manifest.clear_days.get(key, {})}
        for key in sorted({*manifest.tiles, *manifest.clear_days})
    }
