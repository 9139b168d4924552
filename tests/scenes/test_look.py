import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline import config
from pipeline.errors import SceneError
from pipeline.grid import GRANULE_PX, Window
from pipeline.scenes import look
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Asset, Inspected, Look, Offset, Part, Reason, Scene, Shift
from pipeline.sensors import BANDS

STILL = Shift(0.0, 0.0, False, "test")
SIZE = 320
AT = (2000, 3001)  # odd column: the 20 m files start between the granule's 20 m pixels
COVER = Window(*AT, SIZE, SIZE)


def inspected(scene: Scene, *offsets: int, shift: Shift = STILL) -> Inspected:
    decided = tuple(Offset(dn, "given", "test") for dn in offsets or (0,) * len(scene.parts))
    return Inspected(scene, decided, shift)


def bands(seed: int = 1, **changed: NDArray[Any]) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    found: dict[str, NDArray[Any]] = {}
    for band in BANDS:
        side = SIZE // 2 if band in ("B11", "B12") else SIZE
        found[band] = rng.integers(200, 4000, (side, side)).astype(np.uint16)
    found["SCL"] = np.full((SIZE // 2, SIZE // 2), 4, np.uint8)
    return found | changed


def classes(*marks: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A classification of vegetation with single pixels (row, col, class)."""
    values = np.full((SIZE // 2, SIZE // 2), 4, np.uint8)
    for row, col, code in marks:
        values[row, col] = code
    return values


@pytest.fixture
def read(writer: Any, store: BlockStore, profile: config.Profile) -> Any:
    def read_it(values: dict[str, NDArray[Any]], window: Window = COVER, shift: Shift = STILL, **facts: Any) -> Look:
        scene = writer.scene(writer.part(values, at=AT, **facts))
        return look.read_look(inspected(scene, shift=shift), window, store=store, profile=profile)

    return read_it


def test_read_look_clouded_part_is_cloud_and_its_bands_are_not_read(
    writer: Any, store: BlockStore, profile: config.Profile
) -> None:
    values = bands(SCL=classes((10, 10, 4), (20, 20, 9), (30, 30, 3), (40, 40, 11), (0, 0, 0)))
    part = writer.part(values, at=AT)
    for band in BANDS:
        Path(part.asset(band).href).unlink()
    scene = writer.scene(part)
    clouded = Inspected(scene, (Offset(0, "unverified", "test"),), STILL)
    found = look.read_look(clouded, COVER, store=store, profile=profile)
    assert np.isnan(found.reflectance).all()
    assert set(np.unique(found.reason)) <= {Reason.NODATA, Reason.CLOUD, Reason.SHADOW}
    assert (found.reason == Reason.CLOUD).mean() > 0.99
    assert found.reason[0, 0] == Reason.NODATA


def test_read_look_10m_bands_are_the_digital_numbers_scaled(read: Any) -> None:
    values = bands()
    found = read(values)
    for index, band in enumerate(BANDS[:4]):
        assert np.array_equal(found.reflectance[index], values[band].astype(np.float32) * np.float32(1e-4))
    assert not found.reason.any()
    assert found.reflectance.dtype == np.float32


def test_read_look_20m_bands_are_bilinear_between_pixel_centres(read: Any) -> None:
    rows, cols = np.mgrid[: SIZE // 2, : SIZE // 2]
    found = read(bands(B11=(1000 + 8 * rows + 4 * cols).astype(np.uint16)))
    fine_rows, fine_cols = (np.mgrid[:SIZE, :SIZE] - 0.5) / 2
    expected = (1000 + 8 * fine_rows + 4 * fine_cols) * 1e-4
    assert np.allclose(found.reflectance[4][1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-6)


def test_read_look_swir_file_at_10m_is_taken_as_it_is(read: Any) -> None:
    swir = np.random.default_rng(5).integers(1, 5000, (SIZE, SIZE)).astype(np.uint16)
    assert np.array_equal(read(bands(B12=swir)).reflectance[5], swir.astype(np.float32) * np.float32(1e-4))


windows = st.builds(Window, st.integers(1960, 2330), st.integers(2960, 3330), st.integers(1, 60), st.integers(1, 60))


@pytest.fixture
def patchy(writer: Any, store: BlockStore, profile: config.Profile) -> Any:
    """A scene of two parts with clouds, shadows and gaps, and one look around all of it, per shift."""
    rng = np.random.default_rng(8)
    parts = []
    for name in ("upper", "lower"):
        values = bands(
            11,
            SCL=rng.choice(
                [0, 3, 4, 5, 8, 9, 11, 1], (160, 160), p=[0, 0.01, 0.5, 0.46, 0.01, 0.01, 0.005, 0.005]
            ).astype(np.uint8),
        )
        for band, array in values.items():
            gap = rng.random(array.shape) < 0.02
            values[band] = np.where(gap & (band != "SCL"), 0, array).astype(array.dtype)
            half = array.shape[0] // 2
            values[band][half:] *= name == "lower"
            values[band][: half - 9] *= name == "upper" or band == "SCL"
        parts.append(writer.part(values, at=AT, item_id=name))
    scene = writer.scene(*parts)
    shifts = [STILL, Shift(0.4, -0.7, True, "test"), Shift(-1.3, 1.0, True, "test")]
    chosen = [inspected(scene, 0, -100, shift=shift) for shift in shifts]
    whole = Window(1900, 2900, 500, 500)
    return [(one, look.read_look(one, whole, store=store, profile=profile)) for one in chosen], store, profile


@given(window=windows, which=st.integers(0, 2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
def test_read_look_part_of_a_window_is_bit_for_bit_the_window(patchy: Any, window: Window, which: int) -> None:
    looks, store, profile = patchy
    chosen, whole = looks[which]
    found = look.read_look(chosen, window, store=store, profile=profile)
    assert found.pixels.identical(whole.cropped(window).pixels)


def test_read_look_patchy_scene_has_every_kind_of_pixel(patchy: Any) -> None:
    for _, found in patchy[0]:
        seen = {Reason(int(code)) for code in np.unique(found.reason)}
        assert seen == {Reason.CLEAR, Reason.NODATA, Reason.CLOUD, Reason.SHADOW, Reason.SNOW, Reason.SATURATED}
        assert np.isnan(found.reflectance[:, found.reason != 0]).all()
        assert np.isfinite(found.reflectance[:4, found.reason == 0]).all()


def test_read_look_beyond_granule_and_file_is_no_data(read: Any) -> None:
    found = read(bands(), Window(AT[0] - 30, AT[1] - 20, 50, 50))
    assert (found.reason[:30] == Reason.NODATA).all()
    assert (found.reason[:, :20] == Reason.NODATA).all()
    assert not found.reason[30:, 20:].any()
    assert (read(bands(), Window(GRANULE_PX - 5, -10, 20, 20)).reason == Reason.NODATA).all()


def test_d3_no_data_is_masked_before_the_offset(writer: Any, store: BlockStore, profile: config.Profile) -> None:
    values = bands()
    values["B04"][:10] = 0
    values["B03"][20, 20] = 400  # darker than the offset: negative, but not wrapped round and not missing
    scene = writer.scene(writer.part(values, at=AT))
    found = look.read_look(inspected(scene, -1000), COVER, store=store, profile=profile)
    assert (found.reason[:10] == Reason.NODATA).all()
    assert np.isnan(found.reflectance[:, :10]).all()
    assert found.reflectance[1, 20, 20] == pytest.approx(-0.06)
    assert np.nanmin(found.reflectance) >= -0.08 - 1e-6


def test_d3_same_reflectance_under_two_baselines_is_the_same_look(
    writer: Any, store: BlockStore, profile: config.Profile
) -> None:
    old = bands()
    new = {band: array if band == "SCL" else (array + 1000).astype(np.uint16) for band, array in old.items()}
    looks = [
        look.read_look(
            inspected(writer.scene(writer.part(values, at=AT, item_id=name)), offset),
            COVER,
            store=store,
            profile=profile,
        )
        for name, values, offset in (("old", old, 0), ("new", new, -1000))
    ]
    assert looks[0].pixels.equals(looks[1].pixels)


def test_read_look_missing_10m_band_hides_the_pixel_missing_swir_does_not(read: Any) -> None:
    values = bands()
    values["B08"][4, 5] = 0
    values["B11"][50, 50] = 0
    found = read(values)
    assert found.reason[4, 5] == Reason.NODATA
    assert np.count_nonzero(found.reason) == 1
    assert np.isnan(found.reflectance[4, 100:102, 100:102]).all()
    assert np.isfinite(found.reflectance[[0, 1, 2, 3, 5], 100, 100]).all()


def test_read_look_lacks_b12_gives_nan_lacks_b08_is_refused(read: Any) -> None:
    values = bands()
    del values["B12"]
    found = read(values)
    assert np.isnan(found.reflectance[5]).all()
    assert not found.reason.any()
    del values["B08"]
    with pytest.raises(SceneError, match="lacks band B08; check the assets"):
        read(values, item_id="other")


@pytest.mark.parametrize(
    ("code", "reason"),
    [(0, 1), (1, 5), (2, 0), (3, 3), (4, 0), (5, 0), (6, 0), (7, 0), (8, 2), (9, 2), (10, 2), (11, 4)],
)
def test_read_look_classes_become_reasons(read: Any, code: int, reason: int) -> None:
    assert read(bands(SCL=classes((80, 80, code)))).reason[160, 160] == reason


def test_read_look_clouds_and_shadows_grow_by_a_disc(read: Any, profile: config.Profile) -> None:
    found = read(bands(SCL=classes((40, 40, 9), (120, 120, 3), (100, 20, 11)))).reason
    rows, cols = np.mgrid[:SIZE, :SIZE]
    for row, reason, radius in ((80, Reason.CLOUD, 6), (240, Reason.SHADOW, 4)):
        gap = np.hypot(
            np.maximum(np.maximum(row - rows, rows - row - 1), 0), np.maximum(np.maximum(row - cols, cols - row - 1), 0)
        )
        assert np.array_equal(found == reason, gap <= radius)
    assert (found == Reason.SNOW).sum() == 4


def test_read_look_dilation_reaches_in_from_outside_the_window(read: Any) -> None:
    values = bands(SCL=classes((40, 40, 9)))
    assert (read(values, Window(AT[0] + 82, AT[1] + 82, 4, 4)).reason == Reason.CLOUD).any()


def test_read_look_saturated_pixels_are_masked(read: Any) -> None:
    values = bands()
    values["B02"][7, 8] = 65535
    assert read(values).reason[7, 8] == Reason.SATURATED


def test_read_look_without_classification_only_no_data_is_masked(read: Any) -> None:
    values = bands()
    del values["SCL"]
    values["B02"][:5] = 0
    assert np.count_nonzero(read(values).reason) == 5 * SIZE


def test_d11_failed_read_is_a_counted_gap_and_logged(
    read: Any, writer: Any, store: BlockStore, caplog: pytest.LogCaptureFixture
) -> None:
    writer.part(bands(), at=AT)
    with caplog.at_level(logging.WARNING):
        part = writer.part(bands(), at=AT, item_id="broken")
        Path(part.asset("B03").href).unlink()
        scene = writer.scene(part)
        found = look.read_look(
            inspected(scene),
            COVER,
            store=store,
            profile=config.Profile(title="t", use="research", search=config.Search(catalogs=("t",))),
        )
    assert (found.reason == Reason.FAILED).all()
    assert np.isnan(found.reflectance).all()
    assert store.stats.failed_reads == 1
    assert "B03.tif: no such file" in caplog.text


def served(part: Part, server: Any, folder: Path) -> Part:
    """The part with its files behind the server."""
    assets = tuple((band, Asset(f"{server.url}/{Path(asset.href).relative_to(folder)}")) for band, asset in part.assets)
    return replace(part, assets=assets)


def test_read_look_over_http_is_the_look_of_the_files(
    writer: Any, server: Any, store: BlockStore, profile: config.Profile
) -> None:
    part = writer.part(bands(SCL=classes((3, 4, 9))), at=AT)
    parts = (part, served(part, server, writer.folder))
    near, far = (look.read_look(inspected(writer.scene(each)), COVER, store=store, profile=profile) for each in parts)
    assert np.array_equal(near.reflectance, far.reflectance, equal_nan=True)
    assert np.array_equal(near.reason, far.reason)
    assert {path for _, path, _ in server.log} == {f"/item/{band}.tif" for band in (*BANDS, "SCL")}


def test_d11_band_that_fails_over_http_is_a_gap_and_leaves_no_reader_behind(
    writer: Any, server: Any, store: BlockStore, profile: config.Profile
) -> None:
    part = writer.part(bands(), at=AT)
    Path(part.asset("B02").href).unlink()
    scene = writer.scene(served(part, server, writer.folder))
    found = look.read_look(inspected(scene), COVER, store=store, profile=profile)
    assert (found.reason == Reason.FAILED).all()
    asked = len(server.log)
    assert {path for _, path, _ in server.log} >= {f"/item/{band}.tif" for band in BANDS[1:]}
    time.sleep(0.2)
    assert len(server.log) == asked


def test_read_look_parts_fill_each_other(writer: Any, store: BlockStore, profile: config.Profile) -> None:
    upper, lower = bands(1), bands(2)
    for band in upper:
        upper[band][upper[band].shape[0] // 2 :] = 0
        lower[band][: lower[band].shape[0] // 2 - 10] = 0
    parts = [writer.part(v, at=AT, item_id=n) for n, v in (("upper", upper), ("lower", lower))]
    found = look.read_look(inspected(writer.scene(*parts), 0, -50), COVER, store=store, profile=profile)
    assert not found.reason.any()
    half = SIZE // 2
    assert np.allclose(found.reflectance[0][:half], upper["B02"][:half] * 1e-4)
    assert np.allclose(found.reflectance[0][half:], (lower["B02"][half:].astype(float) - 50) * 1e-4)


def test_d11_part_that_fails_leaves_the_other_part(writer: Any, store: BlockStore, profile: config.Profile) -> None:
    upper = bands(1)
    for band in upper:
        upper[band][upper[band].shape[0] // 2 :] = 0
    parts: list[Part] = [writer.part(v, at=AT, item_id=n) for n, v in (("upper", upper), ("lower", bands(2)))]
    Path(parts[1].asset("SCL").href).unlink()
    found = look.read_look(inspected(writer.scene(*parts)), COVER, store=store, profile=profile)
    half = SIZE // 2
    assert not found.reason[:half].any()
    assert (found.reason[half:] == Reason.FAILED).all()


@pytest.mark.parametrize("row_px", [0.5, -0.4, 1.0])
def test_read_look_corrected_shift_puts_places_where_the_normal_has_them(
    writer: Any, store: BlockStore, profile: config.Profile, row_px: float
) -> None:
    rows, cols = np.mgrid[:SIZE, :SIZE].astype(float)
    image = lambda r, c: 2000 + 900 * np.sin(r / 6) * np.cos(c / 7)  # noqa: E731
    values = bands(B04=image(rows - row_px, cols - 0.3).round().astype(np.uint16))
    scene = writer.scene(writer.part(values, at=AT))
    inner = COVER.grown(-20)
    found = look.read_look(
        inspected(scene, shift=Shift(row_px, 0.3, True, "test")), inner, store=store, profile=profile
    )
    assert np.abs(found.reflectance[2] - image(rows, cols)[20:-20, 20:-20] * 1e-4).max() < 2e-4
    measured_only = look.read_look(
        inspected(scene, shift=Shift(row_px, 0.3, False, "test")), inner, store=store, profile=profile
    )
    assert np.array_equal(
        measured_only.reflectance[2], values["B04"][20:-20, 20:-20].astype(np.float32) * np.float32(1e-4)
    )


def test_read_look_shift_moves_reasons_to_the_nearest_pixel(read: Any) -> None:
    values = bands(SCL=classes((80, 80, 11)))
    found = read(values, shift=Shift(0.6, -1.4, True, "test"))
    assert found.shift == Shift(0.6, -1.4, True, "test")
    rows, cols = np.nonzero(found.reason == Reason.SNOW)
    assert sorted(zip(rows.tolist(), cols.tolist(), strict=True)) == [(159, 161), (159, 162), (160, 161), (160, 162)]


def test_read_look_real_series(series: Any, store: BlockStore, profile: config.Profile) -> None:
    scene = series("worldcereal-a")["20180814"]
    found = look.read_look(inspected(scene), Window(7032, 10140, 64, 64), store=store, profile=profile)
    assert 0.2 < (found.reason == Reason.CLOUD).mean() < 0.7
    assert (found.reason == Reason.SHADOW).any()
    assert 0.2 < np.nanmedian(found.reflectance[3]) < 0.4


def test_d23_cloud_cover_of_the_scene_discards_nothing(read: Any) -> None:
    found = read(bands(SCL=classes((3, 3, 9))))
    assert (found.reason == Reason.CLEAR).mean() > 0.99
