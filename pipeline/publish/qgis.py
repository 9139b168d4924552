"""What an analyst opens in QGIS: GeoPackage, project, styles and chips, in the folder of a night.

In: a night's folder with its rasters, and its alerts. Out: files in it. Needs no QGIS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline import disk
from pipeline.publish import blind, geopackage, pictures, project, rasters, styles
from pipeline.publish.columns import Extra
from pipeline.publish.geopackage import Area
from pipeline.publish.pictures import Chip
from pipeline.schema import Alert, Status

_OPEN = (Status.POSSIBLE, Status.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Shown:
    """What was drawn, for whoever shows it again."""

    chips: dict[str, Chip]
    """By alert; open alerts only."""
    blind: tuple[blind.Blind, ...]
    stretch: dict[str, pictures.Limits]


def write(
    folder: Path,
    alerts: Sequence[Alert],
    *,
    area: Area,
    as_of: date,
    blind_after_days: int,
    extras: Mapping[str, Extra] | None = None,
) -> Shown:
    """Write `alerts.gpkg`, `vanwatch.qgz`, `chips/`, and the styles of the GeoJSON files.

    Args:
        folder: of the night; holds its rasters already.
        alerts: open and ended ones.
        area: the AOI.
        as_of: the night.
        blind_after_days: a place not seen for longer is blind.
        extras: what is known of the alerts' surroundings, by alert.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    places = blind.find(rasters.paths_of(folder, "seen"), after_days=blind_after_days)
    embedded = {name: styles.qml(style) for name, style in styles.layer_styles().items()}
    geopackage.write(
        folder / "alerts.gpkg", alerts, blind=places, area=area, as_of=as_of, extras=extras, styles=embedded
    )
    for name in ("alerts", "changes"):
        with disk.whole(folder / f"{name}.qml") as handle:
            handle.write(styles.geojson_qml().encode())
    stretch = pictures.limits(folder)
    chips = {alert.alert_id: _chip(folder, alert, stretch) for alert in alerts if alert.status in _OPEN}
    first = min((alert.detection.first_seen for alert in alerts), default=as_of)
    project.write(folder / "vanwatch.qgz", area, project.Dates(first, as_of), stretch)
    return Shown(chips, places, stretch)


def chip_name(alert_id: str, name: str, composite: str) -> str:
    """The file of a chip in `chips/`: `..._before.jpg`, or `..._before_swir.jpg` in other colours."""
    return f"{alert_id}_{name}.jpg" if composite == "true" else f"{alert_id}_{name}_{composite}.jpg"


def _chip(folder: Path, alert: Alert, stretch: dict[str, pictures.Limits]) -> Chip:
    chip = pictures.chip(folder, alert.detection, stretch)
    for (name, composite), data in chip.pixels.items():
        with disk.whole(folder / "chips" / chip_name(alert.alert_id, name, composite)) as handle:
            handle.write(data)
    return chip
