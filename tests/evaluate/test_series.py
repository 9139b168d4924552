from datetime import date

import numpy as np
import pytest

from pipeline.errors import RasterError
from pipeline.evaluate import series
from pipeline.evaluate.places import MISSING, STABLE
from pipeline.evaluate.series import DatedLook


def _look(day: date, value: float) -> DatedLook:
    return DatedLook(day, np.full((6, 3, 3), value, np.float32))


def test_consecutive_each_look_follows_the_one_before():
    looks = [_look(date(2020, month, 1), month / 100) for month in (1, 2, 4)]
    found = series.consecutive(looks, name="here")
    assert [(round(float(p.before[0, 0, 0]), 2), round(float(p.after[0, 0, 0]), 2)) for p in found] == [
        (0.01, 0.02),
        (0.02, 0.04),
    ]
    assert found[1].group == "here-2020q2"
    assert (found[0].label == STABLE).all()


def test_against_normal_takes_earlier_looks_of_the_season_only():
    days = [date(2019, 6, day) for day in range(1, 9)] + [date(2020, 1, day) for day in range(1, 9)]
    looks = [_look(day, 0.3 if day.month == 6 else 0.1) for day in days] + [_look(date(2020, 6, 5), 0.9)]
    found = series.against_normal(looks, name="here")
    assert len(found) == len(looks) - 3
    assert found[-1].before[0, 0, 0] == np.float32(0.3)
    assert found[-1].after[0, 0, 0] == np.float32(0.9)


def test_against_normal_missing_pixels_stay_missing():
    looks = [_look(date(2020, 1, day), 0.2) for day in range(1, 6)]
    for look in looks:
        look.reflectance[:, 0, 0] = np.nan
    looks[0].reflectance[:, 1, 1] = np.nan
    found = series.against_normal(looks, name="here")[0]
    assert np.isnan(found.before[:, 0, 0]).all()
    assert found.before[0, 1, 1] == np.float32(0.2)
    assert found.label[0, 0] == MISSING


def test_read_series_real_farmland_keeps_the_clear_looks(shared_data):
    looks = series.read_series(shared_data / "series" / "worldcereal-a")
    assert 45 <= len(looks) <= 60
    assert [look.day for look in looks] == sorted(look.day for look in looks)
    assert looks[0].reflectance.shape == (6, 64, 64)
    assert 0 < np.nanmin(looks[0].reflectance) < np.nanmedian(looks[0].reflectance[3]) < 0.8


def test_read_series_unfit_days_are_left_out(shared_data):
    folder = shared_data / "series" / "boadella"
    assert len(series.read_series(folder)) == 12
    assert len(series.read_series(folder, unfit=[date(2020, 1, 18)])) == 11


def test_read_series_without_items_says_where(tmp_path):
    with pytest.raises(RasterError, match=r"items\.json"):
        series.read_series(tmp_path)
