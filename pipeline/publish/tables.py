"""Tables into one GeoPackage: the same bytes for the same tables; written aside and renamed.

In: tables with shapes, and styles as text. Out: a file. Knows nothing of what is in them.

Sources: OGC 12-128r18 (GeoPackage 1.3); the table `layer_styles` is QGIS's own.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import geopandas as gpd
import pyogrio

from pipeline import disk


@dataclass(frozen=True, slots=True)
class Table:
    """One layer to be written."""

    rows: gpd.GeoDataFrame
    geometry: str
    """`MultiPolygon`, `MultiLineString` or `MultiPoint`."""


def write(
    path: Path,
    tables: Mapping[str, Table],
    *,
    as_of: date,
    styles: Mapping[str, str] | None = None,
    finish: Callable[[sqlite3.Connection], None] = lambda database: None,
) -> None:
    """Write layers.

    Args:
        path: of the file; one that is there is replaced, and whoever has it open keeps what he has.
        tables: by name of the layer.
        as_of: the night; stands in the file as its date of change.
        styles: QML by layer, embedded as the layers' own styles.
        finish: given the file as a database, before it takes its place.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    aside = path.with_name(f".{path.stem}.part.gpkg")
    with disk.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            aside.unlink(missing_ok=True)
            with _told(as_of):
                for name, table in tables.items():
                    pyogrio.write_dataframe(
                        table.rows,
                        aside,
                        layer=name,
                        driver="GPKG",
                        geometry_type=table.geometry,
                        promote_to_multi=True,
                        FID="fid",
                        VERSION="1.3",
                    )
            _complete(aside, styles or {}, as_of, finish)
            _flush(aside)
            os.replace(aside, path)
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, sqlite3.Error) as err:
            raise OSError(f"{path.name}: {err}") from err
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def _told(as_of: date) -> Iterator[None]:
    """GDAL writes the time of day into each file that it makes; here it is the night."""
    # nor need it wait for the disk after each layer: nobody sees the file before it is flushed as a whole
    options = {"OGR_CURRENT_DATE": f"{as_of.isoformat()}T00:00:00.000Z", "OGR_SQLITE_SYNCHRONOUS": "OFF"}
    pyogrio.set_gdal_config_options(options)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(dict.fromkeys(options))


def _complete(path: Path, styles: Mapping[str, str], as_of: date, finish: Callable[[sqlite3.Connection], None]) -> None:
    """Styles and what else the caller wants; the journal stays the plain one (D29)."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA synchronous=OFF")
        if styles:
            _add_styles(database, styles, f"{as_of.isoformat()}T00:00:00.000Z")
        finish(database)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=DELETE")


def _add_styles(database: sqlite3.Connection, styles: Mapping[str, str], moment: str) -> None:
    database.execute(_STYLES)
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
        "VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
        (moment,),
    )
    for number, (layer, qml) in enumerate(sorted(styles.items()), start=1):
        row = (number, layer, f"vanwatch {layer}", qml, f"How Vanwatch shows {layer}", moment)
        database.execute("INSERT INTO layer_styles VALUES (?, '', '', ?, 'geom', ?, ?, '', 1, ?, '', NULL, ?)", row)


def _flush(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


_STYLES = """CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
)"""
