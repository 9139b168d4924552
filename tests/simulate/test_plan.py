from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from pipeline.simulate import plan, presets, world

START = date(2022, 10, 18)
DEMO = presets.PRESETS["demo"]


def test_acquisitions_demo_holds_what_real_archives_hold():
    made = plan.acquisitions(DEMO, seed=1, start=START)
    assert len(made) == len(DEMO.history) + len(DEMO.night_steps)
    assert [a.sensed for a in made] == sorted(a.sensed for a in made)
    assert {a.relative_orbit for a in made} == {orbit for orbit, _, _ in plan.ORBITS}
    assert {a.platform for a in made} == {"sentinel-2a", "sentinel-2b"}
    assert {a.stored for a in made} == {"plain", "removed", "present", "removed, denied"}
    assert sum(a.split is not None for a in made) == 1
    assert sum(a.reprocessed is not None for a in made) == 1
    assert sum(a.edge is not None for a in made) == 2
    assert max(np.hypot(*a.shift_px) for a in made) < 1


def test_acquisitions_each_orbit_returns_after_multiples_of_five_days():
    made = plan.acquisitions(DEMO, seed=1, start=START)
    for orbit, _, _ in plan.ORBITS:
        days = [a.sensed.toordinal() for a in made if a.relative_orbit == orbit]
        assert len({day % 5 for day in days}) == 1


@pytest.mark.parametrize("start", [START, date(2022, 3, 1), date(2026, 1, 10)])
def test_acquisitions_offset_comes_in_the_middle_of_any_history(start):
    made = plan.acquisitions(DEMO, seed=1, start=start)
    known = [a for a in made if a.sensed.date() < start]
    plain = [a.stored == "plain" for a in known]
    assert plain == sorted(plain, reverse=True)
    assert 2 <= sum(plain) <= len(plain) - 2
    assert all((a.baseline == "03.01") == (a.stored == "plain") for a in made)


def test_acquisitions_fewer_nights_leave_the_history_alone():
    all_nights = plan.acquisitions(DEMO, seed=1, start=START)
    assert plan.acquisitions(DEMO, seed=1, start=START, nights=2) == all_nights[: len(DEMO.history) + 2]
    assert plan.acquisitions(DEMO, seed=2, start=START) != all_nights


def test_acquisitions_given_offset_day_is_kept():
    made = plan.acquisitions(DEMO, seed=1, start=START, offset_day=START - timedelta(days=340))
    assert all((a.stored == "plain") == (a.sensed.date() < START - timedelta(days=340)) for a in made)


def test_acquisitions_after_launch_sentinel_2c_flies_along():
    made = plan.acquisitions(DEMO, seed=1, start=date(2026, 1, 10))
    assert {a.platform for a in made} == {"sentinel-2a", "sentinel-2b", "sentinel-2c"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_events_any_seed_lie_in_forest_apart_and_inside(seed):
    empty = world.planted_world(seed, DEMO.size_px, factor=2)
    planted = plan.with_events(empty, DEMO, start=START)
    kinds = [event.planted.kind for event in planted.events]
    assert [kinds.count(kind) for kind in ("clearing", "camp", "track")] == [4, 2, 2]
    forest = world.forest_share(empty)
    for event in planted.events:
        shape = event.planted.geometry
        west, north, east, south = shape.bounds
        assert west > 0
        assert north > 0
        assert east < 800
        assert south < 600
        point = shape.representative_point() if shape.area else shape.interpolate(0.5, normalized=True)
        rows, cols = int(point.y // 2), int(point.x // 2)
        assert forest[rows - 1 : rows + 2, cols - 1 : cols + 2].mean() > 0.5
    shapes = [event.planted.geometry for event in planted.events]
    assert all(a.distance(b) > 10 for i, a in enumerate(shapes) for b in shapes[:i])


def test_with_events_world_without_room_says_what_to_do():
    empty = world.planted_world(1, (40, 40), factor=1)
    with pytest.raises(ValueError, match="another seed or size"):
        plan.with_events(empty, replace(DEMO, tracks_m=(), clearings_ha=(8.0,)), start=START)


def test_seen_enough_every_event_gets_its_looks_and_history_stays():
    planted = plan.with_events(world.planted_world(1, DEMO.size_px, factor=1), DEMO, start=START)
    cloudy = tuple(
        replace(a, weather=replace(a.weather, cloud_share=0.6)) for a in plan.acquisitions(DEMO, seed=1, start=START)
    )
    calm = plan.seen_enough(cloudy, planted, latitude=20.0)
    assert [a for a in calm if a.sensed.date() < START] == [a for a in cloudy if a.sensed.date() < START]
    again = plan.seen_enough(calm, planted, latitude=20.0)
    assert again == calm != cloudy


def test_acquisitions_of_the_year_are_as_many_and_as_cloudy_as_asked_for() -> None:
    year = presets.PRESETS["year"]
    made = plan.acquisitions(year, seed=11, start=date(2022, 3, 1))
    new = [one for one in made if one.sensed.date() >= date(2022, 3, 1)]
    assert len(new) >= 60
    assert (new[-1].sensed - new[0].sensed).days > 350
    shares = [one.weather.cloud_share for one in new]
    assert 0.62 < sum(shares) / len(shares) < 0.78
    assert min(shares) < 0.1 < 0.9 < max(shares)
