"""What is measured on: one simulated granule of real size and form, and how like real data it compresses.

In: a folder, in which it is kept. Out: scenes. Built once; a build that was interrupted goes on.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from pipeline import demo, grid
from pipeline.grid import Granule, Window
from pipeline.schema import Asset, Part
from pipeline.sensors import BANDS, SENTINEL2
from pipeline.simulate import granule, serve

HISTORY = 3
"""Earlier scenes: the fewest that a normal is made of."""
SMALL = 2
"""Repeats of the land per axis in the small version."""
BLOCK_PX = granule.COG_BLOCK_PX
REAL = Path("../shared/data/pairs")
_COMMON = {band.name: band.common for band in (*SENTINEL2.bands, SENTINEL2.classes)}


@dataclass(frozen=True, slots=True)
class Material:
    """A simulated granule, or its north-western corner."""

    folder: Path
    side_px: int

    @property
    def granule(self) -> Granule:
        """Whose grid the files lie on."""
        return grid.granule("44QLH")

    @property
    def items(self) -> list[dict[str, Any]]:
        """All items, oldest first, hrefs absolute."""
        document = json.loads((self.folder / "items.json").read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = serve.absolute(document, self.folder)["features"]
        return found

    def part(self, number: int, *, base: str = "") -> Part:
        """The files of a scene; -1 is the new one. `base` is a URL in front of their paths."""
        item = self.items[number]
        assets = {}
        for band, common in _COMMON.items():
            href = item["assets"][common]["href"]
            assets[band] = Asset(base + str(Path(href).relative_to(self.folder.resolve())) if base else href)
        baseline = item["properties"]["s2:processing_baseline"]
        return Part(item["id"], "bench", item["collection"], "", baseline, None, None, tuple(assets.items()))

    def files(self, number: int) -> list[str]:
        """Paths of the six bands of a scene."""
        return [asset.href for band, asset in self.part(number).assets if band in BANDS]

    def tiles(self, side_px: int, *, within_px: int = 0) -> list[Window]:
        """Tiles of the granule, row by row; of its corner only, where `within_px` says so."""
        whole = Window(0, 0, *(2 * (min(self.side_px, within_px or self.side_px),)))
        return [
            Window(row, col, side_px, side_px).clipped(whole)
            for row in range(0, whole.height, side_px)
            for col in range(0, whole.width, side_px)
        ]


def built(folder: Path, *, small: bool) -> Material:
    """The granule, made if it is not there yet: ten minutes on two cores, the small one two."""
    repeats = SMALL if small else granule.REPEATS
    place = folder / ("small" if small else "granule")
    if not (place / "items.json").exists():
        granule.build(place, seed=7, start=demo.FIRST_NIGHT, history=HISTORY, nights=1, repeats=repeats)
    return Material(place, repeats * granule.BLOCK_PX)


def bits_per_pixel(material: Material) -> dict[str, float]:
    """Compressed bits per pixel of the band files, overviews left out, simulated and real."""
    corner = Window(0, 0, 2048, 2048)
    found = {"simulated": _bits(_read(Path(path), 1, corner) for path in material.files(-1))}
    real = sorted(REAL.glob("portugal/*/after.tif"))
    if real:
        found["real (Portugal, forest and fields)"] = _bits(
            _read(path, band, None)[:: step or 1, :: step or 1]
            for path in real
            for band, step in zip((1, 2, 3, 4, 5, 6), (1, 1, 1, 1, 2, 2), strict=True)
        )
    return found


def _read(path: Path, band: int, window: Window | None) -> NDArray[np.uint16]:
    with rasterio.open(path) as source:
        held = window.clipped(Window(0, 0, *source.shape)) if window else None
        part = ((held.row, held.row + held.height), (held.col, held.col + held.width)) if held else None
        values: NDArray[np.uint16] = source.read(band, window=part)
    return values


def _bits(images: Iterable[NDArray[np.uint16]]) -> float:
    """Deflate, predictor 2, in blocks: the same for all."""
    size = pixels = 0
    for values in images:
        with MemoryFile() as memory:
            with memory.open(
                driver="GTiff", dtype="uint16", count=1, height=values.shape[0], width=values.shape[1], tiled=True,
                blockxsize=256, blockysize=256, compress="deflate", predictor=2, transform=rasterio.Affine.scale(10),
            ) as target:  # fmt: skip
                target.write(values, 1)
            size, pixels = size + len(memory.read()), pixels + values.size
    return 8 * size / pixels
