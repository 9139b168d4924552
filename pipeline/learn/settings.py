"""The training configuration: one TOML file, checked whole.

In: `configs/train.toml`. Out: frozen pydantic models; every knob is documented in that file.
"""

import tomllib
from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from pipeline import config
from pipeline.errors import ConfigError
from pipeline.schema import KINDS

Split = Literal["train", "valid", "test"]
MAX_SEED = 2**32 - 1
"""The largest that all random generators here take."""


class GroundFiles(config.Model):
    """One real place."""

    name: str
    files: tuple[str, ...] = Field(min_length=1, strict=False)
    """Below the data root: dates of the place, one of them for each chip's side."""
    bands: tuple[str, ...] = Field(default=(), strict=False)
    """Names of the files' bands in order; empty where the files describe them."""
    offset_dn: int = 0
    """Added to the digital numbers: -1000 where the file still carries the offset."""
    licence: str
    wooded: bool = True
    """False where what looks like trees are crops: no clearing is put there."""
    split: Split = "train"
    """`valid`: never trained on, for calibration; `test`: for neither, methods are compared on it."""


class Card(config.Model):
    """What the card says that training cannot know."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    created: date = Field(strict=False)
    licence: str
    terms: str


class Net(config.Model):
    """The network to train."""

    name: str = "siamese"
    """In `models.registry`."""
    parameters: dict[str, int | str] = Field(default_factory=dict)
    """Of the network's constructor."""
    indices: tuple[Literal["NDVI", "NDMI", "NBR"], ...] = Field(default=(), strict=False)
    """Channels beside bands and masks."""


class Data(config.Model):
    """What chips are made from."""

    root: str = ""
    """Folder of the real data, relative to the configuration file."""
    chips: int = Field(ge=1)
    """Training chips, each made once and shown in eight orientations."""
    valid_chips: int = Field(ge=1)
    test_chips: int = Field(default=1, ge=1)
    """Chips on which methods are compared."""
    chip_px: int = Field(default=128, ge=32, le=512)
    border_px: int = Field(default=16, ge=0)
    """Edge of a chip that counts in no loss: it lacks the surroundings that it has in production."""
    real_share: float = Field(default=0.5, ge=0, le=1)
    """Share of chips on real ground; the rest is simulated."""
    workers: int = Field(default=1, ge=0, le=64)
    """Processes that make chips."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """Of the chips; each split has a random stream of its own."""

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if self.chip_px % 8 or 2 * self.border_px >= self.chip_px:
            raise ValueError("chip_px must be a multiple of 8 and larger than both borders")
        return self


class Label(config.Model):
    """When a pixel of an injected change counts."""

    positive: float = Field(gt=0, le=1)
    """Changed share of a pixel from which on it is positive."""
    ignore: float = Field(ge=0, le=1)
    """Share from which on it is neither."""
    weight: float = Field(default=1.0, gt=0)
    """Of a positive pixel in the loss."""


class Fit(config.Model):
    """How it is trained."""

    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """Of the first weights and of the order of the chips."""
    epochs: int = Field(ge=1)
    batch: int = Field(default=16, ge=1)
    rate: float = Field(default=3e-3, gt=0)
    decay: float = Field(default=1e-2, ge=0)
    dice: float = Field(default=0.5, ge=0)
    """Weight of the dice loss beside the cross-entropy."""
    threads: int = Field(default=1, ge=1, le=64)
    workers: int = Field(default=0, ge=0, le=64)
    """Processes that prepare batches; 0: none."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Where it trains; auto takes a GPU where there is one."""
    alerts_per_1000_km2: float = Field(default=100.0, gt=0)
    """False alerts of one kind, per 1,000 km2 of unchanged ground and look, that thresholds are set for."""
    export: bool = True
    """Write the network for ONNX Runtime too, by which it runs fastest on CPUs."""


class Settings(config.Model):
    """All of `configs/train.toml`."""

    card: Card
    network: Net = Net()
    data: Data
    label: dict[str, Label]
    fit: Fit
    ground: tuple[GroundFiles, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _kinds(self) -> Self:
        if tuple(self.label) != KINDS:
            raise ValueError(f"label needs one table per kind, in this order: {', '.join(KINDS)}")
        if self.data.real_share > 0 and not {entry.split for entry in self.ground} >= {"train", "valid"}:
            raise ValueError("real_share > 0 needs at least one ground of split 'train' and one of 'valid'")
        return self


def simulated(settings: Settings) -> Settings:
    """The same without real ground; the card says so, under a name of its own."""
    terms = (
        "Trained on simulated ground only, with changes injected by this project: no other party's pixels, labels or "
        "weights, so any use is allowed."
    )
    card = settings.card.model_copy(update={"name": f"{settings.card.name}-simulated", "terms": terms})
    data = settings.data.model_copy(update={"real_share": 0.0})
    return settings.model_copy(update={"card": card, "data": data, "ground": ()})


def read_settings(path: Path) -> Settings:
    """Read a training configuration.

    Raises:
        ConfigError: the file cannot be read, or a key or value is wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return Settings.model_validate(values)
    except ValidationError as err:
        raise ConfigError("\n".join(config.explain(err, str(path), Settings))) from err
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path}: not readable as TOML: {err}; give a file like configs/train.toml") from err
