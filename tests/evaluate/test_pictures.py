import numpy as np

from pipeline.evaluate import pictures
from pipeline.evaluate.places import CHANGED, STABLE, Place
from pipeline.schema import Kind


def test_draw_mistakes_worst_places_come_first_and_missing_pixels_do_no_harm(tmp_path):
    rng = np.random.default_rng(1)
    spots, scores = [], []
    for number in range(3):
        label = np.full((12, 12), STABLE, np.uint8)
        label[: number * 3 + 1] = CHANGED
        dates = rng.random((2, 6, 12, 12)).astype(np.float32)
        dates[0, :, 0, 0] = np.nan
        spots.append(Place(f"p{number}", "g", Kind.CLEARING, dates[0], dates[1], label))
        scores.append(np.zeros((12, 12), np.float32))
    assert [pictures._wrong(spot.label, score >= 0.5) for spot, score in zip(spots, scores, strict=True)] == [
        12,
        48,
        84,
    ]
    for name in ("one.png", "two.png"):
        pictures.draw_mistakes(spots, scores, tmp_path / name, threshold=0.5, most=2)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
