"""A map of one AOI: its outline, granules and tiles, a graticule and a scale bar.

In: an `Aoi` and its estimate. Out: a PNG.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.aoi import Aoi
from pipeline.grid import Tile
from pipeline.watch import estimates
from pipeline.watch.estimates import Estimate


def draw(area: Aoi, found: Estimate, path: Path) -> None:
    """Write a map of the AOI with its granules and tiles as a PNG; a file that is there is replaced.

    Args:
        area: what to draw.
        found: its estimate, written beside the map.
        path: the PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # heavy: only for who draws
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes, notes = figure.subplots(1, 2, width_ratios=[3, 1])
    over_180 = area.geometry.bounds[2] - area.geometry.bounds[0] > 180
    _draw_grids(axes, estimates.tiles_of(area), over_180=over_180)
    _fill(axes, [_placed(area.geometry, over_180=over_180)], facecolor="#2b8a3e55", edgecolor="#0b4d1a", linewidth=1.6)
    _frame(axes, _placed(area.geometry, over_180=over_180))
    axes.set_title(_title(area), parse_math=False)
    notes.axis("off")
    notes.text(0, 1, _notes(found), va="top", fontsize=9, linespacing=1.5, transform=notes.transAxes)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _title(area: Aoi) -> str:
    """Name and id; the id alone where the font lacks letters of the name, which would be drawn as boxes."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont("DejaVu Sans")).get_charmap()
    return f"{area.name} ({area.id})" if all(ord(letter) in known for letter in area.name) else area.id


def _notes(found: Estimate) -> str:
    return "\n".join(
        [
            f"profile  {found.profile}",
            f"area  {found.area_km2:,.0f} km²",
            f"granules  {len(found.granules)}",
            f"tiles  {found.tiles} (thin lines)",
            "",
            "Estimates",
            f"looks  {found.looks_a_month:.0f} a month",
            f"scenes  {found.scenes_a_month:.0f} a month",
            f"pixels  {found.read_px / 1e6:,.0f} million a look",
            f"reading  {estimates.readable_bytes(found.bytes_a_night)} a night",
            f"first night  {estimates.readable_bytes(found.bytes_of_first_night)}",
            f"time  {estimates.readable_minutes(found.minutes_a_night)} a night",
        ]
    )


def _draw_grids(axes: Any, tiles: tuple[Tile, ...], *, over_180: bool) -> None:
    colours = ("#1c7ed6", "#e8590c", "#9c36b5", "#c2255c", "#0c8599", "#846358")
    for number, granule in enumerate(sorted({tile.granule for tile in tiles})):
        colour = colours[number % len(colours)]
        mine = [tile for tile in tiles if tile.granule == granule]
        windows = [shapely.box(*granule.window_bounds(tile.window)) for tile in mine]
        owned = grid.union(tile.area for tile in mine)
        placed = [_on_map(window, granule.epsg, over_180=over_180) for window in windows]
        _fill(axes, placed, facecolor="none", edgecolor=colour, linewidth=0.7)
        parts = [_on_map(owned, granule.epsg, over_180=over_180)]
        _fill(axes, parts, facecolor=f"{colour}30", edgecolor=colour, linewidth=1.2)
        where = parts[0].representative_point()
        axes.text(where.x, where.y, granule.mgrs, color=colour, ha="center", va="center", weight="bold", zorder=5)


def _on_map(shape: BaseGeometry, epsg: int, *, over_180: bool) -> BaseGeometry:
    return _placed(grid.reproject(shapely.segmentize(shape, 1000), epsg, 4326), over_180=over_180)


def _placed(shape: BaseGeometry, *, over_180: bool) -> BaseGeometry:
    """On a map across the antimeridian longitudes run from 0 to 360."""
    return shapely.transform(shape, lambda xy: np.column_stack([xy[:, 0] % 360, xy[:, 1]])) if over_180 else shape


def _fill(axes: Any, shapes: Iterable[BaseGeometry], **style: Any) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    for polygon in shapely.get_parts(list(shapes)):
        oriented = shapely.orient_polygons(polygon)  # holes run the other way, and so stay empty
        rings = [Outline(shapely.get_coordinates(ring)) for ring in shapely.get_rings(oriented)]
        axes.add_patch(PathPatch(Outline.make_compound_path(*rings), **style))


def _frame(axes: Any, shape: BaseGeometry) -> None:
    """Limits about the AOI, a graticule in degrees, and a scale bar; a narrow strip gets room at its sides."""
    west, south, east, north = shape.bounds
    across = math.cos(math.radians((south + north) / 2))
    high = 0.58 * max(north - south, 0.7 * (east - west) * across)
    wide = max(0.58 * (east - west), 0.7 * high / across)
    left, low = (west + east) / 2 - wide, (south + north) / 2 - high
    axes.set(xlim=(left, left + 2 * wide), ylim=(low, low + 2 * high))
    axes.set_aspect(1 / across)
    axes.xaxis.set_major_formatter(lambda value, _: _degrees((value + 180) % 360 - 180, "EW"))
    axes.yaxis.set_major_formatter(lambda value, _: _degrees(value, "NS"))
    axes.locator_params(nbins=5)
    axes.grid(color="#868e96", linewidth=0.4, linestyle=":")
    length_km = _nice(2 * wide * across * estimates.KM_PER_DEGREE / 4)
    start, level = left + 0.06 * wide, low + 0.04 * high
    axes.plot([start, start + length_km / across / estimates.KM_PER_DEGREE], [level, level], color="black", linewidth=3)
    axes.text(start, level + 0.02 * high, f"{length_km:g} km", va="bottom")


def _degrees(value: float, letters: str) -> str:
    letter = "" if abs(value) in (0, 180) else letters[0] if value > 0 else letters[1]
    return f"{round(abs(value), 3):g}° {letter}".rstrip()


def _nice(length: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is not longer."""
    step = 10.0 ** math.floor(math.log10(length))
    return next(step * times for times in (5, 2, 1) if step * times <= length)
