"""Changes as they are planted: clearings, camps and tracks, drawn at 2.5 m with the surfaces that replace the forest.

In: a random generator, sizes and a place. Out: `Planted` values, which `optics.inject` mixes into real pixels and the
world paints over its land. Knows no dates and no scenes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, affinity
from shapely.geometry.base import BaseGeometry

from pipeline import schema
from pipeline.simulate import canvas, outlines, spectra

Array = NDArray[np.float32]
Surface = Callable[[str, np.random.Generator], Array]
"""Name of a surface in `spectra` to the (6,) reflectance of one place."""

AREA_HA = {"clearing": (0.05, 20.0), "camp": (0.04, 2.0)}
LENGTH_M = (200.0, 5000.0)
WIDTH_M = (3.0, 20.0)

COVERS = {
    "bare": ("soil_laterite", "soil_brown", "soil_sandy", "soil_wet"),
    "debris": ("slash", "soil_laterite", "soil_brown"),
    "burnt": ("burnt", "ash", "slash"),
    "regrowth": ("regrowth", "grass_green", "soil_brown"),
    "dry": ("grass_dry", "scrub_dry", "slash"),
}
"""What a clearing shows: the first surface prevails, one of the others is strewn in."""

_ROOFS = ("tarp_blue", "tarp_white", "tarp_orange", "tarp_green", "roof_metal", "roof_rusty", "roof_thatch")
_YARDS = ("soil_laterite", "soil_brown", "soil_sandy", "grass_dry")
_ROADS = ("road_earth", "soil_laterite", "soil_brown", "road_gravel", "soil_sandy")


@dataclass(frozen=True, slots=True)
class Planted:
    """One change on the ground, known exactly."""

    kind: str
    style: str
    """How it was made, like `strip burnt`; for people."""
    row: int
    col: int
    """Place of the arrays' corner in 10 m pixels of the frame (granule, world or chip); both even."""
    coverage: Array
    """(Y, X) share of each 2.5 m pixel that changed."""
    material: NDArray[np.uint8]
    """(Y, X) row of `spectra`."""
    brightness: Array
    """(Y, X) factor on the spectrum: texture and the shade of the forest's edge."""
    spectra: Array
    """(n, 6) reflectances of what is new."""
    geometry: BaseGeometry
    """True shape in 10 m pixels of the frame, x = column, y = row: polygons, or the centre line of a track."""
    area_m2: float
    """Inside the outline; tracks: length x width."""
    length_m: float
    """Tracks; else 0."""
    width_m: float
    """Tracks; else 0."""

    @property
    def changed_m2(self) -> float:
        """Ground that really changed: less than the area where trees stand on or canopy hides it."""
        return float(self.coverage.sum(dtype=np.float64)) * canvas.FINE_M**2

    def target(self) -> Array:
        """(6, Y, X) reflectance of what is new, for `optics.inject`."""
        return np.moveaxis(self.spectra[self.material], -1, 0) * self.brightness

    def moved(self, rows: int, cols: int) -> "Planted":
        """The same change elsewhere, by even numbers of 10 m pixels."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        shifted = affinity.translate(self.geometry, cols, rows)
        return Planted(**{**fields, "row": self.row + rows, "col": self.col + cols, "geometry": shifted})


def clearing(
    rng: np.random.Generator,
    *,
    centre: tuple[float, float],
    area_ha: float,
    outline: str = "",
    cover: str = "",
    kept: float | None = None,
    surface: Surface = spectra.natural,
) -> Planted:
    """Forest felled, burnt or scraped away.

    Args:
        rng: source of all choices not given.
        centre: (row, column) in 10 m pixels of the frame.
        area_ha: inside the outline.
        outline: in `outlines.OUTLINES`.
        cover: in `COVERS`.
        kept: share of ground on which trees still stand.
        surface: gives the spectra of what is new.
    """
    style = outline or str(rng.choice(outlines.OUTLINES, p=(0.55, 0.25, 0.2)))
    cover = cover or str(rng.choice(list(COVERS), p=(0.34, 0.26, 0.14, 0.12, 0.14)))
    kept = float(rng.choice((0.0, rng.uniform(0, 0.15), rng.uniform(0.15, 0.5)))) if kept is None else kept
    ground = outlines.outline(style, area_ha * 1e4, rng=rng)
    paper = canvas.Canvas.around(ground, centre)
    coverage = paper.drawn([ground])
    names = COVERS[cover]
    material = (canvas.noise(paper.shape, 3.0, rng) > rng.uniform(0.2, 1.4)).astype(np.uint8)
    texture = canvas.texture(paper.shape, rng) * canvas.edge_shade(coverage, rng)
    if kept > 0:
        coverage = coverage * ~canvas.thresholded(canvas.noise(paper.shape, 1.1, rng), kept)
    kinds = (names[0], str(rng.choice(names[1:])))
    table = np.stack([surface(name, rng) for name in kinds])
    return _planted(paper, ("clearing", f"{style} {cover}"), (coverage, material, texture, table), ground)


def camp(
    rng: np.random.Generator,
    *,
    centre: tuple[float, float],
    area_ha: float,
    surface: Surface = spectra.made,
) -> Planted:
    """A trodden yard with roofs and tarpaulins of several colours, some trees left, and footpaths leading away.

    Args:
        rng: source of all choices not given.
        centre: (row, column) in 10 m pixels of the frame.
        area_ha: of the yard.
        surface: gives the spectra of what is new.
    """
    yard = outlines.outline("natural", area_ha * 1e4, rng=rng)
    roofs = _roofs(yard, rng)
    paths = [_path(yard, rng) for _ in range(rng.integers(1, 4))]
    whole = shapely.union_all([yard, *roofs])
    paper = canvas.Canvas.around(shapely.union_all([whole, *paths]), centre)
    bare = paper.drawn([yard]) * (
        0.55 + 0.45 * np.clip(canvas.noise(paper.shape, 4.0, rng) + rng.uniform(-0.3, 1.2), 0, 1)
    )
    bare = bare * ~canvas.thresholded(canvas.noise(paper.shape, 1.1, rng), rng.uniform(0, 0.3))
    trodden = paper.drawn(paths) * rng.uniform(0.4, 0.9)
    colours = [str(rng.choice(_YARDS)), *rng.choice(_ROOFS, size=3, replace=False)]
    coverage, material = np.maximum(bare, trodden).astype(np.float32), np.zeros(paper.shape, np.uint8)
    for index in range(1, len(colours)):
        built = paper.drawn(roofs[index - 1 :: 3])
        coverage = np.maximum(coverage, built)
        material[built > 0.5] = index
    texture = np.where(material > 0, np.float32(1), canvas.texture(paper.shape, rng))
    table = np.stack([surface(str(name), rng) for name in colours])
    return _planted(paper, ("camp", "camp"), (coverage, material, texture, table), whole)


def track(
    rng: np.random.Generator,
    *,
    centre: tuple[float, float],
    length_m: float,
    width_m: float,
    surface: Surface = spectra.natural,
) -> Planted:
    """An earth road pushed through: winding, of uneven width, hidden here and there by canopy.

    Args:
        rng: source of all choices not given.
        centre: (row, column) in 10 m pixels of the frame: the middle of its bounds.
        length_m: along the line.
        width_m: of the opened strip, on average.
        surface: gives the spectra of what is new.
    """
    line = outlines.winding_line(length_m, rng=rng)
    ground = line.buffer(width_m / 2, cap_style="flat", quad_segs=4)
    paper = canvas.Canvas.around(ground, centre)
    hidden = np.clip(canvas.noise(paper.shape, 9.0, rng) - rng.uniform(0.9, 2.2), 0, 1.2) / 1.2
    edges = 1 - 0.25 * np.clip(canvas.noise(paper.shape, 1.5, rng), 0, 1)
    coverage = (paper.drawn([ground]) * (1 - hidden) * edges).astype(np.float32)
    kinds = (str(rng.choice(_ROADS)), "slash")
    material = (canvas.noise(paper.shape, 2.0, rng) > 1.6).astype(np.uint8)
    table = np.stack([surface(name, rng) for name in kinds])
    layers = (coverage, material, canvas.texture(paper.shape, rng), table)
    return _planted(paper, ("track", "track"), layers, line, width_m=width_m)


def random_planted(kind: str, rng: np.random.Generator, *, frame_px: tuple[int, int]) -> Planted:
    """A change of one kind with its centre in a frame and its size drawn evenly on a log scale.

    Args:
        kind: in `schema.KINDS`.
        rng: source of all choices.
        frame_px: (height, width) in 10 m pixels; the change may reach beyond it.

    Raises:
        ValueError: unknown kind.
    """
    centre = (float(rng.uniform(0.1, 0.9) * frame_px[0]), float(rng.uniform(0.1, 0.9) * frame_px[1]))
    if kind in AREA_HA:
        area = _log_uniform(rng, AREA_HA[kind])
        return (clearing if kind == "clearing" else camp)(rng, centre=centre, area_ha=area)
    if kind != "track":
        raise ValueError(f"kind {kind!r} is none of {', '.join(schema.KINDS)}")
    return track(rng, centre=centre, length_m=_log_uniform(rng, LENGTH_M), width_m=_log_uniform(rng, WIDTH_M))


Layers = tuple[Array, NDArray[np.uint8], Array, Array]


def _planted(
    paper: canvas.Canvas, names: tuple[str, str], layers: Layers, ground: BaseGeometry, *, width_m: float = 0.0
) -> Planted:
    length = ground.length if width_m else 0.0
    coverage, material, brightness, table = layers
    return Planted(
        *names,
        paper.row,
        paper.col,
        coverage.astype(np.float32),
        material,
        brightness.astype(np.float32),
        table.astype(np.float32),
        paper.placed(ground),
        area_m2=length * width_m if width_m else ground.area,
        length_m=length,
        width_m=width_m,
    )


def _roofs(yard: Polygon, rng: np.random.Generator) -> list[BaseGeometry]:
    """Buildings in the yard and a little beyond its rim, not overlapping: about one per 250 m2, 3 to 60."""
    west, north, east, south = yard.bounds
    heading = rng.uniform(0, 180)
    room, roofs = yard.buffer(3.0), list[BaseGeometry]()
    wanted = int(np.clip(rng.uniform(0.4, 1.2) * yard.area / 250, 3, 60))
    for _ in range(wanted * 12):
        if len(roofs) == wanted:
            break
        length, width = rng.uniform(4, 12), rng.uniform(3, 6)
        spot = (rng.normal((west + east) / 2, (east - west) / 4), rng.normal((north + south) / 2, (south - north) / 4))
        roof = affinity.translate(outlines.building(length, width, rng=rng, heading_deg=heading), *spot)
        if room.contains(roof) and not any(roof.intersects(other) for other in roofs):
            roofs.append(roof)
    return roofs


def _path(yard: Polygon, rng: np.random.Generator) -> BaseGeometry:
    """A footpath of 1 to 2.5 m from the yard outwards."""
    length = rng.uniform(40, 180)
    line = outlines.winding_line(length, rng=rng, bend_m=60)
    edge = yard.exterior.interpolate(rng.uniform(0, 1), normalized=True)
    start = line.coords[0]
    return affinity.translate(line, edge.x - start[0], edge.y - start[1]).buffer(rng.uniform(0.5, 1.25), quad_segs=2)


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))
