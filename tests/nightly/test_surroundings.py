"""A night of an area that reaches beyond every granule, with what its profile names of the land around it."""

import json
from collections.abc import Callable

import geopandas as gpd
import pyogrio
import pytest
import shapely
from shapely.geometry import mapping, shape

from pipeline import grid
from pipeline.aoi import area_km2
from pipeline.nightly import run
from tests.nightly.planted import World


@pytest.mark.slow
def test_night_shows_the_context_and_what_no_granule_covers(
    world: World, make_home: Callable[..., run.Home], local: run.Options
) -> None:
    place = make_home(context=[{"name": "Reserves", "file": "reserves.geojson", "role": "protected", "label": "NAME"}])
    path = place.aois / "planted-world.geojson"
    feature = json.loads(path.read_text())
    area = shape(feature["geometry"])
    gpd.GeoDataFrame({"NAME": ["Old forest"]}, geometry=[area.buffer(0.01)], crs=4326).to_file(
        place.configs / "reserves.geojson"
    )
    names = {scene["properties"]["grid:code"] for scene in json.loads(world.items.read_text())["features"]}
    granules = [grid.granule(name.removeprefix("MGRS-")) for name in sorted(names)]
    corner = shapely.union_all([grid.reproject(shapely.box(*g.bounds), g.epsg, 4326) for g in granules])
    west = corner.bounds[0]
    beyond = shapely.box(west - 0.05, area.bounds[1], west - 0.02, area.bounds[1] + 0.02)
    path.write_text(json.dumps(feature | {"geometry": mapping(shapely.MultiPolygon([area, beyond]))}))
    report = run.nightly(place, world.nights[0], local)
    folder = report.nights[0].folder
    assert folder is not None
    told = json.loads((folder / "run.json").read_text())
    assert told["uncovered_km2"] == pytest.approx(area_km2(beyond), rel=0.01)
    assert told["blind_pct"] >= 100 * area_km2(beyond) / (area_km2(beyond) + area_km2(area)) - 0.1
    blind = pyogrio.read_dataframe(folder / "alerts.gpkg", layer="blind")
    (missing,) = blind[blind["reason"] == "not covered"].geometry
    assert missing.symmetric_difference(beyond).area < 0.02 * beyond.area
    kept = pyogrio.read_dataframe(folder / "context.gpkg", layer="protected_areas")
    assert kept["name"].tolist() == ["Old forest"]
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "km² of the area are not covered: no catalogue lists a scene of them" in text
    assert "Protected areas: Old forest" in text
