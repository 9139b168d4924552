"""Areas of interest: one GeoJSON file each, checked whole before any work.

In: files in `aoi/` and profiles in `configs/`. Out: `Aoi` values. Knows no catalogue and no pixels.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pydantic import Field, ValidationError
from pyproj import Geod
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from pipeline import config, disk, grid
from pipeline.config import Model, Profile
from pipeline.errors import ConfigError

_GEOD = Geod(ellps="WGS84")
MIN_AREA_KM2 = 0.01
_UNREADABLE = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError),
    shapely.errors.ShapelyError,
)
"""What shapely raises at coordinates that are none."""
_WGS84 = re.compile(r"CRS84|\bEPSG:{1,2}(\d[.\d]*:)?4326\b")


class Properties(Model):
    """The properties of an AOI's feature."""

    id: str
    name: str = Field(min_length=1)
    profile: str = Field(min_length=1)
    enabled: bool = True
    note: str = ""
    overrides: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Aoi:
    """One area to watch, with the profile that says how."""

    id: str
    name: str
    enabled: bool
    geometry: BaseGeometry
    """WGS84 polygons within -180 to 180 degrees."""
    profile_name: str
    profile: Profile
    """The AOI's overrides are laid over it."""
    path: Path
    configs: Path
    """Folder of its profile: what a profile names is relative to it."""

    @property
    def area_km2(self) -> float:
        """Geodesic area."""
        return area_km2(self.geometry)


def area_km2(geometry: BaseGeometry) -> float:
    """Geodesic area of WGS84 polygons, whatever the direction of their rings."""
    return (
        sum(
            abs(_GEOD.geometry_area_perimeter(shapely.orient_polygons(part))[0])
            for part in getattr(geometry, "geoms", [geometry])
        )
        / 1e6
    )


def read(path: Path) -> bytes:
    """What stands in a file.

    Raises:
        ConfigError: the file is missing, empty or cannot be read.
    """
    try:
        found = disk.content(path)
    except FileNotFoundError as err:
        raise ConfigError(f"{path}: no such file; give the path of a GeoJSON file") from err
    except OSError as err:
        raise ConfigError(f"{path}: not readable as GeoJSON: {err}; save it again as GeoJSON") from err
    if not found:
        raise ConfigError(f"{path}: is empty; save it again as GeoJSON")
    return found


def load(path: Path, configs: Path, *, content: bytes | None = None) -> Aoi:
    """Read and check one AOI file and the profile that it names.

    Args:
        path: GeoJSON with one Feature, or a FeatureCollection that holds one.
        configs: folder of the profiles.
        content: of the file, where it was read before: a pipe gives it only once.

    Raises:
        ConfigError: anything is wrong; the message names file, key and remedy, one line per mistake.
    """
    feature = _feature(path, read(path) if content is None else content)
    try:
        properties = Properties.model_validate(_given(feature.get("properties")))
    except ValidationError as err:
        raise ConfigError("\n".join(config.explain(err, f"{path}: properties", Properties))) from err
    if not re.fullmatch(r"[a-z][a-z0-9-]{1,62}", properties.id):
        raise ConfigError(
            f"{path}: properties.id: use 2 to 63 lower-case letters, digits and '-', starting with a letter, "
            f"got {properties.id!r}"
        )
    if not properties.name.strip() or not properties.name.isprintable():
        raise ConfigError(f"{path}: properties.name: must be one line of printable text, got {properties.name!r:.80}")
    profile = _profile(path, properties, configs)
    geometry = _geometry(path, feature)
    _check_area(path, geometry, profile)
    return Aoi(properties.id, properties.name, properties.enabled, geometry, properties.profile, profile, path, configs)


def load_all(folder: Path, configs: Path) -> tuple[Aoi, ...]:
    """Read and check all AOIs of a folder.

    Raises:
        ConfigError: one line for every mistake in every file, a file that would be passed over by its name, or the
            folder holds none.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; check --home, or add an AOI, see README.md")
    named = config.shown(folder.iterdir())
    paths = [path for path in named if path.suffix == ".geojson"]
    passed = [path for path in named if path not in paths and path.suffix.lower() in (".geojson", ".json")]
    if not paths and not passed:
        raise ConfigError(f"{folder}: holds no *.geojson; add an AOI, see README.md")
    found = []
    mistakes = [f"{path}: would not be watched; rename it to {path.stem}.geojson, or move it away" for path in passed]
    for path in paths:
        try:
            found.append(load(path, configs))
        except ConfigError as err:
            mistakes.append(str(err))
    first: dict[str, Path] = {}
    for item in found:
        if item.id in first:
            mistakes.append(f"{item.path}: properties.id: {item.id!r} is taken by {first[item.id]}")
        first.setdefault(item.id, item.path)
    if mistakes:  # one in a profile is told once, not for each of its AOIs
        raise ConfigError("\n".join(dict.fromkeys("\n".join(mistakes).splitlines())))
    return tuple(found)


def _given(properties: Any) -> Any:
    """The properties that people filled in: QGIS writes null for a column left empty, and numbers rows as `fid`."""
    if not isinstance(properties, dict):
        return properties or {}
    return {key: value for key, value in properties.items() if value is not None and key != "fid"}


def _profile(path: Path, properties: Properties, configs: Path) -> Profile:
    there = config.profile_paths(configs)
    found = next((one for one in there if one.stem == properties.profile), None)
    if found is None:
        names = ", ".join(one.stem for one in there) or "none"
        raise ConfigError(f"{path}: properties.profile: {properties.profile!r} is not in {configs}; there are: {names}")
    return config.load_profile(found, properties.overrides, source=str(path))


def _feature(path: Path, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")  # some editors begin a file with a mark
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as err:
        raise ConfigError(f"{path}: not readable as GeoJSON: {err}; save it again as GeoJSON") from err
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: not a GeoJSON object; save it again as GeoJSON")
    crs = document.get("crs")
    if crs is not None and not _WGS84.search(json.dumps(crs)):
        raise ConfigError(
            f"{path}: crs: GeoJSON is always WGS84; reproject with: ogr2ogr -t_srs EPSG:4326 -lco RFC7946=YES"
        )
    listed = document.get("features") if document.get("type") == "FeatureCollection" else [document]
    features = listed if isinstance(listed, list) else []
    if len(features) != 1:
        remedy = "use a file per AOI, or join them into one (in QGIS: Dissolve)" if features else "draw the area"
        raise ConfigError(f"{path}: must hold exactly one Feature, found {len(features)}; {remedy}")
    if not isinstance(features[0], dict) or features[0].get("type") != "Feature":
        raise ConfigError(f"{path}: holds no Feature with properties; see README.md for what an AOI needs")
    return dict(features[0])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that is there twice, the first would be forgotten without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _geometry(path: Path, feature: dict[str, Any]) -> BaseGeometry:
    source = feature.get("geometry")
    if not isinstance(source, dict) or source.get("type") not in ("Polygon", "MultiPolygon"):
        kind = source.get("type") if isinstance(source, dict) else source
        raise ConfigError(f"{path}: geometry: must be a Polygon or MultiPolygon, got {kind!r}")
    try:
        with np.errstate(invalid="ignore"):  # what is not a number is refused below, by name
            geometry = shapely.force_2d(shape(source))
        rings = [ring for part in _polygons(source) for ring in part]
    except _UNREADABLE as err:
        what = str(err).splitlines()[0][:100] if isinstance(err, ValueError | shapely.errors.ShapelyError) else ""
        why = f" ({what})" if what else ""
        raise ConfigError(
            f"{path}: geometry: not readable as rings of [longitude, latitude]{why}; save it again as GeoJSON"
        ) from err
    if geometry.is_empty:
        raise ConfigError(f"{path}: geometry: is empty; draw the area")
    if any(list(ring[0]) != list(ring[-1]) for ring in rings):
        raise ConfigError(f"{path}: geometry: a ring is not closed; end it with the position that it begins with")
    coordinates = shapely.get_coordinates(geometry)
    if not np.isfinite(coordinates).all():
        raise ConfigError(f"{path}: geometry: holds coordinates that are not finite numbers")
    if np.abs(coordinates[:, 0]).max() > 360 or coordinates[:, 1].max() > 84 or coordinates[:, 1].min() < -80:
        raise ConfigError(
            f"{path}: geometry: coordinates must be degrees: longitude, then latitude from -80 to 84, got up to "
            f"{np.abs(coordinates[:, 0]).max():g}, {np.abs(coordinates[:, 1]).max():g}; reproject to EPSG:4326, or "
            "exchange the two"
        )
    whole = grid.unwrapped(geometry)
    if geometry.is_valid and not whole.is_valid:
        raise ConfigError(f"{path}: geometry: spans more than 180 degrees of longitude; split it into several AOIs")
    if not whole.is_valid:
        raise ConfigError(
            f"{path}: geometry: {shapely.is_valid_reason(whole).split('[')[0].lower()}; "
            "redraw it so that every ring encloses ground and does not cross itself"
        )
    return grid.split_at_antimeridian(geometry)


def _polygons(source: dict[str, Any]) -> list[Any]:
    """The rings of each part as they stand in the file: shapely closes open ones without a word."""
    found: list[Any] = [source["coordinates"]] if source["type"] == "Polygon" else source["coordinates"]
    return found


def _check_area(path: Path, geometry: BaseGeometry, profile: Profile) -> None:
    area = area_km2(geometry)
    if area < MIN_AREA_KM2:
        raise ConfigError(f"{path}: geometry: {area:.4f} km2 is too small; the least is {MIN_AREA_KM2} km2")
    if area > profile.max_area_km2:
        raise ConfigError(
            f"{path}: geometry: {area:,.0f} km2 is more than max_area_km2 = {profile.max_area_km2:,.0f} of the "
            "profile; split the area or raise the limit"
        )
