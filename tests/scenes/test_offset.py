"""Decisions on real pixels: Belgian farmland (offset 0), and Devon in 2024 with the 1000 still in."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from pipeline.errors import SceneError
from pipeline.scenes import offset
from pipeline.scenes.samples import BANDS, PartSamples
from pipeline.schema import Part, Reason

SCALE = 1e-4


def part(baseline: str = "05.10", hint: int | None = None) -> Part:
    return Part("item", "test", "sentinel-2-l2a", "", baseline, None, hint, ())


def sampled(values: NDArray[Any], scl: NDArray[Any] | None = None, **facts: Any) -> PartSamples:
    """(band, y, x) digital numbers in the order of `BANDS`, as one window."""
    digital = np.zeros((1, len(BANDS), *values.shape[1:]), np.uint16)
    digital[0, : len(values)] = values
    reason = np.zeros(values.shape[1:], np.uint8)
    if scl is not None:
        reason[np.isin(scl, [8, 9, 10])], reason[scl == 3], reason[scl == 11] = 2, 3, 4
        reason[scl == 0] = 1
    reason[(digital[0, :3] == 0).any(axis=0)] = Reason.NODATA
    return PartSamples(part(**facts), digital, reason[None])


@pytest.fixture
def devon(shared_data: Path) -> Any:
    """Digital numbers of B02, B04, B08 with the offset in, and the classification, by date."""

    def load(day: str) -> tuple[NDArray[Any], NDArray[Any]]:
        path = next((shared_data / "backgrounds" / "exeter").glob(f"exe_{day}*.tif"))
        with rasterio.open(path) as file:
            return file.read([1, 3, 4]), file.read(5)

    return load


@pytest.fixture
def belgium(series: Any) -> Any:
    """Digital numbers of `BANDS` without any offset, by day."""

    scenes = series("worldcereal-a")

    def load(day: str) -> NDArray[Any]:
        found = []
        for band in BANDS:
            with rasterio.open(scenes[day].parts[0].asset(band).href) as file:
                found.append(file.read(1))
        side = found[0].shape[0]
        return np.stack([v if v.shape[0] == side else v.repeat(2, 0).repeat(2, 1) for v in found])

    return load


@pytest.mark.parametrize("hint", [None, 0, -1000])
@pytest.mark.parametrize("day", ["2024-06-02", "2024-08-01", "2024-08-16"])
def test_d1_real_offset_taken_away_is_seen_whatever_the_flag_says(devon: Any, day: str, hint: int | None) -> None:
    values, scl = devon(day)
    shifted = np.where(values > 0, np.maximum(values.astype(int) - 1000, 1), 0)
    found = offset.decide(sampled(shifted, scl, hint=hint), None)
    assert (found.dn, found.method) == (0, "pixels")
    assert "1st/10th percentile DN B02" in found.evidence


@pytest.mark.parametrize("day", ["2024-06-02", "2024-08-01", "2024-08-16", "2024-08-26"])
def test_d1_real_offset_still_in_with_the_flag_saying_so(devon: Any, day: str) -> None:
    values, scl = devon(day)
    found = offset.decide(sampled(values, scl, hint=-1000), None)
    assert (found.dn, found.method) == (-1000, "pixels")


@pytest.mark.parametrize("hint", [None, 0])
def test_d1_real_offset_still_in_with_a_wrong_flag_is_quarantined_without_history(devon: Any, hint: int | None) -> None:
    values, scl = devon("2024-06-02")
    with pytest.raises(SceneError, match=r"item: the offset is ambiguous: .*B02 \d{4}/\d{4}.*quarantined"):
        offset.decide(sampled(values, scl, hint=hint), None)


def test_d1_ambiguous_scene_is_told_to_be_decided_later_only_where_no_other_was_compared(devon: Any) -> None:
    values, scl = devon("2024-06-02")
    between = np.full((1, len(BANDS), *scl.shape), np.nan, np.float32)
    between[0, :3] = (values.astype(np.float32) - 500) * SCALE  # as far from either offset
    with pytest.raises(SceneError, match=r"ambiguous: .*will be decided once other scenes of the place are known$"):
        offset.decide(sampled(values, scl, hint=0), None)
    with pytest.raises(SceneError, match=r"ambiguous: .*do not decide it either, until .* another processing of it$"):
        offset.decide(sampled(values, scl, hint=0), between)


@pytest.mark.parametrize("hint", [None, 0, -1000])
def test_d1_history_decides_whatever_the_flag_says(devon: Any, hint: int | None) -> None:
    values, scl = devon("2024-08-01")
    later, clouds = devon("2024-08-16")
    reference = np.full((1, len(BANDS), *scl.shape), np.nan, np.float32)
    usable = (later > 0).all(axis=0) & np.isin(clouds, [4, 5, 6, 7])
    reference[0, :3] = np.where(usable, (later.astype(np.float32) - 1000) * SCALE, np.nan)
    found = offset.decide(sampled(values, scl, hint=hint), reference)
    assert (found.dn, found.method) == (-1000, "history")
    assert "median difference from other scenes 0.1" in found.evidence


@pytest.mark.parametrize(("elsewhere", "dn"), [(0.075, -1000), (0.085, None)])
def test_d1_catalogue_is_believed_only_where_other_scenes_do_not_speak_against_it(
    elsewhere: float, dn: int | None
) -> None:
    """Reflectance 0.13 or 0.03, as an offset is in or not: neither is clearly what other scenes show, one is nearer."""
    haze = sampled(np.full((len(BANDS), 40, 40), 1300, np.uint16), hint=-1000)
    reference = np.full(haze.digital.shape, elsewhere, np.float32)
    if dn is None:
        with pytest.raises(SceneError, match="ambiguous"):
            offset.decide(haze, reference)
    else:
        assert (offset.decide(haze, reference).dn, offset.decide(haze, None).dn) == (dn, dn)


def test_d1_bright_ground_without_dark_pixels_needs_history(belgium: Any) -> None:
    desert = (belgium("20180526").astype(int) + 1500).astype(np.uint16)  # offset gone, nothing dark
    for hint in (None, 0, -1000):
        truth = (desert[None] * SCALE).astype(np.float32)
        assert offset.decide(sampled(desert, hint=hint), truth).dn == 0
    with pytest.raises(SceneError, match="ambiguous"):
        offset.decide(sampled(desert, hint=-1000), None)


def test_d2_baseline_and_not_the_date_decides(belgium: Any) -> None:
    values = belgium("20180628")
    assert offset.decide(sampled(values, baseline="02.00"), None).method == "baseline"
    again = values.astype(int) + 1000  # the same acquisition of 2018, reprocessed with baseline 05.00
    found = offset.decide(sampled(again, baseline="05.00", hint=-1000), None)
    assert (found.dn, found.method) == (-1000, "pixels")


@pytest.mark.parametrize("baseline", ["", "5", "unknown", "05.00b"])
def test_d2_unknown_baseline_is_quarantined(belgium: Any, baseline: str) -> None:
    with pytest.raises(SceneError, match=r"processing baseline .* is unknown.*quarantined"):
        offset.decide(sampled(belgium("20180628"), baseline=baseline), None)


def test_decide_baseline_99_99_of_old_reprocessing_is_judged_by_pixels(belgium: Any) -> None:
    assert offset.decide(sampled(belgium("20180628"), baseline="99.99"), None).method == "pixels"


def test_decide_clouded_scene_is_not_verified(devon: Any) -> None:
    values, scl = devon("2024-08-26")
    found = offset.decide(sampled(values, np.full_like(scl, 9), hint=-1000), None)
    assert not found.verified
    assert found.evidence.startswith("fewer than 500 clear sample pixels: taken as clouded over; ")
    assert offset.decide(sampled(values, scl, hint=-1000), None).verified


def test_d1_every_real_date_under_every_flag_is_right_or_quarantined(series: Any, belgium: Any) -> None:
    """118 dates, half of them cloudy, with and without the offset: hazy ones were once taken for shifted ones."""
    days = series("worldcereal-a")
    clear = ["20180506", "20180628", "20180708", "20180715", "20180723", "20180802", "20180817"]
    median = np.median([belgium(day) * SCALE for day in clear], axis=0)[None].astype(np.float32)
    wrong = []
    right: dict[tuple[int, int | None, bool], int] = {}
    for day in sorted(days):
        values = belgium(day)
        with rasterio.open(days[day].parts[0].asset("SCL").href) as file:
            scl = file.read(1).repeat(2, 0).repeat(2, 1)
        for added, hint, known in itertools.product((0, 1000), (None, 0, -1000), (None, median)):
            case = (added, hint, known is not None)
            try:
                found = offset.decide(sampled(values.astype(int) + added, scl, hint=hint), known)
            except SceneError:
                continue
            if not found.verified:
                continue
            right[case] = right.get(case, 0) + (found.dn == -added)
            wrong += [] if found.dn == -added else [f"{day} {case}: {found.dn} {found.method}"]
    assert not wrong, "; ".join(wrong)
    assert all(right[0, hint, known] >= 60 for hint in (None, 0, -1000) for known in (False, True))
    assert right[1000, -1000, False] >= 50
    assert right[1000, 0, True] >= 20
