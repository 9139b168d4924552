"""Sentinel-2's optics: what the instrument makes of a landscape that is known at a finer scale.

In: reflectance, or the covered fraction, on a fine grid (2.5 m by default). Out: native 10 m and 20 m pixels and their
digital numbers. Knows no world, no scenes and no files.

One pixel is the integral of the landscape over the point spread of its band: the detector's square times a Gaussian
that is set so that both together have the band's measured modulation transfer (MTF) at the Nyquist frequency. The
weights are integrated exactly, so any sub-pixel shift and any fine grid give the same energy.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from pipeline.sensors import BANDS, SENTINEL2

Array = NDArray[np.float32]

FACTOR = 4
"""Fine pixels per 10 m pixel and axis: 2.5 m."""

MTF_NYQUIST = {"B02": 0.26, "B03": 0.28, "B04": 0.24, "B08": 0.26, "B11": 0.22, "B12": 0.23}
"""Of the whole system, at half the sampling frequency of each band.

Source: the values used for Sentinel-2 sharpening by Ulfarsson et al. (S2Sharp, IEEE TGRS 2019), after ESA's
Sentinel-2 data quality reports; single reports differ by a few hundredths between units and directions."""

SNR = {"B02": 214.0, "B03": 249.0, "B04": 230.0, "B08": 221.0, "B11": 159.0, "B12": 167.0}
"""Signal to noise at the reference radiance, as measured for Sentinel-2A.

Source: Sentinel-2 L1C data quality reports (S2-PDGS-MPC-DQR), noise section."""

REFERENCE = {"B02": 0.207, "B03": 0.221, "B04": 0.224, "B08": 0.312, "B11": 0.051, "B12": 0.055}
"""Reflectance of the reference radiance under an overhead sun: pi L / E0, with L and E0 of the same reports."""

_READ_SHARE = 0.5  # of the noise variance at the reference that does not depend on the signal (typical value)
_TAIL_SIGMAS = 4.0  # the Gaussian is cut here: 6e-5 of the energy, given back by normalising


@dataclass(frozen=True, slots=True)
class Native:
    """The pixels that the instrument delivers."""

    ten: Array
    """(4, y, x) B02 B03 B04 B08 at 10 m, unit 1."""
    twenty: Array
    """(2, y / 2, x / 2) B11 B12 at 20 m, unit 1."""

    def stacked(self) -> Array:
        """(6, y, x) all bands on the 10 m grid, 20 m bands upsampled as the reader does."""
        return np.concatenate([self.ten, upsample(self.twenty)])


@dataclass(frozen=True, slots=True)
class Injected:
    """Real pixels with a change mixed in."""

    reflectance: Array
    """(6, y, x)."""
    label: Array
    """(y, x) share of each 10 m pixel that changed, 0 to 1, without any blur."""


def blur_sigma_px(band: str) -> float:
    """Sigma of the Gaussian, in native pixels, that with the detector's square has the band's MTF at Nyquist."""
    return float(np.sqrt(-2 * np.log(MTF_NYQUIST[band] / np.sinc(0.5))) / np.pi)


def observe(fine: Array, *, factor: int = FACTOR, shift_px: tuple[float, float] = (0.0, 0.0)) -> Native:
    """See a landscape through the instrument.

    Args:
        fine: (6, Y, X) reflectance on the fine grid, bands in the sensor's order; Y and X multiples of 2 `factor`.
        factor: fine pixels per 10 m pixel and axis.
        shift_px: (row, column) in 10 m pixels by which the scene's content moves down and right.

    Returns:
        Native pixels without noise. Beyond the edge the landscape is taken to go on as what the pixel sees of it.

    Raises:
        ValueError: the shape does not fit.
    """
    if fine.ndim != 3 or fine.shape[0] != len(BANDS) or fine.shape[1] % (2 * factor) or fine.shape[2] % (2 * factor):
        raise ValueError(f"fine must be (6, Y, X) with Y and X multiples of {2 * factor}, got {fine.shape}")
    bands = [_seen(fine[index], band, factor, shift_px) for index, band in enumerate(BANDS)]
    return Native(np.stack(bands[:4]), np.stack(bands[4:]))


def box_mean(fine: Array, *, factor: int = FACTOR) -> Array:
    """The plain mean of the fine pixels of each 10 m pixel: (..., Y, X) to (..., y, x)."""
    rows, cols = fine.shape[-2] // factor, fine.shape[-1] // factor
    mean: Array = fine.reshape(*fine.shape[:-2], rows, factor, cols, factor).mean(axis=(-3, -1), dtype=np.float32)
    return mean


def upsample(twenty: Array) -> Array:
    """Bilinear x2 with pixel centres in place, edges repeated: (..., y, x) to (..., 2 y, 2 x)."""
    return _doubled(_doubled(twenty, -1), -2)


def inject(
    real: Array,
    fraction: Array,
    target: Array,
    *,
    at: tuple[int, int] = (0, 0),
    factor: int = FACTOR,
    shift_px: tuple[float, float] = (0.0, 0.0),
) -> Injected:
    """Mix a change, known at fine scale, into real pixels: rho (1 - a) + target a, band by band behind the optics.

    The 20 m bands are mixed at 20 m and the difference is upsampled, so pixels without change stay as they are, bit by
    bit.

    Args:
        real: (6, y, x) reflectance on the 10 m grid, 20 m bands already upsampled; NaN stays NaN.
        fraction: (Y, X) share of each fine pixel that changes, 0 to 1; multiples of 2 `factor`.
        target: (6,) or (6, Y, X) reflectance of what is new.
        at: (row, column) of the fraction's corner in `real`, even; parts outside `real` are cut off.
        factor: fine pixels per 10 m pixel and axis.
        shift_px: (row, column) by which the optics see the change displaced; the label stays in place.

    Raises:
        ValueError: odd position, or shapes that do not fit.
    """
    if at[0] % 2 or at[1] % 2:
        raise ValueError(f"at must be even to keep the 20 m pixels in place, got {at}")
    if fraction.shape[0] % (2 * factor) or fraction.shape[1] % (2 * factor):
        raise ValueError(f"fraction must have sides that are multiples of {2 * factor}, got {fraction.shape}")
    changed, label = real.copy(), np.zeros(real.shape[1:], np.float32)
    inner, outer = _overlap(at, (fraction.shape[0] // factor, fraction.shape[1] // factor), real.shape[1:])
    if inner is None or outer is None:
        return Injected(changed, label)
    label[outer] = box_mean(fraction, factor=factor)[inner]
    for index, band in enumerate(BANDS):
        colour = target[index] * fraction
        share, light = (_seen(part, band, factor, shift_px) for part in (fraction, colour.astype(np.float32)))
        old = _placed(real[index], outer, inner, (fraction.shape[0] // factor, fraction.shape[1] // factor))
        if share.shape != old.shape:
            old = box_mean(old, factor=2)
        step = light - share * old
        if step.shape[0] * factor != fraction.shape[0]:
            step = upsample(step)
        changed[(index, *outer)] += step[inner]
    return Injected(changed, label)


def add_noise(native: Native, *, rng: np.random.Generator) -> Native:
    """Sensor noise after the bands' published signal-to-noise ratios: part constant, part growing with the signal."""
    parts = []
    for values, bands in ((native.ten, BANDS[:4]), (native.twenty, BANDS[4:])):
        noisy = np.empty_like(values)
        for index, band in enumerate(bands):
            at_reference = REFERENCE[band] / SNR[band]
            load = np.clip(values[index], 0, None) / REFERENCE[band]
            sigma = at_reference * np.sqrt(_READ_SHARE + (1 - _READ_SHARE) * load)
            noisy[index] = values[index] + sigma * rng.standard_normal(values[index].shape, np.float32)
        parts.append(noisy)
    return Native(*parts)


def quantise(reflectance: Array, *, added_dn: int = 0) -> NDArray[np.uint16]:
    """Reflectance to digital numbers as L2A files hold them; NaN becomes 0, no data, and nothing else does.

    Args:
        reflectance: any shape, unit 1.
        added_dn: 1000 where the file carries the radiometric offset of baseline 04.00 and later.

    Source: ESA Sentinel-2 product specification, L2A: rho = (DN + BOA_ADD_OFFSET) / 10000.
    """
    numbers = np.rint(reflectance.astype(np.float64) / SENTINEL2.scale) + added_dn
    missing = np.isnan(numbers)
    clipped = np.clip(np.where(missing, 1, numbers), 1, 65535)
    return np.where(missing, SENTINEL2.nodata, clipped).astype(np.uint16)


def _seen(fine: Array, band: str, factor: int, shift_px: tuple[float, float]) -> Array:
    """(Y, X) fine to (y, x) native pixels of one band."""
    size = 1 if band in BANDS[:4] else 2
    rows = _weights(fine.shape[0], band, size, factor, shift_px[0])
    cols = _weights(fine.shape[1], band, size, factor, shift_px[1])
    half = rows @ np.ascontiguousarray(fine, np.float32)
    return np.ascontiguousarray((cols @ np.ascontiguousarray(half.T)).T)


@lru_cache(maxsize=64)
def _weights(fine_px: int, band: str, size: int, factor: int, shift_px: float) -> sparse.csr_matrix:
    """(native, fine) share that each fine pixel has in each native one; rows sum to 1."""
    side = size * factor
    sigma = blur_sigma_px(band) * side
    centres = (np.arange(fine_px // side) + 0.5) * side - shift_px * factor
    reach = int(np.ceil(side / 2 + _TAIL_SIGMAS * sigma)) + 1
    columns = np.floor(centres).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    distance = columns - centres[:, None]
    weights = _spread(distance + 1, side, sigma) - _spread(distance, side, sigma)
    weights = np.where((columns >= 0) & (columns < fine_px), weights, 0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    rows = np.repeat(np.arange(len(centres)), columns.shape[1])
    cells = (weights.ravel(), (rows, columns.clip(0, fine_px - 1).ravel()))
    return sparse.csr_matrix(cells, shape=(len(centres), fine_px), dtype=np.float32)


def _spread(x: NDArray[np.float64], side: float, sigma: float) -> NDArray[np.float64]:
    """Integral from minus infinity to x of a square of width `side` convolved with a Gaussian."""

    def ramp(t: NDArray[np.float64]) -> NDArray[np.float64]:
        density = np.exp(-0.5 * (t / sigma) ** 2) / np.sqrt(2 * np.pi)
        smooth: NDArray[np.float64] = t * special.ndtr(t / sigma) + sigma * density
        return smooth

    return (ramp(x + side / 2) - ramp(x - side / 2)) / side


def _doubled(values: Array, axis: int) -> Array:
    here = np.moveaxis(values, axis, 0)
    before = np.concatenate([here[:1], here[:-1]])
    after = np.concatenate([here[1:], here[-1:]])
    both = np.stack([0.75 * here + 0.25 * before, 0.75 * here + 0.25 * after], axis=1)
    return np.moveaxis(both.reshape(2 * here.shape[0], *here.shape[1:]), 0, axis).astype(np.float32)


Slices = tuple[slice, slice]


def _overlap(
    at: tuple[int, int], size: tuple[int, int], frame: tuple[int, ...]
) -> tuple[Slices, Slices] | tuple[None, None]:
    """Slices of the part inside the frame: in the placed array, and in the frame."""
    inner, outer = [], []
    for start, length, limit in zip(at, size, frame, strict=True):
        low, high = max(start, 0), min(start + length, limit)
        if high <= low:
            return None, None
        inner.append(slice(low - start, high - start))
        outer.append(slice(low, high))
    return (inner[0], inner[1]), (outer[0], outer[1])


def _placed(real: Array, outer: Slices, inner: Slices, size: tuple[int, int]) -> Array:
    """The real pixels under the placed array, edge pixels repeated where it reaches beyond."""
    pad = [(s.start, length - s.stop) for s, length in zip(inner, size, strict=True)]
    return np.pad(real[outer], pad, mode="edge")
