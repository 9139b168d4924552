import statistics
from pathlib import Path

import pytest

from models import loading
from pipeline.learn import seeds
from pipeline.schema import KINDS


@pytest.mark.slow
def test_train_seeds_ships_the_median_with_mean_and_spread_and_resumes_without_training(
    tiny: Path, tmp_path: Path
) -> None:
    tiny.write_text(tiny.read_text().replace("epochs = 4", "epochs = 2"))
    out, lines = tmp_path / "run", list[str]()
    card = seeds.train_seeds(tiny, out, [5, 6, 7], report=lines.append)
    own = {seed: loading.load(out / f"seed-{seed}")[0] for seed in (5, 6, 7)}
    means = {seed: statistics.fmean(seeds._precisions(one).values()) for seed, one in own.items()}
    assert card.sha256 == own[sorted(means, key=lambda seed: means[seed])[1]].sha256
    assert loading.load(out)[0] == card
    told = card.metrics[seeds.SPREAD]
    values = [seeds._precisions(one)["clearing"] for one in own.values()]
    assert told["average_precision clearing"] == [
        pytest.approx(statistics.fmean(values), abs=1e-4),
        pytest.approx(statistics.stdev(values), abs=1e-4),
    ]
    assert set(told) == {"seeds"} | {f"average_precision {kind}" for kind in KINDS}

    lines.clear()
    again = seeds.train_seeds(tiny, out, [5, 6, 7], resume=True, report=lines.append)
    assert again == card
    assert not any("epoch" in line for line in lines)
