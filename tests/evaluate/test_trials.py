import math

import numpy as np
import pytest

from pipeline.evaluate import methods, places, sizes, trials
from pipeline.evaluate.places import CHANGED, MISSING, STABLE, UNKNOWN, Place
from pipeline.evaluate.trials import Draws
from pipeline.schema import KINDS, Kind

DRAWS = Draws(20, 1)


def _place(number: int, label: np.ndarray, scene: str = "") -> Place:
    blank = np.zeros((6, *label.shape), np.float32)
    return Place(f"p{number}", f"g{number % 4}", Kind.CLEARING, blank, blank, label, scene)


def _planted(count: int = 8) -> tuple[list[Place], dict[str, list[np.ndarray]]]:
    """A method that is right, one that guesses, and labels of all codes."""
    rng = np.random.default_rng(0)
    found, maps = [], {"right": [], "guess": []}
    for number in range(count):
        label = np.full((20, 20), STABLE, np.uint8)
        label[4:9, 4:9], label[15], label[16] = CHANGED, UNKNOWN, MISSING
        found.append(_place(number, label))
        truth = (label == CHANGED).astype(np.float32)
        maps["right"].append(np.where(label == UNKNOWN, np.float32(1), truth))
        maps["guess"].append(rng.random((20, 20)).astype(np.float32))
    return found, maps


def _value(rows, method, figure):
    return next(row for row in rows if (row.method, row.figure) == (method, figure))


def test_pixel_trial_right_method_is_perfect_whatever_unknown_pixels_say():
    found, maps = _planted()
    rows = trials.pixel_trial("t", maps, found, claims={"right"}, draws=DRAWS)
    for figure in ("AP", "AUC", "best F1", "recall at 1%", "objects at 1%", "objects any at 5%"):
        assert _value(rows, "right", figure).value == 1.0
    assert _value(rows, "right", "ECE").value == 0.0
    guess = _value(rows, "guess", "AP")
    assert guess.value == pytest.approx(25 / 360, abs=0.03)
    assert guess.low <= guess.value <= guess.high
    assert guess.ahead == pytest.approx(1 - guess.value)
    assert guess.ahead_low > 0
    assert guess.groups == 4


def test_pixel_trial_same_seed_gives_the_same_rows():
    found, maps = _planted()
    once, again = (trials.pixel_trial("t", maps, found, claims=set(), draws=DRAWS) for _ in range(2))
    assert once == again


def test_measure_of_one_group_claims_no_interval():
    found, maps = _planted(1)
    rows = trials.pixel_trial("t", maps, found, claims=set(), draws=DRAWS)
    assert math.isnan(_value(rows, "right", "AP").low)


def test_same_pixels_one_method_missing_takes_the_pixel_from_all():
    place = _place(0, np.full((2, 2), STABLE, np.uint8))
    gappy = np.array([[np.nan, 1], [1, 1]], np.float32)
    scored = {"a": [dict.fromkeys(KINDS, gappy)], "b": [dict.fromkeys(KINDS, np.ones((2, 2), np.float32))]}
    maps = trials.same_pixels(scored, [place])
    np.testing.assert_array_equal(np.isnan(maps["b"][0]), np.isnan(gappy))


def test_scene_trial_counts_scenes_not_pixels():
    found = [_place(i, np.zeros((2, 2), np.uint8), "loss" if i % 2 else "natural") for i in range(8)]
    values = {"a": {"s": np.arange(8, dtype=np.float32) % 2}, "b": {"s": np.zeros(8, np.float32)}}
    rows = trials.scene_trial("t", values, found, changed={"loss"}, draws=DRAWS)
    assert _value(rows, "a", "AUC s").value == 1.0
    assert _value(rows, "b", "AUC s").value == 0.5


def test_alarm_trial_counts_alerts_per_thousand_square_kilometres_and_look():
    found = [_place(i, np.full((100, 100), STABLE, np.uint8)) for i in range(4)]  # 1 km2 each
    scores = [np.zeros((100, 100), np.float32) for _ in found]
    scores[0][10:14, 10:14] = scores[2][50:54, 50:54] = 1
    scores[1][5, 5] = 1  # too small
    scores[3][60:] = np.nan
    rows = trials.alarm_trial("t", {"a": scores}, found, thresholds={"a": {"x": 0.5}}, draws=DRAWS)
    assert _value(rows, "a", "alerts x").value == pytest.approx(1000 * 2 / 3.6)


def test_size_trial_small_changes_are_lost_first():
    rng = np.random.default_rng(3)
    found, scores = [], []
    for number in range(4):
        label = np.full((128, 128), STABLE, np.uint8)
        label[10:13, 10:13], label[40:60, 40:60] = CHANGED, CHANGED
        score = rng.random((128, 128)).astype(np.float32)
        score[40:60, 40:60] = 2
        found.append(_place(number, label))
        scores.append(score)
    rows = sizes.size_trial("t", {"a": scores}, found, draws=DRAWS)
    assert _value(rows, "a", "found").value == 0.5
    assert _value(rows, "a", "found 0 to 0.2 ha").value == 0.0
    assert _value(rows, "a", "found 1 to 5 ha").value == 1.0
    assert math.isnan(_value(rows, "a", "found 5 to inf ha").value)


@pytest.mark.parametrize(("name", "expected"), [("dNDVI", 0.889), ("dNBR", 0.877), ("CVA", 0.897)])
def test_pixel_trial_real_clear_cuts_give_the_known_average_precision(shared_data, name, expected):
    found = places.read_czech(shared_data / "pairs" / "czech")
    method = next(m for m in methods.classical_methods() if m.name == name)
    maps = {name: [method.score(place.before, place.after)["clearing"] for place in found]}
    rows = trials.pixel_trial("czech", maps, found, claims=set(), draws=Draws(2, 1))
    assert _value(rows, name, "AP").value == pytest.approx(expected, abs=0.001)
    if name == "dNDVI":
        assert _value(rows, name, "best F1").value == pytest.approx(0.832, abs=0.001)
        assert _value(rows, name, "objects at 5%").value == pytest.approx(0.883, abs=0.003)


def test_scene_trial_real_amazon_gives_the_known_auc_of_dnbr(shared_data):
    found = places.read_amazon(shared_data / "pairs" / "amazon")
    kept = [p for p in found if p.scene_label != "human_activity"]
    scores = [methods.classical_methods()[1].score(p.before, p.after)["clearing"] for p in kept]
    flagged = np.array([np.mean(s[np.isfinite(s)] > 0.27) for s in scores], np.float32)  # 0.27: Key and Benson
    rows = trials.scene_trial("a", {"dNBR": {"s": flagged}}, kept, changed={"mining_emergence"}, draws=Draws(2, 1))
    assert rows[0].value == pytest.approx(0.73, abs=0.01)


def test_pixel_trial_changes_that_nobody_could_see_are_no_misses():
    found, maps = _planted()
    hidden = {
        name: [np.where(place.label == CHANGED, np.float32(np.nan), s) for s, place in zip(scores, found, strict=True)]
        for name, scores in maps.items()
    }
    half = {name: [*maps[name][:4], *hidden[name][4:]] for name in maps}
    rows = trials.pixel_trial("t", half, found, claims=set(), draws=DRAWS)
    assert _value(rows, "right", "objects at 1%").value == 1.0
