"""Context beside the alerts: what is known of the land, kept where the project and the report can show it.

In: features from `pipeline.context`. Out: `context.gpkg`, one layer per role and form of shape, and their styles. Knows
no alerts.

The file holds copies, cut to the surroundings of the AOI: a night's folder can be taken to a machine that has none of
the files which the profile names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.context import Feature
from pipeline.publish import styles, tables
from pipeline.publish.styles import Rule, Style
from pipeline.publish.tables import Table

FILE = "context.gpkg"
TITLES = {
    "known": "Known tracks and sites",
    "settlement": "Settlements",
    "road": "Roads",
    "border": "Border",
    "permit": "Permits",
    "protected": "Protected areas",
}
"""Roles for people, in the order in which they are drawn over each other."""
COLOURS = {
    "known": "#c9c2ff",
    "settlement": "#ffffff",
    "road": "#f3dcae",
    "border": "#ff8ad8",
    "permit": "#ff9f43",
    "protected": "#7ee08a",
}
"""One colour per role, in QGIS and in the report; none of them is that of a kind."""
_FORMS = ("points", "lines", "areas")
_GEOMETRIES = ("MultiPoint", "MultiLineString", "MultiPolygon")
_WIDTHS = {"road": 0.35, "border": 0.8}
_DASHES = {"border": "dash dot", "known": "dot"}
_MARKS = {"settlement": "square", "known": "cross2"}
_FILLS = {"protected": 26, "settlement": 60}
_SHADE = "0,0,0,110"


@dataclass(frozen=True, slots=True)
class Kept:
    """One layer of the file."""

    name: str
    title: str
    style: Style


def write(path: Path, features: Sequence[Feature], *, over: BaseGeometry, as_of: date) -> tuple[Kept, ...]:
    """Write the features into a GeoPackage that wears its styles.

    Args:
        path: of the file; without a feature none is written.
        features: what is known of the land.
        over: WGS84 area beyond which nothing is kept.
        as_of: the night; stands in the file as its date of change.

    Returns:
        Its layers, the uppermost first.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    sorted_out = _by_layer(features, over)
    if not sorted_out:
        return ()
    kept = tuple(_kept(role, form, sorted_out) for role, form in sorted_out)
    layers = {one.name: _table(rows, form) for one, ((_, form), rows) in zip(kept, sorted_out.items(), strict=True)}
    tables.write(path, layers, as_of=as_of, styles={one.name: styles.qml(one.style) for one in kept})
    return kept


def parts_within(geometry: BaseGeometry, over: BaseGeometry) -> list[BaseGeometry]:
    """The parts of a shape inside an area; a line that only touches it leaves no point behind."""
    cut = [(part, part.intersection(over)) for part in shapely.get_parts(geometry)]
    return [
        piece
        for part, inside in cut
        for piece in shapely.get_parts(inside)
        if not piece.is_empty and shapely.get_dimensions(piece) == shapely.get_dimensions(part)
    ]


def _by_layer(
    features: Sequence[Feature], over: BaseGeometry
) -> Mapping[tuple[str, int], list[tuple[Feature, list[BaseGeometry]]]]:
    """(role, 0 points, 1 lines, 2 areas) to features with their parts of that form, the uppermost layer first."""
    found: dict[tuple[str, int], list[tuple[Feature, list[BaseGeometry]]]] = {}
    for feature in features:
        parts = parts_within(feature.geometry, over)
        for form in sorted({int(shapely.get_dimensions(part)) for part in parts}):
            mine = [part for part in parts if shapely.get_dimensions(part) == form]
            found.setdefault((feature.role, form), []).append((feature, mine))
    roles = list(TITLES)
    return dict(sorted(found.items(), key=lambda item: (item[0][1], roles.index(item[0][0]))))


def _kept(role: str, form: int, among: Mapping[tuple[str, int], object]) -> Kept:
    alone = sum(other == role for other, _ in among) == 1
    title = TITLES[role] if alone else f"{TITLES[role]}, {_FORMS[form]}"
    return Kept(f"{role}_{_FORMS[form]}", title, _style(role, form, title))


def _table(rows: Sequence[tuple[Feature, list[BaseGeometry]]], form: int) -> Table:
    many = (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)[form]
    columns = {
        "name": pd.array([feature.name for feature, _ in rows], dtype="str"),
        "layer": pd.array([feature.layer for feature, _ in rows], dtype="str"),
        "role": pd.array([feature.role for feature, _ in rows], dtype="str"),
    }
    shapes = [many(parts) for _, parts in rows]
    return Table(gpd.GeoDataFrame(columns, geometry=shapes, crs=4326), _GEOMETRIES[form])


def _style(role: str, form: int, title: str) -> Style:
    colour = styles.rgba(COLOURS[role], 255)
    filled = form == 2 and role in _FILLS
    rule = Rule(
        label=title,
        filter="",
        geometry=("point", "line", "fill")[form],
        colour=colour,
        width=_WIDTHS.get(role, 0.5),
        dash=_DASHES.get(role, "solid"),
        fill=styles.rgba(COLOURS[role], _FILLS[role]) if filled else "",
        casing=_SHADE if form == 1 else "",
        hatch=colour if form == 2 and role == "permit" else "",
        angle=135,
        mark=_MARKS.get(role, "circle") if form == 0 else "",
        mark_size=2.6,
    )
    tip = '<b>[% "name" %]</b><br>[% "layer" %]'
    return Style(rule.geometry, (rule,), label='"name"', tip=tip, name='"name"')
