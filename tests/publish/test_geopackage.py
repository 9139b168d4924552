"""GeoPackage: real dates, embedded styles, lasting feature numbers, whole under the eyes of whoever has it open."""

import contextlib
import hashlib
import shutil
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from shapely import Polygon, box

from pipeline import grid
from pipeline.aoi import area_km2
from pipeline.errors import WriteError
from pipeline.publish import blind, geopackage, rasters, tables
from pipeline.schema import Alert
from tests.publish import planted

LAYERS = {"alerts": "MultiPolygon", "tracks": "MultiLineString", "blind": "MultiPolygon", "aoi": "MultiPolygon"}


def write(path: Path, alerts: tuple[Alert, ...] = planted.alerts()) -> Path:
    place = blind.Blind(box(77.0, 29.0, 77.01, 29.01), "cloud", 13, 1.08)
    geopackage.write(path, alerts, blind=[place], area=planted.AREA, as_of=planted.NIGHT, styles={"alerts": "<qgis/>"})
    return path


def rows(path: Path, layer: str) -> list[dict[str, object]]:
    table = pyogrio.read_dataframe(path, layer=layer, fid_as_index=True)
    return [dict(row) | {"fid": fid} for fid, row in table.iterrows()]


def test_write_layers_and_where_each_alert_goes(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    assert {name: kind for name, kind in pyogrio.list_layers(path) if kind} == LAYERS
    assert {row["alert_id"] for row in rows(path, "alerts")} == {"VW-AAAAAAAA", "VW-CCCCCCCC", "VW-DDDDDDDD"}
    (track,) = rows(path, "tracks")
    assert (track["alert_id"], track["length_m"], track["caution"]) == ("VW-TTTTTTTT", 615.0, "season")
    (place,) = rows(path, "blind")
    assert (place["reason"], place["days"], place["area_km2"]) == ("cloud", 13, 1.08)


def test_d26_d27_write_dates_are_datetime_fields_in_utc(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    info = pyogrio.read_info(path, layer="alerts")
    types = dict(zip(info["fields"], info["ogr_types"], strict=True))
    dates = ("first_seen", "last_seen", "confirmed_on", "verdict_on")
    assert {types[name] for name in dates} == {"OFTDateTime"}
    assert types["alert_id"] == "OFTString"
    with contextlib.closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT first_seen, confirmed_on FROM alerts ORDER BY alert_id").fetchall()
    assert found[:2] == [("2025-11-01T00:00:00.000Z", "2025-11-06T00:00:00.000Z"), ("2025-11-01T00:00:00.000Z", None)]


def test_write_every_promised_column_is_there_and_verdicts_come_early(tmp_path: Path) -> None:
    names = list(pyogrio.read_info(write(tmp_path / "alerts.gpkg"), layer="alerts")["fields"])
    assert sorted(names) == sorted(column.name for column in geopackage.COLUMNS)
    assert names[:6] == ["alert_id", "priority", "kind", "status", "verdict", "note"]


@pytest.mark.parametrize("layer", ["alerts", "tracks"])
def test_write_every_column_has_its_type(tmp_path: Path, layer: str) -> None:
    types = {"text": "OFTString", "list": "OFTString", "real": "OFTReal", "int": "OFTInteger", "date": "OFTDateTime"}
    info = pyogrio.read_info(write(tmp_path / "alerts.gpkg"), layer=layer)
    found = dict(zip(info["fields"], info["ogr_types"], strict=True))
    assert found == {column.name: types[column.type] for column in geopackage.COLUMNS}


def test_write_same_alerts_in_any_order_same_bytes(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.gpkg"), write(tmp_path / "2.gpkg", planted.alerts()[::-1])
    assert one.read_bytes() == two.read_bytes()


def test_write_no_alerts_layers_are_there_and_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg", ())
    assert {name: kind for name, kind in pyogrio.list_layers(path) if kind} == LAYERS
    assert rows(path, "alerts") == rows(path, "tracks") == []


def test_write_feature_numbers_stay_when_alerts_come_and_go(tmp_path: Path) -> None:
    """QGIS edits by number: with a new night under an old layer, a verdict must not land on another alert."""
    numbers = [
        {row["alert_id"]: row["fid"] for row in rows(write(tmp_path / f"{len(some)}.gpkg", some), "alerts")}
        for some in (planted.alerts(), planted.alerts()[1:])
    ]
    assert numbers[0].items() > numbers[1].items()
    assert len(set(numbers[0].values())) == 3


def test_write_spatial_index_finds_the_renumbered_features(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    found = pyogrio.read_dataframe(path, layer="alerts", bbox=(77.019, 29.004, 77.021, 29.006))
    assert list(found["alert_id"]) == ["VW-CCCCCCCC"]


def test_d29_write_plain_journal_and_nothing_beside_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert [item.name for item in tmp_path.iterdir()] == ["alerts.gpkg"]


def test_d29_write_plain_journal_even_where_gdal_is_told_to_keep_another(tmp_path: Path) -> None:
    pyogrio.set_gdal_config_options({"OGR_SQLITE_JOURNAL": "WAL"})
    try:
        path = write(tmp_path / "alerts.gpkg")
    finally:
        pyogrio.set_gdal_config_options({"OGR_SQLITE_JOURNAL": None})
    assert path.read_bytes()[18:20] == b"\x01\x01"  # 2 where a log is written ahead
    assert [item.name for item in tmp_path.iterdir()] == ["alerts.gpkg"]


def test_write_waits_for_the_disk_once_when_the_file_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, plain = list[object](), pyogrio.write_dataframe

    def watching(*args: object, **more: object) -> None:
        told.append(pyogrio.get_gdal_config_option("OGR_SQLITE_SYNCHRONOUS"))
        plain(*args, **more)

    def finish(database: sqlite3.Connection) -> None:
        told.extend(database.execute("PRAGMA synchronous").fetchone())

    monkeypatch.setattr(pyogrio, "write_dataframe", watching)
    places = gpd.GeoDataFrame({"name": ["here"]}, geometry=[box(77, 29, 78, 30)], crs=4326)
    tables.write(tmp_path / "a.gpkg", {"aoi": tables.Table(places, "MultiPolygon")}, as_of=planted.NIGHT, finish=finish)
    assert told == [False, 0]
    assert pyogrio.get_gdal_config_option("OGR_SQLITE_SYNCHRONOUS") is None


def test_d29_write_over_a_file_that_is_open_leaves_the_reader_what_he_has(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    with contextlib.closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT count(*) FROM alerts").fetchone() == (3,)
        write(path, planted.alerts()[2:])
        assert reader.execute("SELECT count(*) FROM alerts").fetchone() == (3,)
        assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(rows(path, "alerts")) == 1


def test_write_disk_that_refuses_is_told_in_one_line_and_the_old_file_stays(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    before = hashlib.sha256(path.read_bytes()).digest()
    (tmp_path / ".alerts.part.gpkg").mkdir()
    with pytest.raises(WriteError, match=r"alerts.part.gpkg.*cannot be written"):
        write(path)
    assert hashlib.sha256(path.read_bytes()).digest() == before


@pytest.mark.skipif(not shutil.which("ogrinfo"), reason="GDAL's own programs (gdal-bin) are not installed")
def test_write_opens_in_gdals_own_program_without_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    done = subprocess.run(["ogrinfo", "-al", "-so", path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "first_seen: DateTime" in done.stdout


def test_find_blind_places_with_reason_days_and_area(published: Path) -> None:
    found = blind.find(rasters.paths_of(published, "seen"), after_days=planted.BLIND_AFTER_DAYS)
    assert [(place.reason, place.days) for place in found] == [("cloud", 25), ("no scene", None)]
    assert found[0].area_km2 == pytest.approx(0.584 * 0.887, rel=0.05)
    assert found[0].geometry.intersects(box(77.001, 29.015, 77.002, 29.016))
    assert blind.find(rasters.paths_of(published, "seen"), after_days=50)[0].days is None


def test_d9_find_blind_places_do_not_wrap_the_globe_at_the_antimeridian(tmp_path: Path) -> None:
    tiles = grid.tiles_over(grid.split_at_antimeridian(box(179.99, -16.52, 180.01, -16.5)), tile_px=512)
    with rasters.Mosaics(tmp_path, {"seen": rasters.SEEN}, tiles) as mosaics:
        for tile in tiles:
            never = np.full((2, *tile.window.shape), rasters.NEVER)
            mosaics.add("seen", tile, np.where(tile.owned(), never, rasters.OUTSIDE).astype(np.uint16))
    found = blind.find(rasters.paths_of(tmp_path, "seen"), after_days=9)
    assert len(found) == 2
    parts = shapely.get_parts([place.geometry for place in found])
    assert shapely.is_valid(parts).all()
    assert max(part.bounds[2] - part.bounds[0] for part in parts) < 0.02


def test_blind_holds_what_no_granule_covers_with_its_reason(published: Path) -> None:
    (place,) = [row for row in rows(published / "alerts.gpkg", "blind") if row["reason"] == "not covered"]
    assert pd.isna(place["days"])
    assert place["area_km2"] == pytest.approx(area_km2(planted.UNCOVERED), rel=0.01)
    assert blind.find([], after_days=9, uncovered=planted.UNCOVERED)[0].reason == blind.UNCOVERED
    assert blind.find([], after_days=9, uncovered=Polygon()) == ()


def test_write_grown_alert_keeps_its_verdict(tmp_path: Path) -> None:
    one, *others = planted.alerts()
    path = write(tmp_path / "alerts.gpkg", (replace(one, grown_ha=1.0), *others))
    assert [(r["verdict"], r["note"]) for r in rows(path, "alerts") if r["verdict"]] == [("unsure", "stumps <1 y?")]
