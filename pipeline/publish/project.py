"""QGIS project: the night's layers, styled, with a sheet for every alert; made without QGIS.

In: what lies in the folder of a night. Out: `vanwatch.qgz`, in which every path is relative. Knows no alerts.

Written as QGIS 3.22 writes it; what a reader takes for granted is left out. Source: files that QGIS 3.22 saved.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import rasterio
import shapely
from pyproj import CRS

from pipeline import disk, grid
from pipeline.publish import land, pictures, rasters, styles, texts
from pipeline.publish.geopackage import Area
from pipeline.publish.land import Kept
from pipeline.publish.pictures import Limits
from pipeline.publish.styles import Style
from pipeline.schema import KINDS

Bounds = tuple[float, float, float, float]
_TITLES = {"alerts": "Clearings and camps", "tracks": "Tracks", "blind": "Blind places", "aoi": "Area of interest"}
_COMPOSITES = {"true": "true colour", "swir": "SWIR, NIR, red"}
_SEEN = ((5, "up to 5 days", "#2c7bb6"), (10, "6 to 10", "#abd9e9"), (20, "11 to 20", "#ffffbf"))
_LONG = ((40, "21 to 40", "#fdae61"), (65533, "more than 40", "#d7191c"), (rasters.NEVER, "never", "#2d004b"))
_LEAST_SCALE = 9000
_SCALE = (
    f'max({_LEAST_SCALE}, 1.6 * 111320 * max(bounds_width(@atlas_geometry) * cos(radians("lat")), '
    "bounds_height(@atlas_geometry)) / 0.08)"
)
_HEADLINE = (
    """[% title("kind") %], [% "status" %], confidence [% min(99, round(100 * "confidence")) %] %"""
    """   ·   [% "alert_id" %]"""
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """How one raster layer is drawn: either three bands as colours, or one by a ramp."""

    bands: tuple[int, ...] = ()
    limits: Limits = ()
    gamma: float = 1.0
    band: int = 1
    ramp: str = "INTERPOLATED"
    items: tuple[dict[str, Any], ...] = ()
    smooth: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the project."""

    id: str
    title: str
    source: str
    epsg: int
    bounds: Bounds
    style: Style | None = None
    drawn: Drawn | None = None
    shown: bool = True
    expanded: bool = False

    @property
    def provider(self) -> str:
        """QGIS's name for what reads the file."""
        return "ogr" if self.style else "gdal"


@dataclass(frozen=True, slots=True)
class Group:
    """One group of layers."""

    title: str
    layers: tuple[Layer, ...]
    shown: bool = True
    expanded: bool = True


@dataclass(frozen=True, slots=True)
class Sheet:
    """One print layout: an atlas over one layer."""

    title: str
    layer: Layer
    headline: str
    facts: str
    maps: Mapping[str, tuple[Layer, ...]]
    scale: str = _SCALE
    sort: str = '"priority"'
    filter: str = "\"status\" IN ('confirmed', 'possible')"


@dataclass(frozen=True, slots=True)
class Dates:
    """What the temporal controller runs over."""

    first: date
    """The first of all alerts."""
    as_of: date


def write(path: Path, area: Area, dates: Dates, stretch: Mapping[str, Limits], around: Sequence[Kept] = ()) -> None:
    """Write the project of a night into its folder, beside the GeoPackage and the rasters that it shows.

    Args:
        path: of the project; its folder holds the rasters already.
        area: the AOI.
        dates: of the alerts and of the night.
        stretch: from `pictures.limits`.
        around: layers of what is known of the land, in `context.gpkg` beside it.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    text = texts.render("project.qgs", project=_project(path.parent, area, dates, stretch, around))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        entry = zipfile.ZipInfo("vanwatch.qgs")  # its fixed date keeps the bytes the same every time
        archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    with disk.whole(path) as handle:
        handle.write(held.getvalue())


def _project(
    folder: Path, area: Area, dates: Dates, stretch: Mapping[str, Limits], around: Sequence[Kept]
) -> dict[str, Any]:
    vectors = {name: _vector(name, style, area) for name, style in styles.layer_styles().items()}
    images = {key: _images(folder, *key, stretch) for key in _keys()}
    known = tuple(_known(one, area) for one in around)
    groups = (
        Group("Alerts", tuple(vectors[name] for name in ("tracks", "alerts", "blind", "aoi"))),
        *([Group("Context", known)] if known else []),
        Group("Probability of the latest look", _probabilities(folder), shown=False),
        Group("After: latest clear pixels", (*images["after", "true"], *images["after", "swir"])),
        Group("Before: normal of the season", (*images["before", "true"], *images["before", "swir"])),
        Group("Days since the last clear look", _seen(folder), shown=False, expanded=False),
    )
    layers = tuple(layer for group in groups for layer in group.layers)
    main = next((layer for layer in layers if layer.drawn), vectors["aoi"])
    return {
        "title": f"Vanwatch: {area.name}, {dates.as_of.isoformat()}",
        "foot": f"Vanwatch, {area.name}, night of {dates.as_of.isoformat()}",
        "epsg": main.epsg,
        "bounds": grid.reproject(shapely.segmentize(area.geometry, 0.01), 4326, main.epsg).bounds,
        "wkt": {epsg: CRS.from_epsg(epsg).to_wkt() for epsg in {layer.epsg for layer in layers}},
        "groups": groups,
        "layers": layers,
        "presets": _presets(vectors, known, images),
        "sheets": [_sheet(title, vectors, name, images, known) for title, name in _SHEETS.items()],
        "start": (dates.first - timedelta(days=1)).isoformat(),
        "end": (dates.as_of + timedelta(days=1)).isoformat(),
    }


_SHEETS = {"Alert sheet": "alerts", "Track sheet": "tracks"}


def _keys() -> list[tuple[str, str]]:
    return [(name, composite) for name in ("before", "after") for composite in pictures.COMPOSITES]


def _vector(name: str, style: Style, area: Area) -> Layer:
    source = f"./alerts.gpkg|layername={name}"
    return Layer(f"vanwatch_{name}", _TITLES[name], source, 4326, area.geometry.bounds, style, expanded=name != "aoi")


def _known(layer: Kept, area: Area) -> Layer:
    source = f"./{land.FILE}|layername={layer.name}"
    return Layer(f"vanwatch_context_{layer.name}", layer.title, source, 4326, area.geometry.bounds, layer.style)


def write_styles(folder: Path, stretch: Mapping[str, Limits]) -> None:
    """Write the styles that QGIS applies by itself to `before.tif` and `after.tif`, in true colour.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    text = texts.render("raster.qml", drawn=_coloured("true", stretch))
    for path in (path for name in ("before", "after") for path in rasters.paths_of(folder, name)):
        with disk.whole(path.with_suffix(".qml")) as handle:
            handle.write(text.encode())


def _coloured(composite: str, stretch: Mapping[str, Limits]) -> Drawn:
    return Drawn(pictures.indices(composite), stretch[composite], pictures.GAMMA, smooth=True)


def _images(folder: Path, name: str, composite: str, stretch: Mapping[str, Limits]) -> tuple[Layer, ...]:
    drawn = _coloured(composite, stretch)
    shown = composite == "true"
    return _rasters(folder, name, f"{name.capitalize()}, {_COMPOSITES[composite]}", composite, drawn, shown=shown)


def _probabilities(folder: Path) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for kind in reversed(KINDS):
        steps = ((0.1, 0), (0.3, 90), (0.6, 190), (1.0, 255))
        items = tuple(
            {"value": value, "label": f"{value:.0%}", "colour": styles.COLOURS[kind], "alpha": alpha}
            for value, alpha in steps
        )
        drawn = Drawn(band=KINDS.index(kind) + 1, items=items)
        layers += _rasters(folder, "change", f"Probability of a {kind}", kind, drawn)
    return tuple(layers)


def _seen(folder: Path) -> tuple[Layer, ...]:
    items = tuple(
        {"value": days, "label": label, "colour": colour, "alpha": 200} for days, label, colour in _SEEN + _LONG
    )
    return _rasters(folder, "seen", "Days since the last clear look", "days", Drawn(ramp="DISCRETE", items=items))


def _rasters(folder: Path, name: str, title: str, part: str, drawn: Drawn, *, shown: bool = True) -> tuple[Layer, ...]:
    """A layer per UTM zone; only the first is named without it."""
    layers = []
    for number, path in enumerate(rasters.paths_of(folder, name)):
        with rasterio.open(path) as source:
            epsg, bounds = source.crs.to_epsg(), tuple(source.bounds)
        label = title if number == 0 else f"{title} (zone {epsg % 100})"
        layers.append(
            Layer(f"vanwatch_{path.stem}_{part}", label, f"./{path.name}", epsg, bounds, drawn=drawn, shown=shown)
        )
    return tuple(layers)


def _presets(
    vectors: Mapping[str, Layer], known: Sequence[Layer], images: Mapping[tuple[str, str], Sequence[Layer]]
) -> list[dict[str, Any]]:
    """Map themes: one click between before and after."""
    over = [*(vectors[name].id for name in ("alerts", "tracks", "aoi")), *(layer.id for layer in known)]
    return [
        {
            "title": f"{name.capitalize()}, {_COMPOSITES[part]}",
            "ids": [*over, *(layer.id for layer in images[name, part])],
        }
        for name, part in _keys()
    ]


def _sheet(
    title: str,
    vectors: Mapping[str, Layer],
    name: str,
    images: Mapping[tuple[str, str], Sequence[Layer]],
    known: Sequence[Layer],
) -> Sheet:
    over = (vectors["tracks"], vectors["alerts"])
    maps = {
        "before": (*over, *images["before", "true"]),
        "after": (*over, *images["after", "true"]),
        "before-swir": tuple(images["before", "swir"]),
        "after-swir": tuple(images["after", "swir"]),
        "overview": (*over, vectors["blind"], vectors["aoi"], *known, *images["after", "true"]),
    }
    return Sheet(title, vectors[name], _HEADLINE, texts.render("facts.html"), maps)
