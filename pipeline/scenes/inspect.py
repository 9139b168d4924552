"""Inspection: may a scene be read, and what must be done to its pixels?

In: samples of a scene, and a reference made from samples of others. Out: `Inspected`, or a `SceneError` that says why
the scene is refused or quarantined. Refuses to know tiles: a scene is judged once per area.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.errors import SceneError
from pipeline.grid import Window
from pipeline.scenes import offset, registration
from pipeline.scenes import samples as sampling
from pipeline.scenes.blocks import Reader
from pipeline.scenes.samples import NIR, PartSamples, Samples, other_windows, read_samples, sample_windows
from pipeline.schema import Inspected, Offset, Scene

__all__ = [
    "PartSamples",
    "Reference",
    "Samples",
    "elsewhere",
    "inspect",
    "other_windows",
    "read_samples",
    "reference",
    "sample_windows",
]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reference:
    """What other scenes show on the sample windows."""

    windows: tuple[Window, ...]
    median: NDArray[np.float32]
    """(window, band, y, x) reflectance, bands as `samples.BANDS`; NaN where no scene is clear."""
    scene_ids: tuple[str, ...]


def reference(samples: Sequence[Samples]) -> Reference | None:
    """The median of scenes whose offset is beyond doubt.

    Args:
        samples: of scenes of one granule, all on the same windows.

    Returns:
        None if there is no such scene.

    Raises:
        ValueError: the windows differ.
    """
    values, names = [], []
    for one in samples:
        if one.windows != samples[0].windows:
            raise ValueError(f"{one.scene.scene_id}: sampled on other windows than {samples[0].scene.scene_id}")
        try:
            offsets = _offsets(one, None)
        except SceneError as err:
            _LOG.info("not used as a reference: %s", err)
            continue
        if not all(each.verified for each in offsets):
            continue
        values.append(sampling.reflectance(one, [each.dn for each in offsets]))
        names.append(one.scene.scene_id)
    if not values:
        return None
    median = np.stack([_median([one[place] for one in values]) for place in range(len(samples[0].windows))])
    return Reference(samples[0].windows, median, tuple(names))


def inspect(samples: Samples, reference: Reference | None, *, profile: config.Profile) -> Inspected:
    """Decide a scene's offsets and its shift.

    Args:
        samples: of the scene.
        reference: of other scenes, on the same windows; None if there are none.
        profile: from which shift on a scene is corrected or refused.

    Returns:
        The scene; a part whose offset is not `verified` is clouded over on the sample windows.

    Raises:
        SceneError: the offset is ambiguous or the baseline unknown (quarantine), or the scene is shifted too far.
        ValueError: the reference was made on other windows.
    """
    if reference is not None and reference.windows != samples.windows:
        raise ValueError(f"{samples.scene.scene_id}: sampled on other windows than the reference")
    median = None if reference is None else reference.median
    offsets = _offsets(samples, median)
    nir = sampling.reflectance(samples, [each.dn for each in offsets])[:, NIR]
    shift = registration.measure(
        samples.scene.scene_id, nir, None if median is None else median[:, NIR], rules=profile.register_
    )
    return Inspected(samples.scene, offsets, shift)


def elsewhere(judged: Inspected, windows: Sequence[Window], *, store: Reader) -> Inspected:
    """Judge what is clouded over on a scene's sample windows by the clearest of other windows, part by part.

    Args:
        judged: the scene, with offsets of which some are not verified.
        windows: of the area, like its sample windows; no reference is known of them.
        store: decodes and keeps the blocks.

    Returns:
        The scene with offsets of these parts; as they were where clouds lie there too, or the pixels do not tell.

    Raises:
        ReadError: a file could not be read.
    """
    offsets = [
        each if each.verified else _elsewhere(replace(judged.scene, parts=(part,)), each, windows, store)
        for part, each in zip(judged.scene.parts, judged.offsets, strict=True)
    ]
    return replace(judged, offsets=tuple(offsets))


def _elsewhere(alone: Scene, unverified: Offset, windows: Sequence[Window], store: Reader) -> Offset:
    """The offset of a scene's only part."""
    clearest = sampling.clearest(alone, windows, store=store)
    if not clearest:
        return unverified
    try:
        return _offsets(read_samples(alone, clearest, store=store), None)[0]
    except SceneError as err:
        _LOG.info("taken as clouded over: %s", err)
        return unverified


def _offsets(samples: Samples, median: NDArray[np.float32] | None) -> tuple[Offset, ...]:
    return tuple(offset.decide(part, median) for part in samples.parts)


def _median(images: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(band, y, x) median without the missing; NaN where all are."""
    stack = np.sort(np.stack(images), axis=0)  # the missing come last
    count = np.isfinite(stack).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    both = [np.take_along_axis(stack, np.minimum(at, len(images) - 1)[None], axis=0)[0] for at in (low, high)]
    middle: NDArray[np.float32] = np.where(count > 0, (both[0] + both[1]) / np.float32(2), np.float32(np.nan))
    return middle
