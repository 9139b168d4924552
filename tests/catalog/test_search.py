import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import shapely

from pipeline import config, grid
from pipeline.catalog import search
from pipeline.config import Catalog
from pipeline.errors import CatalogError, ConfigError
from pipeline.schema import Scene

Read = Callable[[str], Any]
BRAZIL = shapely.box(-41, -6, -37, -3)
JULY = {"start": date(2025, 7, 31), "end": date(2025, 7, 31)}
BOTH = ("sentinel-2-c1-l2a", "sentinel-2-l2a")


def recorded(shared_data: Path, pattern: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((shared_data / "stac").glob(pattern))]


def saved(folder: Path, items: list[dict[str, Any]], name: str = "items.json") -> Path:
    path = folder / name
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return path


def over(granule: str, side_m: int = 3000) -> shapely.Polygon:
    """A small area in the middle of a granule, WGS84."""
    place = grid.granule(granule)
    x, y = place.left_m + 54_900, place.top_m - 54_900
    return grid.reproject(shapely.box(x, y, x + side_m, y + side_m), place.epsg, 4326)


def names(scenes: tuple[Scene, ...]) -> list[str]:
    return [scene.scene_id for scene in scenes]


def plain(scenes: tuple[Scene, ...]) -> list[Any]:
    """All but the name of the catalogue."""
    return [
        (s.scene_id, s.sensed, s.published, s.item_ids, [(p.item_id, p.collection, p.assets) for p in s.parts])
        for s in scenes
    ]


def test_search_real_server_gives_the_same_scenes_as_the_file(rustac: Any, shared_data: Path, tmp_path: Path) -> None:
    items = recorded(shared_data, "earth-search-v1/items/S2B*.json")
    path = saved(tmp_path, items)
    url = rustac(items)
    found = {}
    for name, catalog in (
        ("api", Catalog(url=url, collections=BOTH, page_size=3)),
        ("file", Catalog(url=str(path), collections=BOTH)),
    ):
        found[name] = search.search(BRAZIL, catalogs=[(name, catalog)], save_to=tmp_path / f"{name}-saved.json", **JULY)
        assert (found[name].catalog, found[name].problems) == (name, ())
    assert plain(found["api"].scenes) == plain(found["file"].scenes)
    assert [scene.granule.mgrs for scene in found["api"].scenes] == ["24MUA", "24MUV", "24MVV", "24MWV", "24MXV"]
    assert found["api"].items == 10  # of both collections, over four pages
    again = search.search(
        BRAZIL, catalogs=[("saved", Catalog(url=str(tmp_path / "api-saved.json"), collections=BOTH))], **JULY
    )
    assert plain(again.scenes) == plain(found["api"].scenes)


def test_search_collections_are_preferred_in_their_order(shared_data: Path, tmp_path: Path) -> None:
    path = saved(tmp_path, recorded(shared_data, "earth-search-v1/items/S2B*.json"))
    for order in (BOTH, BOTH[::-1]):
        found = search.search(BRAZIL, catalogs=[("x", Catalog(url=str(path), collections=order))], **JULY)
        assert {part.collection for scene in found.scenes for part in scene.parts} == {order[0]}


def test_search_real_series_gives_its_days(shared_data: Path) -> None:
    path = str(shared_data / "series" / "worldcereal-a" / "items.json")
    area = shapely.box(3.0195, 50.8132, 3.0282, 50.8187)
    span = {"start": date(2017, 8, 4), "end": date(2017, 9, 3)}
    found = search.search(area, catalogs=[search.resolve(path, {})], **span)
    days = [scene.solar_day.isoformat() for scene in found.scenes]
    assert days == ["2017-08-04", "2017-08-14", "2017-08-24", "2017-08-27", "2017-09-03"]
    assert Path(dict(found.scenes[0].parts[0].assets)["SCL"].href).is_file()
    assert (
        len(
            search.search(
                area, start=date(2017, 1, 1), end=date(2019, 1, 1), catalogs=[search.resolve(path, {})]
            ).scenes
        )
        == 118
    )


def test_search_catalogue_none_of_whose_items_is_of_use_gives_way_to_the_next(
    shared_data: Path, tmp_path: Path
) -> None:
    items = recorded(shared_data, "earth-search-v1/items/S2B*.json")
    other = [{**item, "properties": {**item["properties"], "s2:product_type": "S2MSI1C"}} for item in items]
    useless = ("useless", Catalog(url=str(saved(tmp_path, other, "other.json"))))
    good = ("good", Catalog(url=str(saved(tmp_path, items))))
    found = search.search(BRAZIL, catalogs=[useless, good], **JULY)
    assert (found.catalog, len(found.scenes)) == ("good", 5)
    assert found.problems[0].startswith("catalogue useless: none of its 12 items is of use; the first: ")
    with pytest.raises(CatalogError, match="none of its 12 items is of use"):
        search.search(BRAZIL, catalogs=[useless], **JULY)


def test_search_as_of_leaves_out_what_was_listed_later(shared_data: Path, tmp_path: Path) -> None:
    items = recorded(shared_data, "earth-search-v1/items/S2B_24*.json")
    late = [{**item, "properties": {**item["properties"], "created": "2025-08-03T04:00:00Z"}} for item in items]
    catalog = [("x", Catalog(url=str(saved(tmp_path, late))))]
    counts = [len(search.search(BRAZIL, catalogs=catalog, as_of=date(2025, 8, day), **JULY).scenes) for day in (2, 3)]
    assert counts == [0, 5]
    assert len(search.search(BRAZIL, catalogs=catalog, **JULY).scenes) == 5


def test_d8_search_sorts_by_solar_day_not_by_utc_date(shared_data: Path) -> None:
    name = "S2A_OPER_MSI_L2A_TL_2APS_20240109T203651_A044654_T60CWS"  # 18:47 UTC on the 9th, the 10th there
    path = str(shared_data / "stac" / "stactools" / "items" / f"{name}.json")
    for day, count in ((date(2024, 1, 9), 0), (date(2024, 1, 10), 1), (date(2024, 1, 11), 0)):
        found = search.search(over("60CWS"), start=day, end=day, catalogs=[("x", Catalog(url=path))])
        assert (len(found.scenes), found.problems) == (count, ())


def test_d9_search_at_the_antimeridian_gives_both_sides_and_nothing_else(shared_data: Path, tmp_path: Path) -> None:
    items = recorded(shared_data, "stactools/items/*.json") + recorded(shared_data, "planetary-computer/items/*.json")
    for item in items:  # as if all footprints wrapped the globe
        item["geometry"] = {
            "type": "Polygon",
            "coordinates": [[[-180, -89], [180, -89], [180, 89], [-180, 89], [-180, -89]]],
        }
    catalog = ("x", Catalog(url=str(saved(tmp_path, items))))
    span = {"start": date(2015, 7, 1), "end": date(2026, 12, 31), "catalogs": [catalog]}
    fiji = grid.split_at_antimeridian(shapely.box(179.6, -17.2, 180.4, -16.4))
    assert {s.granule.mgrs for s in search.search(fiji, **span).scenes} == {"01KAB"}
    chukotka = grid.split_at_antimeridian(shapely.box(179.0, 65.5, 181.0, 66.5))
    assert {s.granule.mgrs for s in search.search(chukotka, **span).scenes} == {"01WCP"}
    assert search.search(shapely.box(0, 0, 0.5, 0.5), **span).scenes == ()


def test_touching_agrees_with_the_tiles_of_each_granule() -> None:
    granules = [grid.granule(name) for name in ("31UDS", "31UES", "31UDT", "30UYB", "31UFS", "32ULB", "01KAB", "60KZG")]
    areas = [
        over("31UDS"),
        over("31UDS", 60_000),
        shapely.box(5.8, 50.5, 6.3, 50.9),
        shapely.box(179.7, -17, 180, -16.5),
    ]
    for area in areas:
        expected = {g for g in granules if grid.tiles_over(area, tile_px=grid.GRANULE_PX, available=[g])}
        assert search.touching(area, granules) == expected
        assert expected


def test_search_fails_over_and_remembers_why(serve: Any, reply: Any, shared_data: Path, tmp_path: Path) -> None:
    broken = serve(lambda _: reply({}, 503)).catalog(attempts=2)
    path = saved(tmp_path, recorded(shared_data, "earth-search-v1/items/S2B*.json"))
    gone = Catalog(url=str(tmp_path / "gone.json"))
    catalogs = [("first", broken), ("second", gone), ("third", Catalog(url=str(path)))]
    found = search.search(BRAZIL, catalogs=catalogs, **JULY)
    assert (found.catalog, len(found.scenes)) == ("third", 5)
    assert [problem.split(" ")[1].rstrip(":") for problem in found.problems] == ["first", "second"]
    assert "answered 503" in found.problems[0]


def test_search_with_no_catalogue_left_is_an_error_with_all_reasons(serve: Any, reply: Any, tmp_path: Path) -> None:
    catalogs = [
        ("first", serve(lambda _: reply({}, 404)).catalog()),
        ("second", Catalog(url=str(tmp_path / "no.json"))),
    ]
    with pytest.raises(CatalogError) as caught:
        search.search(BRAZIL, catalogs=catalogs, save_to=tmp_path / "saved.json", **JULY)
    assert [line.split(" ")[1].rstrip(":") for line in str(caught.value).splitlines()] == ["first", "second"]
    assert not (tmp_path / "saved.json").exists()
    with pytest.raises(CatalogError, match=r"search\.catalogs"):
        search.search(BRAZIL, catalogs=[], **JULY)


def test_d13_half_an_answer_is_never_saved(serve: Any, reply: Any, stac: Read, tmp_path: Path) -> None:
    first = stac("earth-search-v1/responses/two-collections-page1.json")
    first["links"][0]["href"] = "search"
    server = serve(lambda request: reply({}, 502) if "next" in request.body else reply(first))
    target = tmp_path / "items.json"
    target.write_text("yesterday")
    with pytest.raises(CatalogError, match="answered 502"):
        search.search(BRAZIL, catalogs=[("es", server.catalog(attempts=2))], save_to=target, **JULY)
    assert [path.name for path in tmp_path.iterdir()] == ["items.json"]
    assert target.read_text() == "yesterday"


def test_search_items_that_cannot_be_used_are_problems(shared_data: Path, tmp_path: Path) -> None:
    page = json.loads((shared_data / "stac/earth-search-v1/responses/cloud-filter-page1.json").read_text())
    path = saved(tmp_path, page["features"])
    found = search.search(BRAZIL, catalogs=[("es", Catalog(url=str(path)))], **JULY)
    assert (len(found.scenes), len(found.problems), found.items) == (2, 5, 10)


def test_search_signer_and_alternate_of_the_catalogue_reach_the_scenes(shared_data: Path) -> None:
    name = "S2C_MSIL2A_20260527T014651_N0512_R017_T55WFR_20260527T042005"
    path = str(shared_data / "stac" / "cdse" / "items" / f"{name}.json")
    catalog = Catalog(url=path, asset_alternate="https", signer="planetary-computer")
    day = date(2026, 5, 27)
    (scene,) = search.search(over("55WFR"), start=day, end=day, catalogs=[("cdse", catalog)]).scenes
    part = scene.parts[0]
    assert (part.catalog, part.signer) == ("cdse", "planetary-computer")
    assert all(asset.href.startswith("https://download.dataspace") for _, asset in part.assets)


def test_d23_search_keeps_wholly_clouded_scenes(shared_data: Path) -> None:
    path = str(shared_data / "stac" / "stactools" / "items" / "S2B_T01CCV_20191228T210521_L2A.json")
    span = {"start": date(2019, 12, 1), "end": date(2020, 1, 31)}
    (scene,) = search.search(over("01CCV"), catalogs=[("x", Catalog(url=path))], **span).scenes
    assert scene.cloud_pct is not None
    assert scene.cloud_pct > 99.9


def test_resolve_name_url_and_file_give_catalogues(tmp_path: Path) -> None:
    known = config.load_catalogs(Path(__file__).parents[2] / "configs" / "catalogs.toml")
    assert search.resolve("earth-search", known) == ("earth-search", known["earth-search"])
    url = known["planetary-computer"].url + "/"
    assert search.resolve(url, known) == (url, known["planetary-computer"])
    assert search.resolve("https://stac.test/", {})[1].collections == ("sentinel-2-l2a",)
    path = str(saved(tmp_path, []))
    assert search.resolve(path, known) == (path, Catalog(url=path))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("earth-serch", "did you mean 'earth-search'"),
        ("items.json", "no such file"),
        ("a/b", "no such file"),
        ("zzz", "known names"),
        ("https://", "names no host"),
        ("https://stac.test:80a", "names no host"),
    ],
)
def test_resolve_of_something_unknown_names_the_remedy(spec: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        search.resolve(spec, {"earth-search": Catalog(url="https://stac.test")})
