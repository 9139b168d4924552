"""What an analyst opens in QGIS: GeoPackage, project, styles and chips, in the folder of a night.

In: a night's folder with its rasters, and its alerts. Out: files in it. Needs no QGIS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from pipeline import disk
from pipeline.context import Feature, box_around
from pipeline.publish import blind, geopackage, land, pictures, project, rasters, styles
from pipeline.publish.columns import Extra
from pipeline.publish.geopackage import Area
from pipeline.publish.pictures import Chip
from pipeline.schema import Alert, Status

_OPEN = (Status.POSSIBLE, Status.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Content:
    """What a night has to show."""

    alerts: Sequence[Alert]
    """Open and ended ones."""
    area: Area
    as_of: date
    blind_after_days: int
    """A place not seen for longer is blind."""
    extras: Mapping[str, Extra] = field(default_factory=dict)
    """What is known of the alerts' surroundings, by alert."""
    land: Sequence[Feature] = ()
    """What is known of the land."""
    uncovered: BaseGeometry = field(default_factory=Polygon)
    """WGS84 part of the AOI that no granule covers."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What was drawn, for whoever shows it again."""

    chips: dict[str, Chip]
    """By alert; open alerts only."""
    blind: tuple[blind.Blind, ...]
    stretch: dict[str, pictures.Limits]
    land: tuple[Feature, ...] = ()


def write(folder: Path, content: Content) -> Shown:
    """Write `alerts.gpkg`, `context.gpkg`, `vanwatch.qgz`, `chips/`, and the styles of files that are opened alone.

    Args:
        folder: of the night; holds its rasters already.
        content: what there is to show.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    area, alerts, as_of = content.area, content.alerts, content.as_of
    seen = rasters.paths_of(folder, "seen")
    places = blind.find(seen, after_days=content.blind_after_days, uncovered=content.uncovered)
    embedded = {name: styles.qml(style) for name, style in styles.layer_styles().items()}
    geopackage.write(
        folder / "alerts.gpkg", alerts, blind=places, area=area, as_of=as_of, extras=content.extras, styles=embedded
    )
    around = land.write(folder / land.FILE, content.land, over=box_around(area.geometry), as_of=as_of)
    for name in ("alerts", "changes"):
        with disk.whole(folder / f"{name}.qml") as handle:
            handle.write(styles.geojson_qml().encode())
    stretch = pictures.limits(folder)
    chips = {alert.alert_id: _chip(folder, alert, stretch) for alert in alerts if alert.status in _OPEN}
    first = min((alert.detection.first_seen for alert in alerts), default=as_of)
    project.write_styles(folder, stretch)
    project.write(folder / "vanwatch.qgz", area, project.Dates(first, as_of), stretch, around)
    return Shown(chips, places, stretch, tuple(content.land))


def chip_name(alert_id: str, name: str, composite: str) -> str:
    """The file of a chip in `chips/`: `..._before.jpg`, or `..._before_swir.jpg` in other colours."""
    return f"{alert_id}_{name}.jpg" if composite == "true" else f"{alert_id}_{name}_{composite}.jpg"


def _chip(folder: Path, alert: Alert, stretch: dict[str, pictures.Limits]) -> Chip:
    chip, place = pictures.chip(folder, alert.detection, stretch), folder / "chips"
    with disk.writing(place):  # not flushed one by one: the night is, as a whole, before anybody sees it
        place.mkdir(exist_ok=True)
        for (name, composite), data in chip.pixels.items():
            (place / chip_name(alert.alert_id, name, composite)).write_bytes(data)
    return chip
