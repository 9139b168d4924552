from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline import packed
from pipeline.depot import Folder
from pipeline.detect import evidence
from pipeline.detect.weight import AWAY, BARER, IN_SEASON
from pipeline.nightly import latest, tilefile
from pipeline.nightly.tilefile import Layers

SHAPE = (2, 3)


def planted(weight: int) -> Layers:
    """Layers in which one look was seen by the first column alone."""
    known = evidence.empty(SHAPE)
    known.day[-1, :, 0], known.weight[-1, :, 0] = 100, weight
    return Layers(known, latest.never(SHAPE))


def test_read_layers_gives_what_was_saved(tmp_path: Path) -> None:
    for weight in (6, 6 + AWAY):
        tilefile.save(Folder(tmp_path), "t.arrays", planted(weight))
        assert np.array_equal(tilefile.read(Folder(tmp_path), "t.arrays").evidence.weight[-1, :, 0], [weight] * 2)


def test_read_layers_of_a_version_that_told_nothing_of_clouds_puts_no_look_beside_them(tmp_path: Path) -> None:
    layers = planted(6 + IN_SEASON + BARER)
    packed.save(Folder(tmp_path), "t.arrays", asdict(layers.evidence) | asdict(layers.latest))
    found = tilefile.read(Folder(tmp_path), "t.arrays").evidence
    assert np.array_equal(found.weight[-1], [[6 + IN_SEASON + BARER + AWAY, 0, 0]] * 2)
    assert not found.weight[:-1].any()
