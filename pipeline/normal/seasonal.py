"""Which earlier scenes tell what a place looks like at this time of the year.

In: scenes and the `[normal]` rules of a profile. Out: scenes, best first. Reads no pixels; who calls `choose` says
what each scene sees.

Everything follows from `as_of` and the catalogue, never from which nights were run before: the normal of a night is
the same whether the nights before it were run or not.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline.config import NormalRules
from pipeline.schema import Scene

EPOCH = date(2015, 1, 1)  # before the first Sentinel-2 scene; refresh periods are counted from here
EARLIER_YEARS = 3  # what a place looked like longer ago is not what is normal today
_YEAR_DAYS = 365
_UNKNOWN_CLOUD_PCT = 50.0
_MOSTLY_PCT = 70.0
_CLOUD_STEP_PCT = 10.0  # cloud cover of a whole scene is a rough hint: within a step the newer scene is better
_WORTH = 0.05  # a scene is read when it helps at least this share of the places


def anchor(as_of: date, rules: NormalRules) -> date:
    """The first day of the refresh period in which a night lies.

    Args:
        as_of: date of the night.
        rules: `refresh_days` is the length of a period, counted from 2015-01-01.

    >>> anchor(date(2015, 1, 25), NormalRules(refresh_days=10))
    datetime.date(2015, 1, 21)
    """
    return as_of - timedelta(days=(as_of - EPOCH).days % rules.refresh_days)


def in_season(day: date, anchor: date, rules: NormalRules) -> bool:
    """True if a day lies within `season_days` of the anchor's day of the year, in whatever year.

    >>> in_season(date(2023, 12, 20), date(2025, 1, 10), NormalRules(season_days=30))
    True
    """
    apart = abs(day.timetuple().tm_yday - anchor.timetuple().tm_yday)
    return min(apart, abs(_YEAR_DAYS - apart)) <= rules.season_days


def rank(scenes: Sequence[Scene], anchor: date, rules: NormalRules) -> tuple[Scene, ...]:
    """The scenes that may tell what is normal, best first.

    Left out are scenes of the last `gap_days` before the anchor and everything later (no look-ahead), and scenes
    older than three years and a season. Scenes of the same season come first, those of the last year before those of
    earlier ones, which fill up: what was cleared a year ago is not normal forest. Within a year those with fewer clouds
    come first (a hint that orders but never discards), then the newer ones; mostly cloudy ones come after all years.

    Args:
        scenes: one granule's, in any order.
        anchor: see `anchor`.
        rules: `gap_days` and `season_days` are used.
    """
    newest = anchor - timedelta(days=rules.gap_days)
    oldest = anchor - timedelta(days=EARLIER_YEARS * _YEAR_DAYS + rules.season_days)
    usable = (scene for scene in scenes if oldest <= scene.solar_day < newest)
    return tuple(sorted(usable, key=lambda scene: order(scene, anchor, rules)))


def order(scene: Scene, anchor: date, rules: NormalRules) -> tuple[bool, bool, int, float, int, str]:
    """Sort key of `rank`: the smaller, the better."""
    cloud = _UNKNOWN_CLOUD_PCT if scene.cloud_pct is None else scene.cloud_pct
    day = scene.solar_day
    years = round((anchor - day).days / _YEAR_DAYS)
    other = not in_season(day, anchor, rules)
    return other, cloud >= _MOSTLY_PCT, years, cloud // _CLOUD_STEP_PCT, -day.toordinal(), scene.scene_id


def choose(
    ranked: Sequence[Scene],
    seen: Callable[[Scene], NDArray[np.bool_] | None],
    *,
    anchor: date,
    rules: NormalRules,
) -> tuple[Scene, ...]:
    """The scenes worth reading in full, decided on samples of the granule, so that all its tiles use the same.

    Scenes of the season are taken until most sampled places have `max_looks`; scenes of other seasons only while
    places are left with fewer than `min_looks` (the season may be a monsoon). A scene that helps less than 5 % of
    the places is passed over.

    Args:
        ranked: from `rank`.
        seen: which of the granule's sampled places a scene observes: a bool array of one shape for all scenes, or
            None if the scene cannot be used. Asked in the order of `ranked`, and no longer than needed.
        anchor: see `anchor`.
        rules: `max_looks`, `min_looks` and `season_days` are used.

    Returns:
        At most `max_looks` scenes of the season and `2 * min_looks` of others, in the order of `ranked`.
    """
    chosen: list[Scene] = []
    taken = {True: 0, False: 0}
    limit = {True: rules.max_looks, False: 2 * rules.min_looks}
    looks: NDArray[np.int64] | None = None
    for scene in ranked:
        season = in_season(scene.solar_day, anchor, rules)
        enough = rules.max_looks if season else rules.min_looks
        if taken[season] >= limit[season] or (looks is not None and np.mean(looks < enough) < _WORTH):
            continue
        flags = seen(scene)
        if flags is None:
            continue
        looks = np.zeros(flags.shape, np.int64) if looks is None else looks
        if np.mean(flags & (looks < enough)) >= _WORTH:
            chosen.append(scene)
            taken[season] += 1
            looks = looks + flags
    return tuple(chosen)
