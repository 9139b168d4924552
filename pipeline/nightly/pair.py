"""Change between two GeoTIFFs on one grid, without state or catalogue.

In: two rasters, or a folder of pairs. Out: `change.tif` and `alerts.geojson` for each. Raises `RasterError` for
anything that does not fit, naming the file and the remedy.
"""

import itertools
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from rasterio.errors import RasterioError
from shapely.geometry.base import BaseGeometry

from pipeline import disk, grid
from pipeline.alerts import detections, link
from pipeline.config import Evidence, Rules
from pipeline.detect import detector, evidence, marks
from pipeline.detect.pair import change_pair
from pipeline.errors import ConfigError, RasterError
from pipeline.grid import Granule, Window
from pipeline.nightly.workers import progress
from pipeline.publish import geojson, rasters
from pipeline.schema import Alert
from pipeline.sensors import SENTINEL2

log = logging.getLogger(__name__)

CHANGE = "change.tif"
_IMAGE = re.compile(r"(before|after)\.tiff?", re.IGNORECASE)

_SAME_PIXEL_M, _SAME_PLACE_M = 1e-6, 1e-3
"""Programs write rounded numbers: so little is no other grid, over 10980 pixels either."""
_GROUND_M = 0.5
"""So far may a pixel's side on the ground be from 10 m; in UTM it stays within 0.02 m."""
_GEOD = Geod(ellps="WGS84")


@dataclass(frozen=True, slots=True)
class Raster:
    """One date of a pair."""

    path: Path
    reflectance: NDArray[np.float32]
    """(band, y, x) float32, unit 1, NaN missing."""
    epsg: int
    transform: rasterio.Affine


@dataclass(frozen=True, slots=True)
class PairOptions:
    """What a user may say about `detect`."""

    weights: Path
    """Folder of a model card with its weights."""
    bands: tuple[str, ...] = ()
    """Names of the files' bands in order; empty takes the descriptions."""
    rules: Rules = field(default_factory=Rules)
    seen: date | None = None
    """Day of the later image; None unknown."""


@dataclass(frozen=True, slots=True)
class PairReport:
    """What was found in one pair."""

    name: str
    alerts: dict[str, int]
    """Alerts by kind."""
    observed_km2: float
    error: str = ""


def detect(before: Path, after: Path, out: Path, options: PairOptions) -> PairReport:
    """Find change between two rasters and write it to `out`.

    Raises:
        RasterError: a file is missing or unreadable, a band is missing, or the grids differ.
        ModelError: the model cannot be used.
        ConfigError: `out` cannot be made.
        WriteError: the disk is full.
    """
    if (out / CHANGE).resolve() in (before.resolve(), after.resolve()):
        raise RasterError(
            f"{out / CHANGE}: is given as an image, and would be overwritten; name another folder by --out"
        )
    network = detector.cached(str(options.weights))
    earlier, later = read(before, options.bands), read(after, options.bands)
    same = earlier.epsg == later.epsg and earlier.reflectance.shape == later.reflectance.shape
    if not (same and earlier.transform.almost_equals(later.transform, _SAME_PLACE_M)):
        raise RasterError(
            f"{after}: its grid differs from that of {before}; bring both onto one grid with: gdalwarp -te -tr -t_srs"
        )
    probability = change_pair(earlier.reflectance, later.reflectance, detector=network)
    granule, name = _grid_of(later), Path(os.path.abspath(out)).name  # of `.` too
    day = evidence.to_day(options.seen) if options.seen else 0
    found_marks = marks.single_look_marks(probability, options.rules.thresholds(network.card.thresholds), day=day)
    found = detections.find(found_marks, granule, options.rules)
    tonight = link.Tonight(
        aoi=name,
        as_of=options.seen or evidence.EPOCH,
        model=network.model_id,
        before_scenes={granule.mgrs: (before.name,)},
        after_scenes={granule.mgrs: {after.name: options.seen or evidence.EPOCH}},
    )
    alerts = link.link(found, (), tonight=tonight, rules=Evidence())
    with disk.writing(out, ConfigError):
        out.mkdir(parents=True, exist_ok=True)
    rasters.write_change(out / CHANGE, probability, epsg=later.epsg, transform=later.transform)
    geojson.write(out / "alerts.geojson", alerts)
    observed = float(np.isfinite(probability[0]).sum()) * abs(later.transform.a * later.transform.e) / 1e6
    return PairReport(name, count_kinds(alerts), observed)


def detect_folder(pairs: Path, out: Path, options: PairOptions) -> tuple[PairReport, ...]:
    """Find change in every `pairs/<id>/{before,after}.tif`; a pair that fails, or lacks one of them, is recorded.

    The names may also end with `.tiff`, and be in capitals.

    Raises:
        RasterError: the folder holds no pair.
    """
    images = sorted(path for path in pairs.glob("*/*") if _IMAGE.fullmatch(path.name))
    folders = [(folder, tuple(found)) for folder, found in itertools.groupby(images, key=lambda path: path.parent)]
    if not folders:
        raise RasterError(f"{pairs}: holds no <id>/before.tif and <id>/after.tif; name a folder of pairs")
    reports = []
    with progress("pairs", len(folders)) as advance:
        for folder, found in folders:
            try:
                before, after = (_image(folder, name, found) for name in ("before", "after"))
                report = detect(before, after, out / folder.name, options)
            except RasterError as err:
                log.error("%s", err)
                report = PairReport(folder.name, {}, 0.0, str(err))
            reports.append(advance(report))
    return tuple(reports)


def _image(folder: Path, name: str, images: Sequence[Path]) -> Path:
    """The one of that name; where it is missing, as it should be called."""
    found = [path for path in images if path.stem.lower() == name]
    if len(found) > 1:
        raise RasterError(f"{found[1]}: lies beside {found[0].name}; move one of them away")
    return found[0] if found else folder / f"{name}.tif"


def count_kinds(alerts: Sequence[Alert]) -> dict[str, int]:
    """Alerts by kind."""
    counts: dict[str, int] = {}
    for alert in alerts:
        counts[alert.detection.kind] = counts.get(alert.detection.kind, 0) + 1
    return counts


def read(path: Path, names: tuple[str, ...]) -> Raster:
    """Read one date: uint16 is reflectance x 10000 with nodata 0, float is reflectance with NaN.

    A nodata value that the file declares counts too; a scale and offset that it declares go before these units.

    Raises:
        RasterError: the file cannot be read, lacks a band, or has another type or pixel size.
    """
    if path.is_fifo():  # GDAL would wait for ever
        raise RasterError(f"{path}: is a pipe; give the path of a GeoTIFF")
    try:
        with rasterio.open(path) as source:
            if names and len(names) != source.count:
                raise RasterError(
                    f"{path}: has {source.count} bands, and --bands names {len(names)}; name all of them in file order"
                )
            order = _band_order(path, names or tuple(d or "" for d in source.descriptions))
            values = source.read([index + 1 for index in order])
            crs, transform, nodata = source.crs, source.transform, source.nodata
            scaling = np.array([(source.scales[index], source.offsets[index]) for index in order], np.float32)
    except (RasterioError, OSError) as err:
        raise RasterError(f"{path}: not readable as a raster: {err}") from err
    epsg = crs.to_epsg() if crs else None
    if epsg is None or not crs.is_projected:
        raise RasterError(
            f"{path}: needs a projected CRS with an EPSG code; reproject with: gdalwarp -t_srs EPSG:326xx"
        )
    if not np.allclose(transform[:2] + transform[3:5], (10, 0, 0, -10), rtol=0, atol=_SAME_PIXEL_M):
        raise RasterError(f"{path}: pixels must be 10 m and north up; resample with: gdalwarp -tr 10 10 -r bilinear")
    _check_ground(path, epsg, transform @ (values.shape[2] / 2, values.shape[1] / 2))
    return Raster(path, _reflectance(path, values, nodata, scaling), epsg, transform)


def _check_ground(path: Path, epsg: int, middle: tuple[float, float]) -> None:
    """Feet, or Web Mercator away from the equator: what the CRS calls 10 may be another length on the ground."""
    x, y = middle
    lon, lat = grid.transformer(epsg, 4326).transform([x - 5, x + 5, x, x], [y, y, y - 5, y + 5])
    sides = [_GEOD.inv(lon[i], lat[i], lon[i + 1], lat[i + 1])[2] for i in (0, 2)]
    if not np.isfinite(sides).all():
        raise RasterError(f"{path}: lies where EPSG:{epsg} has no ground; give it its true CRS and place: gdal_edit.py")
    if max(abs(side - grid.RESOLUTION_M) for side in sides) > _GROUND_M:
        raise RasterError(
            f"{path}: pixels are {sides[0]:.1f} x {sides[1]:.1f} m on the ground in EPSG:{epsg}, and must be 10 m; "
            "reproject with: gdalwarp -t_srs EPSG:326xx -tr 10 10 -r bilinear"
        )


def _band_order(path: Path, names: tuple[str, ...]) -> list[int]:
    given = [name.lower() for name in names]
    order = []
    for band in SENTINEL2.bands:
        matches = [i for i, name in enumerate(given) if name in (band.name.lower(), band.common)]
        if len(matches) != 1:
            wanted = ", ".join(b.name for b in SENTINEL2.bands)
            state = "is missing" if not matches else "is there twice"
            raise RasterError(
                f"{path}: band {band.name} ({band.common}) {state} among {list(names)}; set band descriptions, or name "
                f"the bands in file order with --bands, like --bands {wanted.replace(', ', ',')}"
            )
        order.append(matches[0])
    return order


def _reflectance(
    path: Path, values: NDArray[np.generic], nodata: float | None, scaling: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Reflectance from a file's numbers; `scaling` is (band, 2): the file's own scale and offset, (1, 0) for none."""
    kind = values.dtype
    whole = kind == np.uint16
    if kind not in (np.uint16, np.float32, np.float64):
        raise RasterError(f"{path}: type {kind} is not uint16 or float; convert with: gdal_translate -ot UInt16")
    missing = values == 0 if whole else np.isnan(values)
    with np.errstate(over="ignore"):  # nodata is often the least float64
        if nodata is not None:
            missing |= values == nodata
        floats = values.astype(np.float32)
    if (scaling != (1, 0)).any():
        floats = floats * scaling[:, :1, None] + scaling[:, 1:, None]
    elif whole:
        floats *= np.float32(1e-4)
    floats[missing] = np.nan
    reach = float(np.nanmin(floats, initial=0)), float(np.nanmax(floats, initial=0))
    if reach[0] < -1 or reach[1] > 20:
        raise RasterError(
            f"{path}: values must be reflectance (about 0 to 1), and reach from {reach[0]:g} to {reach[1]:g}; "
            "divide by 10000, or name the value of what is missing with: gdal_edit.py -a_nodata"
        )
    return floats


def _grid_of(raster: Raster) -> Granule:
    """The raster's own grid; the name is that of the MGRS square about its middle."""
    height, width = raster.reflectance.shape[1:]
    here = Granule("", raster.epsg, raster.transform.c, raster.transform.f)
    west, south, east, north = here.window_bounds(Window(0, 0, height, width))
    middle: BaseGeometry = shapely.Point((west + east) / 2, (south + north) / 2).buffer(10)
    home = next(iter(grid.home_squares(grid.reproject(middle, raster.epsg, 4326))), None)
    return Granule(home.mgrs if home else "", raster.epsg, raster.transform.c, raster.transform.f)
