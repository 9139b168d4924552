"""Granule grids and tiles: which pixel of which grid answers for which place.

In: WGS84 geometries. Out: `Granule`, `Window` and `Tile` values. Refuses to know scenes, files or configuration.

A granule grid is the fixed 10 m UTM grid of one MGRS tile (10980 x 10980 px). Neighbouring granules overlap by
about 10 km, and more where UTM zones meet; `tiles_over` gives each place to exactly one granule, so that no place
is counted twice.

Source: ESA Sentinel-2 tiling grid; MGRS letters as in DMA TM 8358.1, appendix B.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio import features
from shapely import box
from shapely.geometry.base import BaseGeometry

RESOLUTION_M = 10
GRANULE_PX = 10980
_SQUARE_M = 100_000
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")  # by zone modulo 3: zone 1 is ABCDEFGH
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_BANDS = "CDEFGHJKLMNPQRSTUVWX"  # 8 degrees each from 80 S; X has 12


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A rectangle of pixels on a granule grid; may reach beyond its edges (halos do)."""

    row: int
    col: int
    height: int
    width: int

    def grown(self, by_px: int) -> "Window":
        """The window with a border of `by_px` pixels on all sides."""
        return Window(self.row - by_px, self.col - by_px, self.height + 2 * by_px, self.width + 2 * by_px)

    def aligned(self, to_px: int) -> "Window":
        """The smallest window around this one whose edges are multiples of `to_px`."""
        row, col = self.row // to_px * to_px, self.col // to_px * to_px
        bottom = -(-(self.row + self.height) // to_px) * to_px
        right = -(-(self.col + self.width) // to_px) * to_px
        return Window(row, col, bottom - row, right - col)

    def cells(self, side_px: int) -> Iterator["Window"]:
        """The squares of the grid, counted from its corner, that the window touches."""
        around = self.aligned(side_px)
        for row in range(around.row, around.row + around.height, side_px):
            for col in range(around.col, around.col + around.width, side_px):
                yield Window(row, col, side_px, side_px)

    def clipped(self, other: "Window") -> "Window":
        """The part inside `other`; height and width are 0 where they do not meet."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        bottom = min(self.row + self.height, other.row + other.height)
        right = min(self.col + self.width, other.col + other.width)
        return Window(row, col, max(0, bottom - row), max(0, right - col))

    def within(self, outer: "Window") -> tuple[slice, slice]:
        """Slices (y, x) of this window in an array that covers `outer`."""
        y, x = self.row - outer.row, self.col - outer.col
        return slice(y, y + self.height), slice(x, x + self.width)

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x) in pixels."""
        return self.height, self.width

    @property
    def empty(self) -> bool:
        """True if the window holds no pixel."""
        return self.height <= 0 or self.width <= 0


@dataclass(frozen=True, slots=True, order=True)
class Granule:
    """The 10 m grid of one MGRS tile."""

    mgrs: str
    """Tile name without the leading T, like `31UDS`."""
    epsg: int
    left_m: int
    top_m: int

    @property
    def window(self) -> Window:
        """The whole grid."""
        return Window(0, 0, GRANULE_PX, GRANULE_PX)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) in metres of `epsg`."""
        side = GRANULE_PX * RESOLUTION_M
        return self.left_m, self.top_m - side, self.left_m + side, self.top_m

    def transform(self, window: Window) -> Affine:
        """Pixel (column, row) of `window` to metres of `epsg`."""
        left = self.left_m + window.col * RESOLUTION_M
        top = self.top_m - window.row * RESOLUTION_M
        return Affine(RESOLUTION_M, 0, left, 0, -RESOLUTION_M, top)

    def window_bounds(self, window: Window) -> tuple[float, float, float, float]:
        """(west, south, east, north) of `window` in metres of `epsg`."""
        left = self.left_m + window.col * RESOLUTION_M
        top = self.top_m - window.row * RESOLUTION_M
        return left, top - window.height * RESOLUTION_M, left + window.width * RESOLUTION_M, top

    def window_over(self, geometry: BaseGeometry) -> Window:
        """The smallest window around a geometry in this granule's CRS, clipped to the grid."""
        west, south, east, north = geometry.bounds
        col, row = math.floor((west - self.left_m) / 10), math.floor((self.top_m - north) / 10)
        right, bottom = math.ceil((east - self.left_m) / 10), math.ceil((self.top_m - south) / 10)
        return Window(row, col, bottom - row, right - col).clipped(self.window)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One window of a granule grid: the unit of work."""

    granule: Granule
    window: Window
    area: BaseGeometry = field(compare=False, hash=False)
    """What this tile answers for, in the granule's CRS."""

    @property
    def key(self) -> str:
        """Name in files and logs, like `31UDS_r02048_c00000`; holds no coordinates of the AOI."""
        return f"{self.granule.mgrs}_r{self.window.row:05d}_c{self.window.col:05d}"

    def owned(self) -> NDArray[np.bool_]:
        """(y, x) bool: pixels whose centre lies in `area`."""
        mask: NDArray[np.bool_] = features.geometry_mask(
            [self.area], self.window.shape, self.granule.transform(self.window), invert=True
        )
        return mask


@lru_cache(maxsize=256)
def transformer(source_epsg: int, target_epsg: int) -> Transformer:
    """A cached pyproj transformer, always x before y."""
    return Transformer.from_crs(source_epsg, target_epsg, always_xy=True)


def reproject(geometry: BaseGeometry, source_epsg: int, target_epsg: int) -> BaseGeometry:
    """The geometry in another CRS, vertex by vertex."""
    if source_epsg == target_epsg:
        return geometry
    convert = transformer(source_epsg, target_epsg)
    return shapely.transform(geometry, lambda xy: np.column_stack(convert.transform(xy[:, 0], xy[:, 1])))


def granule(mgrs: str) -> Granule:
    """The grid of an MGRS tile, from its name alone.

    Args:
        mgrs: like `31UDS`, with or without a leading T, zone with or without a leading 0.

    Raises:
        ValueError: the name is no MGRS tile.
    """
    name = mgrs.upper().removeprefix("T").rjust(5, "0")
    if not re.fullmatch(r"(0[1-9]|[1-5][0-9]|60)[C-X][A-Z]{2}", name):
        raise ValueError(f"{mgrs!r} is not an MGRS tile like '31UDS'")
    try:
        zone, band, column, row = int(name[:2]), name[2], name[3], name[4]
        easting = (_COLUMNS[(zone - 1) % 3].index(column) + 1) * _SQUARE_M
        row_index = (_ROWS.index(row) - (5 if zone % 2 == 0 else 0)) % 20
        latitude = -80 + 8 * _BANDS.index(band) + 4
    except ValueError as err:
        raise ValueError(f"{mgrs!r} is not an MGRS tile like '31UDS': no such square") from err
    north = band >= "N"
    epsg = (32600 if north else 32700) + zone
    middle = transformer(4326, epsg).transform(6 * zone - 183, latitude)[1]
    cycle = round((middle - _SQUARE_M * (row_index + 0.5)) / 2_000_000)
    return _granule(name, epsg, easting, cycle * 2_000_000 + row_index * _SQUARE_M, north)


def _granule(name: str, epsg: int, easting: int, northing: int, north: bool) -> Granule:
    """Origins lie on a 60 m lattice; the southern one is counted from the false northing of 10,000 km."""
    top = northing + _SQUARE_M
    offset = 0 if north else 40
    return Granule(name, epsg, easting // 60 * 60, math.ceil((top - offset) / 60) * 60 + offset)


def unwrapped(geometry: BaseGeometry) -> BaseGeometry:
    """WGS84 polygons in which rings that step by more than 180 degrees run on beyond 180 instead.

    Only so can such a ring be judged: with the jump in it, it may seem to cross itself, or not to.
    """
    parts = [_unwrapped(part) for part in shapely.get_parts(geometry)]
    polygons = [part for part in parts if isinstance(part, shapely.Polygon)]
    return shapely.MultiPolygon(polygons) if geometry.geom_type == "MultiPolygon" else parts[0]


def split_at_antimeridian(geometry: BaseGeometry) -> BaseGeometry:
    """A WGS84 geometry, of polygons or of lines, with all longitudes in -180 to 180.

    Rings and lines that step by more than 180 degrees, or reach beyond 180, are taken as crossing the antimeridian.
    """
    moved: list[BaseGeometry] = []
    for part in map(_unwrapped, getattr(geometry, "geoms", [geometry])):
        if part.bounds[0] >= -180 and part.bounds[2] <= 180:
            moved.append(part)
            continue
        for shift in (-720, -360, 0, 360, 720):
            piece = part.intersection(box(-180 - shift, -90, 180 - shift, 90))
            if not piece.is_empty and shapely.get_dimensions(piece) == shapely.get_dimensions(part):
                moved.append(_moved(_areas(piece) if part.area > 0 else piece, shift))
    if shapely.get_dimensions(geometry) == 1:
        lines = list(shapely.get_parts(moved))
        return lines[0] if len(lines) == 1 else shapely.MultiLineString(lines)
    return shapely.union_all(moved)


def _areas(geometry: BaseGeometry) -> BaseGeometry:
    """Only the polygons of an intersection: where outlines touch, it also holds lines and points."""
    if geometry.geom_type != "GeometryCollection":
        return geometry
    return shapely.union_all([part for part in shapely.get_parts(geometry) if part.area > 0])


def _moved(geometry: BaseGeometry, degrees: float) -> BaseGeometry:
    return shapely.transform(geometry, lambda xy: np.add(xy, (degrees, 0)))


def _unwrapped(part: BaseGeometry) -> BaseGeometry:
    outline = shapely.get_exterior_ring(part) if part.geom_type == "Polygon" else part
    longitudes = shapely.get_coordinates(outline)[:, 0]
    if np.abs(np.diff(longitudes)).max() <= 180:
        return part
    return shapely.transform(part, lambda xy: np.where(np.array([True, False]) & (xy < 0), xy + 360, xy))


def _zone_pieces(geometry: BaseGeometry) -> Iterator[tuple[int, str, BaseGeometry]]:
    """(zone, latitude band, piece of the geometry) with the exceptions of Norway and Svalbard."""
    west, south, east, north = geometry.bounds
    for index, band in enumerate(_BANDS):
        low, high = -80 + 8 * index, 84 if band == "X" else -72 + 8 * index
        if high <= south or low >= north:
            continue
        for zone in range(1, 61):
            left, right = _zone_limits(zone, band)
            if right > west and left < east and right > left:
                piece = _areas(geometry.intersection(box(left, low, right, high)))
                if piece.area > 0:
                    yield zone, band, piece


def _zone_limits(zone: int, band: str) -> tuple[float, float]:
    left, right = 6 * zone - 186, 6 * zone - 180
    if band == "V":
        return {31: (0, 3), 32: (3, 12)}.get(zone, (left, right))
    if band == "X":
        special = {31: (0, 9), 32: (0, 0), 33: (9, 21), 34: (0, 0), 35: (21, 33), 36: (0, 0), 37: (33, 42)}
        return special.get(zone, (left, right))
    return left, right


def pixels(area_km2: float) -> int:
    """So many pixels make an area."""
    return round(area_km2 * 1e6 / RESOLUTION_M**2)


def union(geometries: Iterable[BaseGeometry]) -> BaseGeometry:
    """All shapes as one."""
    return shapely.union_all(list(geometries))


def home_squares(geometry: BaseGeometry) -> dict[Granule, BaseGeometry]:
    """Which MGRS square each place lies in: granule to the part of a WGS84 geometry, in the granule's CRS."""
    found: dict[Granule, list[BaseGeometry]] = {}
    for zone, band, piece in _zone_pieces(geometry):
        north = band >= "N"
        epsg = (32600 if north else 32700) + zone
        projected = reproject(shapely.segmentize(piece, 0.05), 4326, epsg)
        west, south, east, top = projected.bounds
        for column in range(int(west // _SQUARE_M), int(east // _SQUARE_M) + 1):
            for row in range(int(south // _SQUARE_M), int(top // _SQUARE_M) + 1):
                square = box(column * 100_000, row * 100_000, (column + 1) * 100_000, (row + 1) * 100_000)
                part = _areas(projected.intersection(square))
                if part.area > 0:
                    key = _square_granule(zone, epsg, column, row, north)
                    found.setdefault(key, []).append(part)
    return {key: shapely.union_all(parts) for key, parts in sorted(found.items())}


def _square_granule(zone: int, epsg: int, column: int, row: int, north: bool) -> Granule:
    """The band letter is that of the square's middle, as in ESA's tile names."""
    middle = transformer(epsg, 4326).transform((column + 0.5) * _SQUARE_M, (row + 0.5) * _SQUARE_M)[1]
    band = _BANDS[min(19, max(0, int((middle + 80) // 8)))]
    letter = _ROWS[(row + (5 if zone % 2 == 0 else 0)) % 20]
    name = f"{zone:02d}{band}{_COLUMNS[(zone - 1) % 3][column - 1]}{letter}"
    return _granule(name, epsg, column * _SQUARE_M, row * _SQUARE_M, north)


def owned_areas(geometry: BaseGeometry, available: Iterable[Granule] | None = None) -> dict[Granule, BaseGeometry]:
    """Give each place of a WGS84 geometry to exactly one granule.

    A place belongs to the granule of its own MGRS square; where that one is not among `available` (the
    catalogues have no scenes of it), to the first available granule, by name, whose grid covers it.

    Args:
        geometry: WGS84, within -180 to 180.
        available: granules that have scenes; None means that all have.

    Returns:
        Granule to its part, in the granule's CRS. Places that no available granule covers are in no part.
    """
    return home_squares(geometry) if available is None else _shared_out(geometry, available)[0]


def uncovered(geometry: BaseGeometry, available: Iterable[Granule]) -> BaseGeometry:
    """The part of a WGS84 geometry that no available granule covers; slivers narrower than a pixel are left out."""
    rest = []
    for epsg, left in _shared_out(geometry, available)[1]:
        wide = [part for part in shapely.get_parts(left) if not part.buffer(-RESOLUTION_M / 2).is_empty]
        rest += [reproject(shapely.segmentize(part, 1000), epsg, 4326) for part in wide]
    return shapely.union_all(rest) if rest else shapely.Polygon()


def _shared_out(
    geometry: BaseGeometry, available: Iterable[Granule]
) -> tuple[dict[Granule, BaseGeometry], list[tuple[int, BaseGeometry]]]:
    """What each available granule owns, and with its CRS what none of them covers."""
    homes = home_squares(geometry)
    known = {(g.epsg, g.left_m, g.top_m): g for g in sorted(available)}
    owned: dict[Granule, list[BaseGeometry]] = {}
    left: list[tuple[int, BaseGeometry]] = []
    for home, part in homes.items():
        named = known.get((home.epsg, home.left_m, home.top_m))
        if named:
            owned.setdefault(named, []).append(part)
            continue
        rest = part
        for other in known.values():
            cover = reproject(shapely.segmentize(box(*other.bounds), 1000), other.epsg, home.epsg)
            got = _areas(rest.intersection(cover)) if _near(other, home) else None
            if got is not None and got.area > 0:
                owned.setdefault(other, []).append(reproject(got, home.epsg, other.epsg))
                rest = rest.difference(cover)
        left.append((home.epsg, rest))
    return {key: shapely.union_all(parts) for key, parts in sorted(owned.items())}, left


def _near(one: Granule, other: Granule) -> bool:
    """Same or adjacent zone and at most 200 km apart in northing: cheap, and spares odd far projections."""
    zones = (one.epsg % 100 - other.epsg % 100) % 60
    northing = [g.top_m - (10_000_000 if g.epsg // 100 == 327 else 0) for g in (one, other)]
    return zones in (0, 1, 59) and abs(northing[0] - northing[1]) < 200_000


def tiles_over(
    geometry: BaseGeometry, *, tile_px: int, cell_px: int | None = None, available: Iterable[Granule] | None = None
) -> tuple[Tile, ...]:
    """All tiles that a WGS84 geometry needs, each with the part that it answers for.

    Args:
        geometry: WGS84, within -180 to 180.
        tile_px: side of a tile; tiles start at its multiples, the last of a granule is smaller.
        cell_px: each tile's window is cut down to what its area needs, in steps of so many pixels; None leaves it.
        available: see `owned_areas`.
    """
    tiles = []
    for key, area in owned_areas(geometry, available).items():
        around = key.window_over(area).aligned(tile_px)
        for row in range(around.row, around.row + around.height, tile_px):
            for col in range(around.col, around.col + around.width, tile_px):
                window = Window(row, col, tile_px, tile_px).clipped(key.window)
                part = _areas(area.intersection(box(*key.window_bounds(window))))
                if part.area > 0:
                    needed = key.window_over(part).aligned(cell_px or tile_px).clipped(window)
                    tiles.append(Tile(key, needed, part))
    return tuple(sorted(tiles))
