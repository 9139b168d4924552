"""Change between two arrays on one grid, without scenes and tiles: for `vanwatch detect`.

In: two arrays. Out: probabilities. The cells count from the arrays' corner.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.detect import change
from pipeline.detect.detector import Detector
from pipeline.errors import RasterError
from pipeline.grid import Window
from pipeline.sensors import BANDS

Array = NDArray[np.float32]


def change_pair(before: Array, after: Array, *, detector: Detector) -> Array:
    """Compare two dates.

    Args:
        before: (6, y, x) float32 reflectance, unit 1, NaN missing, bands in the sensor's order.
        after: the same shape.
        detector: the network.

    Returns:
        (kind, y, x) float32; NaN where either date is not observed.

    Raises:
        RasterError: the shapes differ or are not (6, y, x).
    """
    if before.shape != after.shape or before.ndim != 3 or len(before) != len(BANDS):
        raise RasterError(
            f"before is {before.shape} and after {after.shape}; both must be ({len(BANDS)}, y, x) on one grid"
        )
    window = Window(0, 0, *before.shape[1:])
    halo = detector.halo_px
    margin = ((0, 0), (halo, halo), (halo, halo))
    haloed = [np.pad(v.astype(np.float32, copy=False), margin, constant_values=np.nan) for v in (before, after)]
    seen = ~(detector.missing(before) | detector.missing(after))
    return change.run_cells(haloed[0], haloed[1], window, wanted=seen, detector=detector)
