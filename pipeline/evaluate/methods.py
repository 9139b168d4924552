"""All ways to find change behind one interface: two dates in, a score per kind and pixel out.

To compare another method, give a `Method`. Models come by their cards, so a peer network is a card like ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipeline import progress
from pipeline.detect import detector
from pipeline.detect.detector import Detector
from pipeline.detect.pair import change_pair
from pipeline.evaluate import classical
from pipeline.evaluate.places import Place
from pipeline.schema import KINDS

Array = NDArray[np.float32]
Scores = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to find change."""

    name: str
    score: Callable[[Array, Array], Scores]
    """(6, y, x) float32 reflectance of both dates, NaN missing, to (y, x) float32 per kind: higher where more changed,
    NaN where it gives no answer."""
    probabilistic: bool = False
    """Scores are probabilities, and each kind has its own."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Per kind, the method's own threshold; empty where it has none."""


Lineup = tuple[Method, ...]
Scored = dict[str, tuple[Scores, ...]]


def silent(line: str) -> None:
    """Progress for those who do not want any."""


def score_places(lineup: Lineup, judged: Sequence[Place], *, say: Callable[[str], None] = silent) -> Scored:
    """Every method's scores on every place."""
    scored: Scored = {}
    with progress.bar("places scored", len(lineup) * len(judged)) as step:
        for method in lineup:
            scores = []
            for place in judged:
                scores.append(method.score(place.before, place.after))
                step()
            scored[method.name] = tuple(scores)
            say(f"{method.name}: {len(judged)} places scored")
    return scored


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
        cells = _with_cells_for(network, max(before.shape[1:]))
        return dict(zip(KINDS, change_pair(before, after, detector=cells), strict=True))

    own = network.card.thresholds
    return Method(name or network.card.name, score, probabilistic=True, thresholds=own)


def any_kind(method: Method) -> Method:
    """The method for labels that tell no kinds apart: its highest score of any kind."""

    def score(before: Array, after: Array) -> Scores:
        highest: Array = np.maximum.reduce(list(method.score(before, after).values()))
        return dict.fromkeys(KINDS, highest)

    return replace(method, score=score)


def classical_methods() -> tuple[Method, ...]:
    """The classical detectors; they do not tell kinds apart."""
    return (
        _kindless("dNDVI", classical.dndvi),
        _kindless("dNBR", classical.dnbr),
        _kindless("CVA", classical.cva),
        _kindless("CVA standardised", classical.cva_standardised),
        _kindless("IR-MAD", classical.irmad),
    )


def _with_cells_for(network: Detector, side_px: int) -> Detector:
    """The network on smaller cells where a whole place fits into one: most of a usual cell would be empty.

    With the halo of the card the answer is the same but for the last digits.
    """
    card = network.card
    patch_px = min(card.patch_px, -(-side_px // card.stride) * card.stride)
    return replace(network, card=card.model_copy(update={"patch_px": patch_px}))


def _kindless(name: str, function: Callable[[Array, Array], Array]) -> Method:
    def score(before: Array, after: Array) -> Scores:
        return dict.fromkeys(KINDS, function(before, after))

    return Method(name, score)
