"""An AOI whose outline or tiles are made anew between two nights: the nights go on."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import shapely
from shapely.affinity import scale
from shapely.geometry import mapping, shape

from pipeline.detect import evidence
from pipeline.nightly import latest, run, tilefile
from tests.nightly.planted import World


def redraw(place: run.Home, world: World, share: float, *, towards_east: bool = False) -> None:
    """Let the AOI be the world, shrunk towards its south-west corner, or its south-east one in another granule."""
    feature = json.loads(world.aoi.read_text())
    ground = shape(feature["geometry"])
    west, south, east, north = ground.bounds
    column = east - 0.02 * (east - west) if towards_east else west + 0.09 * (east - west)
    middle = shapely.Point(column, south + 0.09 * (north - south))
    feature["geometry"] = mapping(scale(ground, share, share, origin=middle))
    (place.aois / "planted-world.geojson").write_text(json.dumps(feature))


def test_outline_that_grows_loses_no_night(
    world: World, make_home: Callable[..., run.Home], local: run.Options
) -> None:
    place = make_home()
    for night, share in zip(world.nights[1:3], (0.22, 1.0), strict=True):
        redraw(place, world, share)
        (report,) = run.over(place, [night], local).nights
        assert (report.error, report.failed) == ("", ())


@pytest.mark.parametrize("towards_east", [False, True], ids=["shrinks", "shrinks and leaves a granule"])
def test_outline_that_shrinks_loses_no_night(
    world: World, first_night: run.Home, local: run.Options, towards_east: bool
) -> None:
    redraw(first_night, world, 0.22, towards_east=towards_east)
    (report,) = run.over(first_night, world.nights[1:2], local).nights
    assert (report.error, report.failed) == ("", ())


def test_tiles_of_another_size_lose_no_night(world: World, first_night: run.Home, local: run.Options) -> None:
    profile = first_night.configs / "demo.toml"
    text = profile.read_text()
    assert "size_px = 512" in text
    profile.write_text(text.replace("size_px = 512", "size_px = 256"))
    (report,) = run.over(first_night, world.nights[1:2], local).nights
    assert (report.error, report.failed) == ("", ())


def test_fitted_keeps_what_both_sizes_share_and_knows_nothing_of_the_rest() -> None:
    left = tilefile.Layers(evidence.empty((4, 6)), latest.never((4, 6)))
    left.evidence.day[:] = 7
    left.latest.after[:] = 9
    found = tilefile.fitted(left, (5, 3))
    assert found.evidence.day.shape[1:] == found.latest.after.shape[1:] == (5, 3)
    assert (found.evidence.day[:, :4] == 7).all()
    assert (found.latest.after[:, :4] == 9).all()
    empty = evidence.empty((1, 3))
    assert np.array_equal(found.evidence.day[:, 4:], empty.day)
    assert np.array_equal(found.evidence.z[:, 4:], empty.z)
    assert tilefile.fitted(left, (4, 6)) is left
