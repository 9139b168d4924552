from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline import grid
from pipeline.errors import SceneError
from pipeline.grid import GRANULE_PX, Window
from pipeline.scenes import digital
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Asset, Part


def part_of(band: str, href: Path | str) -> Part:
    return Part("item", "test", "sentinel-2-l2a", "", "02.00", None, None, ((band, Asset(str(href))),))


def placed(window: Window, step: int = 1) -> NDArray[np.uint16]:
    """Pixels that know where they are on the granule's 10 m grid (their upper left corner); never 0."""
    rows = (window.row + step * np.arange(window.height // step))[:, None]
    cols = (window.col + step * np.arange(window.width // step))[None]
    return (1 + rows % 250 * 250 + cols % 250).astype(np.uint16)


CROP = Window(901, 1303, 400, 600)  # odd on purpose
windows = st.builds(Window, st.integers(700, 1500), st.integers(1100, 2100), st.integers(1, 90), st.integers(1, 90))


@given(window=windows)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_read_band_crop_of_the_grid_gives_each_pixel_its_place(
    writer: Any, store: BlockStore, window: Window, granule: Any
) -> None:
    path = writer.folder / "a.tif"
    if not path.exists():
        writer.file("a.tif", placed(CROP), at=(CROP.row, CROP.col))
    found = digital.read_band(part_of("B02", path), granule, window, "B02", store)
    assert found is not None
    expected = np.zeros(window.shape, np.uint16)
    inside = window.clipped(CROP)
    if not inside.empty:
        expected[inside.within(window)] = placed(inside)
    assert np.array_equal(found.nearest(window), expected)
    assert (found.row, found.col, found.step) == (window.row, window.col, 1)


@pytest.mark.parametrize("origin", [(0, 0), (1, 0), (1, 1), (300, 201)])
@given(window=st.builds(Window, *[st.integers(-40, 700)] * 2, st.integers(1, 50), st.integers(1, 50)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_read_band_20m_file_on_even_and_odd_origins(
    writer: Any, store: BlockStore, granule: Any, origin: tuple[int, int], window: Window
) -> None:
    cover = Window(*origin, 400, 300)
    path = writer.folder / f"{origin}.tif"
    if not path.exists():
        writer.file(path.name, placed(cover, 2), at=origin, step=2)
    found = digital.read_band(part_of("B11", path), granule, window, "B11", store)
    assert found is not None
    assert found.step == 2
    assert (found.row - origin[0]) % 2 == (found.col - origin[1]) % 2 == 0
    fine = np.zeros((1000, 1000), np.uint16)  # starts at pixel -50
    fine[50 + origin[0] : 450 + origin[0], 50 + origin[1] : 350 + origin[1]] = (
        placed(cover, 2).repeat(2, 0).repeat(2, 1)
    )
    row, col = window.row + 50, window.col + 50
    assert np.array_equal(found.nearest(window), fine[row : row + window.height, col : col + window.width])


def test_read_band_beyond_the_granule_is_no_data(writer: Any, store: BlockStore, granule: Any) -> None:
    href = writer.file("a.tif", placed(Window(0, 0, 300, 300)))
    found = digital.read_band(part_of("B02", href), granule, Window(-20, -20, 40, 40), "B02", store)
    assert found is not None
    assert (found.values != 0).sum() == 400
    far = digital.read_band(part_of("B02", href), granule, Window(GRANULE_PX, 0, 9, 9), "B02", store)
    assert far is not None
    assert not far.values.any()


def test_read_band_absent_asset_is_none(store: BlockStore, granule: Any) -> None:
    assert digital.read_band(part_of("B02", "x.tif"), granule, Window(0, 0, 1, 1), "B12", store) is None
    assert digital.extent(part_of("B02", "x.tif"), granule, "B12", store) is None


def test_read_band_other_nodata_becomes_0(writer: Any, store: BlockStore, granule: Any) -> None:
    values = np.array([[7, 65535], [8, 9]], np.uint16).repeat(80, 0).repeat(80, 1)
    href = writer.file("a.tif", values, nodata=65535)
    found = digital.read_band(part_of("B02", href), granule, Window(0, 0, 160, 160), "B02", store)
    assert found is not None
    assert np.array_equal(found.values, np.where(values == 65535, 0, values))


def test_extent_is_the_place_of_the_file(writer: Any, store: BlockStore, granule: Any) -> None:
    href = writer.file("a.tif", placed(Window(0, 0, 400, 300), 2), at=(31, 40), step=2)
    assert digital.extent(part_of("B11", href), granule, "B11", store) == Window(31, 40, 400, 300)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": 10}, r"item: B02: pixels of 100 m x 100 m, expected 10 m or 20 m.*full-resolution"),
        ({"step": 1.5}, "pixels of 15 m"),
        ({"at": (0.5, 0)}, "not at a whole 10 m pixel; use files that were cut, not warped"),
        ({"crs": "EPSG:32632"}, "the file is in EPSG:32632, granule 31UDS in EPSG:32631"),
    ],
)
def test_read_band_file_off_the_lattice_is_refused(
    writer: Any, store: BlockStore, granule: Any, options: dict[str, Any], message: str
) -> None:
    href = writer.file("a.tif", placed(Window(0, 0, 300, 300)), **options)
    with pytest.raises(SceneError, match=message):
        digital.read_band(part_of("B02", href), granule, Window(0, 0, 9, 9), "B02", store)


def test_read_band_reflectance_file_is_refused(writer: Any, store: BlockStore, granule: Any) -> None:
    href = writer.file("a.tif", np.full((300, 300), 0.1, np.float32))
    with pytest.raises(SceneError, match="pixels are float32"):
        digital.read_band(part_of("B02", href), granule, Window(0, 0, 9, 9), "B02", store)


def test_read_band_real_reduced_file_is_refused(shared_data: Path, store: BlockStore) -> None:
    folder = shared_data / "cog" / "29RKH" / "S2A_29RKH_20200219_0_L2A"
    with pytest.raises(SceneError, match=r"B02: pixels of 100 m"):
        digital.read_band(part_of("B02", folder / "B02.tif"), grid.granule("29RKH"), Window(0, 0, 9, 9), "B02", store)


def test_read_band_real_series_lie_where_they_are(series: Any, store: BlockStore) -> None:
    for site, place in (("worldcereal-a", Window(7032, 10140, 64, 64)), ("boadella", Window(976, 8290, 379, 381))):
        scene = next(iter(series(site).values()))
        for band in ("B02", "B12"):
            assert digital.extent(scene.parts[0], scene.granule, band, store) == place
