"""Known sub-pixel shifts of real images: other dates of the reservoir, other dates of the Portuguese strip."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy import ndimage

from pipeline import config
from pipeline.errors import SceneError
from pipeline.scenes import registration
from pipeline.schema import Shift

RULES = config.Register()
MEASURE = config.Register(correct_above_px=5.0, refuse_above_px=10.0)  # reports whatever it measures
SHIFTS = [(0.4, -0.3), (-0.7, 0.6), (0.3, 0.0), (1.2, 0.8)]


@pytest.fixture
def reservoir(series: Any) -> Any:
    scenes = series("boadella")

    def load(day: str) -> NDArray[np.float32]:
        with rasterio.open(scenes[day].parts[0].asset("B08").href) as file:
            values = file.read(1)
        return np.where(values > 0, values * np.float32(1e-4), np.nan).astype(np.float32)

    return load


@pytest.fixture
def strip(shared_data: Path) -> Any:
    def load(number: int, which: str) -> NDArray[np.float32]:
        folder = sorted((shared_data / "pairs" / "portugal").glob("T*"))[number]
        with rasterio.open(folder / f"{which}.tif") as file:
            values = file.read(4)
        return np.where((values > 0) & (values < 65535), values * np.float32(1e-4), np.nan).astype(np.float32)

    return load


def moved(image: NDArray[np.float32], by: tuple[float, float]) -> NDArray[np.float32]:
    """What the sensor would have seen of `image` lying `by` further down and right."""
    filled = np.where(np.isfinite(image), image, np.nanmean(image))
    found = ndimage.shift(filled, by, order=5, mode="nearest").astype(np.float32)
    found[ndimage.shift(np.isnan(image).astype(float), by, order=1) > 0] = np.nan
    return found


def measure(nir: NDArray[np.float32], reference: NDArray[np.float32], rules: config.Register = MEASURE) -> Shift:
    return registration.measure("scene", nir[None], reference[None], rules=rules)


def error_px(one: Shift, other: Shift, by: tuple[float, float]) -> float:
    return float(np.hypot(one.row_px - other.row_px - by[0], one.col_px - other.col_px - by[1]))


@pytest.mark.parametrize("by", SHIFTS)
def test_measure_known_shift_of_the_same_image_is_recovered(reservoir: Any, by: tuple[float, float]) -> None:
    image = reservoir("20210716")
    assert error_px(measure(moved(image, by), image), Shift(0, 0, False, ""), by) < 0.05


@pytest.mark.parametrize("by", SHIFTS)
@pytest.mark.parametrize("days", [("20210716", "20210721"), ("20210716", "20220601"), ("20200128", "20200202")])
def test_measure_known_shift_of_another_date_is_recovered(
    reservoir: Any, days: tuple[str, str], by: tuple[float, float]
) -> None:
    reference, image = map(reservoir, days)
    assert error_px(measure(moved(image, by), reference), measure(image, reference), by) < 0.06


@pytest.mark.parametrize("number", range(5))
def test_measure_known_shift_between_seasons_of_the_strip_is_recovered(strip: Any, number: int) -> None:
    before, after = strip(number, "before"), strip(number, "after")
    base = measure(after, before)
    assert base.length_px > 0, base.evidence
    assert error_px(measure(moved(after, (0.6, -0.5)), before), base, (0.6, -0.5)) < 0.06


def test_measure_clouds_over_half_the_image_do_not_pull(reservoir: Any) -> None:
    reference, image = reservoir("20210716"), moved(reservoir("20210721"), (0.8, -0.6))
    whole = measure(image, reference)
    image[:170] = np.nan
    rows, cols = np.mgrid[: image.shape[0], : image.shape[1]]
    image[np.hypot(rows - 280, cols - 100) < 40] = np.nan
    assert error_px(measure(image, reference), whole, (0.0, 0.0)) < 0.1


def test_measure_small_shift_is_left_alone(reservoir: Any) -> None:
    image = reservoir("20210716")
    found = measure(moved(image, (0.1, -0.1)), image, RULES)
    assert not found.corrected
    assert 0.08 < found.length_px < 0.2


def test_d19_shift_above_a_quarter_pixel_is_corrected(reservoir: Any) -> None:
    image = reservoir("20210716")
    found = measure(moved(image, (0.5, -0.4)), image, RULES)
    assert found.corrected
    assert "correlation 0." in found.evidence


def test_d19_shift_of_two_pixels_is_refused(reservoir: Any) -> None:
    image = reservoir("20210716")
    with pytest.raises(SceneError, match=r"scene: shifted by 2\.0\d px, more than refuse_above_px = 1.5"):
        measure(moved(image, (2.0, 0.3)), image, RULES)


@pytest.mark.parametrize("day", ["20200113", "20200118", "20200123"])
def test_d20_hazy_and_clouded_scenes_are_not_moved_far(reservoir: Any, day: str) -> None:
    """They lie within a pixel of the others; what correlation sees in cloud must not move them."""
    found = measure(reservoir(day), reservoir("20200202"), RULES)
    assert found.length_px < 1.0, found


def test_d20_shadows_do_not_make_it_worse(reservoir: Any) -> None:
    reference, image = reservoir("20210716"), reservoir("20210721").copy()
    truth = measure(image, reference)
    rng = np.random.default_rng(4)
    rows, cols = np.mgrid[: image.shape[0], : image.shape[1]]
    for row, col in rng.integers(20, 360, (12, 2)):
        image[np.hypot(rows - row, cols - col) < 18] *= 0.4
    found = measure(image, reference)
    assert found.length_px == 0 or error_px(found, truth, (0, 0)) < 0.15


def test_d20_what_does_not_correlate_is_the_identity(reservoir: Any) -> None:
    image = reservoir("20210716")
    noise = np.random.default_rng(1).normal(0.3, 0.05, image.shape).astype(np.float32)
    for other in (noise, np.full_like(image, 0.02)):
        found = measure(other, image, RULES)
        assert (found.row_px, found.col_px, found.corrected) == (0, 0, False)
        assert found.evidence.startswith("unreliable")


def test_d20_windows_that_disagree_are_the_identity(reservoir: Any) -> None:
    image = reservoir("20210716")
    scene = np.stack([moved(image, by) for by in ((1.0, 1.0), (-1.0, -1.0), (1.0, -1.0))])
    found = registration.measure("scene", scene, np.stack([image] * 3), rules=RULES)
    assert (found.length_px, found.corrected) == (0, False)
    assert "px apart" in found.evidence


@pytest.mark.parametrize("shift_px", [(0.6, 0.6), (1.4, 1.4)])
def test_d20_correction_that_does_not_improve_is_the_identity(
    reservoir: Any, monkeypatch: pytest.MonkeyPatch, shift_px: tuple[float, float]
) -> None:
    """Nor is a scene refused for a shift, however far, that does not make it fit better."""
    image = reservoir("20210716")
    monkeypatch.setattr(registration, "_MIN_GAIN", 2.0)  # no correction can improve so much
    found = measure(moved(image, shift_px), image, RULES)
    assert (found.length_px, found.corrected) == (0, False)
    assert found.evidence.startswith("no better after correction")


def test_measure_windows_with_little_to_see_are_left_out(reservoir: Any) -> None:
    image = reservoir("20210716")
    sparse = moved(image, (1.2, 0.0))
    sparse[100:] = np.nan  # 26 % are left
    scene = np.stack([sparse, moved(image, (0.5, 0.0))])
    found = registration.measure("scene", scene, np.stack([image, image]), rules=RULES)
    assert found.row_px == pytest.approx(0.5, abs=0.05)
    assert "1 of 1 windows" in found.evidence
    alone = measure(sparse, image)
    assert alone.evidence == "unreliable: no sample window with enough clear pixels"


def test_measure_without_reference_is_the_identity(reservoir: Any) -> None:
    image = reservoir("20210716")[None]
    assert registration.measure("scene", image, None, rules=RULES) == Shift(
        0.0, 0.0, False, "no reference", measured=False
    )
