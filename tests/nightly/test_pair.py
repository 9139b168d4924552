import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from pipeline.errors import RasterError
from pipeline.nightly import pair, run
from pipeline.nightly.pair import PairOptions
from pipeline.sensors import BANDS

FOREST = np.array([280, 480, 330, 2900, 1500, 700], np.float32)
SOIL = np.array([900, 1250, 1700, 2500, 3400, 2700], np.float32)
OPTIONS = PairOptions(run.BUILT_IN_WEIGHTS / "vanwatch-s")
HERE = rasterio.Affine(10, 0, 500000, 0, -10, 2200000)
DEGREES = rasterio.Affine(1e-4, 0, 80, 0, -1e-4, 20)
Write = Callable[..., Path]


def forest(seed: int) -> NDArray[np.uint16]:
    """(band, y, x) DN of a wood 2.56 km wide."""
    noise = np.random.default_rng(seed).normal(1, 0.03, (6, 256, 256))
    return (FOREST[:, None, None] * noise).astype(np.uint16)


def cleared(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The same with a clearing of 20 x 20 px."""
    changed = values.copy()
    changed[:, 100:120, 60:80] = SOIL[:, None, None] * np.random.default_rng(3).normal(1, 0.05, (6, 20, 20))
    return changed


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_one(name: str, values: NDArray[Any], names: tuple[str, ...] = BANDS, **profile: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        settings = {
            "crs": "EPSG:32644",
            "transform": rasterio.Affine(10, 0, 500000, 0, -10, 2200000),
            "nodata": None,
            **profile,
        }
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            dtype=values.dtype,
            count=len(values),
            height=values.shape[1],
            width=values.shape[2],
            **settings,
        ) as target:
            target.write(values)
            target.descriptions = names
        return path

    return write_one


def test_detect_finds_a_clearing_where_it_is(write: Write, tmp_path: Path) -> None:
    options = PairOptions(OPTIONS.weights, seen=date(2026, 5, 1))
    report = pair.detect(write("b.tif", forest(1)), write("a.tif", cleared(forest(2))), tmp_path / "out", options)
    found = json.loads((tmp_path / "out" / "alerts.geojson").read_text())["features"]
    assert report.alerts == {"clearing": 1}
    assert found[0]["properties"]["area_ha"] == pytest.approx(4.0, rel=0.15)
    assert found[0]["properties"]["first_seen"] == "2026-05-01"
    assert found[0]["properties"]["mgrs"] == "44QNG"


def test_detect_swapped_dates_find_no_clearing(write: Write, tmp_path: Path) -> None:
    report = pair.detect(write("b.tif", cleared(forest(1))), write("a.tif", forest(2)), tmp_path / "out", OPTIONS)
    assert report.alerts.get("clearing", 0) == 0


def test_detect_bands_in_another_order_by_common_name_give_the_same_alerts(write: Write, tmp_path: Path) -> None:
    before, after = forest(1), cleared(forest(2))
    names = ("swir22", "nir", "red", "green", "blue", "swir16")
    order = [5, 3, 2, 1, 0, 4]
    pair.detect(write("1/b.tif", before), write("1/a.tif", after), tmp_path / "one", OPTIONS)
    pair.detect(
        write("2/b.tif", before[order], names), write("2/a.tif", after[order], names), tmp_path / "two", OPTIONS
    )
    one, two = (rasterio.open(tmp_path / n / "change.tif") for n in ("one", "two"))
    with one, two:
        assert np.array_equal(one.read(), two.read(), equal_nan=True)


def test_detect_float_reflectance_equals_uint16(write: Write, tmp_path: Path) -> None:
    before, after = forest(1), cleared(forest(2))
    floats = [(v * 1e-4).astype(np.float32) for v in (before, after)]
    pair.detect(write("1/b.tif", before), write("1/a.tif", after), tmp_path / "one", OPTIONS)
    pair.detect(write("2/b.tif", floats[0]), write("2/a.tif", floats[1]), tmp_path / "two", OPTIONS)
    one, two = (rasterio.open(tmp_path / n / "change.tif") for n in ("one", "two"))
    with one, two:
        assert np.allclose(one.read(), two.read(), atol=1e-3, equal_nan=True)


def test_detect_unobserved_pixels_are_nan_and_never_alerts(write: Write, tmp_path: Path) -> None:
    before, after = forest(1), cleared(forest(2))
    after[:, 90:130, 50:90] = 0
    report = pair.detect(write("b.tif", before), write("a.tif", after), tmp_path / "out", OPTIONS)
    with rasterio.open(tmp_path / "out" / "change.tif") as source:
        assert np.isnan(source.read()[:, 95:125, 55:85]).all()
        assert np.isfinite(source.read()[:, 200:, 200:]).all()
    assert report.alerts == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"transform": HERE @ rasterio.Affine.translation(1, 0)},
            r"a\.tif: its grid differs from that of .*b\.tif",
        ),
        ({"transform": HERE @ rasterio.Affine.scale(2)}, r"a\.tif: pixels must be 10 m .*gdalwarp"),
        (
            {"crs": "EPSG:4326", "transform": rasterio.Affine(1e-4, 0, 80, 0, -1e-4, 20)},
            r"a\.tif: needs a projected CRS",
        ),
        (
            {"crs": "EPSG:3857", "transform": rasterio.Affine(10, 0, 1e6, 0, -10, 6e6)},
            r"a\.tif: pixels are 6\.8 x 6\.8 m on the ground in EPSG:3857, .*gdalwarp",
        ),
        (
            {"crs": "EPSG:2263", "transform": rasterio.Affine(10, 0, 9e5, 0, -10, 2e5)},
            r"a\.tif: pixels are 3\.0 x 3\.0 m on the ground in EPSG:2263, .*gdalwarp",
        ),
        ({"transform": HERE @ rasterio.Affine.translation(1e7, 1e7)}, r"a\.tif: lies where EPSG:32644 has no ground"),
        ({"names": ("B02", "B03", "B04", "B08", "B11", "")}, r"a\.tif: band B12 \(swir22\) is missing.*--bands"),
        ({"names": ("B02", "B02", "B04", "B08", "B11", "B12")}, r"band B02 \(blue\) is there twice"),
        ({"values": forest(2).astype(np.int16)}, r"a\.tif: type int16 .*gdal_translate"),
        ({"values": forest(2).astype(np.float32)}, r"a\.tif: values must be reflectance"),
    ],
)
def test_detect_wrong_input_names_file_and_remedy(
    write: Write, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    values = change.pop("values", forest(2))
    names = change.pop("names", BANDS)
    before, after = write("b.tif", forest(1)), write("a.tif", values, names, **change)
    with pytest.raises(RasterError, match=message):
        pair.detect(before, after, tmp_path / "out", OPTIONS)
    assert not (tmp_path / "out").exists()


def test_read_a_nodata_value_that_the_file_declares_is_missing_whatever_the_type(write: Write) -> None:
    values = forest(1)
    values[:, :10], values[:, 10:20] = 65535, 0
    found = pair.read(write("whole.tif", values, nodata=65535), ()).reflectance
    assert np.isnan(found[:, :20]).all()
    assert np.isfinite(found[:, 20:]).all()
    floats = (values * 1e-4).astype(np.float64)
    floats[:, :10], floats[:, 10:20] = np.finfo(np.float64).min, np.nan
    found = pair.read(write("float.tif", floats, nodata=float(np.finfo(np.float64).min)), ()).reflectance
    assert np.isnan(found[:, :20]).all()
    assert np.isfinite(found[:, 20:]).all()


@pytest.mark.parametrize("value", [-9999, -np.inf, np.inf])
def test_read_missing_pixels_of_a_value_that_the_file_does_not_declare_are_refused(write: Write, value: float) -> None:
    values = (forest(1) * 1e-4).astype(np.float32)
    values[:, :10] = value
    with pytest.raises(RasterError, match=rf"a\.tif: values must be reflectance .*{value:g}.*-a_nodata"):
        pair.read(write("a.tif", values), ())


def test_read_scale_and_offset_of_the_file_give_the_same_reflectance(write: Write) -> None:
    values = forest(1)
    values[:, :10] = 0
    shifted = write("shifted.tif", np.where(values == 0, 0, values + 1000).astype(np.uint16))
    with rasterio.open(shifted, "r+") as target:
        target.scales, target.offsets = [1e-4] * 6, [-0.1] * 6
    plain = pair.read(write("plain.tif", values), ()).reflectance
    assert np.allclose(pair.read(shifted, ()).reflectance, plain, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("bands", [("", *BANDS), BANDS[:5]])
def test_detect_bands_that_are_not_as_many_as_the_file_has_are_refused(
    write: Write, tmp_path: Path, bands: tuple[str, ...]
) -> None:
    before, after = write("b.tif", forest(1)), write("a.tif", forest(2))
    with pytest.raises(RasterError, match=rf"b\.tif: has 6 bands, and --bands names {len(bands)}"):
        pair.detect(before, after, tmp_path / "out", PairOptions(OPTIONS.weights, bands))


def test_detect_grids_that_differ_by_rounding_alone_are_one_grid(write: Write, tmp_path: Path) -> None:
    rounded = rasterio.Affine(10 + 1e-9, 0, 500000 + 1e-7, 0, -10 - 1e-9, 2200000)
    before, after = write("b.tif", forest(1)), write("a.tif", cleared(forest(2)), transform=rounded)
    assert pair.detect(before, after, tmp_path / "out", OPTIONS).alerts == {"clearing": 1}


def test_detect_never_writes_over_an_image_that_it_was_given(write: Write, tmp_path: Path) -> None:
    before, after = write("before.tif", forest(1)), write("change.tif", forest(2))
    whole = after.read_bytes()
    with pytest.raises(RasterError, match=r"change\.tif: is given as an image, and would be overwritten"):
        pair.detect(before, after, tmp_path, OPTIONS)
    assert after.read_bytes() == whole


def test_detect_into_the_current_folder_bears_its_name(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = write("b.tif", forest(1)), write("a.tif", cleared(forest(2)))
    (tmp_path / "found").mkdir()
    monkeypatch.chdir(tmp_path / "found")
    assert pair.detect(before, after, Path(), OPTIONS).name == "found"
    features = json.loads((tmp_path / "found" / "alerts.geojson").read_text())["features"]
    assert [feature["properties"]["aoi"] for feature in features] == ["found"]


def test_detect_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tif")
    with pytest.raises(RasterError, match=r"a\.tif: is a pipe; give the path of a GeoTIFF"):
        pair.read(tmp_path / "a.tif", ())


@pytest.mark.parametrize("content", [b"", b"no raster", b"II*\x00\x08\x00"])
def test_detect_broken_file_names_it(write: Write, tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.tif"
    broken.write_bytes(content)
    with pytest.raises(RasterError, match=r"broken\.tif: not readable"):
        pair.detect(broken, write("a.tif", forest(2)), tmp_path / "out", OPTIONS)


def test_detect_folder_one_broken_pair_is_recorded_and_the_rest_is_done(write: Write, tmp_path: Path) -> None:
    for name in ("p1", "p2"):
        write(f"pairs/{name}/before.tif", forest(1))
        write(f"pairs/{name}/after.tif", cleared(forest(2)))
    (tmp_path / "pairs" / "p1" / "after.tif").write_bytes(b"no raster")
    reports = pair.detect_folder(tmp_path / "pairs", tmp_path / "out", OPTIONS)
    assert [bool(report.error) for report in reports] == [True, False]
    assert (tmp_path / "out" / "p2" / "alerts.geojson").exists()


def test_detect_folder_half_a_pair_is_recorded_whichever_half_it_is(write: Write, tmp_path: Path) -> None:
    write("pairs/p1/before.tif", forest(1))
    write("pairs/p2/after.tif", forest(1))
    (tmp_path / "pairs" / "notes").mkdir()
    first, second = pair.detect_folder(tmp_path / "pairs", tmp_path / "out", OPTIONS)
    assert (first.name, second.name) == ("p1", "p2")
    assert f"{tmp_path}/pairs/p1/after.tif: not readable" in first.error
    assert f"{tmp_path}/pairs/p2/before.tif: not readable" in second.error


def test_detect_folder_other_endings_of_the_names_of_geotiffs_count(write: Write, tmp_path: Path) -> None:
    for name, ending in (("p1", "tiff"), ("p2", "TIF")):
        write(f"pairs/{name}/before.{ending}", forest(1))
        write(f"pairs/{name}/after.{ending}", cleared(forest(2)))
    reports = pair.detect_folder(tmp_path / "pairs", tmp_path / "out", OPTIONS)
    assert [(report.name, report.alerts) for report in reports] == [("p1", {"clearing": 1}), ("p2", {"clearing": 1})]


def test_detect_folder_two_images_of_one_name_are_told(write: Write, tmp_path: Path) -> None:
    for name in ("before.tif", "after.tif", "after.tiff"):
        write(f"pairs/p1/{name}", forest(1))
    (report,) = pair.detect_folder(tmp_path / "pairs", tmp_path / "out", OPTIONS)
    assert report.error == f"{tmp_path}/pairs/p1/after.tiff: lies beside after.tif; move one of them away"


def test_detect_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RasterError, match=r"holds no <id>/before\.tif and <id>/after\.tif"):
        pair.detect_folder(tmp_path, tmp_path / "out", OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["portugal", "czech"])
def test_detect_folder_of_real_pairs_runs_to_the_end(shared_data: Path, tmp_path: Path, name: str) -> None:
    reports = pair.detect_folder(shared_data / "pairs" / name, tmp_path, OPTIONS)
    assert [report.error for report in reports] == [""] * {"portugal": 5, "czech": 109}[name]
    assert all((tmp_path / report.name / "change.tif").exists() for report in reports)
    if name == "czech":
        assert sum(report.alerts.get("clearing", 0) > 0 for report in reports) > 60
