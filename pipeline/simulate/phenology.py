"""What the land looks like on a day: leaves, crops and water through the year of central India.

In: a `Ground` and a date. Out: reflectance on its raster. Knows no changes, no sky and no instrument.

The calendar is that of a monsoon climate: rain from mid-June to September, green into November, leaves falling from
January, bare until the first showers of May. Dates are typical values.
"""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipeline.sensors import BANDS
from pipeline.simulate import noise, spectra
from pipeline.simulate.land import Cover, Ground

Array = NDArray[np.float32]

_LEAVES = (
    (1, 0.80),
    (32, 0.58),
    (60, 0.32),
    (90, 0.14),
    (115, 0.16),
    (140, 0.40),
    (170, 0.75),
    (200, 0.95),
    (290, 1.0),
)
_GRASS = ((1, 0.25), (60, 0.06), (150, 0.05), (172, 0.35), (200, 0.90), (270, 1.0), (300, 0.75), (340, 0.40))
_LEVEL = ((1, 0.56), (120, 0.40), (160, 0.42), (190, 0.85), (230, 1.05), (270, 0.90), (310, 0.68))

Calendar = tuple[tuple[int, str], ...]
_CALENDARS: tuple[Calendar, ...] = (
    (  # one crop of rice, the land left in stubble
        (10, "stubble"), (110, "soil_brown"), (172, "soil_brown"), (180, "paddy_flooded"), (198, "paddy_flooded"),
        (215, "crop_young"), (248, "crop_green"), (280, "crop_green"), (305, "crop_ripe"), (318, "crop_ripe"),
        (323, "stubble"),
    ),
    (  # rice, then pulses or wheat
        (30, "crop_green"), (62, "crop_green"), (82, "crop_ripe"), (92, "crop_ripe"), (97, "stubble"),
        (130, "soil_brown"), (172, "soil_brown"), (180, "paddy_flooded"), (198, "paddy_flooded"), (215, "crop_young"),
        (246, "crop_green"), (272, "crop_green"), (296, "crop_ripe"), (306, "crop_ripe"), (310, "stubble"),
        (320, "soil_laterite"), (334, "soil_wet"), (352, "crop_young"),
    ),
    (  # cotton or millet on higher land
        (15, "crop_ripe"), (22, "stubble"), (60, "soil_black"), (165, "soil_black"), (192, "crop_young"),
        (232, "crop_green"), (298, "crop_green"), (335, "crop_ripe"),
    ),
    ((1, "grass_dry"), (165, "grass_dry"), (205, "grass_green"), (285, "grass_green"), (330, "grass_dry")),  # fallow
)  # fmt: skip
_SHARES = (0.42, 0.28, 0.17, 0.13)
_SUN_TEXTURE = np.array([0.85, 0.9, 1.0, 1.0, 0.75, 0.8], np.float32)  # how strongly each band shows crowns and shade


def reflectance(ground: Ground, day: date, *, seed: int, shade: Array | None = None) -> Array:
    """(6, Y, X) what the land reflects on a day.

    Args:
        ground: the land.
        day: any date; years differ a little.
        seed: of the world.
        shade: (Y, X) log of the light on the slope; None for flat light.
    """
    doy = day.timetuple().tm_yday
    units = _units(ground, day, seed)
    leaves = np.interp(doy - ground.lateness, *_cycle(_LEAVES)).astype(np.float32)
    grass = np.interp(doy - 0.7 * ground.lateness, *_cycle(_GRASS)).astype(np.float32)
    water = ground.depth < np.interp(doy, *_cycle(_LEVEL))
    wet = np.clip((np.interp(doy, *_cycle(_LEVEL)) - 0.5) / 0.5, 0, 1)
    light = ground.texture if shade is None else ground.texture + shade
    known = ground.unit[np.isin(ground.cover, (Cover.FIELD, Cover.BUILT))]
    out: Array = np.empty((len(BANDS), *ground.raster.shape), np.float32)
    for band in range(len(BANDS)):
        layer = _woods(ground, leaves, band)
        for cover, dry, green in (
            (Cover.SCRUB, "scrub_dry", "scrub_green"),
            (Cover.GRASS, "grass_dry", "grass_green"),
            (Cover.YARD, "soil_brown", "scrub_green"),
        ):
            here = ground.cover == cover
            share = grass[here] if cover != Cover.YARD else 0.3 * grass[here]
            layer[here] = _between(dry, green, band, share)
        layer[np.isin(ground.cover, (Cover.FIELD, Cover.BUILT))] = units[known, band]
        layer *= np.exp(np.float32(_SUN_TEXTURE[band]) * light)
        river = ground.cover == Cover.RIVER
        layer[river] = _between("sandbar", "soil_wet", band, np.float32(0.5 * wet))
        layer[river & water] = _between("water_clear", "water_turbid", band, np.float32(wet))
        out[band] = layer
    return out


def _woods(ground: Ground, leaves: Array, band: int) -> Array:
    dry, green, ever = (spectra.TYPICAL[name][band] for name in ("deciduous_dry", "deciduous_green", "evergreen"))
    deciduous = np.float32(dry) + np.float32(green - dry) * leaves
    woods: Array = deciduous + ground.evergreen * (np.float32(ever) - deciduous)
    return woods


def _between(one: str, other: str, band: int, share: Array | np.float32) -> Array:
    low, high = spectra.TYPICAL[one][band], spectra.TYPICAL[other][band]
    value: Array = np.asarray(share, np.float32) * np.float32(high - low) + np.float32(low)
    return value


def _units(ground: Ground, day: date, seed: int) -> Array:
    """(n, 6) spectrum of every field, road and building on a day."""
    rows, cols = (ground.units[name].astype(np.int64) for name in ("row", "col"))
    year = day.year

    def draw(*words: str | int) -> NDArray[np.float64]:
        return noise.uniform(noise.key(seed, *words), rows, cols)

    doy = day.timetuple().tm_yday - 26 * (draw("early") - 0.5) - 16 * (draw("early", year) - 0.5)
    kind = np.searchsorted(np.cumsum(_SHARES)[:-1], draw("calendar"))
    table = np.zeros((len(rows), len(BANDS)))
    for index, calendar in enumerate(_CALENDARS):
        days, looks = zip(*calendar, strict=True)
        for band in range(len(BANDS)):
            around = _cycle(tuple((d, spectra.TYPICAL[look][band]) for d, look in zip(days, looks, strict=True)))
            table[kind == index, band] = np.interp(doy[kind == index], *around)
    ploughed = (draw("plough", year) < 0.3) & (doy > 326) & (kind == 0)
    table[ploughed] = spectra.typical("soil_brown")
    since_fire = doy - 322 - 25 * draw("fire day", year)
    table[(draw("fire", year) < 0.05) & (since_fire > 0) & (since_fire < 25)] = spectra.typical("burnt")
    own = np.exp(0.20 * (draw("bright")[:, None] - 0.5) + 0.12 * (draw("tint") - 0.5)[:, None] * np.linspace(-1, 1, 6))
    built = np.flatnonzero(ground.units["cover"] == Cover.BUILT)
    table[built] = [spectra.typical(str(name)) for name in ground.units["surface"][built]]
    return (table * own).astype(np.float32)


def _cycle(points: tuple[tuple[int, float], ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Knots of one year repeated before and after it."""
    days, values = (np.array(column, np.float64) for column in zip(*points, strict=True))
    return np.concatenate([days - 365, days, days + 365]), np.tile(values, 3)
