"""Detections: from the marks of one granule to the shapes found on one night.

In: `schema.MARK` pixels of a granule. Out: `Detection` values in WGS84. Knows no earlier nights and no files.

Marks lie on the granule grid, so nothing here depends on how it was cut into tiles. The order: the shapes of each
kind, the small ones left out; contests between kinds (see `contest`); shapes, lines and figures of what remains.
"""

import math
from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline import config, grid
from pipeline.alerts import contest, shapes, tracks
from pipeline.alerts.contest import Claim
from pipeline.alerts.tracks import Track
from pipeline.grid import RESOLUTION_M, Granule
from pipeline.schema import KINDS, Detection, Kind

EPOCH = date(1970, 1, 1)
SEAM_PX = 1.5
"""Shapes nearer than this to each other are one."""
FIRST_SHARE = 0.2
HIT_SHARE = 0.75
EVIDENCE_SHARE = 0.5
_HALF = 0.5


def find(
    marks: NDArray[np.void], granule: Granule, rules: config.Rules, *, seam: BaseGeometry | None = None
) -> tuple[Detection, ...]:
    """Find the clearings, camps and tracks of one granule.

    Args:
        marks: (n,) of `schema.MARK`, each pixel and kind once, in any order.
        granule: the grid that they lie on.
        rules: smallest areas and lengths.
        seam: in the granule's CRS, the border to what other granules answer for. Shapes on it are kept whatever
            their size, since `merge.merge` may find their other half; None if there is no such border.

    Returns:
        Detections ordered by kind and place. No pixel is in two of them.
    """
    table = _Table(marks)
    near = None if seam is None or seam.is_empty else seam.buffer(SEAM_PX * RESOLUTION_M)
    shapely.prepare(near)
    claims = tuple(
        claim
        for kind in Kind
        for claim, track in _shapes(table.claim(kind), granule)
        if _enough(claim, track, rules) or _touches(claim, granule, near)
    )
    found = [
        _detection(claim, track, table, granule)
        for held in contest.settle(claims)
        for claim, track in _shapes(held, granule, whole=True)
        if _enough(claim, track, rules) or _touches(claim, granule, near)
    ]
    return tuple(sorted(found, key=order))


def order(detection: Detection) -> tuple[int, float, float, bytes]:
    """Sorts detections by kind, from north to south and from west to east."""
    west, _, _, north = detection.footprint.bounds
    return KINDS.index(detection.kind), -round(north, 6), round(west, 6), shapely.to_wkb(detection.footprint)


class _Table:
    """Marks by kind, with the place of each as one number."""

    def __init__(self, marks: NDArray[np.void]) -> None:
        marks = marks[np.lexsort((marks["col"], marks["row"], marks["kind"]))]
        self.by_kind = [marks[marks["kind"] == number] for number in range(len(KINDS))]
        self.places = [_places(part["row"], part["col"]) for part in self.by_kind]

    def claim(self, kind: Kind) -> Claim:
        """All pixels of a kind."""
        marks = self.by_kind[KINDS.index(kind)]
        rows, cols = marks["row"].astype(np.intp), marks["col"].astype(np.intp)
        return Claim(kind, rows, cols, _probability(marks["log_odds"]))

    def marks_at(self, kind: int, places: NDArray[np.int64]) -> NDArray[np.void]:
        """The marks of a kind on some places; a place without a mark of that kind gives none."""
        known = self.places[kind]
        at = np.searchsorted(known, places)
        hit = at < len(known)
        hit[hit] = known[at[hit]] == places[hit]
        found: NDArray[np.void] = self.by_kind[kind][at[hit]]
        return found


def _places(rows: NDArray[np.integer], cols: NDArray[np.integer]) -> NDArray[np.int64]:
    return rows.astype(np.int64) * 2**31 + cols


def _probability(log_odds: NDArray[np.float32]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-log_odds.astype(np.float64)))


def _shapes(whole_claim: Claim, granule: Granule, *, whole: bool = False) -> Iterable[tuple[Claim, Track | None]]:
    """Take a claim apart into shapes; with `whole`, an area stays one event even where a contest cut it in two."""
    rows, cols = whole_claim.rows, whole_claim.cols
    if whole_claim.kind == Kind.TRACK:
        for track in tracks.trace(rows, cols, granule):
            yield whole_claim.kept(track.pixels), track
    elif whole:
        yield whole_claim, None
    else:
        for pixels in shapes.members(shapes.groups(rows, cols)):
            yield whole_claim.kept(pixels), None


def _enough(claim: Claim, track: Track | None, rules: config.Rules) -> bool:
    least: config.KindRules = getattr(rules, claim.kind.value)
    long_enough = track is None or track.length_m >= least.min_length_m
    return long_enough and len(claim.rows) * shapes.PIXEL_M2 >= least.min_area_m2


def _touches(claim: Claim, granule: Granule, near: BaseGeometry | None) -> bool:
    """Does a shape lie on the seam to another granule?"""
    if near is None:
        return False
    _, window = shapes.crop(claim.rows, claim.cols)
    around = shapely.box(*granule.window_bounds(window))
    return bool(near.intersects(around)) and bool(near.intersects(shapes.polygon(claim.rows, claim.cols, granule)))


def big_enough(detection: Detection, rules: config.Rules) -> bool:
    """Does a detection reach the smallest area and length of its kind?"""
    least: config.KindRules = getattr(rules, detection.kind.value)
    if detection.kind == Kind.TRACK and detection.length_m < least.min_length_m:
        return False
    return detection.area_m2 >= least.min_area_m2


def _detection(claim: Claim, track: Track | None, table: _Table, granule: Granule) -> Detection:
    footprint = shapes.polygon(claim.rows, claim.cols, granule)
    places = _places(claim.rows, claim.cols)
    own = table.marks_at(KINDS.index(claim.kind), places)
    sums = [float(_probability(table.marks_at(k, places)["log_odds"]).sum()) for k in range(len(KINDS))]
    clearing, camp, passage = (min(1.0, total / len(places)) for total in sums)
    hits = int(np.quantile(own["hits"].astype(np.int64), HIT_SHARE, method="lower"))
    z = own["z"][np.isfinite(own["z"])]
    reached = float(np.quantile(own["log_odds"].astype(np.float64), EVIDENCE_SHARE, method="lower"))
    return Detection(
        kind=claim.kind,
        geometry=to_wgs84(footprint if track is None else track.line, granule.epsg),
        footprint=to_wgs84(footprint, granule.epsg),
        area_m2=float(len(places) * shapes.PIXEL_M2),
        length_m=0.0 if track is None else track.length_m,
        width_m=0.0 if track is None else track.width_m,
        probabilities=(clearing, camp, passage),
        confidence=(clearing, camp, passage)[KINDS.index(claim.kind)],
        hits=hits,
        looks=max(hits, int(np.quantile(own["looks"].astype(np.int64), HIT_SHARE, method="lower"))),
        first_seen=_day(int(np.quantile(own["first_day"].astype(np.int64), FIRST_SHARE, method="lower"))),
        last_seen=_day(int(own["last_day"].max())),
        z=float(np.median(z)) if len(z) else math.nan,
        mgrs=granule.mgrs,
        log_odds=reached,
        beside_cloud=bool(own["beside_cloud"].mean() > _HALF),
    )


def _day(days: int) -> date:
    return EPOCH + timedelta(days=days)


def to_wgs84(geometry: BaseGeometry, epsg: int) -> BaseGeometry:
    """A shape of a granule in WGS84, cut where it crosses the antimeridian."""
    placed = grid.split_at_antimeridian(grid.reproject(geometry, epsg, 4326))
    return placed if placed.is_valid else shapes.polygonal(shapely.make_valid(placed))
