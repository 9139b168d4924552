import csv

import numpy as np
import pytest
import rasterio

from pipeline.errors import RasterError
from pipeline.evaluate import places
from pipeline.evaluate.places import CHANGED, MISSING, STABLE, UNKNOWN
from pipeline.sensors import BANDS


def _write(path, values, names=BANDS):
    path.parent.mkdir(exist_ok=True)
    profile = {"driver": "GTiff", "count": len(values), "height": values.shape[1], "width": values.shape[2]}
    grid = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)}
    with rasterio.open(path, "w", dtype=values.dtype, **profile, **grid) as file:
        file.write(values)
        file.descriptions = names


def _pair(folder, order=BANDS):
    """Band b of the 4 x 4 pair is 1000 (b + 1) DN, one pixel missing."""
    values = np.stack([np.full((4, 4), 1000 * (BANDS.index(name) + 1), np.uint16) for name in order])
    values[0, 0, 0] = 0
    for name in ("before", "after"):
        _write(folder / "one" / f"{name}.tif", values, order)
    label = np.full((1, 4, 4), STABLE, np.uint8)
    label[0, 2, 2] = CHANGED
    _write(folder / "one" / "label.tif", label, ("label",))
    with (folder / "index.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, ["id", "group", "scene_label"])
        rows.writeheader()
        rows.writerow({"id": "one", "group": "cell", "scene_label": "clearing"})


def test_read_czech_bands_in_another_order_are_found_by_description(tmp_path):
    _pair(tmp_path, order=BANDS[::-1])
    (place,) = places.read_czech(tmp_path)
    np.testing.assert_allclose(place.before[:, 1, 1], 0.1 * np.arange(1, 7), rtol=1e-6)
    assert np.isnan(place.before[5, 0, 0])
    assert np.isfinite(place.before).sum() == 95
    assert (place.id, place.group, place.label[2, 2]) == ("one", "cell", CHANGED)


def test_read_unlabelled_knows_nothing_of_any_pixel(tmp_path):
    _pair(tmp_path)
    assert (places.read_unlabelled(tmp_path)[0].label == UNKNOWN).all()


def test_read_czech_broken_folders_are_named(tmp_path):
    with pytest.raises(RasterError, match=r"index\.csv"):
        places.read_czech(tmp_path)
    _pair(tmp_path)
    _write(tmp_path / "one" / "after.tif", np.ones((6, 4, 4), np.uint16), ("B01", *BANDS[1:]))
    with pytest.raises(RasterError, match=r"after\.tif.*B02"):
        places.read_czech(tmp_path)
    _write(tmp_path / "one" / "after.tif", np.ones((6, 5, 4), np.uint16))
    with pytest.raises(RasterError, match="differ in size"):
        places.read_czech(tmp_path)


def test_without_edges_drops_one_pixel_on_either_side_and_nothing_else():
    label = np.full((9, 9), STABLE, np.uint8)
    label[3:8, 3:8] = CHANGED
    label[:, 0] = MISSING
    place = places.Place("p", "g", places.Kind.CLEARING, *(np.zeros((6, 9, 9), np.float32),) * 2, label)
    inner = places.without_edges([place])[0].label
    assert (inner == CHANGED).sum() == 9
    assert (inner == UNKNOWN).sum() == 49 - 9
    assert (inner == STABLE).sum() == 81 - 49 - 9
    assert (inner[:, 0] == MISSING).all()


def test_without_edges_missing_neighbours_are_no_edge():
    label = np.full((3, 6), CHANGED, np.uint8)
    label[:, 3:] = MISSING
    place = places.Place("p", "g", places.Kind.CLEARING, *(np.zeros((6, 3, 6), np.float32),) * 2, label)
    np.testing.assert_array_equal(places.without_edges([place])[0].label, label)


def test_read_czech_real_pixels_are_counted_as_the_folder_says(shared_data):
    found = places.read_czech(shared_data / "pairs" / "czech")
    labels = np.concatenate([place.label.ravel() for place in found])
    counts = [int((labels == code).sum()) for code in (CHANGED, STABLE, UNKNOWN, MISSING)]
    assert len(found) == 109
    assert len({place.group for place in found}) == 14
    assert counts == [39966, 108329, 125800, 15673]


def test_read_amazon_real_chips_are_counted_as_the_folder_says(shared_data):
    found = places.read_amazon(shared_data / "pairs" / "amazon")
    words = [place.scene_label for place in found]
    assert [words.count(w) for w in ("mining_emergence", "human_activity", "natural_change")] == [219, 57, 72]
    assert len({place.group for place in found}) == 151
    assert np.nanmedian(found[0].before[3]) < 1


def test_from_chips_each_kind_has_its_own_labels_on_the_same_pixels():
    pairs = np.random.default_rng(1).random((2, 2, 6, 4, 4)).astype(np.float16)
    labels = np.zeros((2, 3, 4, 4), np.int8)
    labels[1, 1, 2, 2], labels[1, 1, 3, 3] = 1, -1
    clearings, camps, tracks = places.from_chips(pairs, labels, groups=["a", "b"])
    assert [group[0].kind for group in (clearings, camps, tracks)] == list(places.KINDS)
    assert camps[1].label[2, 2] == CHANGED
    assert camps[1].label[3, 3] == UNKNOWN
    assert (clearings[1].label == STABLE).all()
    np.testing.assert_array_equal(clearings[1].after, tracks[1].after)
    assert (camps[0].group, camps[1].group) == ("a", "b")
