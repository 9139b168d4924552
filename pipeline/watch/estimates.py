"""What watching an AOI means, before any work: expected scenes, pixels, bytes and minutes.

In: an `Aoi`. Out: an `Estimate`. Asks no catalogue: the figures follow from the orbit and from the table `COSTS`, and
are as good as its entries.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline import grid
from pipeline.aoi import Aoi
from pipeline.config import PATCH_PX
from pipeline.grid import Granule, Tile

SWATH_KM = 290.0  # Sentinel-2 MSI
TRACK_STEP_KM = 40_075 / 143  # 143 orbits a cycle: neighbouring tracks at the equator
CYCLE_DAYS = 5.0  # two satellites in a ten-day cycle
MONTH_DAYS = 365.25 / 12
BLOCK_PX = 1024  # of the 10 m files of public catalogues
KM_PER_DEGREE = 111.195


@dataclass(frozen=True, slots=True)
class Cost:
    """One figure that estimates rest on."""

    value: float
    unit: str
    source: str


COSTS = {
    "bytes_per_px": Cost(1.8, "bytes a pixel and band, compressed", "estimate; 1.9 in a reduced real scene"),
    "bands_px": Cost(4.6, "bands a 10 m pixel: four at 10 m, two and the classes at 20 m", "product specification"),
    "cpu_s_per_mpx": Cost(4.0, "core seconds a megapixel and look, reading and network", "estimate"),
    "cores": Cost(2.0, "cores at work", "estimate"),
}
"""Every figure behind bytes and minutes; replace an estimate when it has been measured."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a night of an AOI reads. All but area and tiles is an estimate."""

    id: str
    name: str
    profile: str
    area_km2: float
    granules: tuple[str, ...]
    tiles: int
    watched_px: int
    """10 m pixels inside the AOI."""
    read_px: int
    """10 m pixels of the COG blocks that a look touches, halo included."""
    looks_a_month: float
    """How often a place is imaged, clouds or not; swaths overlap more towards the poles."""
    scenes_a_month: float
    """Scenes to be read, over all granules; many cover the AOI in part."""
    bytes_a_night: float
    """Mean over the nights; without rebuilding the normal."""
    minutes_a_night: float
    bytes_of_first_night: float
    """Builds the normal."""


def estimate(area: Aoi, *, halo_px: int) -> Estimate:
    """Expected scenes, pixels, bytes and minutes.

    Args:
        area: the AOI, with its profile.
        halo_px: border that the network needs around each tile.

    Source: Sentinel-2 swath 290 km, 143 orbits in 10 days, two satellites: a place at latitude b is imaged
    290 / (280 cos b) times in 5 days.
    """
    tiles = tiles_of(area)
    read = _block_px(tiles, halo_px)
    looks, scenes, read_a_month = 0.0, 0.0, 0.0
    for granule in sorted(read):
        place = grid.reproject(grid.union(t.area for t in tiles if t.granule == granule), granule.epsg, 4326)
        west, south, east, north = place.bounds
        across = math.cos(math.radians((south + north) / 2))
        passes = MONTH_DAYS / CYCLE_DAYS / (TRACK_STEP_KM * across)
        width_km = (east - west) * across * KM_PER_DEGREE
        looks = max(looks, passes * SWATH_KM)
        scenes += passes * (SWATH_KM + width_km)
        read_a_month += read[granule] * passes * SWATH_KM
    per_px = COSTS["bytes_per_px"].value * COSTS["bands_px"].value
    minutes = read_a_month / 1e6 * COSTS["cpu_s_per_mpx"].value / COSTS["cores"].value / 60
    return Estimate(
        id=area.id,
        name=area.name,
        profile=area.profile_name,
        area_km2=area.area_km2,
        granules=tuple(granule.mgrs for granule in sorted(read)),
        tiles=len(tiles),
        watched_px=round(area.area_km2 * 1e4),
        read_px=sum(read.values()),
        looks_a_month=looks,
        scenes_a_month=scenes,
        bytes_a_night=read_a_month * per_px / MONTH_DAYS,
        minutes_a_night=minutes / MONTH_DAYS,
        bytes_of_first_night=sum(read.values()) * per_px * area.profile.normal.max_looks,
    )


def tiles_of(area: Aoi) -> tuple[Tile, ...]:
    """The AOI's tiles if all granules have scenes."""
    return grid.tiles_over(area.geometry, tile_px=area.profile.tiles.size_px, cell_px=PATCH_PX)


def describe(found: Estimate) -> str:
    """The estimate in words."""
    lines = [
        f"{found.id}: {found.name}",
        f"  area           {found.area_km2:,.0f} km2, {found.watched_px / 1e6:,.1f} million pixels of 10 m",
        f"  granules       {', '.join(found.granules)}",
        f"  tiles          {found.tiles}",
        f"  looks          about {found.looks_a_month:.0f} a month at any place, clouds or not",
        f"  scenes         about {found.scenes_a_month:.0f} a month over all granules",
        f"  reading        about {readable_bytes(found.bytes_a_night)} a night; the first night about "
        f"{readable_bytes(found.bytes_of_first_night)}",
        f"  time           {readable_minutes(found.minutes_a_night)} a night",
        "  Scenes follow from the orbit (5 days; overlap of swaths by latitude). Bytes and minutes rest on:",
    ]
    lines += [f"    {cost.value:g} {cost.unit} ({cost.source})" for cost in COSTS.values()]
    return "\n".join(lines)


def _block_px(tiles: Iterable[Tile], halo_px: int) -> dict[Granule, int]:
    """Pixels of the blocks that one look reads, per granule; a block is counted once."""
    blocks: dict[Granule, set[tuple[int, int]]] = {}
    for tile in tiles:
        around = tile.window.grown(halo_px).clipped(tile.granule.window).aligned(BLOCK_PX)
        rows = range(around.row // BLOCK_PX, (around.row + around.height) // BLOCK_PX)
        cols = range(around.col // BLOCK_PX, (around.col + around.width) // BLOCK_PX)
        blocks.setdefault(tile.granule, set()).update((row, col) for row in rows for col in cols)
    return {granule: len(found) * BLOCK_PX**2 for granule, found in blocks.items()}


def readable_minutes(minutes: float) -> str:
    """Minutes, but none that look like nothing: what a night takes beside its tiles is in no estimate."""
    return "less than a minute" if minutes < 1 else f"about {minutes:.1f} minutes"


def readable_bytes(number: float) -> str:
    """A number of bytes in the unit that suits it."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:,.1f} GB"
