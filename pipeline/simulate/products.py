"""Products: what one acquisition becomes on disk, granule by granule.

In: a rendered acquisition. Out: COGs in a folder, and the STAC items that describe them, hrefs relative to the folder.
Knows no worlds and no plans beyond the one acquisition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling

from pipeline.sensors import BANDS, SENTINEL2
from pipeline.simulate import items, optics, region
from pipeline.simulate.optics import Native
from pipeline.simulate.plan import Acquisition, Stored
from pipeline.simulate.region import Crop, Region

BLOCK_PX = 512
ADDED_DN = 1000
"""What products of baseline 04.00 and later add to their numbers."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One acquisition of the whole region, or of a block that is repeated, mirrored, to fill it."""

    native: Native
    """Reflectance as L2A would hold it."""
    classes: NDArray[np.uint8]
    """(y / 2, x / 2) SCL."""
    sun: tuple[float, float]
    repeats: int = 1
    """Blocks per axis."""
    elsewhere: Native | None = None
    """What all blocks but the first hold; None for the same."""
    block_px: int = BLOCK_PX
    """Side of the files' blocks."""

    def numbers(self, index: int, *, added_dn: int) -> NDArray[np.uint16]:
        """(y, x) digital numbers of one band, at its own resolution."""
        first, rest = (
            optics.quantise(part.ten[index] if index < 4 else part.twenty[index - 4], added_dn=added_dn)
            for part in (self.native, self.elsewhere or self.native)
        )
        return _filled(first, rest, self.repeats)

    def class_map(self) -> NDArray[np.uint8]:
        """(y / 2, x / 2) SCL of the region."""
        return _filled(self.classes, self.classes, self.repeats)


def write(folder: Path, rendered: Rendered, acquisition: Acquisition, place: Region) -> list[dict[str, Any]]:
    """Write one acquisition as the products of each granule; returns their items."""
    made = []
    for crop in place.crops:
        seen = _seen_strips(acquisition, place.size_px, crop)
        products = [(acquisition.baseline, acquisition.stored, 0.1, strip) for strip in range(len(seen))]
        if acquisition.reprocessed:
            products.append((*acquisition.reprocessed, 480.0, 0))
        for sequence, (baseline, stored, days, strip) in enumerate(products):
            if not seen[strip].any():
                continue
            facts = _product(
                rendered, acquisition, (place, crop), seen[strip], (baseline, stored, days, strip, sequence)
            )
            made.append(_written(folder, rendered, facts, (crop, seen[strip]), stored))
    return made


def listed(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The ItemCollection of all items, oldest first."""
    ordered = sorted(found, key=lambda one: (one["properties"]["datetime"], one["id"]))
    return {"type": "FeatureCollection", "features": ordered}


def write_cog(path: Path, values: NDArray[Any], *, transform: Affine, epsg: int, block_px: int = BLOCK_PX) -> None:
    """Write one band as a cloud-optimised GeoTIFF with overviews.

    Args:
        path: its folder is made if need be.
        values: (y, x) uint16 reflectance numbers or uint8 classes; 0 is no data.
        transform: pixel to metres.
        epsg: of the metres.
        block_px: side of the blocks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = values.dtype == np.uint16
    with rasterio.open(
        path, "w", driver="COG", width=values.shape[1], height=values.shape[0], count=1, dtype=values.dtype.name,
        crs=f"EPSG:{epsg}", transform=transform, nodata=SENTINEL2.nodata, compress="DEFLATE",
        predictor="STANDARD" if numbers else "NO", blocksize=block_px,
        overview_resampling=(Resampling.average if numbers else Resampling.nearest).name,
    ) as file:  # fmt: skip
        file.write(values, 1)


def _seen_strips(acquisition: Acquisition, size: tuple[int, int], crop: Crop) -> list[NDArray[np.bool_]]:
    """(y / 2, x / 2) of the crop: which 20 m pixels each datastrip holds. Edges lean as the orbit does."""
    rows, cols = np.mgrid[0 : size[0] // 2, 0 : size[1] // 2] * 2 + 1
    inside = np.ones(rows.shape, np.bool_)
    if acquisition.edge is not None:
        inside = cols < acquisition.edge * size[1] + 0.2 * (size[0] / 2 - rows)
    upper = rows < (acquisition.split or 0) * size[0] + 0.2 * (cols - size[1] / 2)
    strips = [inside] if acquisition.split is None else [inside & upper, inside & ~upper]
    held = crop.on_world
    here = (slice(held.row // 2, (held.row + held.height) // 2), slice(held.col // 2, (held.col + held.width) // 2))
    return [strip[here] for strip in strips]


def _filled(first: NDArray[Any], rest: NDArray[Any], repeats: int) -> NDArray[Any]:
    if repeats == 1:
        return first
    row = np.concatenate([rest[:, :: (-1) ** index] for index in range(repeats)], axis=1)
    whole = np.concatenate([row[:: (-1) ** index] for index in range(repeats)], axis=0)
    whole[: first.shape[0], : first.shape[1]] = first
    return whole


Processing = tuple[str, Stored, float, int, int]


def _product(
    rendered: Rendered,
    acquisition: Acquisition,
    where: tuple[Region, Crop],
    seen: NDArray[np.bool_],
    processing: Processing,
) -> items.Product:
    place, crop = where
    baseline, stored, days, strip, sequence = processing
    classes = np.where(seen, _cropped(rendered.class_map(), crop, 2), 0)
    shares = np.bincount(classes.ravel(), minlength=12)[:12] / classes.size * 100
    return items.Product(
        granule=crop.granule,
        sensed=acquisition.sensed,
        platform=acquisition.platform,
        relative_orbit=acquisition.relative_orbit,
        baseline=baseline,
        sequence=sequence,
        datastrip=strip,
        processed_days=days,
        offset_applied=stored == "removed",
        sun=rendered.sun,
        classes=tuple(float(share) for share in shares),
        footprint=region.outline(place, seen.repeat(2, 0).repeat(2, 1), crop.on_world),
        shape=crop.on_world.shape,
        transform=place.transform(crop.on_world),
    )


def _written(
    folder: Path, rendered: Rendered, facts: items.Product, part: tuple[Crop, NDArray[np.bool_]], stored: Stored
) -> dict[str, Any]:
    crop, seen = part
    hrefs = {}
    added = ADDED_DN if stored == "present" else 0
    for index, band in enumerate((*BANDS, SENTINEL2.classes.name)):
        step = 1 if index < 4 else 2
        inside = seen.repeat(3 - step, 0).repeat(3 - step, 1)
        if index == len(BANDS):
            values: NDArray[Any] = np.where(inside, _cropped(rendered.class_map(), crop, 2), 0).astype(np.uint8)
        else:
            numbers = _cropped(rendered.numbers(index, added_dn=added), crop, step)
            values = np.where(inside, numbers, 0).astype(np.uint16)
        hrefs[band] = f"scenes/{facts.item_id}/{band}.tif"
        transform = facts.transform @ Affine.scale(step)
        epsg, block_px = crop.granule.epsg, rendered.block_px
        write_cog(folder / hrefs[band], values, transform=transform, epsg=epsg, block_px=block_px)
    return items.item(facts, {band: f"./{href}" for band, href in hrefs.items()})


def _cropped(layer: NDArray[Any], crop: Crop, step: int) -> NDArray[Any]:
    held = crop.on_world
    return layer[
        held.row // step : (held.row + held.height) // step, held.col // step : (held.col + held.width) // step
    ]
