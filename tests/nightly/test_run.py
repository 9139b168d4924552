"""The whole night on the planted world: through real servers, in any cutting, again and again, with faults."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyogrio
import pystac
import pytest
import rasterio
from sqlalchemy import select
from typer.testing import CliRunner

from pipeline import cli, demo
from pipeline.errors import ConfigError, StateError
from pipeline.ledger import database, tables
from pipeline.ledger.manifest import Manifest
from pipeline.ledger.nights import Books
from pipeline.nightly import run, state, status, workers
from pipeline.simulate import serve
from tests import postgres
from tests.nightly import pgstac
from tests.nightly.planted import World, file_server, with_absolute_hrefs

MakeHome = Callable[..., run.Home]


def alerts_file(place: run.Home) -> Path:
    return place.out / "latest" / "planted-world" / "alerts.geojson"


def features(place: run.Home) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(alerts_file(place).read_text())["features"]
    return found


def left(place: run.Home) -> Manifest:
    """What the last night left."""
    with database.opened(place.ledger) as ledger:
        return Books(ledger, "planted-world").load(date.max, scenes_since=date.min)


def arrays(place: run.Home) -> dict[str, bytes]:
    """The arrays that the last night named, tile by tile."""
    folder = place.state / "planted-world" / "arrays"
    return {name: (folder / name).read_bytes() for _, name in sorted(left(place).tiles.items())}


def test_over_planted_world_finds_every_planted_event_and_nothing_else(world: World, watched: run.Home) -> None:
    scores, others = demo.compare(world.planted, features(watched))
    assert [score.kind for score in scores if not any(p["kind"] == score.kind for p in score.found)] == []
    assert others == ()


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"")])
def test_nightly_whose_ledger_is_lost_is_refused_and_leaves_the_arrays_to_a_backup(
    watched: run.Home, world: World, local: run.Options, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    shutil.copytree(watched.folder, tmp_path / "home", symlinks=True)
    place = run.home(tmp_path / "home")
    kept = arrays(place)
    ledger = (place.state / "vanwatch.db").read_bytes()
    damage(place.state / "vanwatch.db")
    with pytest.raises(ConfigError, match=r"knows no night of what lies in .*restore the ledger from a backup"):
        run.nightly(place, world.nights[-1] + timedelta(days=1), local)
    with pytest.raises(ConfigError, match=r"knows no night of what lies in"):
        status.read(place, world.nights[-1], ())
    assert sum(path.stat().st_size for path in place.state.glob("vanwatch.db*")) == 0
    (place.state / "vanwatch.db").write_bytes(ledger)
    assert arrays(place) == kept


def test_over_real_stac_server_and_http_range_server_gives_the_alerts_of_the_local_file(
    world: World, watched: run.Home, make_home: MakeHome, local: run.Options, tmp_path: Path
) -> None:
    remote = make_home()
    with file_server(world.items.parent) as files:
        served = tmp_path / "served.json"
        served.write_text(json.dumps(with_absolute_hrefs(world.items, files)))
        with serve.serve(served) as url:
            report = run.over(remote, world.nights[:2], replace(local, catalog=url))
    assert report.exit_code == 0
    expected = watched.out / world.nights[1].isoformat() / "planted-world" / "alerts.geojson"
    assert alerts_file(remote).read_bytes() == expected.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("size_px", [256, 1024])
def test_over_any_tile_size_gives_the_same_bytes(
    world: World, watched: run.Home, make_home: MakeHome, local: run.Options, size_px: int
) -> None:
    other = make_home(tiles={"size_px": size_px})
    run.over(other, world.nights, local)
    files = ("alerts.geojson", "changes.geojson", "alerts.gpkg", "vanwatch.qgz")
    for name in (*files, "change.tif", "before.tif", "after.tif", "seen.tif"):
        one, two = (p.out / "latest" / "planted-world" / name for p in (watched, other))
        assert one.read_bytes() == two.read_bytes(), name


@pytest.mark.slow
def test_over_any_worker_count_gives_the_same_bytes(
    world: World, watched: run.Home, make_home: MakeHome, local: run.Options
) -> None:
    other = make_home()
    run.over(other, world.nights, replace(local, workers=2))
    assert alerts_file(watched).read_bytes() == alerts_file(other).read_bytes()


def test_nightly_twice_changes_nothing(world: World, first_night: run.Home, local: run.Options) -> None:
    place = first_night
    run.over(place, world.nights[1:2], local)
    folder = (place.out / "latest" / "planted-world").resolve()
    first = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".geojson", ".tif")}
    state, files = left(place), arrays(place)
    run.nightly(place, world.nights[1], local)
    assert {name: (folder / name).read_bytes() for name in first} == first
    assert replace(left(place), tiles={}) == replace(state, tiles={})
    assert list(arrays(place).values()) == list(files.values())
    assert arrays(place).keys().isdisjoint(files)  # the files of the last whole night are never written again


def test_first_night_of_a_period_run_again_tells_the_same_of_its_history(
    watched: run.Home, world: World, local: run.Options, tmp_path: Path
) -> None:
    shutil.copytree(watched.folder, tmp_path / "home", symlinks=True)
    place, night = run.home(tmp_path / "home"), world.nights[-1] + timedelta(days=77)
    scenes = select(tables.Scene.scene_id, tables.Scene.purpose).where(tables.Scene.since == night)
    told = []
    for _ in range(2):
        run.nightly(place, night, local)
        facts = json.loads((place.out / str(night) / "planted-world" / "run.json").read_text())
        with database.opened(place.ledger) as ledger, ledger.reading() as connection:
            rows = sorted(map(tuple, connection.execute(scenes)))
        told.append((facts | {"timings": {}}, rows))
    assert told[0][1] != []
    assert told[0] == told[1]


def test_catalogue_that_does_not_answer_is_told_by_status_though_another_stepped_in(
    world: World, make_home: MakeHome, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("no list")
    place = make_home(search={"catalogs": [str(broken), str(world.items)]})
    report = run.nightly(place, world.nights[0], run.Options(workers=0))
    found = status.read(place, world.nights[0], ())
    (item,) = found.aois
    assert (report.exit_code, item.catalog, item.failed) == (0, str(world.items), ())
    (line,) = item.catalog_problems
    assert str(broken) in line


def test_nightly_without_a_new_scene_keeps_the_alerts(
    world: World, watched: run.Home, local: run.Options, tmp_path: Path
) -> None:
    place = run.home(tmp_path / "copy")
    shutil.copytree(watched.folder, place.folder, symlinks=True)
    before = {f["properties"]["alert_id"]: f["properties"]["status"] for f in features(place)}
    report = run.nightly(place, world.nights[-1] + timedelta(days=1), local)
    assert report.exit_code == 0
    assert {f["properties"]["alert_id"]: f["properties"]["status"] for f in features(place)} == before
    assert before


def test_nightly_before_the_last_night_is_refused(world: World, watched: run.Home, local: run.Options) -> None:
    with pytest.raises(ConfigError, match="vanwatch replay"):
        run.nightly(watched, world.nights[0], local)


def test_d11_a_scene_that_cannot_be_read_is_recorded_and_the_rest_is_delivered(
    copied_world: World, make_home: MakeHome
) -> None:
    newest = max(
        (item for item in json.loads(copied_world.items.read_text())["features"]),
        key=lambda item: item["properties"]["datetime"],
    )
    broken = copied_world.items.parent / newest["assets"]["nir"]["href"]
    broken.write_bytes(broken.read_bytes()[:200])
    place = make_home(read={"attempts": 1})
    report = run.over(place, copied_world.nights, run.Options(catalog=str(copied_world.items), workers=0))
    assert report.exit_code == 1
    assert any("nir" in line or "B08" in line for line in report.nights[-1].failed)
    assert features(place)
    told = json.loads((alerts_file(place).parent / "run.json").read_text())
    assert told["failed"]


def test_nightly_sees_nothing_of_later_nights(
    world: World, watched: run.Home, make_home: MakeHome, local: run.Options
) -> None:
    place = make_home()
    run.over(place, world.nights[:2], local)
    day = world.nights[1].isoformat()
    one, two = (p.out / day / "planted-world" / "alerts.geojson" for p in (place, watched))
    assert one.read_bytes() == two.read_bytes()


def test_over_two_aois_one_without_scenes_delivers_the_other(
    world: World, make_home: MakeHome, local: run.Options
) -> None:
    place = make_home()
    feature = json.loads(world.aoi.read_text())
    feature["properties"]["id"] = "far-away"
    feature["geometry"] = {
        "type": "Polygon",
        "coordinates": [[[10.0, 50.0], [10.1, 50.0], [10.1, 50.1], [10.0, 50.1], [10.0, 50.0]]],
    }
    (place.aois / "far-away.geojson").write_text(json.dumps(feature))
    report = run.nightly(place, world.nights[0], local)
    by_aoi = {night.aoi: night for night in report.nights}
    assert by_aoi["planted-world"].folder is not None
    assert (by_aoi["planted-world"].folder / "alerts.geojson").exists()
    run_json = json.loads((place.out / "latest" / "far-away" / "run.json").read_text())
    assert run_json["uncovered_km2"] > 0


def test_rasters_are_read_by_gdal_and_odc_stac(world: World, watched: run.Home) -> None:
    import odc.stac

    folder = alerts_file(watched).parent
    if shutil.which("gdalinfo"):
        told = json.loads(subprocess.check_output(["gdalinfo", "-json", folder / "change.tif"]))
        assert [band["description"] for band in told["bands"]] == ["clearing", "camp", "track"]
    with rasterio.open(folder / "change.tif") as source:
        assert source.descriptions == ("clearing", "camp", "track")
        assert source.dtypes[0] == "float32"
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        expected, epsg, bounds = source.read(1), source.crs.to_epsg(), source.bounds
    item = pystac.Item(
        "night",
        geometry=json.loads(world.aoi.read_text())["geometry"],
        bbox=_bbox(world.aoi),
        datetime=None,
        properties={"start_datetime": "2022-01-01T00:00:00Z", "end_datetime": "2022-01-01T00:00:00Z"},
    )
    item.add_asset("change", pystac.Asset(str(folder / "change.tif"), media_type=pystac.MediaType.COG))
    box = odc.geo.geobox.GeoBox.from_bbox(tuple(bounds), crs=f"EPSG:{epsg}", resolution=10)
    loaded = odc.stac.load([item], bands=["change"], geobox=box)
    assert (loaded["change"].values[0][expected == expected] == expected[expected == expected]).all()


def test_d32_everything_that_analysts_open_is_of_the_last_night(world: World, watched: run.Home) -> None:
    folder, night = alerts_file(watched).parent, world.nights[-1].isoformat()
    assert json.loads((folder / "run.json").read_text())["as_of"] == night
    (area,) = pyogrio.read_dataframe(folder / "alerts.gpkg", layer="aoi")["as_of"]
    assert area.date() == world.nights[-1]
    shown = pd.concat([pyogrio.read_dataframe(folder / "alerts.gpkg", layer=layer) for layer in ("alerts", "tracks")])
    still_open = shown[shown["status"].isin(["possible", "confirmed"])]
    assert set(still_open["alert_id"]) == {feature["properties"]["alert_id"] for feature in features(watched)}
    with zipfile.ZipFile(folder / "vanwatch.qgz") as project:
        assert f"Vanwatch: Planted world, {night}" in project.read("vanwatch.qgs").decode()
    assert f'datetime="{night}"' in (folder / "report.html").read_text()
    assert [path.stem for path in (folder / "items").iterdir()] == [f"planted-world-{night}"]
    index = (watched.out / "index.html").read_text()
    assert index.index(f"{night}/planted-world/report.html") == index.index("/planted-world/report.html") - len(night)


def _bbox(path: Path) -> list[float]:
    from shapely.geometry import shape

    return list(shape(json.loads(path.read_text())["geometry"]).bounds)


@pytest.mark.slow
def test_second_real_stac_server_pgstac_gives_the_same_alerts(
    world: World, make_home: MakeHome, local: run.Options, tmp_path: Path
) -> None:
    missing = pgstac.available()
    if missing and not os.environ.get("CI"):
        pytest.skip(missing)
    place, other = make_home(), make_home()
    served = with_absolute_hrefs(world.items, str(world.items.parent))
    path = tmp_path / "absolute.json"
    path.write_text(json.dumps(served))
    with serve.serve(path) as url:
        run.over(place, world.nights[:2], replace(local, catalog=url))
    with pgstac.serve(tmp_path, served["features"]) as url:
        report = run.over(other, world.nights[:2], replace(local, catalog=url))
    assert report.exit_code == 0
    assert alerts_file(other).read_bytes() == alerts_file(place).read_bytes()


@pytest.mark.slow
def test_nights_with_the_ledger_in_postgresql_give_the_same_alerts_and_nothing_but_arrays_on_disk(
    world: World, watched: run.Home, make_home: MakeHome, local: run.Options, tmp_path: Path
) -> None:
    postgres.need()
    with postgres.running(tmp_path) as server:
        place = replace(make_home(), database=server.empty_database())
        report = run.over(place, world.nights[:2], local)
        again = run.nightly(place, world.nights[1], local)
        known = left(place)
    assert (report.exit_code, again.exit_code) == (0, 0)
    expected = watched.out / world.nights[1].isoformat() / "planted-world" / "alerts.geojson"
    assert alerts_file(place).read_bytes() == expected.read_bytes()
    assert known.as_of == world.nights[1]
    assert not list(place.state.glob("*.db*"))


def test_over_database_that_does_not_answer_is_wrong_input_and_changes_nothing(
    world: World, make_home: MakeHome, local: run.Options
) -> None:
    place = replace(make_home(), database="postgresql://vanwatch@127.0.0.1:1/none")
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:1/none: .*deployment\.toml"):
        run.nightly(place, world.nights[0], local)
    assert not place.state.exists()
    assert not place.out.exists()


def test_night_whose_state_cannot_be_swept_is_done_and_says_so(
    world: World, make_home: MakeHome, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StateError("s3://state: cannot be listed")

    place = make_home()
    with monkeypatch.context() as patched:
        patched.setattr(state.Store, "sweep", refuse)
        report = run.nightly(place, world.nights[0], local)
    assert (report.exit_code, report.nights[0].error) == (1, "")
    assert report.nights[0].failed == ("sweep: s3://state: cannot be listed",)
    assert alerts_file(place).exists()
    assert run.nightly(place, world.nights[1], local).exit_code == 0


def test_over_scheduler_that_does_not_answer_changes_nothing(
    world: World, make_home: MakeHome, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_PATIENCE_S", 2)
    place = make_home()
    with pytest.raises(ConfigError, match=r"--scheduler tcp://127\.0\.0\.1:1"):
        run.nightly(place, world.nights[0], replace(local, scheduler="tcp://127.0.0.1:1"))
    assert not place.state.exists()


def test_ledger_of_watched_nights_tells_every_scene_with_its_decisions(world: World, watched: run.Home) -> None:
    scene, look, listing = tables.Scene, tables.Look, tables.Listing
    with database.opened(watched.ledger) as ledger, ledger.reading() as connection:
        rows = connection.execute(select(scene).where(scene.until.is_(None))).mappings().all()
        looks = connection.execute(select(look.scene_id, look.tile, look.clear_pct)).all()
        listed = {row.item_id for row in connection.execute(select(listing.item_id, listing.catalog))}
    used = [row for row in rows if (row["state"], row["purpose"]) == ("used", "look")]
    assert len(used) >= len(world.nights)
    assert all(row["offset_dn"] in (0, -1000) and row["offset_evidence"] for row in used)
    assert all(row["shift_row_px"] is not None and row["relative_orbit"] in (19, 62) for row in used)
    assert [row for row in rows if row["purpose"] == "normal"]
    assert {each.scene_id for each in looks} == {row["scene_id"] for row in used}
    assert len({(each.scene_id, each.tile) for each in looks}) == len(looks)
    assert all(0 <= each.clear_pct <= 100 for each in looks)
    items = {item["id"] for item in json.loads(world.items.read_text())["features"]}
    assert listed <= items
    assert len(listed) > len(world.nights)


def test_status_after_watched_nights_tells_freshness_and_the_next_overpass(world: World, watched: run.Home) -> None:
    (item,) = status.read(watched, world.nights[-1], ()).aois
    told = json.loads((alerts_file(watched).parent / "run.json").read_text())
    assert (item.last_night, item.fresh_days) == (world.nights[-1], 0)
    assert item.blind_days == told["blindness"]["days"]
    assert item.blind_pct == told["blind_pct"]
    assert [each.day.isoformat() for each in item.next_overpasses] == [
        day for day, *_ in told["blindness"]["expected_overpasses"]
    ]
    assert item.next_overpasses[0].day > world.nights[-1]
    assert told["alarms"] == list(item.alarms) == []


def test_night_of_a_date_before_any_scene_is_empty_and_says_so(make_home: MakeHome, local: run.Options) -> None:
    place = make_home()
    report = run.nightly(place, date(2019, 1, 1), local)
    assert report.exit_code == 0
    assert features(place) == []


def test_nightly_command_in_a_silent_catalogue_tells_the_alarm_and_ends_with_its_own_code(
    world: World, make_home: MakeHome
) -> None:
    place = make_home()
    where = ["--home", str(place.folder), "--as-of", "2019-01-01"]
    shown = CliRunner().invoke(cli.app, ["nightly", *where, "--catalog", str(world.items), "--workers", "0"])
    assert shown.exit_code == run.ALARM == 3
    alarm = "planted-world: silent: no catalogue lists any scene of it"
    assert f"alarm: {alarm}" in shown.output
    told = json.loads((alerts_file(place).parent / "run.json").read_text())
    assert told["alarms"] == [alarm]
    assert CliRunner().invoke(cli.app, ["status", *where]).exit_code == run.ALARM


def test_over_wrong_input_changes_nothing(world: World, make_home: MakeHome, local: run.Options) -> None:
    place = make_home(detect={"model": "gone"})
    with pytest.raises(ConfigError, match=r"detect\.model: 'gone' has no"):
        run.nightly(place, world.nights[0], local)
    assert not place.state.exists()
    assert not place.out.exists()


def test_d29_out_that_cannot_be_written_is_one_line_and_the_state_stays(
    world: World, watched: run.Home, local: run.Options, tmp_path: Path
) -> None:
    place = run.home(tmp_path / "copy")
    shutil.copytree(watched.folder, place.folder, symlinks=True)
    shutil.rmtree(place.out)
    place.out.touch()
    state = left(place)
    report = run.nightly(place, world.nights[-1] + timedelta(days=1), local)
    assert report.exit_code == 1
    assert "cannot be written (Not a directory); check that" in report.nights[0].error
    assert "\n" not in report.nights[0].error
    assert left(place) == state


@pytest.mark.parametrize("kind", ["normal", "reference"])
def test_over_damaged_normal_or_reference_is_told_and_made_again_the_next_night(
    world: World, first_night: run.Home, local: run.Options, kind: str
) -> None:
    place = first_night
    kept = place.state / "planted-world" / "normals"
    path = min(kept.glob("reference_*.arrays" if kind == "reference" else "*_r*.arrays"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    report = run.over(place, world.nights[1:2], local)
    assert report.exit_code == 1
    assert report.nights[0].error == ""
    assert path.name.removesuffix(".arrays") in " ".join(report.nights[0].failed)
    assert run.over(place, world.nights[2:3], local).exit_code == 0
    assert path.exists()
    told = json.loads((alerts_file(place).parent / "run.json").read_text())
    assert told["failed"] == []
    used = [entry for entry in told["scenes"].values() if (entry["state"], entry["purpose"]) == ("used", "look")]
    assert {entry["sensed"][:10] for entry in used} == {day.isoformat() for day in world.nights[1:3]}


def test_over_one_damaged_tile_is_recorded_and_the_rest_is_delivered(
    world: World, watched: run.Home, local: run.Options, tmp_path: Path
) -> None:
    place = run.home(tmp_path / "copy")
    shutil.copytree(watched.folder, place.folder, symlinks=True)
    arrays = place.state / "planted-world" / "arrays"
    newest = max(path.name.split(".")[1] for path in arrays.iterdir())
    damaged = min(arrays.glob(f"*.{newest}.*.arrays"))
    damaged.write_bytes(damaged.read_bytes()[:500])
    report = run.nightly(place, world.nights[-1] + timedelta(days=1), local)
    assert report.exit_code == 1
    assert report.nights[0].error == ""
    (line,) = report.nights[0].failed
    assert line.startswith(f"tile {damaged.name.split('.')[0]}: ")
    assert "restore it from a backup" in line
    with rasterio.open(alerts_file(place).parent / "after.tif") as rest:
        assert (rest.read(1) > 0).any()
