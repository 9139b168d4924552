"""The page that computes what a state, a country and the tropics would need."""

from dataclasses import replace
from pathlib import Path

from benchmarks import scale
from benchmarks.scale import MEASURED, Inputs

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"


def test_page_holds_the_tables_that_the_script_prints() -> None:
    assert "\n".join(scale.lines()) in PAGE.read_text(encoding="utf-8")


def test_scale_follows_area_and_figures() -> None:
    one, two = (scale.scale("x", km2, MEASURED, Inputs()) for km2 in (1e6, 2e6))
    assert abs(two.tiles - 2 * one.tiles) <= 1
    assert two.compute > 1.9 * one.compute
    slower = scale.scale("x", 1e6, replace(MEASURED, history_cpu_s=10 * MEASURED.history_cpu_s), Inputs())
    assert slower.refresh_nodes > one.refresh_nodes
    assert slower.core_h == one.core_h


def test_scale_cuts_what_one_driver_cannot_do_in_time() -> None:
    told = Inputs()
    for km2 in scale.AREAS_KM2.values():
        found = scale.scale("x", km2, MEASURED, told)
        assert found.driver_h / found.drivers <= told.hours / 2
        hours = found.driver_h / found.drivers + found.core_h / (found.nodes * told.cores_a_node)
        assert hours <= told.hours
