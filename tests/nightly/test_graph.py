"""How many tasks a night has, for an area as large as a state, and how many of them a scheduler ever holds."""

from pathlib import Path

import pytest
import shapely

from pipeline import aoi, config
from pipeline.aoi import Aoi
from pipeline.nightly import workers
from pipeline.watch import estimates

STATE_KM2 = 135_000
FEW_THOUSAND = 3_000


def state() -> Aoi:
    """A square of the size of a state, across two UTM zones."""
    geometry = shapely.box(82.2, 18.0, 85.7, 21.32)
    profile = config.Profile(title="state", use="research", search=config.Search(catalogs=("x",)))
    return Aoi("state", "State", True, geometry, "test", profile, Path("state.geojson"), Path())


def test_night_of_a_state_has_at_most_a_few_thousand_tasks() -> None:
    watched = state()
    assert aoi.area_km2(watched.geometry) == pytest.approx(STATE_KM2, rel=0.02)
    tiles = estimates.tiles_of(watched)
    granules = {tile.granule for tile in tiles}
    assert {granule.epsg for granule in granules} == {32644, 32645}
    owned = sum(int(tile.owned().sum()) for tile in tiles[:40])
    assert owned > 0
    rules = watched.profile.normal
    looks = estimates.estimate(watched, halo_px=32).scenes_a_month
    assert len(tiles) + looks < FEW_THOUSAND  # a night that looks at every scene of a month at once
    assert len(tiles) + 2 * rules.max_looks * len(granules) < FEW_THOUSAND  # the first night, that builds normals


@pytest.mark.slow
def test_scheduler_holds_a_few_tasks_for_each_worker_whatever_the_number_of_jobs(tmp_path: Path) -> None:
    jobs, held = list(range(2_000)), []
    with workers.connect(None, workers=2, scratch=tmp_path) as crew:
        assert isinstance(crew, workers.OnDask)
        scheduler = crew.client.cluster.scheduler
        outcomes = crew.run(abs, jobs, label="jobs", done=lambda job: held.append(len(scheduler.tasks)))
    assert [outcome.result for outcome in outcomes] == jobs
    assert max(held) <= 4 * 2 + 2
