"""A sample of a night's map, for people to look at: pixels drawn at random, more of them where they tell most.

In: the folder of a published night. Out: points without a word of what the map says there, and the design beside them;
later, the points as people have filled them in. A block of the map is in memory at a time.

Strata: each kind of alert; `beside`, what lies within 100 m of one, where edges and missed parts are; `elsewhere`. What
was never seen clearly belongs to none.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from rasterio.errors import RasterioError
from rasterio.transform import array_bounds, xy
from rasterio.windows import Window
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from pipeline import disk, grid
from pipeline.errors import ConfigError, StateError
from pipeline.evaluate import accuracy
from pipeline.evaluate.accuracy import Accuracy, Stratum
from pipeline.publish import packs, rasters
from pipeline.schema import KINDS

NONE, UNSURE = "none", "unsure"
CLASSES = (*KINDS, NONE)
BESIDE, ELSEWHERE = "beside", "elsewhere"
STRATA = (*KINDS, BESIDE, ELSEWHERE)
BESIDE_M = 100.0
_OUTSIDE = len(STRATA)
_BLOCK_PX = 2048
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn."""

    points: int
    pixels: dict[str, int]
    """Of each stratum."""
    unseen_ha: float
    """Ground that was never seen clearly."""
    sample: str
    design: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What a sample says, and of what."""

    aoi: str
    night: str
    accuracy: Accuracy
    unsure: int
    """Points of which people could not tell; left out."""
    open: int
    """Points that nobody has filled in; left out."""
    unseen_ha: float
    unjudged: dict[str, int]
    """Strata of which people could tell of no two points, and their pixels; left out."""


@dataclass(frozen=True, slots=True)
class _Map:
    """One raster of a night, in strata."""

    path: Path
    shapes: tuple[tuple[BaseGeometry, int], ...]
    """In its CRS, with their stratum; those that are drawn over others come last."""

    def blocks(self) -> Iterator[Window]:
        """All of it."""
        with _opened(self.path) as source:
            for row in range(0, source.height, _BLOCK_PX):
                for col in range(0, source.width, _BLOCK_PX):
                    yield Window(col, row, min(_BLOCK_PX, source.width - col), min(_BLOCK_PX, source.height - row))

    def strata(self, window: Window) -> tuple[NDArray[np.uint8], int]:
        """(y, x) numbers in `STRATA`, or `_OUTSIDE`; and how many pixels of the AOI were never seen."""
        with _opened(self.path) as source:
            days = source.read(1, window=window)
            transform = _corner(source.transform, window)
        drawn = np.full(days.shape, STRATA.index(ELSEWHERE), np.uint8)
        here = shapely.box(*array_bounds(*days.shape, transform))
        near = [pair for pair in self.shapes if pair[0].intersects(here)]
        if near:
            features.rasterize(near, out=drawn, transform=transform)
        never = days == rasters.NEVER
        drawn[never | (days == rasters.OUTSIDE)] = _OUTSIDE
        return drawn, int(never.sum())


def draw(night: Path, sample: Path, *, each: int, elsewhere: int, seed: int) -> Drawn:
    """Draw a sample of a night's map.

    Args:
        night: folder of a published night of an AOI.
        sample: GeoJSON to write; the design goes beside it.
        each: points in each stratum but `elsewhere`, or all its pixels where there are fewer.
        elsewhere: points there.
        seed: another one, another sample.

    Raises:
        ConfigError: the night lacks a file, nothing of it was seen, or a file is there already.
        StateError: a file of the night is damaged.
        WriteError: the disk is full.
    """
    place = design_of(sample)
    for path in (sample, place):
        if path.exists():
            raise ConfigError(f"{path}: is there already; name another file with --out, or move it away")
    maps = _maps(night)
    counts, unseen = _counted(maps)
    pixels = {name: int(counts[:, number].sum()) for number, name in enumerate(STRATA)}
    if not sum(pixels.values()):
        raise ConfigError(f"{night}: nothing of the area was ever seen clearly, so nothing can be drawn")
    rng = np.random.default_rng(seed)
    found: list[tuple[float, float, str]] = []
    chosen = [
        np.sort(rng.choice(pixels[name], min(elsewhere if name == ELSEWHERE else each, pixels[name]), replace=False))
        for name in STRATA
    ]
    earlier = np.cumsum(counts, axis=0) - counts
    for (map_, window), before, here in zip(_all_blocks(maps), earlier, counts, strict=True):
        inside = [c[(c >= b) & (c < b + n)] - b for c, b, n in zip(chosen, before, here, strict=True)]
        if any(len(numbers) for numbers in inside):
            found += _places(map_, window, inside)
    order = rng.permutation(len(found))  # so that nobody can tell a stratum from where a point stands in the list
    unseen_ha = round(unseen * grid.RESOLUTION_M**2 / 1e4, 2)
    points = {f"{number + 1:04d}": found[index] for number, index in enumerate(order)}
    told = packs.read_values(night / "run.json")
    design = {
        "format": _FORMAT,
        "aoi": told["aoi"],
        "night": told["as_of"],
        "seed": seed,
        "pixels": pixels,
        "unseen_ha": unseen_ha,
        "stratum": {name: stratum for name, (_, _, stratum) in points.items()},
    }
    for path, content in ((place, design), (sample, _collection(points))):  # a sample is never without its design
        with disk.whole(path) as handle:
            handle.write(json.dumps(content, indent=1).encode() + b"\n")
    return Drawn(len(points), pixels, unseen_ha, str(sample), str(place))


def judge(sample: Path) -> Judged:
    """What people have filled in, as accuracy of the map.

    Args:
        sample: what `draw` wrote, its column `reference` filled in; GeoJSON, GeoPackage or CSV. Its design lies beside.

    Raises:
        ConfigError: a file is missing or damaged, a value is unknown, or too few points are filled in.
    """
    if not sample.is_file():
        raise ConfigError(f"{sample}: no such file; name the sample that people have filled in")
    design = _design(design_of(sample))
    said = _said(sample, design["stratum"])
    strata, unjudged = [], {}
    for name in STRATA:
        mapped, pixels = name if name in CLASSES else NONE, design["pixels"][name]
        words = [said.get(point, "") for point, of_point in design["stratum"].items() if of_point == name]
        told = [word for word in words if word in CLASSES]
        if len(told) < min(2, pixels):
            if "" in words:
                text = f"of stratum {name!r} {len(told)} points tell what is there, two are needed"
                raise ConfigError(f"{sample}: {text}; fill in more of its column reference")
            unjudged[name] = pixels
        else:
            strata.append(Stratum(pixels, tuple((mapped, word) for word in told)))
    if not any(stratum.pixels for stratum in strata):
        raise ConfigError(f"{sample}: of no stratum two points tell what is there; look at more images, or draw again")
    return Judged(
        design["aoi"],
        design["night"],
        accuracy.estimate(strata, CLASSES),
        unsure=sum(word == UNSURE for word in said.values()),
        open=sum(not said.get(point) for point in design["stratum"]),
        unseen_ha=design["unseen_ha"],
        unjudged=unjudged,
    )


def design_of(sample: Path) -> Path:
    """Where the design of a sample lies."""
    return sample.with_name(f"{sample.stem}.design.json")


def _maps(night: Path) -> list[_Map]:
    paths = rasters.paths_of(night, "seen")
    if not paths or not (night / "alerts.geojson").is_file() or not (night / "run.json").is_file():
        raise ConfigError(f"{night}: no published night; name a home and an area of which a night was run")
    alerts = packs.read_values(night / "alerts.geojson")["features"]
    maps = []
    for path in paths:
        with _opened(path) as source:
            epsg = source.crs.to_epsg()
        grounds = [(_ground(alert, epsg), STRATA.index(alert["properties"]["kind"])) for alert in alerts]
        around = [(ground.buffer(BESIDE_M), STRATA.index(BESIDE)) for ground, _ in grounds]
        maps.append(_Map(path, (*around, *sorted(grounds, key=lambda pair: pair[1]))))
    return maps


def _ground(alert: dict[str, Any], epsg: int) -> BaseGeometry:
    """What an alert covers, in metres; a track is as wide as it says."""
    drawn = grid.reproject(shape(alert["geometry"]), 4326, epsg)
    if shapely.get_dimensions(drawn) == 2:
        return drawn
    return drawn.buffer(max(alert["properties"]["width_m"], grid.RESOLUTION_M) / 2)


def _all_blocks(maps: Sequence[_Map]) -> Iterator[tuple[_Map, Window]]:
    for map_ in maps:
        for window in map_.blocks():
            yield map_, window


def _counted(maps: Sequence[_Map]) -> tuple[NDArray[np.int64], int]:
    """(block, stratum) pixels, and how many were never seen."""
    counts, unseen = [], 0
    for map_, window in _all_blocks(maps):
        strata, never = map_.strata(window)
        counts.append(np.bincount(strata.ravel(), minlength=len(STRATA) + 1)[: len(STRATA)])
        unseen += never
    return np.array(counts, np.int64), unseen


def _places(map_: _Map, window: Window, inside: Sequence[NDArray[np.int64]]) -> list[tuple[float, float, str]]:
    """Longitude, latitude and stratum of pixels of a block, given by their number within their stratum."""
    strata, _ = map_.strata(window)
    with _opened(map_.path) as source:
        transform, epsg = _corner(source.transform, window), source.crs.to_epsg()
    found = []
    for number, numbers in enumerate(inside):
        rows, cols = np.divmod(np.flatnonzero(strata == number)[numbers], strata.shape[1])
        x, y = xy(transform, rows, cols)  # of their middles
        lon, lat = grid.transformer(epsg, 4326).transform(x, y)
        found += [(round(float(a), 6), round(float(b), 6), STRATA[number]) for a, b in zip(lon, lat, strict=True)]
    return found


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with rasterio.open(path) as source:
            yield source
    except RasterioError as err:
        raise StateError(f"{path}: not readable ({err}); run the night again") from err


def _corner(whole: Affine, window: Window) -> Affine:
    return whole @ Affine.translation(window.col_off, window.row_off)


def _collection(points: dict[str, tuple[float, float, str]]) -> dict[str, Any]:
    """The points as GeoJSON; of their strata it says nothing."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"sample_id": name, "reference": "", "note": ""},
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
            }
            for name, (lon, lat, _) in points.items()
        ],
    }


def _design(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        whole = found["format"] == _FORMAT and set(found["pixels"]) == set(STRATA)
        drawn = Counter(found["stratum"].values())
        whole = whole and drawn.keys() <= set(STRATA)
        whole = whole and all(type(number) is int and number >= drawn[name] for name, number in found["pixels"].items())
        if not whole or not {"aoi", "night", "unseen_ha"} <= found.keys():
            raise ValueError("another format")
    except FileNotFoundError as err:
        raise ConfigError(f"{path}: no such file; the design of a sample must lie beside it") from err
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise ConfigError(f"{path}: not the design of a sample ({err}); draw one with: vanwatch accuracy draw") from err
    return found


def _said(path: Path, known: dict[str, str]) -> dict[str, str]:
    """What people say of each point; empty where they say nothing."""
    import pyogrio  # a second of imports

    try:
        table = pyogrio.read_dataframe(path, read_geometry=False)
    except UnicodeDecodeError as err:
        raise ConfigError(f"{path}: is not UTF-8; save it as CSV UTF-8") from err
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError, OSError) as err:
        raise ConfigError(f"{path}: not readable ({str(err).splitlines()[0]}); save the layer again") from err
    lacking = [name for name in ("sample_id", "reference") if name not in table.columns]
    if lacking:
        raise ConfigError(f"{path}: has no column {', '.join(lacking)}; save the sample with all its columns")
    said: dict[str, str] = {}
    for name, word in zip(table["sample_id"], table["reference"], strict=True):
        point, given = str(name).zfill(4), "" if word is None or word != word else str(word).strip().lower()
        if name == given == "":  # a row that a spreadsheet has added
            continue
        if point not in known or point in said:
            raise ConfigError(f"{path}: sample_id {name!r} is not in the design, or there twice; use the file as drawn")
        if given not in ("", *CLASSES, UNSURE):
            words = ", ".join((*CLASSES, UNSURE))
            raise ConfigError(f"{path}: sample_id {name}: reference {given!r}: use {words}, or leave it empty")
        said[point] = given
    return said
