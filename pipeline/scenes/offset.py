"""The radiometric offset of a part, decided on its pixels.

In: samples of a part, and medians of other scenes where there are any. Out: an `Offset`, or a quarantine. Refuses to
know dates: since baseline 04.00 ESA adds 1000 to the digital numbers, catalogues take it away again or not, and their
flags were wrong in both directions (D1). A mistake here is change everywhere.
"""

import re

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.errors import SceneError
from pipeline.scenes.samples import BANDS, PartSamples
from pipeline.schema import Offset, Part, Reason
from pipeline.sensors import SENTINEL2

ADDED_DN = 1000
_MIN_PX = 500
# With the offset still in, reflectance 0 is DN 1000. Atmospheric correction makes some ground slightly negative (blue
# most, in shadow), but never a tenth of all clear pixels, and never -0.03 in the longer bands.
_TENTH_BELOW_DN = 950
_DARKEST_BELOW_DN = 700
# Ground with something dark in it (water, shadow, dense canopy) reaches down to reflectance 0.06 in some band.
_PLAUSIBLE_DN = (850, 1600)
# Haze beside clouds looks like an offset, so that only ground further from them can speak for one.
_CLOUD_MARGIN_PX = 20
_CLEAR_RATIO = 2.0  # the better of two offsets must fit the other scenes so much better ...
_CLEAR_FIT = 0.05  # ... and well enough in itself (reflectance)


def decide(sampled: PartSamples, reference: NDArray[np.float32] | None) -> Offset:
    """Decide what must be added to the digital numbers of a part.

    Args:
        sampled: the part's samples.
        reference: (window, band, y, x) float32 median reflectance of other scenes on the same windows; NaN missing.

    Returns:
        0 or -1000, with how it was decided. The catalogue's own word is used only where the pixels agree with it.
        Where clouds leave too little ground to tell, one that is not `verified`.

    Raises:
        SceneError: the baseline is unknown, or the pixels do not tell: the scene is quarantined.
    """
    part = sampled.part
    clear = sampled.reason == Reason.CLEAR
    low = _percentiles(sampled, clear)
    evidence = _describe(low, part)
    if _baseline(part) < (4, 0):
        return Offset(0, "baseline", f"baseline {part.baseline} adds nothing; {evidence}")
    if not low:
        return Offset(0, "unverified", f"fewer than {_MIN_PX} clear sample pixels: taken as clouded over; {evidence}")
    tenth = min(values[0] for values in low.values())
    longer = min(values[1] for band, values in low.items() if band != "B02")
    if tenth < _TENTH_BELOW_DN or longer < _DARKEST_BELOW_DN:
        return Offset(0, "pixels", f"already taken away: ground below DN {ADDED_DN}; {evidence}")
    calm = clear & ~_near_clouds(sampled)
    fits = {dn: float("nan") if reference is None else _misfit(sampled, calm, reference, dn) for dn in (0, -ADDED_DN)}
    if reference is not None:
        evidence += f"; median difference from other scenes {fits[0]:.3f} with 0, {fits[-ADDED_DN]:.3f} with -1000"
        best, worst = sorted(fits, key=lambda dn: fits[dn])
        if fits[best] < _CLEAR_FIT and fits[worst] > _CLEAR_RATIO * fits[best]:
            return Offset(best, "history", evidence)
    contradicted = fits[0] <= fits[-ADDED_DN]  # never without a reference: comparisons with NaN are false
    far = [values[1] for values in _percentiles(sampled, calm).values()]
    if part.offset_hint == -ADDED_DN and far and not contradicted and _PLAUSIBLE_DN[0] <= min(far) <= _PLAUSIBLE_DN[1]:
        return Offset(-ADDED_DN, "pixels", f"still in, as the catalogue says: nothing darker; {evidence}")
    later = (
        "and will be decided once other scenes of the place are known"
        if reference is None
        else "since other scenes of the place do not decide it either, until a catalogue lists another processing of it"
    )
    raise SceneError(f"{part.item_id}: the offset is ambiguous: {evidence}; the scene is quarantined, {later}")


def _baseline(part: Part) -> tuple[int, int]:
    match = re.fullmatch(r"(\d\d)\.(\d\d)", part.baseline)
    if match is None:
        raise SceneError(
            f"{part.item_id}: processing baseline {part.baseline!r} is unknown, so the offset cannot be decided; "
            f"the scene is quarantined, use another catalogue than {part.catalog}"
        )
    return int(match[1]), int(match[2])


def _near_clouds(sampled: PartSamples) -> NDArray[np.bool_]:
    """(window, y, x): within a square of `_CLOUD_MARGIN_PX` about a cloud."""
    side = 2 * _CLOUD_MARGIN_PX + 1
    near: NDArray[np.bool_] = ndimage.maximum_filter(
        sampled.reason == Reason.CLOUD, size=(1, side, side), mode="constant"
    )
    return near


def _percentiles(sampled: PartSamples, clear: NDArray[np.bool_]) -> dict[str, tuple[float, float]]:
    """10th and 1st percentile of clear pixels, by band; bands with too few pixels are left out."""
    found = {}
    for index, band in enumerate(BANDS):
        values = sampled.digital[:, index][clear & (sampled.digital[:, index] != SENTINEL2.nodata)]
        if values.size >= _MIN_PX:
            tenth, first = np.percentile(values, [10, 1])
            found[band] = (float(tenth), float(first))
    return found


def _describe(low: dict[str, tuple[float, float]], part: Part) -> str:
    numbers = ", ".join(f"{band} {first:.0f}/{tenth:.0f}" for band, (tenth, first) in low.items()) or "none clear"
    hint = "nothing" if part.offset_hint is None else part.offset_hint
    return f"1st/10th percentile DN {numbers}; catalogue says {hint}"


def _misfit(sampled: PartSamples, clear: NDArray[np.bool_], reference: NDArray[np.float32], offset_dn: int) -> float:
    """Median absolute difference from the reference in the worst band; infinite if nothing compares.

    The worst, because haze looks like an offset in blue and red, but not in the short-wave infrared as well.
    """
    misfits = []
    for index, band in enumerate(BANDS):
        values = sampled.digital[:, index]
        usable = clear & (values != SENTINEL2.nodata) & np.isfinite(reference[:, index])
        if band == "B08":  # changes with the season by more than the offset
            continue
        if usable.sum() < _MIN_PX:
            if band == "B12":  # not every mirror has it
                continue
            return float("inf")
        difference = (values[usable].astype(np.int32) + offset_dn) * SENTINEL2.scale - reference[:, index][usable]
        misfits.append(float(np.median(np.abs(difference))))
    return max(misfits)
