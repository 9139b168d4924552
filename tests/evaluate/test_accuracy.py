"""Against the worked example of Olofsson et al. (2014), and of what a sample of pixels must give."""

import numpy as np
import pytest

from pipeline.evaluate.accuracy import Stratum, estimate

CLASSES = ("deforestation", "gain", "forest", "other")
PIXELS = (200_000, 150_000, 3_200_000, 6_450_000)
MATRIX = ((66, 0, 5, 4), (0, 55, 8, 12), (1, 0, 153, 11), (2, 1, 9, 313))
"""Rows: what the map says; columns: what is there. Olofsson et al. (2014), doi:10.1016/j.rse.2014.02.015, table 8."""
HA = 0.09


def olofsson() -> list[Stratum]:
    return [
        Stratum(pixels, tuple((name, CLASSES[there]) for there, count in enumerate(row) for _ in range(count)))
        for name, pixels, row in zip(CLASSES, PIXELS, MATRIX, strict=True)
    ]


def test_estimate_gives_the_published_figures() -> None:
    found = estimate(olofsson(), CLASSES)
    assert (round(found.overall.value, 2), round(found.overall.plus_minus, 2)) == (0.95, 0.02)
    users = [found.classes[name].users for name in CLASSES]
    producers = [found.classes[name].producers for name in CLASSES]
    assert [(round(u.value, 2), round(u.plus_minus, 2)) for u in users if u] == [
        *((0.88, 0.07), (0.73, 0.10), (0.93, 0.04), (0.96, 0.02)),
    ]
    assert [round(p.value, 2) for p in producers if p] == [0.75, 0.85, 0.93, 0.96]
    areas = [found.classes[name].area for name in CLASSES]
    hectares = [(area.value * sum(PIXELS) * HA, area.plus_minus * sum(PIXELS) * HA) for area in areas]
    published = [(21_158, 6_158), (11_686, 3_756), (285_770, 15_510), (581_386, 16_282)]
    for (area, width), (told, told_width) in zip(hectares, published, strict=True):
        assert area == pytest.approx(told, abs=1)
        assert width == pytest.approx(told_width, rel=0.005)


def test_estimate_strata_that_are_no_classes_are_weighed_by_their_size() -> None:
    """Two strata of one class: what is missed in the small one counts little."""
    strata = [
        Stratum(100, (("change", "change"),) * 10),
        Stratum(100, (("none", "change"),) * 5 + (("none", "none"),) * 5),
        Stratum(9800, (("none", "none"),) * 50),
    ]
    found = estimate(strata, ("change", "none"))
    assert found.classes["change"].area.value == pytest.approx(0.015)
    producers = found.classes["change"].producers
    assert producers is not None
    assert producers.value == pytest.approx(100 / 150)
    assert found.overall.value == pytest.approx(1 - 50 / 10_000)
    assert (found.pixels, found.looked_at) == (10_000, 70)


def test_estimate_intervals_hold_what_they_promise() -> None:
    rng = np.random.default_rng(3)
    sizes, rates = (2_000, 30_000), (0.7, 0.02)
    there = [rng.random(size) < rate for size, rate in zip(sizes, rates, strict=True)]
    truth = there[0].sum() / (there[0].sum() + there[1].sum())
    held, rounds = 0, 400
    for _ in range(rounds):
        strata = []
        for mapped, truths, count in zip(("change", "none"), there, (100, 300), strict=True):
            drawn = rng.choice(truths, count, replace=False)
            strata.append(Stratum(len(truths), tuple((mapped, "change" if one else "none") for one in drawn)))
        found = estimate(strata, ("change", "none")).classes["change"].producers
        assert found is not None
        held += abs(found.value - truth) <= found.plus_minus
    assert 0.9 < held / rounds < 0.99


def test_estimate_class_that_is_nowhere_has_no_shares() -> None:
    found = estimate([Stratum(10, (("none", "none"),) * 4), Stratum(0, ())], ("change", "none"))
    assert found.classes["change"].users is found.classes["change"].producers is None
    assert (found.classes["change"].area.value, found.classes["change"].area.plus_minus) == (0, 0)


def test_estimate_too_few_points_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 of 10 pixels were looked at; at least two are needed"):
        estimate([Stratum(10, (("none", "none"),))], ("none",))
