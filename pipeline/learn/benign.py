"""What differs between two dates and is no alert: season, farming, floods, sky, registration, noise, gaps.

In: reflectance of one date and a random generator. Out: reflectance. All ranges are those that surface reflectance
products are seen to have; none knows a label.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.learn import landscapes
from pipeline.simulate import canvas, optics, shapes, spectra

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

_DRY = ("deciduous_dry", "scrub_dry", "grass_dry")
_SWIR = slice(4, None)
_WAVELENGTH = np.array([0.49, 0.56, 0.665, 0.842, 1.61, 2.19], np.float32)
_MAX_SHIFT_PX = 0.7
_SNOW = np.array([0.78, 0.78, 0.76, 0.70, 0.12, 0.10], np.float32)
_SKYLIGHT = np.array([0.35, 0.25, 0.15, 0.08, 0.03, 0.02], np.float32)  # share of the light that reaches into shade


def farmed(
    reflectance: Array,
    fields: NDArray[np.int32],
    rng: np.random.Generator,
    *,
    surface: shapes.Surface = spectra.natural,
) -> Array:
    """Some fields sown, ripe, harvested, ploughed, burnt or flooded, even or rough."""
    hit = rng.random(int(fields.max()) + 1) < rng.choice((0.0, rng.uniform(0, 0.4), rng.uniform(0.4, 1.0)))
    hit[0] = False
    names = (*landscapes.OPEN, "stubble", "soil_brown", "burnt")
    table = landscapes.field_spectra(len(hit), names, rng, surface=surface)
    share = np.where(hit, rng.uniform(0.3, 1.0, len(hit)), 0).astype(np.float32)[fields]
    share = _softened(share)
    grain = rng.uniform(0, 0.08) * rng.standard_normal(fields.shape, np.float32)
    patches = rng.uniform(0, 0.1) * canvas.quick_noise(fields.shape, rng.uniform(1, 5), rng)
    new = np.moveaxis(table[fields], -1, 0) * np.exp(grain + patches)
    changed: Array = reflectance + share * (landscapes.blurred(new.astype(np.float32)) - reflectance)
    return changed


def seasonal(reflectance: Array, woody: Mask, rng: np.random.Generator) -> Array:
    """Leaves lost or grown, gradually over the ground; greener or drier."""
    size = woody.shape
    if rng.random() < 0.45:
        drier = spectra.varied(str(rng.choice(_DRY)), rng=rng)[:, None, None]
        strength = rng.uniform(0.05, 0.7)
        share = np.clip(strength * (1 + 0.5 * canvas.quick_noise(size, rng.uniform(5, 25), rng)), 0, 0.85)
        reflectance = reflectance + _softened((share * woody).astype(np.float32)) * (drier - reflectance)
    vigour = rng.normal(0, 0.05) + rng.uniform(0, 0.05) * canvas.quick_noise(size, 15.0, rng)
    slope = np.array([-0.6, -0.4, -1.0, 1.0, -0.5, -0.9], np.float32)[:, None, None]
    greener: Array = reflectance * np.exp(slope * vigour)
    return greener


def flooded(reflectance: Array, woody: Mask, rng: np.random.Generator) -> Array:
    """Water over open land, or banks fallen dry."""
    area = canvas.thresholded(canvas.quick_noise(woody.shape, rng.uniform(4, 15), rng), rng.uniform(0.01, 0.3)) & ~woody
    name = str(rng.choice(("water_clear", "water_turbid", "water_turbid", "soil_wet", "sandbar", "paddy_flooded")))
    new = spectra.varied(name, rng=rng)[:, None, None]
    share = _softened(area.astype(np.float32)) * np.float32(rng.uniform(0.5, 1))
    wet: Array = reflectance + share * (new - reflectance)
    return wet


def snowed(reflectance: Array, woody: Mask, rng: np.random.Generator) -> Array:
    """Snow on open land, thin or in patches, and a little of it seen between the trees."""
    cover = canvas.quick_noise(woody.shape, rng.uniform(3, 15), rng) + rng.uniform(-1.0, 2.0)
    share = np.clip(cover, 0, 1) * np.where(woody, rng.uniform(0.0, 0.4), rng.uniform(0.3, 1.0))
    snow = _SNOW[:, None, None] * np.float32(rng.uniform(0.6, 1.1))
    white: Array = reflectance + _softened(share.astype(np.float32)) * (snow - reflectance)
    return white


def relief(size: tuple[int, int], rng: np.random.Generator) -> Array:
    """(y, x) heights in pixels: level ground, or hills with slopes of up to about 25 degrees."""
    if rng.random() < 0.65:
        return np.zeros(size, np.float32)
    width = rng.uniform(8, 30)
    heights: Array = canvas.quick_noise(size, width, rng) * np.float32(width * rng.uniform(0.03, 0.2))
    return heights


def sunlit(reflectance: Array, heights: Array, woody: Mask, rng: np.random.Generator) -> Array:
    """The sun somewhere: slopes lit and shaded, and the shade that trees throw on the ground beside them.

    Args:
        reflectance: (6, y, x).
        heights: (y, x) of `relief`, in pixels.
        woody: (y, x).
        rng: source of all choices.
    """
    azimuth, height = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(30, 70))
    towards = np.array([-np.cos(azimuth), np.sin(azimuth)])  # (row, column) to the sun
    down, right = np.gradient(heights)
    facing = np.sin(height) - np.cos(height) * (towards[0] * down + towards[1] * right)
    light = np.clip(facing / np.sin(height), 0.4, 1.6) ** rng.uniform(0.3, 0.8)  # products take out a part of it
    reach = rng.choice((0.0, rng.uniform(0.3, 2.5))) / np.tan(height)  # pixels: trees of 3 to 25 m
    trees = woody.astype(np.float32)
    thrown = ndimage.shift(trees, tuple(-reach * towards), order=1, mode="nearest") * (1 - trees)
    dark = np.clip(rng.uniform(0.2, 0.6) * thrown, 0, 1).astype(np.float32)
    shone: Array = reflectance * light.astype(np.float32) * (1 - dark * (1 - _SKYLIGHT[:, None, None]))
    return shone


def lit(reflectance: Array, rng: np.random.Generator) -> Array:
    """Another sun and view: overall gain and tilt, slopes lit differently, crowns and shade that sparkle."""
    size = reflectance.shape[1:]
    gain = np.exp(rng.normal(0, 0.06) + rng.normal(0, 0.03) * np.linspace(-1, 1, 6) + rng.normal(0, 0.015, 6))
    relief = rng.choice((0.0, rng.uniform(0, 0.12))) * canvas.quick_noise(size, rng.uniform(5, 18), rng)
    sparkle = rng.uniform(0.0, 0.05) * canvas.quick_noise(size, rng.uniform(0.5, 1.5), rng)
    own = rng.uniform(0.0, 0.012) * rng.standard_normal(reflectance.shape, np.float32)
    shone: Array = reflectance * gain[:, None, None].astype(np.float32) * np.exp(relief + sparkle + own)
    return shone


def hazy(reflectance: Array, rng: np.random.Generator) -> Array:
    """Haze, strongest in blue, uneven over the ground, with a little of the contrast lost; offsets of a few DN."""
    thickness = rng.choice((0.0, rng.uniform(0, 0.01), rng.uniform(0.01, 0.04)), p=(0.35, 0.45, 0.2))
    uneven = np.clip(1 + 0.6 * canvas.quick_noise(reflectance.shape[1:], rng.uniform(12, 40), rng), 0, 3)
    spectrum = (_WAVELENGTH / _WAVELENGTH[0]) ** -rng.uniform(0.8, 2.5)
    veil = (thickness * spectrum)[:, None, None].astype(np.float32) * uneven.astype(np.float32)
    offset = rng.normal(0, 0.001, 6)[:, None, None].astype(np.float32)
    veiled: Array = reflectance * (1 - veil) + veil + offset
    return veiled


def cloudy(reflectance: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Thin cloud and edges that the mask left, and the shadows beside them; and how much of the ground they hide."""
    size = reflectance.shape[1:]
    field = canvas.quick_noise(size, rng.uniform(3, 14), rng)
    edge = float(np.quantile(field, 1 - rng.uniform(0.01, 0.25)))
    alpha = np.clip((field - edge) / rng.uniform(0.3, 1.5), 0, 1) * rng.choice(
        (rng.uniform(0.05, 0.4), 1.0), p=(0.7, 0.3)
    )
    step = (int(rng.integers(-25, 26)), int(rng.integers(-25, 26)))
    shade = np.roll(alpha, step, axis=(0, 1)) * rng.uniform(0.2, 0.75)
    white = rng.uniform(0.35, 0.8) * np.array([1.05, 1.0, 1.0, 1.0, 0.8, 0.65])[:, None, None]
    dark: Array = reflectance * (1 - shade.astype(np.float32))
    covered: Array = dark + alpha.astype(np.float32) * (white.astype(np.float32) - dark)
    return covered, np.maximum(alpha, shade).astype(np.float32)


def shifted(reflectance: Array, rng: np.random.Generator) -> Array:
    """Content moved by up to 0.7 pixels, the 20 m bands with it."""
    move = np.clip(rng.normal(0, 0.25, 2), -_MAX_SHIFT_PX, _MAX_SHIFT_PX)
    moved: Array = ndimage.shift(reflectance, (0, *move), order=1, mode="nearest")
    return moved


def noisy(reflectance: Array, rng: np.random.Generator, *, amount: float) -> Array:
    """Sensor and processing noise; `amount` 1 for a single look, less for a composite of many."""
    size = reflectance.shape[1:]
    noise = rng.standard_normal(reflectance.shape, np.float32)
    coarse = rng.standard_normal((2, size[0] // 2, size[1] // 2), np.float32)
    noise[_SWIR] = optics.upsample(coarse)
    sigma = np.float32(amount * rng.uniform(0.0005, 0.003)) + np.float32(amount * rng.uniform(0, 0.015)) * reflectance
    grainy: Array = np.maximum(reflectance + sigma * noise, 0.0001)
    return grainy


def gaps(size: tuple[int, int], rng: np.random.Generator) -> Mask:
    """(y, x) true where a date is missing: nowhere, in blobs, all but islands, or beyond the edge of the swath."""
    style = rng.random()
    if style < 0.78:
        return np.zeros(size, np.bool_)
    if style < 0.94:
        share = rng.uniform(0.02, 0.4) if style < 0.88 else rng.uniform(0.5, 0.9)
        return canvas.thresholded(canvas.quick_noise(size, rng.uniform(3, 12), rng), share)
    rows, cols = np.mgrid[: size[0], : size[1]]
    angle = rng.uniform(0, 2 * np.pi)
    across = np.cos(angle) * (rows - size[0] / 2) + np.sin(angle) * (cols - size[1] / 2)
    wedge: Mask = across > rng.uniform(0.05, 0.5) * size[0]
    return wedge


def _softened(share: Array) -> Array:
    """A share per pixel as the instrument blurs it."""
    soft: Array = ndimage.gaussian_filter(share, 0.6)
    return soft
