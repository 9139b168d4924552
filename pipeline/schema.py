"""The facts that travel between the stages: frozen values and labelled arrays, in the words of the glossary.

In: nothing. Out: types only. Every array is described here once; each stage refers to these descriptions.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.grid import RESOLUTION_M, Granule, Tile, Window
from pipeline.sensors import BANDS


class Kind(StrEnum):
    """What an alert may be; also the order of every kind axis."""

    CLEARING = "clearing"
    CAMP = "camp"
    TRACK = "track"


KINDS: tuple[str, ...] = tuple(kind.value for kind in Kind)
MAY_BE = "kind may be "
"""How a caution begins that names a kind which an alert may be as well."""
_CORRECTED_PX, _UNMEASURED_PX = 0.1, 0.3  # registration errors that a correction leaves, and that Sentinel-2 has at all


class Reason(IntEnum):
    """Why a pixel of a look is missing; 0 is observed. Codes are stored in files: never renumber."""

    CLEAR = 0
    NODATA = 1
    CLOUD = 2
    SHADOW = 3
    SNOW = 4
    SATURATED = 5
    FAILED = 6
    RESIDUAL_CLOUD = 7
    """Not masked by the scene classification, but cloud-like against the normal."""


class Status(StrEnum):
    """Where an alert is in its life."""

    POSSIBLE = "possible"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"
    CLOSED = "closed"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Asset:
    """One raster file of a scene."""

    href: str
    """Unsigned URL, or an absolute path."""
    shape: tuple[int, int] | None = None
    """(y, x) as the catalogue says; None where it does not say. The file itself decides."""
    transform: tuple[float, float, float, float, float, float] | None = None
    """Affine a to f as the catalogue says. The file itself decides."""


@dataclass(frozen=True, slots=True)
class Part:
    """One datastrip of a scene: most scenes have one; where a datastrip boundary cuts a granule, two."""

    item_id: str
    catalog: str
    """Name in `configs/catalogs.toml`, or the URL or file that the user gave."""
    collection: str
    datastrip: str
    """Identifier, empty where the catalogue does not tell."""
    baseline: str
    """Processing baseline as `NN.NN`."""
    generated: datetime | None
    """When ESA processed it (UTC)."""
    offset_hint: int | None
    """DN to add according to the catalogue (-1000 or 0); None if it says nothing. A hint, never believed alone."""
    assets: tuple[tuple[str, Asset], ...]
    """Band name (B02 ... B12, SCL) to file; a band that the catalogue lacks is absent."""
    signer: str = ""
    """How hrefs are signed before a read: empty or `planetary-computer`."""

    def asset(self, band: str) -> Asset | None:
        """The file of a band, or None."""
        return dict(self.assets).get(band)


@dataclass(frozen=True, slots=True)
class Scene:
    """One acquisition of one granule, whatever catalogue it came from."""

    scene_id: str
    """Stable across catalogues and reprocessings: platform, MGRS tile, datatake start, orbit."""
    platform: str
    """`sentinel-2a` ..., empty where the catalogue does not tell."""
    granule: Granule
    sensed: datetime
    """Acquisition time (UTC)."""
    published: datetime | None
    """When the catalogue first listed it (UTC)."""
    relative_orbit: int | None
    cloud_pct: float | None
    """Of the whole scene: shown to people, never a reason to discard."""
    parts: tuple[Part, ...]
    """Newest revision of each datastrip; pixels missing in one come from the next."""
    item_ids: tuple[str, ...]
    """Every id under which this acquisition was listed, the discarded ones too."""
    datatake: datetime | None = None
    """When its datatake began (UTC): the same in all catalogues. None where the catalogue does not tell."""
    listed: tuple[tuple[str, str], ...] = ()
    """Catalogue and item id of every listing of this acquisition, the discarded ones too."""

    @property
    def solar_day(self) -> date:
        """The local day of the acquisition, whatever the UTC date says."""
        zone = self.granule.epsg % 100
        return (self.sensed + timedelta(hours=(6 * zone - 183) / 15)).date()

    @property
    def revision(self) -> str:
        """Changes whenever another processing of the acquisition is used."""
        text = "|".join(f"{p.item_id}/{p.collection}/{p.baseline}/{p.generated}" for p in self.parts)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Offset:
    """The radiometric offset of one part of a scene, and how it was decided."""

    dn: int
    """Added to the digital numbers: 0 or -1000."""
    method: str
    """`baseline`, `pixels`, `history` or `given`; `unverified`: there was too little ground to tell."""
    evidence: str
    """The numbers behind it, for people and for the ledger."""

    @property
    def verified(self) -> bool:
        """False where the part is clouded over: what little ground it shows cannot be used."""
        return self.method != "unverified"


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a scene lies from the normal, and what was done about it."""

    row_px: float
    col_px: float
    """Add to a position on the normal to find the same place in the scene."""
    corrected: bool
    """False: measured, but too small to correct or no better after it."""
    evidence: str
    measured: bool = True
    """False: the scene showed too little to tell, and the numbers are 0."""

    @property
    def length_px(self) -> float:
        """Length of the shift in 10 m pixels."""
        return float(np.hypot(self.row_px, self.col_px))

    @property
    def residual_px(self) -> float:
        """What is likely left of it, in 10 m pixels: little after a correction, all of it without one."""
        if not self.measured:
            return _UNMEASURED_PX
        return _CORRECTED_PX if self.corrected else self.length_px


NO_SHIFT = Shift(0.0, 0.0, False, "")


@dataclass(frozen=True, slots=True)
class Inspected:
    """A scene that may be read, with what was decided about it as a whole."""

    scene: Scene
    offsets: tuple[Offset, ...]
    """One per part, in order."""
    shift: Shift


@dataclass(frozen=True, slots=True)
class Look:
    """One scene's clean pixels on one window of its granule."""

    scene: Scene
    window: Window
    pixels: xr.Dataset
    """`reflectance` (band, y, x) float32, unit 1, NaN missing in that band; `reason` (y, x) uint8, codes of
    `Reason`; where `reason` is not 0 all bands are NaN."""
    shift: Shift = NO_SHIFT
    """How far the scene lay off, and what was done about it."""

    @property
    def reflectance(self) -> NDArray[np.float32]:
        """(band, y, x) float32."""
        values: NDArray[np.float32] = self.pixels["reflectance"].values
        return values

    @property
    def reason(self) -> NDArray[np.uint8]:
        """(y, x) uint8."""
        values: NDArray[np.uint8] = self.pixels["reason"].values
        return values

    @property
    def sensed_day(self) -> date:
        """The UTC date of the acquisition: what tells looks of different days apart."""
        return self.scene.sensed.date()

    def cropped(self, window: Window) -> "Look":
        """The part inside `window`, which must lie within."""
        rows, cols = window.within(self.window)
        return replace(self, window=window, pixels=self.pixels.isel(y=rows, x=cols))

    def masked(self, where: NDArray[np.bool_], reason: Reason) -> "Look":
        """A copy with observed pixels in `where` (y, x) turned into missing ones for `reason`."""
        hit = where & (self.reason == Reason.CLEAR)
        pixels = look_pixels(
            np.where(hit, np.float32(np.nan), self.reflectance),
            np.where(hit, np.uint8(reason), self.reason),
            self.scene.granule,
            self.window,
        )
        return replace(self, pixels=pixels)


@dataclass(frozen=True, slots=True)
class Normal:
    """What one window looks like when nothing happened."""

    window: Window
    pixels: xr.Dataset
    """`median` (band, y, x) float32; `spread` (band, y, x) float32, a robust standard deviation (1.4826 x MAD),
    never below `normal.min_spread`; `barest` (y, x) float32, the NDVI of the barest look but one; `count` (y, x) uint8,
    looks used; `season` (y, x) uint8, how many of them were of the same season. NaN and 0 where never seen."""
    scene_ids: tuple[str, ...]
    """What it was built from."""
    caution: str = ""
    """`season` where for most pixels looks of other seasons had to be used; else empty."""

    def cropped(self, window: Window) -> "Normal":
        """The part inside `window`, which must lie within."""
        rows, cols = window.within(self.window)
        return replace(self, window=window, pixels=self.pixels.isel(y=rows, x=cols))

    @property
    def median(self) -> NDArray[np.float32]:
        """(band, y, x) float32."""
        values: NDArray[np.float32] = self.pixels["median"].values
        return values

    @property
    def spread(self) -> NDArray[np.float32]:
        """(band, y, x) float32."""
        values: NDArray[np.float32] = self.pixels["spread"].values
        return values

    @property
    def barest(self) -> NDArray[np.float32]:
        """(y, x) float32."""
        values: NDArray[np.float32] = self.pixels["barest"].values
        return values

    @property
    def count(self) -> NDArray[np.uint8]:
        """(y, x) uint8."""
        values: NDArray[np.uint8] = self.pixels["count"].values
        return values


@dataclass(frozen=True, slots=True)
class Change:
    """What one look says against the normal, on a tile without its halo."""

    tile: Tile
    scene_id: str
    sensed: datetime
    probability: NDArray[np.float32]
    """(kind, y, x) float32, 0 to 1, calibrated; NaN not observed."""
    z: NDArray[np.float32]
    """(y, x) float32: the classical second opinion, change in spreads of the normal; NaN not observed."""
    weight: NDArray[np.uint8]
    """(y, x) uint8: how far the look can be trusted here, in the code of `detect.weight`."""


MARK = np.dtype(
    [
        ("row", "i4"),
        ("col", "i4"),
        ("kind", "u1"),
        ("log_odds", "f4"),
        ("probability", "f4"),
        ("hits", "u1"),
        ("looks", "u2"),
        ("first_day", "i4"),
        ("last_day", "i4"),
        ("z", "f4"),
        ("beside_cloud", "?"),
    ]
)
"""One pixel and kind whose evidence is above the threshold: place on the granule grid, index in `KINDS`, evidence,
probability of the latest look that saw the place, days on which a look showed it, days on which one saw it, dates of
the first and last scene that showed it (days since 1970-01-01), the classical z-score of the latest that showed it,
and whether clouds lay beside it in all of them."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One shape found on one night."""

    kind: Kind
    geometry: BaseGeometry
    """WGS84: (Multi)Polygon for clearings and camps, (Multi)LineString for tracks."""
    footprint: BaseGeometry
    """WGS84 polygon of the pixels that it was found on, for linking."""
    area_m2: float
    """Counted pixels, not the drawn outline."""
    length_m: float
    """Tracks: along the line; else 0."""
    width_m: float
    """Tracks: area by length; else 0."""
    probabilities: tuple[float, float, float]
    """Per kind, from the evidence over the shape."""
    confidence: float
    hits: int
    looks: int
    first_seen: date
    last_seen: date
    z: float
    mgrs: str
    log_odds: float = 8.0
    """Evidence that half of its pixels reach."""
    beside_cloud: bool = False
    """Whatever look showed most of it, clouds lay beside it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians over an alert's ground on the day of one clear look, and of the normal of that night; None not known."""

    day: date
    seen: float
    """Share of the ground that the look showed."""
    ndvi: float | None
    ndvi_normal: float | None
    ndvi_spread: float | None
    nbr: float | None
    nbr_normal: float | None
    nbr_spread: float | None


@dataclass(frozen=True, slots=True)
class Alert:
    """One real-world event, tracked over nights; field by field what INTERFACE promises."""

    alert_id: str
    aoi: str
    status: Status
    detection: Detection
    """The newest shape."""
    confirmed_on: date | None
    grown_ha: float
    lineage: tuple[str, ...]
    caution: tuple[str, ...]
    before_scenes: tuple[str, ...]
    after_scenes: tuple[str, ...]
    model: str
    verdict: str = ""
    verdict_by: str = ""
    verdict_on: date | None = None
    note: str = ""
    as_of: date | None = None
    """The night that wrote this record: linking the same night again counts no growth twice. Not published."""
    measured: tuple[Measured, ...] = ()
    """From the last clear look before it was found on, oldest first."""


def coordinates(granule: Granule, window: Window) -> dict[str, NDArray[np.float64]]:
    """Pixel centres (y, x) of a window in metres of the granule's CRS."""
    west, south, east, north = granule.window_bounds(window)
    half = RESOLUTION_M / 2
    return {
        "y": np.linspace(north - half, south + half, window.height),
        "x": np.linspace(west + half, east - half, window.width),
    }


def look_pixels(
    reflectance: NDArray[np.float32], reason: NDArray[np.uint8], granule: Granule, window: Window
) -> xr.Dataset:
    """The dataset of a `Look`."""
    return xr.Dataset(
        {
            "reflectance": (
                ("band", "y", "x"),
                reflectance,
                {"units": "1", "long_name": "surface reflectance"},
            ),
            "reason": (("y", "x"), reason, {"long_name": "why a pixel is missing; 0 is observed"}),
        },
        coords={"band": list(BANDS), **coordinates(granule, window)},
        attrs={"epsg": granule.epsg},
    )


def normal_pixels(
    median: NDArray[np.float32],
    spread: NDArray[np.float32],
    count: NDArray[np.uint8],
    granule: Granule,
    window: Window,
    *,
    season: NDArray[np.uint8] | None = None,
    barest: NDArray[np.float32] | None = None,
) -> xr.Dataset:
    """The dataset of a `Normal`; without `season` all looks count as of the same; without `barest` it is not known."""
    if barest is None:
        barest = np.full(count.shape, np.nan, np.float32)
    return xr.Dataset(
        {
            "median": (("band", "y", "x"), median, {"units": "1", "long_name": "normal surface reflectance"}),
            "spread": (("band", "y", "x"), spread, {"units": "1", "long_name": "robust standard deviation"}),
            "barest": (("y", "x"), barest, {"units": "1", "long_name": "NDVI of the barest look but one"}),
            "count": (("y", "x"), count, {"long_name": "looks used"}),
            "season": (("y", "x"), count if season is None else season, {"long_name": "looks of the same season"}),
        },
        coords={"band": list(BANDS), **coordinates(granule, window)},
        attrs={"epsg": granule.epsg},
    )
