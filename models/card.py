"""Model cards: everything about a network that its weights do not say, checked whole.

In: a `card.json`. Out: a frozen `ModelCard`. Knows nothing of the pipeline: mistakes are `ValueError`s with clear text.
"""

import hashlib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

CARD, WEIGHTS = "card.json", "weights.safetensors"
"""Names of the files in a model folder."""

BUILT_IN = Path(__file__).parent / "weights"
"""The models that come with this package, wherever it is installed."""

Use = Literal["environment", "research", "enforcement"]
"""What a deployment's alerts are for."""

INDICES = {"NDVI": ("B08", "B04"), "NDMI": ("B08", "B11"), "NBR": ("B08", "B12")}
"""Normalised differences (first - second) / (first + second) that a card may ask for as channels after the masks: haze,
sun and slope change them less than they change the bands."""

Positive = Annotated[float, Field(gt=0)]
Probability = Annotated[float, Field(gt=0, lt=1)]


class Part(BaseModel):
    """Base of the card and its parts: frozen, no unknown keys, no silent conversions, finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Network(Part):
    """Which network, and what it is built with."""

    name: str
    """A name in `models.registry`."""
    parameters: dict[str, Any] = {}
    """Keyword arguments of the network's constructor."""


class Normalisation(Part):
    """How reflectance becomes the network's input: (value - mean) / std, cut at +-clip; missing becomes 0."""

    mean: tuple[float, ...]
    """Per band, reflectance (unit 1)."""
    std: tuple[Positive, ...]
    """Per band, reflectance (unit 1)."""
    clip: Positive = 8.0
    """Largest magnitude after normalising: clouds and glint are far outside the range of land."""


class Source(Part):
    """Something the weights were trained on, with its licence."""

    name: str
    licence: str
    """SPDX name where there is one, else in words."""
    note: str = ""


class Terms(Part):
    """What the weights may be used for."""

    licence: str
    """Of the weights themselves."""
    allowed: tuple[Use, ...]
    forbidden: tuple[Use, ...] = ()
    text: str = ""
    """Where the terms come from."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        both = sorted(set(self.allowed) & set(self.forbidden))
        if both:
            raise ValueError(f"{', '.join(both)} is both allowed and forbidden; keep one")
        return self

    def permits(self, use: str) -> bool:
        """True if a deployment for `use` may run these weights; a use that is not named is not permitted."""
        return use in self.allowed


class Calibration(Part):
    """Turns one kind's logit into a probability: sigmoid(logit / temperature + bias)."""

    temperature: Positive = 1.0
    bias: float = 0.0


class ModelCard(Part):
    """What a network takes in, what it gives out, what it was trained on, and what it may be used for."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    network: Network
    bands: tuple[str, ...] = Field(min_length=1)
    """Order of the band axis of both dates."""
    coarse_bands: tuple[str, ...] = ()
    """Bands whose absence alone does not make a pixel missing (20 m bands)."""
    indices: tuple[str, ...] = ()
    """Names in `INDICES`: channels after bands and masks."""
    inputs: str
    """In words: what `before` and `after` are, unit, how missing values are handled."""
    normalisation: Normalisation
    stride: int = Field(ge=1)
    """Windows start and end at multiples of this."""
    halo_px: int = Field(ge=0, le=1024)
    """A pixel's answer depends on nothing further away than this."""
    patch_px: int = Field(ge=1)
    """Side of the cells the network is run on, without the halo."""
    kinds: tuple[str, ...] = Field(min_length=1)
    """Order of the output axis."""
    calibration: dict[str, Calibration]
    thresholds: dict[str, Probability]
    """Per kind, the probability at which a look shows it; set from a budget of false alerts on unchanged ground."""
    training_data: tuple[Source, ...] = Field(min_length=1)
    terms: Terms
    metrics: dict[str, Any] = {}
    """Measured figures, each with what it was measured on."""
    seed: int
    created: date
    """As given by whoever trained it."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of `weights.safetensors`."""
    onnx_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Of `network.onnx`, the same network for ONNX Runtime; empty where it was not exported."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in ("mean", "std"):
            if len(getattr(self.normalisation, name)) != len(self.bands):
                raise ValueError(f"normalisation.{name} needs one value per band: {', '.join(self.bands)}")
        if self.halo_px % self.stride or self.patch_px % self.stride:
            raise ValueError(f"halo_px and patch_px must be multiples of the stride {self.stride}")
        for name in ("calibration", "thresholds"):
            if set(getattr(self, name)) != set(self.kinds):
                raise ValueError(f"{name} needs exactly the kinds {', '.join(self.kinds)}")
        strange = sorted(set(self.indices) - set(INDICES))
        if strange:
            raise ValueError(f"indices names {', '.join(strange)}; known are {', '.join(INDICES)}")
        unfit = sorted({band for name in self.indices for band in INDICES[name]} - set(self.bands))
        if unfit:
            raise ValueError(f"indices need {', '.join(unfit)}, which bands does not name")
        unknown = sorted(set(self.coarse_bands) - set(self.bands))
        if unknown:
            raise ValueError(f"coarse_bands names {', '.join(unknown)}, which bands does not")
        return self

    @property
    def model_id(self) -> str:
        """Name, version and the weights' fingerprint, as alerts carry it."""
        return f"{self.name}-{self.version}+{self.sha256[:8]}"


def folder_of(model: str, weights: Path) -> Path:
    """Where a model lies: a folder in `weights`, or else a path, from the current folder if it is relative.

    If neither holds a card, the folder in `weights` is given, for the error that follows.
    """
    named, given = weights / model, Path(model).absolute()
    return given if (given / CARD).is_file() and not (named / CARD).is_file() else named


def read_card(path: Path) -> ModelCard:
    """Read a card.

    Raises:
        OSError: the file cannot be read.
        ValueError: a key is missing, unknown or wrong; one line per mistake, each naming file and key.
    """
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except ValidationError as err:
        lines = [f"{path}: {_key(p['loc'])}: {p['msg']}; mend the card" for p in err.errors(include_url=False)]
        raise ValueError("\n".join(lines)) from err


def read_content(path: Path, *, sha256: str) -> bytes:
    """The content of a file that a card speaks of.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is another one.
    """
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path}: sha256 is {found[:12]}..., the card says {sha256[:12]}...; fetch the model again, whole"
        )
    return content


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(whole)"
