"""All ways to find change behind one interface: two dates in, a score per kind and pixel out.

To compare another method, give a `Method`. Models come by their cards, so a peer network is a card like ours.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.detect import detector
from pipeline.detect.pair import change_pair
from pipeline.evaluate import classical
from pipeline.schema import KINDS

Array = NDArray[np.float32]
Scores = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to find change."""

    name: str
    score: Callable[[Array, Array], Scores]
    """(6, y, x) float32 reflectance of both dates, NaN missing, to (y, x) float32 per kind: higher where more changed,
    NaN where it gives no answer."""
    probabilistic: bool = False
    """Scores are probabilities, and each kind has its own."""


def of_model(model: str, *, name: str = "") -> Method:
    """A network by its card.

    Args:
        model: a folder in `models/weights/`, or a path to a folder with a card.
        name: shown in tables; the card's if empty.

    Raises:
        ModelError: there is no such model or it does not fit the pipeline.
    """
    network = detector.cached(model)

    def score(before: Array, after: Array) -> Scores:
        return dict(zip(KINDS, change_pair(before, after, detector=network), strict=True))

    return Method(name or network.card.name, score, probabilistic=True)


def classical_methods() -> tuple[Method, ...]:
    """The classical detectors; they do not tell kinds apart."""
    return (
        _kindless("dNDVI", classical.dndvi),
        _kindless("dNBR", classical.dnbr),
        _kindless("CVA", classical.cva),
        _kindless("CVA standardised", classical.cva_standardised),
        _kindless("IR-MAD", classical.irmad),
    )


def _kindless(name: str, function: Callable[[Array, Array], Array]) -> Method:
    def score(before: Array, after: Array) -> Scores:
        return dict.fromkeys(KINDS, function(before, after))

    return Method(name, score)
