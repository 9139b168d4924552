from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.learn import settings

SHIPPED = Path(__file__).parents[2] / "configs" / "train.toml"


def test_read_settings_shipped_file_is_valid() -> None:
    assert settings.read_settings(SHIPPED).card.name == "vanwatch-s"


def test_simulated_names_no_real_ground_and_says_so_on_the_card() -> None:
    shipped = settings.read_settings(SHIPPED)
    alone = settings.simulated(shipped)
    assert (alone.data.real_share, alone.ground) == (0.0, ())
    assert alone.card.name == "vanwatch-s-simulated"
    assert "Copernicus" in shipped.card.terms
    assert "Copernicus" not in alone.card.terms
    assert settings.Settings.model_validate(alone.model_dump()) == alone


@pytest.mark.parametrize("place", ["czech", "amazon", "portugal", "worldcereal", "boadella"])
def test_shipped_grounds_hold_no_place_that_models_are_compared_on(place: str) -> None:
    grounds = settings.read_settings(SHIPPED).ground
    learned = [entry for entry in grounds if entry.split != "test"]
    assert len(learned) > 5
    assert not [entry.name for entry in learned if any(place in name for name in entry.files)]


def test_shipped_grounds_train_and_valid_share_no_folder() -> None:
    grounds = settings.read_settings(SHIPPED).ground
    folders = {
        split: {str(Path(name).parent) for entry in grounds if entry.split == split for name in entry.files}
        for split in ("train", "valid")
    }
    assert folders["train"].isdisjoint(folders["valid"])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("chips = 8", "chps = 8", "data.chps: unknown key; did you mean 'chips'"),
        ("chip_px = 64", "chip_px = 62", "multiple of 8"),
        ("border_px = 8", "border_px = 32", "both borders"),
        ("real_share = 0.0", "real_share = 0.5", "at least one ground"),
        ("[label.camp]", "[label.hut]", "one table per kind"),
        ("epochs = 4", 'epochs = "4"', "fit.epochs"),
        ("[fit]", "[fit", "not readable as TOML"),
    ],
)
def test_read_settings_mistake_names_file_and_key(tiny: Path, old: str, new: str, words: str) -> None:
    tiny.write_text(tiny.read_text().replace(old, new))
    with pytest.raises(ConfigError) as caught:
        settings.read_settings(tiny)
    assert words in str(caught.value)
    assert str(tiny) in str(caught.value)


def test_read_settings_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        settings.read_settings(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("part", ["data", "fit"])
def test_read_settings_negative_seed_is_an_error_that_names_the_key(part: str, tmp_path: Path) -> None:
    head, tail = SHIPPED.read_text(encoding="utf-8").split(f"[{part}]")
    path = tmp_path / "train.toml"
    path.write_text(f"{head}[{part}]" + tail.replace("seed = 1 ", "seed = -1 ", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"{part}\.seed: .* 0, got -1"):
        settings.read_settings(path)
