"""A tiny set in OSCD's file layout: same folders, file names and types, seeded pixels."""

from pathlib import Path

import numpy as np
from PIL import Image

ALL_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
PREFIX = "Onera Satellite Change Detection dataset - "
TRAIN = {"abudhabi": (40, 52), "bercy": (36, 40), "cupertino": (44, 36), "paris": (40, 40), "rennes": (48, 32)}
TEST = {"brasilia": (70, 90), "dubai": (80, 72), "milano": (66, 70)}
"""Regions and their sizes (y, x): more than 64 px, and all different, as in the real set."""


def write_oscd(root: Path, *, seed: int = 1) -> Path:
    """Roofs appear in each region; each changed pixel is brighter in all bands."""
    rng = np.random.default_rng(seed)
    for split, regions in (("Train", TRAIN), ("Test", TEST)):
        for region, size in regions.items():
            changed = np.zeros(size, np.bool_)
            for row, col in zip(rng.integers(0, size[0] - 8, 3), rng.integers(0, size[1] - 8, 3), strict=True):
                changed[row : row + 8, col : col + 8] = True
            images = root / f"{PREFIX}Images" / region
            images.mkdir(parents=True)
            (images / "dates.txt").write_text("date_1: 20160101\ndate_2: 20180101\n")
            for date in (1, 2):
                _write_date(images / f"imgs_{date}_rect", changed & (date == 2), rng)
            mask = root / f"{PREFIX}{split} Labels" / region / "cm"
            mask.mkdir(parents=True)
            Image.fromarray(np.where(changed, 255, 0).astype(np.uint8)).save(mask / "cm.png")
    return root


def _write_date(folder: Path, bright: np.ndarray, rng: np.random.Generator) -> None:
    folder.mkdir()
    for band in ALL_BANDS:
        values = rng.normal(1000, 60, bright.shape) + 900 * bright
        if band == "B10":
            values = np.zeros(bright.shape)  # cirrus band: nearly nothing, and no gap
        Image.fromarray(values.astype(np.uint16)).save(folder / f"{band}.tif")
