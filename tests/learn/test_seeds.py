import statistics
from pathlib import Path

import pytest

from models import loading
from pipeline.errors import ConfigError
from pipeline.learn import seeds
from pipeline.learn.train import Instead
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


def test_train_seeds_one_given_twice_is_a_config_error(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--seed 5: given more than once"):
        seeds.train_seeds(tiny, tmp_path / "run", [5, 6, 5])
    assert not (tmp_path / "run").exists()


def test_train_seeds_resumed_trains_again_what_is_not_whole_and_refuses_other_settings(
    tiny: Path, tmp_path: Path
) -> None:
    out, lines = tmp_path / "run", list[str]()
    card = seeds.train_seeds(tiny, out, [5], report=lines.append)
    with pytest.raises(ConfigError, match=r"seed-5: was begun with another fit\.epochs"):
        seeds.train_seeds(tiny, out, [5], instead=Instead(epochs=2), resume=True, report=lines.append)
    (out / "seed-5" / loading.CARD).write_text("{")
    assert seeds.train_seeds(tiny, out, [5], resume=True, report=lines.append) == card
