"""Priority: which alert an analyst should open first.

In: an alert and what is known of its surroundings. Out: 0 to 100, and the parts that it is made of. Knows no files.

The score is a sum of parts, each a weight times something between 0 and 1:

=============  ======  ================================================================================================
part           weight  between 0 and 1
=============  ======  ================================================================================================
confidence         30  the confidence; of possible alerts six tenths of it
kind               15  camp 1, track 0.8, clearing 0.6
growth             15  1 for what is new tonight, else what it has grown since the night before: 1 from 1 ha on
size               10  from 0.1 ha to 10 ha, of tracks from 200 m to 5 km, by the logarithm
protection         15  1 inside a protected area, 0.5 within 1 km of one
nearness           15  to the next border or the head of a known track: 1 there, half at 1 km, and so on
=============  ======  ================================================================================================

Inside a permitted area three tenths of the sum are left: such alerts are looked at last, but they are not hidden.
"""

import math
from dataclasses import dataclass

from pipeline.schema import Alert, Kind, Status

WEIGHTS = {"confidence": 30, "kind": 15, "growth": 15, "size": 10, "protection": 15, "nearness": 15}
_KINDS = {Kind.CAMP: 1.0, Kind.TRACK: 0.8, Kind.CLEARING: 0.6}
_POSSIBLE = 0.6
_PERMITTED = 0.3
_HALF_M = 1000.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the score needs to know of a place."""

    protected_m: float = math.inf
    """To the next protected area; 0 inside."""
    border_m: float = math.inf
    """To the next border or head of a known track."""
    permitted: bool = False


@dataclass(frozen=True, slots=True)
class Priority:
    """A score and where it comes from."""

    score: float
    """0 to 100."""
    parts: dict[str, float]
    """Points by part, before a permit lowers the sum."""


def of(alert: Alert, around: Surroundings, *, new: bool) -> Priority:
    """The priority of an open alert.

    Args:
        alert: the alert.
        around: its surroundings.
        new: it is new tonight.
    """
    found = alert.detection
    shares = {
        "confidence": found.confidence * (1.0 if alert.status == Status.CONFIRMED else _POSSIBLE),
        "kind": _KINDS[found.kind],
        "growth": 1.0 if new else min(1.0, max(0.0, alert.grown_ha)),
        "size": _log_share(found.length_m, 200, 5000)
        if found.kind == Kind.TRACK
        else _log_share(found.area_m2, 1e3, 1e5),
        "protection": 1.0 if around.protected_m == 0 else 0.5 if around.protected_m <= _HALF_M else 0.0,
        "nearness": 0.5 ** (around.border_m / _HALF_M),
    }
    parts = {name: round(WEIGHTS[name] * share, 1) for name, share in shares.items()}
    total = sum(parts.values()) * (_PERMITTED if around.permitted else 1.0)
    return Priority(round(total, 1), parts)


def _log_share(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, math.log(max(value, 1e-9) / low) / math.log(high / low)))
