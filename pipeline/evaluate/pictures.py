"""Where a method is wrong, to be looked at: both dates, the label and the score of the places with the most mistakes.

In: places and scores. Out: one PNG. Nothing is decided here.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.evaluate.places import CHANGED, STABLE, UNKNOWN, Codes, Place
from pipeline.sensors import BANDS

Array = NDArray[np.float32]

_BANDS = [BANDS.index(name) for name in ("B11", "B08", "B04")]  # bare ground pink, forest green
_BRIGHTEST = np.array([0.35, 0.4, 0.2], np.float32)
_COLOURS = {"found": (0.2, 0.7, 0.2), "missed": (0.9, 0.1, 0.1), "false": (1.0, 0.6, 0.0)}


def draw_mistakes(
    places: Sequence[Place], scores: Sequence[Array], path: Path, *, threshold: float, most: int = 8
) -> None:
    """Draw the places on which most labelled pixels are wrong.

    Args:
        places: with labels.
        scores: (y, x) of each; NaN is not flagged.
        path: PNG to write.
        threshold: flagged where the score is at least this.
        most: places drawn.
    """
    asked = [np.where(np.isfinite(score), place.label, UNKNOWN) for place, score in zip(places, scores, strict=True)]
    wrong = [_wrong(label, score >= threshold) for label, score in zip(asked, scores, strict=True)]
    shown = np.argsort([-count for count in wrong], kind="stable")[:most]
    figure = Figure(figsize=(11, 2.6 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 4, squeeze=False)
    for row, number in zip(axes, shown, strict=True):
        place, score = places[number], scores[number]
        row[0].imshow(_colours(place.before))
        row[1].imshow(_colours(place.after))
        row[2].imshow(score, vmin=0, vmax=1, cmap="magma")
        row[3].imshow(_verdicts(asked[number], score >= threshold))
        titles = (f"{place.id} before", "after", "score", f"found, missed, false: {wrong[number]} px wrong")
        for cell, title in zip(row, titles, strict=True):
            cell.set_title(title, fontsize=8, y=1.0)  # where it would be anyway, had all ticks been measured
            cell.axis("off")
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _wrong(label: Codes, flagged: NDArray[np.bool_]) -> int:
    return int(((label == CHANGED) & ~flagged).sum() + ((label == STABLE) & flagged).sum())


def _colours(reflectance: Array) -> Array:
    stretched = np.moveaxis(reflectance[_BANDS], 0, -1) / _BRIGHTEST
    picture: Array = np.clip(np.nan_to_num(stretched, nan=0.0), 0, 1)
    return picture


def _verdicts(label: Codes, flagged: NDArray[np.bool_]) -> Array:
    """Green found, red missed, orange false; grey stable, white not labelled or not seen."""
    picture = np.ones((*flagged.shape, 3), np.float32)
    picture[label == STABLE] = 0.85
    changed = label == CHANGED
    picture[changed & flagged] = _COLOURS["found"]
    picture[changed & ~flagged] = _COLOURS["missed"]
    picture[(label == STABLE) & flagged] = _COLOURS["false"]
    return picture
