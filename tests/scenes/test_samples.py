from typing import Any

import numpy as np
import pytest
from shapely import box

from pipeline.errors import ReadError, SceneError
from pipeline.grid import Window
from pipeline.scenes import samples
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Reason


def area(granule: Any, window: Window) -> Any:
    return box(*granule.window_bounds(window))


def test_sample_windows_small_area_takes_the_windows_it_touches(granule: Any) -> None:
    assert samples.sample_windows(granule, area(granule, Window(600, 600, 10, 10))) == (Window(512, 512, 512, 512),)
    found = samples.sample_windows(granule, area(granule, Window(1000, 0, 100, 600)))
    assert found == tuple(Window(row, col, 512, 512) for row in (512, 1024) for col in (0, 512))


def test_sample_windows_large_area_is_nine_apart_from_each_other(granule: Any) -> None:
    found = samples.sample_windows(granule, area(granule, granule.window))
    assert len(set(found)) == 9
    assert found == samples.sample_windows(granule, area(granule, granule.window))
    places = np.array([(w.row, w.col) for w in found])
    gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert gaps[~np.eye(9, dtype=bool)].min() > 2500
    assert {w.row % 512 for w in found} == {w.col % 512 for w in found} == {0}


def test_sample_windows_only_where_the_area_is(granule: Any) -> None:
    split = area(granule, Window(0, 0, 600, 600)).union(area(granule, Window(5120, 5120, 400, 400)))
    found = samples.sample_windows(granule, split)
    assert Window(5120, 5120, 512, 512) in found
    assert len(found) == 5


@pytest.fixture
def bands() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    sides = {"B02": 400, "B03": 400, "B04": 400, "B08": 400, "B11": 200, "B12": 200}
    found = {band: rng.integers(100, 2000, (side, side)).astype(np.uint16) for band, side in sides.items()}
    return found | {"SCL": np.full((200, 200), 4, np.uint8)}


def test_read_samples_bands_at_their_place(writer: Any, store: BlockStore, bands: Any) -> None:
    scene = writer.scene(writer.part(bands, at=(600, 700)))
    found = samples.read_samples(scene, [Window(512, 512, 512, 512)], store=store)
    digital = found.parts[0].digital[0]
    assert np.array_equal(digital[0, 88:488, 188:], bands["B02"][:, :324])
    assert np.array_equal(digital[3, 88:488, 188:], bands["B12"].repeat(2, 0).repeat(2, 1)[:, :324])
    assert (found.parts[0].reason[0, :88] == Reason.NODATA).all()


def test_d23_clear_share_counts_what_the_files_cover(writer: Any, store: BlockStore, bands: Any) -> None:
    bands["SCL"][:50] = 9
    bands["SCL"][50:100] = 0
    scene = writer.scene(writer.part(bands, at=(512, 512)))
    found = samples.read_samples(scene, [Window(512, 512, 512, 512), Window(0, 0, 512, 512)], store=store)
    assert found.clear_pct == pytest.approx(50)
    far = samples.read_samples(scene, [Window(5120, 0, 512, 512)], store=store)
    assert far.clear_pct == 0


def test_read_samples_without_classification_counts_white_as_cloud(writer: Any, store: BlockStore, bands: Any) -> None:
    del bands["SCL"]
    bands["B02"][:100] = bands["B04"][:100] = 5000
    bands["B04"][100:200] = 5000  # bright red ground
    found = samples.read_samples(writer.scene(writer.part(bands)), [Window(0, 0, 512, 512)], store=store)
    assert found.clear_pct == pytest.approx(75)


def test_read_samples_lacks_b12_goes_on_lacks_b08_is_refused(writer: Any, store: BlockStore, bands: Any) -> None:
    del bands["B12"]
    windows = [Window(0, 0, 512, 512)]
    assert not samples.read_samples(writer.scene(writer.part(bands)), windows, store=store).parts[0].digital[0, 3].any()
    del bands["B08"]
    with pytest.raises(SceneError, match="lacks band B08"):
        samples.read_samples(writer.scene(writer.part(bands, item_id="b")), windows, store=store)


def test_d11_read_samples_failed_read_is_raised(writer: Any, store: BlockStore, bands: Any) -> None:
    part = writer.part(bands)
    (writer.folder / "item" / "SCL.tif").unlink()
    with pytest.raises(ReadError, match="no such file"):
        samples.read_samples(writer.scene(part), [Window(0, 0, 512, 512)], store=store)


def test_reflectance_of_parts_fill_each_other_with_their_own_offset(writer: Any, store: BlockStore, bands: Any) -> None:
    other = {band: values.copy() for band, values in bands.items()}
    bands["B04"][:300] = 0
    bands["SCL"][150:175] = 8
    scene = writer.scene(writer.part(bands), writer.part(other, item_id="two"))
    found = samples.read_samples(scene, [Window(0, 0, 512, 512)], store=store)
    values = samples.reflectance(found, [0, -1000])[0, :, :400, :400]
    assert np.allclose(values[0][:350], (other["B02"][:350].astype(float) - 1000) * 1e-4)
    assert np.allclose(values[0][350:], bands["B02"][350:] * 1e-4)
    assert np.isnan(samples.reflectance(found, [0, -1000])[0, :, 400:]).all()
