"""Chips: small pairs of dates with changes injected, and the labels that only we know.

In: the training configuration and a number. Out: a `Chip`, the same for the same number, seed and data. Half of the
chips compare a normal (smooth, of many looks) with a look, half two single looks, as the detector meets both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.learn import benign, landscapes, palette
from pipeline.learn.grounds import Ground
from pipeline.learn.settings import Settings, Split
from pipeline.schema import KINDS
from pipeline.simulate import shapes

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

IGNORED = -1
"""Label of pixels that count in no loss."""

_SEEDS = {"train": 0, "valid": 1, "test": 2}
_MIN_STEP = 0.012  # reflectance: an injected change that alters a pixel less than this cannot be asked for
_MIN_FALL = 0.10  # of NDVI or NBR: where less is lost than this, nobody could say that it was cleared
_THINNED = 0.15  # share of chips in which some trees were taken out of a wood that still stands: no alert
_MIN_NIR = 0.07  # below it is water, where nobody camps
_MIN_WOODY = 0.02  # share of a chip: with less there is nothing to clear
_AT_EDGE = 0.3  # share of changes with their centre at the edge of a wood: clearings grow from what is open already
_MAX_VEIL = 0.35  # of a cloud or its shadow: what lies under more cannot be asked for
_SNOWY = 0.03  # share of dates with snow
_WOODED = 0.88  # share of camps and tracks that start in woods: on fields, bare ground is mostly farming
_LONGEST_M = 2500.0  # of a track: more would leave the chip anyhow
_PUT = {"clearing": (0.6, 3), "camp": (0.5, 3), "track": (0.5, 2)}  # share of chips that get some, and how many at most


@dataclass(frozen=True, slots=True)
class Chip:
    """One example."""

    before: Array
    """(6, y, x) float32 reflectance, NaN missing."""
    after: Array
    """(6, y, x) likewise."""
    label: NDArray[np.int8]
    """(kind, y, x): 1 changed, 0 not, -1 counts in no loss."""
    source: str
    """Where the ground is from."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """Ground on both dates, before sky and sensor; no NaN."""

    before: Array
    after: Array
    woody: Mask
    missing: Mask
    """(6, y, x) what the source lacks."""
    source: str


def make_chip(number: int, *, settings: Settings, grounds: tuple[Ground, ...], split: Split) -> Chip:
    """Make one chip.

    Args:
        number: which; with the seed it decides everything.
        settings: size, shares, labels, seed.
        grounds: real places of this split.
        split: training and validation never share a random stream.
    """
    rng = np.random.default_rng([settings.data.seed, _SEEDS[split], number])
    side = settings.data.chip_px
    real = bool(grounds) and rng.random() < settings.data.real_share
    surface = palette.surface([ground.surfaces for ground in grounds])
    scene = _real(grounds, rng, side, surface) if real else _simulated(rng, side, surface)
    after, shares, asked = _changed(scene, rng, surface)
    before = scene.before
    if rng.random() < 0.25:  # a clearing that has grown over, a camp that has gone: no alert
        before = landscapes.put(before, _planted(str(rng.choice(KINDS)), scene.woody, rng, surface))[0]
    heights = benign.relief(scene.woody.shape, rng)
    dates = [benign.sunlit(date, heights, scene.woody, rng) if rng.random() < 0.5 else date for date in (before, after)]
    before, _ = _seen(dates[0], scene.missing, rng, composite=rng.random() < 0.5)
    after, veil = _seen(dates[1], scene.missing, rng, composite=False)
    if rng.random() < 0.08:
        after[4:] = np.nan
    return Chip(before, after, _labels(shares, asked & (veil < _MAX_VEIL), settings), scene.source)


def _simulated(rng: np.random.Generator, side: int, surface: shapes.Surface) -> _Scene:
    land = landscapes.landscape(rng, side_px=side)
    after = _otherwise((land.reflectance, land.woody, land.fields), rng, surface)
    return _Scene(land.reflectance, after, land.woody, np.zeros(after.shape, np.bool_), "simulated")


def _real(grounds: tuple[Ground, ...], rng: np.random.Generator, side: int, surface: shapes.Surface) -> _Scene:
    """A crop of a real place: two real dates where there are, else one date and what season and farming do to it."""
    weight = np.array([ground.woody.size**0.5 for ground in grounds])
    ground = grounds[rng.choice(len(grounds), p=weight / weight.sum())]
    one, other = rng.choice(len(ground.dates), 2, replace=len(ground.dates) < 2)
    before, after, woody = _crop((ground.dates[one], ground.dates[other], ground.woody), rng, side)
    missing = np.isnan(before) | np.isnan(after)
    before, after = _whole(before), _whole(after)
    if one == other:
        open_land = ~woody & (before[3] > 1.3 * before[2])
        after = _otherwise((before, woody, landscapes.field_numbers(open_land, rng)), rng, surface)
    return _Scene(before, after, woody & ~missing[0], missing, ground.name)


def _crop(layers: tuple[Array, Array, Mask], rng: np.random.Generator, side: int) -> tuple[Array, Array, Mask]:
    """The same square of all layers, NaN or False beyond their edge; the fullest of a few tries."""
    rows, cols = layers[2].shape
    best, most = (0, 0), -1.0
    for _ in range(4):
        at = (
            int(rng.integers(min(0, rows - side), max(1, rows - side + 1))),
            int(rng.integers(min(0, cols - side), max(1, cols - side + 1))),
        )
        inside = layers[0][0, max(0, at[0]) : at[0] + side, max(0, at[1]) : at[1] + side]
        if np.isfinite(inside).sum() > most:
            best, most = at, float(np.isfinite(inside).sum())
    margin = [(side, side), (side, side)]
    window = tuple(slice(start + side, start + 2 * side) for start in best)
    before, after = (np.pad(v, [(0, 0), *margin], constant_values=np.nan)[:, *window] for v in layers[:2])
    return before, after, np.pad(layers[2], margin)[window]


def _whole(reflectance: Array) -> Array:
    """Missing values replaced by the band's median, so that filters do not spread them; they are taken out again."""
    filled = reflectance.copy()
    for band in filled:
        seen = np.isfinite(band)
        band[~seen] = np.median(band[seen]) if seen.any() else 0.1
    return filled


def _otherwise(
    ground: tuple[Array, Mask, NDArray[np.int32]], rng: np.random.Generator, surface: shapes.Surface
) -> Array:
    """The same ground (reflectance, woods, fields) on another day, with no change that matters."""
    reflectance, woody, fields = ground
    other = benign.seasonal(reflectance, woody, rng)
    if rng.random() < 0.85:
        other = benign.farmed(other, fields, rng, surface=surface)
    if rng.random() < 0.12:
        other = benign.flooded(other, woody, rng)
    return benign.snowed(other, woody, rng) if rng.random() < _SNOWY else other


def _changed(scene: _Scene, rng: np.random.Generator, surface: shapes.Surface) -> tuple[Array, Array, Mask]:
    """The after date with changes injected; per kind the changed share, and where the answer may be asked for."""
    after = scene.after
    if scene.woody.any() and rng.random() < _THINNED:
        after = _thinned(after, scene.woody, rng, surface)
    shares = np.zeros((len(KINDS), *scene.woody.shape), np.float32)
    asked = np.ones(shares.shape, np.bool_)
    for index, kind in enumerate(KINDS):
        chance, most = _PUT[kind]
        if rng.random() > chance or (kind == "clearing" and scene.woody.mean() < _MIN_WOODY):
            continue
        for _ in range(rng.integers(1, most + 1)):
            keep = (scene.woody if kind == "clearing" else after[3] > _MIN_NIR).astype(np.float32)
            rough = float(rng.choice((1.0, rng.uniform(0, 1.5), 0.0)))  # even or not must not tell field from clearing
            planted = _planted(kind, scene.woody, rng, surface)
            new, share = landscapes.put(after, planted, keep=keep, rough=rough)
            asked[index] &= (share == 0) | ~_faint(after, new, kind)
            if kind == "camp":
                asked[0] &= share < 0.05  # a camp stands in a small clearing of its own: neither one nor none
            shares[index] = np.maximum(shares[index], share)
            after = new
    return after, shares, asked


def _faint(before: Array, after: Array, kind: str) -> Mask:
    """(y, x) where too little changes to be seen: in any band, or for clearings in NDVI and NBR; no NaN."""
    if kind != "clearing":
        slight: Mask = np.abs(after - before).max(axis=0) < _MIN_STEP
        return slight
    falls = [_index(before, low) - _index(after, low) for low in (2, 5)]
    faint: Mask = np.maximum(*falls) < _MIN_FALL
    return faint


def _index(reflectance: Array, low: int) -> Array:
    """Normalised difference of near infrared and the band at `low`."""
    index: Array = (reflectance[3] - reflectance[low]) / np.maximum(reflectance[3] + reflectance[low], 0.02)
    return index


def _thinned(reflectance: Array, woody: Mask, rng: np.random.Generator, surface: shapes.Surface) -> Array:
    """A wood of which one tree in five at the most is gone."""
    spots = np.flatnonzero(woody)
    row, col = np.unravel_index(rng.choice(spots), woody.shape)
    area_ha, kept = 0.2 * 50 ** rng.random(), rng.uniform(0.8, 0.95)
    planted = shapes.clearing(rng, centre=(float(row), float(col)), area_ha=area_ha, kept=kept, surface=surface)
    return landscapes.put(reflectance, planted, keep=woody.astype(np.float32))[0]


def _planted(kind: str, woody: Mask, rng: np.random.Generator, surface: shapes.Surface) -> shapes.Planted:
    """A change with its centre on wooded ground where that can be, of a size that fits a chip."""
    rows, cols = woody.shape
    centre = (float(rng.uniform(0.05, 0.95) * rows), float(rng.uniform(0.05, 0.95) * cols))
    if (kind == "clearing" or rng.random() < _WOODED) and woody.any():
        edge = woody & ~ndimage.binary_erosion(woody, iterations=2, border_value=1)
        spots = np.flatnonzero(edge if edge.any() and rng.random() < _AT_EDGE else woody)
        row, col = np.unravel_index(rng.choice(spots), woody.shape)
        centre = (float(row), float(col))
    size = rng.random()
    if kind == "clearing":
        return shapes.clearing(rng, centre=centre, area_ha=0.05 * (20 / 0.05) ** size, surface=surface)
    if kind == "camp":
        return shapes.camp(rng, centre=centre, area_ha=0.04 * (2 / 0.04) ** size, surface=surface)
    length_m, width_m = 200 * (_LONGEST_M / 200) ** rng.random(), 3 * (20 / 3) ** size
    return shapes.track(rng, centre=centre, length_m=length_m, width_m=width_m, surface=surface)


def _seen(ground: Array, missing: Mask, rng: np.random.Generator, *, composite: bool) -> tuple[Array, Array]:
    """Ground through sky and sensor: one look, or the quiet median of many; NaN where missing. And what veils it."""
    veil = np.zeros(missing.shape[1:], np.float32)
    if composite:
        seen = benign.noisy(ground, rng, amount=0.35)
    else:
        seen = benign.hazy(benign.lit(ground, rng), rng)
        seen, veil = benign.cloudy(seen, rng) if rng.random() < 0.2 else (seen, veil)
        seen = benign.shifted(seen, rng) if rng.random() < 0.8 else seen
        seen = benign.noisy(seen, rng, amount=1.0)
    hidden = missing | benign.gaps(missing.shape[1:], rng)
    return np.where(hidden, np.float32(np.nan), seen).astype(np.float32), veil


def _labels(shares: Array, asked: Mask, settings: Settings) -> NDArray[np.int8]:
    label = np.zeros(shares.shape, np.int8)
    for index, rule in enumerate(settings.label.values()):
        label[index][shares[index] >= rule.ignore] = IGNORED
        label[index][shares[index] >= rule.positive] = 1
    label[~asked] = IGNORED
    return label
