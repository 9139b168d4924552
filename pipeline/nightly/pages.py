"""What people open, from what a night has found: for QGIS and for a browser.

In: a night's folder with its rasters, and facts. Out: files in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from pipeline.aoi import Aoi
from pipeline.context import Feature
from pipeline.publish import qgis, report, surroundings
from pipeline.publish.geopackage import Area
from pipeline.publish.series import Point
from pipeline.publish.surroundings import Rated
from pipeline.schema import Alert


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell."""

    aoi: Aoi
    as_of: date
    alerts: tuple[Alert, ...]
    """Open and ended ones."""
    before: tuple[Alert, ...]
    """All alerts of the night before."""
    rated: Mapping[str, Rated]
    """Priority and surroundings by alert."""
    run: Mapping[str, Any]
    """What `run.json` tells."""
    land: tuple[Feature, ...] = ()
    """What is known of the land."""
    uncovered: BaseGeometry = field(default_factory=Polygon)
    """WGS84 part of the AOI that no granule covers."""


def write(
    folder: Path, told: Told, points: Mapping[str, Sequence[Point]], ledger: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write everything for people into a night's folder, which holds its rasters already.

    Args:
        folder: of the night.
        told: what there is to tell.
        points: time series by alert.
        ledger: all scenes ever considered; gives the days of looks that saw nothing.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    aoi = told.aoi
    area = Area(aoi.id, aoi.name, aoi.profile_name, aoi.geometry)
    content = qgis.Content(
        told.alerts,
        area,
        told.as_of,
        blind_after_days=aoi.profile.blind_after_days,
        extras=surroundings.extras(told.rated),
        land=told.land,
        uncovered=told.uncovered,
    )
    shown = qgis.write(folder, content)
    found = report.Found(
        area, told.as_of, told.alerts, told.before, shown, points, told.rated, told.run, _looks(ledger)
    )
    report.write(folder, found)


def _looks(ledger: Mapping[str, Mapping[str, Any]]) -> dict[str, list[date]]:
    """Days of the scenes of each MGRS tile."""
    days: dict[str, set[date]] = {}
    for entry in ledger.values():
        if entry.get("sensed"):
            days.setdefault(entry["mgrs"], set()).add(datetime.fromisoformat(entry["sensed"]).date())
    return {mgrs: sorted(found) for mgrs, found in sorted(days.items())}
