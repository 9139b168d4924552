"""A small folder in the layout of the real data: clear-cuts, scenes with a word each, and quiet places. Seeded."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from pipeline.evaluate.places import CHANGED, STABLE
from pipeline.sensors import BANDS, SENTINEL2

FOREST = np.array([300, 500, 300, 2800, 1400, 600])
BARE = np.array([800, 1000, 1300, 2200, 2800, 2200])
SIDE = 40


def write_band(path: Path, values: NDArray[Any], names: tuple[str, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "count": len(values), "height": values.shape[1], "width": values.shape[2]}
    grid = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)}
    with rasterio.open(path, "w", dtype=values.dtype, **profile, **grid) as file:
        file.write(values)
        file.descriptions = names


def write_data(root: Path) -> Path:
    """All folders that the table reads."""
    rng = np.random.default_rng(5)
    for folder, count in (("czech", 3), ("portugal", 2), ("us-suburbs", 2)):
        _pairs(root / "pairs" / folder, count, rng, cut=folder == "czech")
    _amazon(root / "pairs" / "amazon", rng)
    for name in ("worldcereal-a", "boadella"):
        _series(root / "series" / name, rng)
    return root


def _ground(rng: np.random.Generator, cut: NDArray[np.bool_] | None = None) -> NDArray[np.uint16]:
    """(6, y, x) noisy forest, bare where cut."""
    bare = np.zeros((SIDE, SIDE), np.bool_) if cut is None else cut
    colours = np.where(bare, BARE[:, None, None], FOREST[:, None, None]) * rng.normal(1, 0.1, (6, SIDE, SIDE))
    return np.clip(colours, 1, 9999).astype(np.uint16)


def _cut(rng: np.random.Generator) -> NDArray[np.bool_]:
    row, col = rng.integers(4, SIDE - 14, 2)
    cut = np.zeros((SIDE, SIDE), np.bool_)
    cut[row : row + 8, col : col + 8] = True
    return cut


def _pairs(folder: Path, count: int, rng: np.random.Generator, *, cut: bool) -> None:
    rows = []
    for number in range(count):
        where = _cut(rng) if cut else np.zeros((SIDE, SIDE), np.bool_)
        write_band(folder / str(number) / "before.tif", _ground(rng), BANDS)
        write_band(folder / str(number) / "after.tif", _ground(rng, where), BANDS)
        label = np.where(where, np.uint8(CHANGED), np.uint8(STABLE))[None]
        write_band(folder / str(number) / "label.tif", label, ("label",))
        rows.append({"id": number, "group": f"g{number}", "scene_label": ""})
    _index(folder, rows)


def _amazon(folder: Path, rng: np.random.Generator) -> None:
    labels = ["mining_emergence", "natural_change", "human_activity", "natural_change"]
    rows = [{"id": i, "group": f"c{i}", "scene_label": label} for i, label in enumerate(labels)]
    before = np.stack([_ground(rng) for _ in labels])
    after = np.stack([_ground(rng, None if label == "natural_change" else _cut(rng)) for label in labels])
    folder.mkdir(parents=True)
    ids = np.array([str(row["id"]) for row in rows])
    np.savez(folder / "chips.npz", before=before, after=after, bands=np.array(BANDS), ids=ids)
    _index(folder, rows)


def _series(folder: Path, rng: np.random.Generator) -> None:
    items = []
    for month in range(1, 6):
        assets = {}
        for band, values in zip(SENTINEL2.bands, _ground(rng), strict=True):
            assets[band.common] = {"href": f"{month}/{band.common}.tif"}
            write_band(folder / assets[band.common]["href"], values[None], (band.common,))
        items.append({"assets": assets, "properties": {"datetime": f"2020-{month:02d}-07T10:00:00Z"}})
    (folder / "items.json").write_text(json.dumps({"features": items}))


def _index(folder: Path, rows: list[dict[str, Any]]) -> None:
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
