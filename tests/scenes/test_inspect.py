from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy import ndimage
from shapely import box

from pipeline import config, grid
from pipeline.errors import SceneError
from pipeline.grid import Window
from pipeline.scenes import inspect, samples
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Part, Scene

WIDE = Window(0, 0, 8 * samples.WINDOW_PX, 8 * samples.WINDOW_PX)
PLACE = Window(976, 8290, 379, 381)
CLEAR = ("20210716", "20210721", "20220601", "20200914", "20200621")


@pytest.fixture
def scenes(series: Any) -> dict[str, Scene]:
    found: dict[str, Scene] = series("boadella")
    return found


@pytest.fixture
def read(store: BlockStore) -> Any:
    granule = grid.granule("31TDG")
    windows = inspect.sample_windows(granule, box(*granule.window_bounds(PLACE)))
    return lambda scene: inspect.read_samples(scene, windows, store=store)


@pytest.fixture
def known(scenes: Any, read: Any) -> inspect.Reference:
    found = inspect.reference([read(scenes[day]) for day in CLEAR])
    assert found is not None
    return found


@pytest.fixture
def remade(scenes: Any, writer: Any, read: Any) -> Any:
    """A real date written anew: DN added, moved, with another baseline and flag."""

    def make(day: str, *, added: int = 0, by: tuple[float, float] = (0, 0), **facts: Any) -> inspect.Samples:
        bands: dict[str, NDArray[Any]] = {}
        for band, asset in scenes[day].parts[0].assets:
            with rasterio.open(asset.href) as file:
                values = file.read(1).astype(float)
            if any(by):
                values = np.where(values > 0, ndimage.shift(values, by, order=3, mode="nearest"), 0)
            bands[band] = np.where(values > 0, np.clip(values + added, 1, 65535).round(), 0).astype(np.uint16)
        writer.granule = grid.granule("31TDG")
        return read(writer.scene(writer.part(bands, at=(PLACE.row, PLACE.col), **facts)))  # type: ignore[no-any-return]

    return make


def test_inspect_real_clear_scene_is_accepted(scenes: Any, read: Any, known: Any, profile: config.Profile) -> None:
    found = inspect.inspect(read(scenes["20220308"]), known, profile=profile)
    assert [(each.dn, each.method) for each in found.offsets] == [(0, "baseline")]
    assert found.shift.length_px < 1.0
    assert found.scene is scenes["20220308"]


@pytest.mark.parametrize("hint", [None, 0, -1000])
@pytest.mark.parametrize("added", [0, 1000])
def test_d1_inspect_same_pixels_with_and_without_offset(
    remade: Any, known: Any, profile: config.Profile, added: int, hint: int | None
) -> None:
    made = remade("20220601", added=added, baseline="05.11", offset_hint=hint)
    found = inspect.inspect(made, known, profile=profile)
    assert found.offsets[0].dn == -added


def test_d2_inspect_unknown_baseline_is_quarantined(remade: Any, known: Any, profile: config.Profile) -> None:
    with pytest.raises(SceneError, match="quarantined"):
        inspect.inspect(remade("20220601", baseline=""), known, profile=profile)


def test_d19_inspect_shifted_scene_is_corrected_or_refused(remade: Any, known: Any, profile: config.Profile) -> None:
    base = inspect.inspect(remade("20210716"), known, profile=profile).shift
    found = inspect.inspect(remade("20210716", by=(0.7, -0.5), item_id="b"), known, profile=profile).shift
    assert found.corrected
    assert np.hypot(found.row_px - base.row_px - 0.7, found.col_px - base.col_px + 0.5) < 0.1
    with pytest.raises(SceneError, match="refuse_above_px"):
        inspect.inspect(remade("20210716", by=(2.0, 0.0), item_id="c"), known, profile=profile)


def test_inspect_limits_come_from_the_profile(remade: Any, known: Any, profile: config.Profile) -> None:
    made = remade("20210716", by=(2.0, 0.0))
    wide = profile.model_copy(update={"register_": config.Register(refuse_above_px=5.0)})
    assert inspect.inspect(made, known, profile=wide).shift.corrected
    blunt = profile.model_copy(update={"register_": config.Register(correct_above_px=4.0, refuse_above_px=5.0)})
    assert not inspect.inspect(made, known, profile=blunt).shift.corrected


def test_inspect_without_reference_goes_on_unmoved(scenes: Any, read: Any, profile: config.Profile) -> None:
    found = inspect.inspect(read(scenes["20210716"]), None, profile=profile)
    assert (found.shift.length_px, found.shift.evidence) == (0, "no reference")


def wide_windows() -> tuple[tuple[Window, ...], tuple[Window, ...]]:
    """The sample windows of an area that has more than these, and its other windows."""
    granule = grid.granule("31TDG")
    area = box(*granule.window_bounds(WIDE))
    return inspect.sample_windows(granule, area), inspect.other_windows(granule, area)


def clouded_but(writer: Any, shown: Iterable[Window], extent: Window, name: str = "item") -> Part:
    """A part with the offset in, clear on some windows alone."""
    rng = np.random.default_rng(1)
    bands: dict[str, NDArray[Any]] = {}
    for band in samples.BANDS:
        step = 2 if band == "B12" else 1
        bands[band] = rng.integers(1300, 2500, (extent.height // step, extent.width // step)).astype(np.uint16)
    scl = np.full((extent.height // 2, extent.width // 2), 9, np.uint8)
    for window in shown:
        if window.clipped(extent) == window:
            scl[tuple(slice(s.start // 2, s.stop // 2) for s in window.within(extent))] = 4
    writer.granule = grid.granule("31TDG")
    facts = {"baseline": "05.11", "offset_hint": -1000, "item_id": name}
    part: Part = writer.part(bands | {"SCL": scl}, at=(extent.row, extent.col), **facts)
    return part


def test_elsewhere_clouded_samples_are_judged_by_the_clearest_other_windows(
    writer: Any, store: BlockStore, profile: config.Profile
) -> None:
    """The offset is in; clouds lie over all but one corner, in which no sample window lies."""
    windows, others = wide_windows()
    assert (len(windows), len(others), set(windows) & set(others)) == (9, 64 - 9, set())
    corner = others[-1]
    scene = writer.scene(clouded_but(writer, [corner], WIDE))
    found = inspect.inspect(inspect.read_samples(scene, windows, store=store), None, profile=profile)
    assert not found.offsets[0].verified
    again = inspect.elsewhere(found, others, store=store)
    assert (again.offsets[0].dn, again.offsets[0].method) == (-1000, "pixels")
    assert samples.clearest(scene, others, store=store) == (corner,)
    clouded = inspect.elsewhere(found, [window for window in others if window != corner], store=store)
    assert clouded.offsets == found.offsets


def test_elsewhere_leaves_parts_alone_that_are_verified(
    writer: Any, store: BlockStore, profile: config.Profile
) -> None:
    """The northern part is clear on sample windows alone, the southern one on others alone."""
    windows, others = wide_windows()
    half = WIDE.height // 2
    north, south = (Window(row, 0, half, WIDE.width) for row in (0, half))
    parts = [clouded_but(writer, windows, north, "north"), clouded_but(writer, others, south, "south")]
    found = inspect.inspect(inspect.read_samples(writer.scene(*parts), windows, store=store), None, profile=profile)
    assert [each.verified for each in found.offsets] == [True, False]
    again = inspect.elsewhere(found, others, store=store)
    assert again.offsets[0] is found.offsets[0]
    assert (again.offsets[1].dn, again.offsets[1].method) == (-1000, "pixels")


def test_inspect_twice_is_the_same(scenes: Any, read: Any, known: Any, profile: config.Profile) -> None:
    one, two = (inspect.inspect(read(scenes["20200128"]), known, profile=profile) for _ in range(2))
    assert one == two


def test_inspect_other_windows_are_a_bug_of_the_caller(
    scenes: Any, read: Any, known: Any, store: BlockStore, profile: config.Profile
) -> None:
    other = inspect.read_samples(scenes["20210716"], [Window(0, 0, 512, 512)], store=store)
    with pytest.raises(ValueError, match="other windows than the reference"):
        inspect.inspect(other, known, profile=profile)
    with pytest.raises(ValueError, match="sampled on other windows"):
        inspect.reference([read(scenes["20210721"]), other])


def test_reference_is_the_median_of_the_scenes(scenes: Any, read: Any, known: Any) -> None:
    stack = np.stack([samples.reflectance(read(scenes[day]), [0]) for day in CLEAR])
    seen = np.isfinite(stack).any(axis=0)
    assert np.isnan(known.median[~seen]).all()
    assert np.allclose(known.median[seen], np.nanmedian(stack[:, seen], axis=0), atol=1e-6)
    assert known.scene_ids == tuple(scenes[day].scene_id for day in CLEAR)


def test_reference_leaves_out_scenes_of_doubtful_offset(remade: Any, read: Any, scenes: Any) -> None:
    doubtful = remade("20220601", added=1000, baseline="05.11", offset_hint=0)
    sure = read(scenes["20210716"])
    found = inspect.reference([doubtful, sure])
    assert found is not None
    assert found.scene_ids == (sure.scene.scene_id,)
    assert inspect.reference([doubtful]) is None
    assert inspect.reference([]) is None
