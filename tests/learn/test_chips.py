from pathlib import Path

import numpy as np
import pytest

from pipeline.learn import chips, grounds, settings
from pipeline.learn.chips import Chip
from pipeline.learn.grounds import Ground


@pytest.fixture
def rules(tiny: Path) -> settings.Settings:
    return settings.read_settings(tiny)


def _bytes(chip: Chip) -> bytes:
    return chip.before.tobytes() + chip.after.tobytes() + chip.label.tobytes()


def test_make_chip_same_number_gives_the_same_bytes(rules: settings.Settings) -> None:
    one, two = (chips.make_chip(3, settings=rules, grounds=(), split="train") for _ in range(2))
    assert _bytes(one) == _bytes(two)


def test_make_chip_other_number_seed_or_split_gives_another(rules: settings.Settings) -> None:
    seeded = rules.model_copy(update={"data": rules.data.model_copy(update={"seed": 5})})
    made = [
        chips.make_chip(3, settings=rules, grounds=(), split="train"),
        chips.make_chip(4, settings=rules, grounds=(), split="train"),
        chips.make_chip(3, settings=rules, grounds=(), split="valid"),
        chips.make_chip(3, settings=rules, grounds=(), split="test"),
        chips.make_chip(3, settings=seeded, grounds=(), split="train"),
    ]
    assert len({_bytes(chip) for chip in made}) == 5


def test_make_chip_many_are_plausible_and_hold_every_kind(rules: settings.Settings) -> None:
    made = [chips.make_chip(number, settings=rules, grounds=(), split="train") for number in range(24)]
    for chip in made:
        for date in (chip.before, chip.after):
            assert date.shape == (6, 64, 64)
            assert date.dtype == np.float32
            assert np.nanmin(date) > 0
            assert np.nanmax(date) < 1.5
        assert set(np.unique(chip.label)) <= {-1, 0, 1}
    labels = np.stack([chip.label for chip in made])
    assert (labels == 1).any(axis=(0, 2, 3)).all()
    assert (labels == 1).mean() < 0.2
    assert any(not (chip.label == 1).any() for chip in made)


def test_make_chip_cleared_pixels_have_lost_vegetation(rules: settings.Settings) -> None:
    falls, quiet = [], []
    for number in range(24):
        chip = chips.make_chip(number, settings=rules, grounds=(), split="train")
        ndvi = [(v[3] - v[2]) / (v[3] + v[2]) for v in (chip.before, chip.after)]
        falls.append((ndvi[0] - ndvi[1])[chip.label[0] == 1])
        quiet.append((ndvi[0] - ndvi[1])[(chip.label <= 0).all(axis=0)])
    assert np.nanmedian(np.concatenate(falls)) > 0.1
    assert abs(np.nanmedian(np.concatenate(quiet))) < 0.05


def _forest(side: int) -> np.ndarray:
    spectrum = np.array([0.02, 0.04, 0.025, 0.28, 0.14, 0.06], np.float32)
    return np.broadcast_to(spectrum[:, None, None], (6, side, side)).copy()


def test_make_chip_real_ground_without_swir_or_beyond_its_edge_stays_missing(rules: settings.Settings) -> None:
    date = _forest(40)  # smaller than the chip
    date[4:] = np.nan
    real = rules.model_copy(update={"data": rules.data.model_copy(update={"real_share": 1.0})})
    place = Ground("small", (date,), grounds.woody(_forest(40)), {})
    chip = chips.make_chip(1, settings=real, grounds=(place,), split="train")
    assert chip.source == "small"
    assert np.isnan(chip.after[4:]).all()
    assert np.isnan(chip.before[4:]).all()
    assert 0 < np.isfinite(chip.before[0]).sum() <= 40 * 40


def test_woody_forest_is_and_soil_and_missing_are_not() -> None:
    forest = _forest(20)
    assert grounds.woody(forest).all()
    assert not grounds.woody(np.full((6, 20, 20), 0.2, np.float32)).any()
    assert not grounds.woody(np.full((6, 20, 20), np.nan, np.float32)).any()


def test_read_ground_two_dates_in_one_file_and_offset(shared_data: Path) -> None:
    entry = settings.GroundFiles(
        name="danube",
        files=("backgrounds/danube/ftw_two_windows.tif",),
        bands=("B04", "B03", "B02", "B08") * 2,
        offset_dn=-100,
        licence="MIT",
    )
    ground = grounds.read_ground(entry, shared_data, source="test")
    assert [date.shape for date in ground.dates] == [(6, 379, 578)] * 2
    assert np.nanmedian(ground.dates[0][3]) == pytest.approx(0.3206, abs=1e-3)  # 3306 DN less 100
    assert np.isnan(ground.dates[0][4:]).all()
