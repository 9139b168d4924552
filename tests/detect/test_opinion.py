"""The third opinion, by OmniCloudMask's own code and networks, with weights made here: its own cannot be fetched."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from omnicloudmask import download_models
from safetensors.torch import save_file

from pipeline import config, grid, schema
from pipeline.detect import opinion, weight
from pipeline.errors import ConfigError
from pipeline.grid import Window
from pipeline.schema import Look, Reason

GRANULE = grid.granule("44QLH")
TILE = Window(256, 256, 256, 256)
AROUND = TILE.grown(opinion.MARGIN_PX)
BRIGHT = 0.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The newest networks as files, with weights by which nothing but brightness counts: bright is cloud."""
    made = tmp_path_factory.mktemp("omnicloudmask")
    newest = download_models.get_latest_model_version()
    with download_models.model_index_path.open() as lines:
        names = [line.split(",") for line in lines.read().splitlines()[1:]]
    for name, encoder, _, version, _ in names:
        if float(version) == newest:
            torch.manual_seed(1)
            network = smp.Unet(encoder_name=encoder, encoder_weights=None, in_channels=3, classes=4)
            save_file(network.state_dict(), made / name)
    return str(made)


def look(bright: tuple[int, int, int] | None = None, masked: tuple[int, int, int] | None = None) -> Look:
    """Quiet ground with a bright square and a masked one: (row, col, side), counted from the tile's corner."""
    rng = np.random.default_rng(1)
    values = rng.uniform(0.05, 0.1, (6, *AROUND.shape)).astype(np.float32)
    why = np.zeros(AROUND.shape, np.uint8)
    for square, layer, value in ((bright, values, BRIGHT), (masked, why, Reason.CLOUD)):
        if square is not None:
            row, col, side = square
            layer[..., row + opinion.MARGIN_PX :, col + opinion.MARGIN_PX :][..., :side, :side] = value
    values[:, why != Reason.CLEAR] = np.nan
    scene = schema.Scene("s", "", GRANULE, datetime(2024, 5, 1, tzinfo=UTC), None, None, 0.0, (), ())
    return Look(scene, AROUND, schema.look_pixels(values, why, GRANULE, AROUND), schema.NO_SHIFT)


def trust(seen: Look, folder: str, window: Window = TILE) -> np.ndarray | None:
    near = seen.cropped(window.grown(weight.REACH_PX))
    return opinion.trust(seen, near, window, rules(folder))


def rules(folder: str) -> config.Evidence:
    return config.Evidence(opinion="omnicloudmask", opinion_weights=folder)


def test_no_opinion_is_asked_unless_a_profile_says_so(tmp_path: Path) -> None:
    opinion.check(config.Evidence())
    with pytest.raises(ConfigError, match="nobody is asked"):
        opinion.check(config.Evidence(opinion_weights=str(tmp_path)))
    assert opinion.trust(look(), look(), TILE, config.Evidence()) is None


@pytest.mark.slow
def test_the_library_runs_its_networks_on_a_look(folder: str) -> None:
    opinion.check(rules(folder))
    factor = trust(look(bright=(100, 100, 60)), folder)
    assert factor is not None
    assert factor.shape == TILE.shape
    assert factor.min() >= 0.25
    assert factor.max() <= 1


@pytest.mark.slow
def test_the_opinion_does_not_depend_on_how_an_area_is_cut(folder: str) -> None:
    wide = Window(256, 256, 256, 512)
    rng = np.random.default_rng(2)
    around = wide.grown(opinion.MARGIN_PX)
    coarse = rng.uniform(0.02, 0.6, (6, around.height // 32, around.width // 32))
    values = coarse.repeat(32, axis=1).repeat(32, axis=2).astype(np.float32)
    scene = look().scene
    pixels = schema.look_pixels(values, np.zeros(around.shape, np.uint8), GRANULE, around)
    seen = Look(scene, around, pixels, schema.NO_SHIFT)
    whole = trust(seen, folder, wide)
    part = trust(seen.cropped(AROUND), folder)
    assert whole is not None
    assert part is not None
    assert (part == whole[TILE.within(wide)]).all()
    assert part.min() < 1


def test_where_the_opinion_doubts_a_clear_look_its_weight_falls_below_what_shows_a_kind() -> None:
    clouds = np.zeros((256, 256), np.bool_)
    clouds[100:160, 100:160] = True
    assert weight.doubted(clouds)[130, 130] == 0.25
    assert weight.doubted(clouds)[130, 161:].min() < 1
    assert (weight.doubted(clouds)[130, 195:] == 1).all()
    clouds[:] = False
    clouds[100:105, 100:105] = True  # a roof or a small clearing
    assert (weight.doubted(clouds) == 1).all()


def test_weights_that_are_no_weights_are_one_line(tmp_path: Path, folder: str) -> None:
    for file in Path(folder).iterdir():
        (tmp_path / file.name).write_bytes(b"x" * (2 << 20))
    with pytest.raises(ConfigError, match=r"^evidence\.opinion_weights: .* cannot be used: .*put the files there$"):
        opinion.check(rules(str(tmp_path)))


def test_weights_that_are_not_there_and_cannot_be_fetched_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"^evidence\.opinion_weights: OmniCloudMask's weights in .*"):
        opinion.check(rules(str(tmp_path / "none")))
