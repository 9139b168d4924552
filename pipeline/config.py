"""Profiles and catalogues: TOML files checked whole before any work.

In: files under `configs/`. Out: frozen pydantic models. Every knob is documented in `configs/forest.toml`.
Unknown keys and wrong types are errors that name the file, the key and the remedy.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline import disk
from pipeline.errors import ConfigError

PATCH_PX = 256
"""The network runs on cells of this size, counted from the granule's origin, so that its answer does not depend
on the tile size."""


_NOT_PROFILES = ("catalogs", "deployment", "notify", "train")


class Model(BaseModel):
    """Base of all configuration: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


T = TypeVar("T", bound=Model)

_PLAIN = {
    "tuple_type": "must be a list, like [...]",
    "dict_type": "must be an object with keys of its own",
    "model_type": "must be an object with keys of its own",
}
"""What kind of value is missing, in the words of TOML and JSON."""


class Search(Model):
    """Which scenes are asked for."""

    catalogs: tuple[str, ...] = Field(min_length=1, strict=False)
    """Names in `catalogs.toml`, in fail-over order."""
    window_days: int = Field(default=30, ge=1, le=365)
    """How far each night looks back for scenes not yet used: late and reprocessed ones are picked up."""
    stale_days: int = Field(default=12, ge=3, le=365)
    """A granule without a new scene for so long is looked for in the next catalogue too; so is an overpass within it
    of which no scene is listed."""
    history_days: int = Field(default=1140, ge=60, le=1500)
    """How far back looks for the normal may lie: three years and a season."""


class Tiles(Model):
    """The unit of work."""

    size_px: int = Field(default=1024, ge=PATCH_PX, le=10980)
    """Side of a tile; memory grows with its square, results do not depend on it."""

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if self.size_px % PATCH_PX:
            raise ValueError(f"size_px must be a multiple of {PATCH_PX}, like 512 or 1024")
        return self


class Read(Model):
    """How files are read."""

    attempts: int = Field(default=4, ge=1, le=20)
    """Open and read together are tried this often before a read counts as failed."""
    retry_delay_s: float = Field(default=0.5, ge=0, le=60)
    """Pause before the second attempt; doubled for each further one."""
    timeout_s: int = Field(default=60, ge=1, le=600)
    """Limit for one HTTP request."""


class Mask(Model):
    """Which pixels count as observed."""

    cloud_dilation_px: int = Field(default=6, ge=0, le=64)
    """Growth of clouds of the scene classification, in 10 m pixels."""
    shadow_dilation_px: int = Field(default=4, ge=0, le=64)
    """Growth of cloud shadows of the scene classification, in 10 m pixels."""
    residual_blue: float = Field(default=0.04, gt=0, le=1)
    """A pixel this much brighter in blue than the normal may be a cloud that the classification missed."""
    residual_shadow: float = Field(default=0.5, gt=0, lt=1)
    """A pixel darker in near infrared than this share of the normal may be a missed shadow."""
    residual_min_ha: float = Field(default=4.0, ge=0, le=20)
    """A missed cloud or shadow is at least this large; smaller bright spots are left to the detector."""


class Register(Model):
    """What is done about shifted scenes."""

    correct_above_px: float = Field(default=0.25, ge=0, le=5)
    """Smaller shifts are left alone."""
    refuse_above_px: float = Field(default=1.5, gt=0, le=10)
    """Scenes further off are refused."""


class NormalRules(Model):
    """How the normal is built."""

    gap_days: int = Field(default=30, ge=1, le=200)
    """The last days are left out, so that a slow change does not become normal."""
    season_days: int = Field(default=45, ge=10, le=183)
    """Looks within this many days of the same day of the year are preferred."""
    max_looks: int = Field(default=12, ge=3, le=60)
    """Looks used at the most: enough for a robust median, bounded in cost."""
    min_looks: int = Field(default=4, ge=2, le=20)
    """With fewer looks in season, other seasons are used and the normal says so."""
    refresh_days: int = Field(default=30, ge=1, le=90)
    """The normal is rebuilt when the calendar enters a new period of this many days."""
    min_spread: float = Field(default=0.01, gt=0, le=0.2)
    """Reflectance spread is never taken as smaller than this."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.min_looks > self.max_looks:
            raise ValueError("min_looks must not exceed max_looks")
        return self


class Detect(Model):
    """Which network runs."""

    model: str = "vanwatch-s"
    """A folder in `models/weights/`, or a path to such a folder."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Where the network runs; on a GPU in half precision, which gives other last digits."""

    @property
    def on_gpu(self) -> bool:
        """True if the workers have a GPU each, or share one."""
        return self.device == "gpu"


class Evidence(Model):
    """How looks add up to an alert."""

    possible: float = Field(default=0.0, ge=-10, le=10)
    """Log-odds above which a pixel makes a possible alert."""
    confirm: float = Field(default=3.66, ge=-10, le=20)
    """Log-odds that half of an alert's pixels must reach before it is confirmed: 97.5 %."""
    confirm_looks: int = Field(default=2, ge=1, le=10)
    """Looks of different days that must show it before an alert is confirmed."""
    bound: float = Field(default=8.0, gt=0, le=20)
    """Evidence never rises above this; it never falls below `prior`."""
    look_bound: float = Field(default=4.0, gt=0, le=7.5)
    """One look adds at most this much, so that no single look decides alone."""
    half_life_days: float = Field(default=120.0, ge=5, le=10000)
    """Between looks, half of the evidence above the prior fades in so many days."""
    off_season_days: int = Field(default=45, ge=0, le=400)
    """What only looks against a normal of other seasons show must last so long before it can be confirmed."""
    prior: float = Field(default=-2.0, ge=-15, le=0)
    """Log-odds before the first look: change is rare."""
    expire_days: int = Field(default=60, ge=5, le=400)
    """A possible alert that no look supports for so long expires."""
    close_days: int = Field(default=90, ge=5, le=1000)
    """A confirmed alert whose evidence is gone, and that clear looks have not shown for so long, is closed."""
    dismissed_growth_share: float = Field(default=0.5, ge=0, le=10)
    """Dismissed ground stays quiet until what is found reaches beyond it by this share of the smaller of the two."""
    dismissed_growth_ha: float = Field(default=0.1, ge=0, le=1000)
    """Nor does it matter as long as less than this lies beyond."""
    opinion: Literal["none", "omnicloudmask"] = "none"
    """A third opinion on clouds, by which looks are weighed; needs `vanwatch[opinion]` and weights of its own."""
    opinion_weights: str = ""
    """Absolute folder of its weights; empty for the library's own, which it fills where there is a network."""


class KindRules(Model):
    """What a detection of one kind needs."""

    threshold: float | None = Field(default=None, gt=0, lt=1)
    """Probability at which a look shows the kind; None takes the model's own."""
    min_area_m2: float = Field(ge=100)
    """Smallest area, counted in 10 m pixels."""
    min_length_m: float = Field(default=0, ge=0)
    """Shortest length (tracks)."""


class Rules(Model):
    """What counts as a detection, kind by kind."""

    clearing: KindRules = KindRules(min_area_m2=1000)
    camp: KindRules = KindRules(min_area_m2=400)
    track: KindRules = KindRules(min_area_m2=1000, min_length_m=200)

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, values: Any) -> Any:
        """A kind of which only some knobs are given keeps its own defaults for the others."""
        if not isinstance(values, dict):
            return values
        given = {key: value for key, value in values.items() if isinstance(value, dict) and key in cls.model_fields}
        return values | {key: cls.model_fields[key].default.model_dump() | value for key, value in given.items()}

    def thresholds(self, own: Mapping[str, float]) -> tuple[float, float, float]:
        """Per kind, in the order of every kind axis; `own` are the model's, for kinds that the rules leave to it."""
        clearing, camp, track = (
            own[kind] if rules.threshold is None else rules.threshold
            for kind, rules in (("clearing", self.clearing), ("camp", self.camp), ("track", self.track))
        )
        return clearing, camp, track


class Packs(Model):
    """Which alerts get an evidence pack."""

    most: int = Field(default=200, ge=0)
    """New, grown and confirmed alerts of a night that get one at the most, confirmed ones and the surest first."""


class Context(Model):
    """One vector layer of what is known about the land, to tell where an alert lies."""

    name: str = Field(min_length=1)
    """Shown to people."""
    file: str = Field(min_length=1)
    """Any vector file that GDAL reads; relative to the folder of the profile."""
    role: Literal["protected", "border", "road", "settlement", "permit", "known"]
    """What it means: alerts in a permit carry a caution, those near a border or in a protected area come first."""
    label: str = ""
    """Column with the name of each feature; empty takes the layer's name for all."""


class Profile(Model):
    """How an AOI is watched: one TOML file."""

    title: str = Field(min_length=1)
    """Shown to people."""
    use: Literal["environment", "research", "enforcement"]
    """What the alerts are for; a model whose terms forbid it is refused."""
    max_area_km2: float = Field(default=60_000, gt=0)
    """An AOI larger than this is taken for a mistake."""
    blind_after_days: int = Field(default=21, ge=1, le=365)
    """Days without a clear look after which a place counts as blind."""
    search: Search
    tiles: Tiles = Tiles()
    read: Read = Read()
    mask: Mask = Mask()
    register_: Register = Field(default=Register(), alias="register")
    normal: NormalRules = NormalRules()
    detect: Detect = Detect()
    evidence: Evidence = Evidence()
    rules: Rules = Rules()
    packs: Packs = Packs()
    context: tuple[Context, ...] = Field(default=(), strict=False)
    """Layers that tell where an alert lies."""


class Catalog(Model):
    """Where scenes are searched."""

    url: str
    """STAC API root with http:// or https://, or the path of an ItemCollection file."""
    collections: tuple[str, ...] = Field(default=(), strict=False)
    """Collections to search, in order of preference; empty for a file."""
    signer: Literal["", "planetary-computer"] = ""
    """How asset hrefs are signed just before a read."""
    asset_alternate: str = ""
    """Name of the STAC alternate whose href is read in place of the main one."""
    page_size: int = Field(default=100, ge=1, le=1000)
    """Items per page."""
    timeout_s: float = Field(default=60.0, gt=0)
    """Limit for one request."""
    attempts: int = Field(default=6, ge=1, le=20)
    """Tries per request, with growing pauses; 429's Retry-After is respected."""
    backoff_s: float = Field(default=1.0, ge=0, le=60)
    """First pause between tries; doubled for each further one."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if "://" in self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError("url must begin with http:// or https://, or be the path of a file")
        if not self.url or ("://" in self.url and not has_host(self.url)):
            raise ValueError("url names no host, as https://host/v1 does, and no file")
        return self


def load_profile(path: Path, overrides: dict[str, Any] | None = None, *, source: str = "") -> Profile:
    """Read a profile and lay an AOI's overrides over it.

    Args:
        path: the TOML file.
        overrides: nested keys of the profile, from the AOI.
        source: the AOI's file, named in errors about overrides.

    Raises:
        ConfigError: the file is missing, no TOML, or a key or value is wrong.
    """
    values = _read_toml(path)
    profile = _validate(Profile, values, str(path))
    if not overrides:
        return profile
    return _validate(Profile, _merged(values, overrides), f"{source or path}: properties.overrides")


def load(model: type[T], path: Path) -> T:
    """Read a TOML file as a model.

    Raises:
        ConfigError: the file is missing, no TOML, or a key or value is wrong.
    """
    return _validate(model, _read_toml(path), str(path))


def has_host(url: str) -> bool:
    """Whether a URL names a host, and no port or one that there can be."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def profile_paths(folder: Path) -> tuple[Path, ...]:
    """The profiles in a folder of configuration, by name."""
    return tuple(path for path in shown(folder.glob("*.toml")) if path.stem not in _NOT_PROFILES)


def shown(paths: Iterable[Path]) -> list[Path]:
    """Sorted, without hidden ones: editors and other systems leave such files beside those that they copy."""
    return sorted(path for path in paths if not path.name.startswith("."))


def load_catalogs(path: Path) -> dict[str, Catalog]:
    """Read `catalogs.toml`: name to catalogue.

    Raises:
        ConfigError: the file is missing, no TOML, or a key or value is wrong.
    """
    return {name: _validate(Catalog, entry, f"{path}: {name}") for name, entry in _read_toml(path).items()}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(disk.content(path).decode("utf-8-sig"))  # some editors begin a file with a mark
    except FileNotFoundError as err:
        near = sorted(p.stem for p in path.parent.glob("*.toml")) if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such file; there are: {', '.join(near) or 'none'}") from err
    except (ValueError, OSError, RecursionError) as err:
        raise ConfigError(f"{path}: not readable as TOML: {err}; correct it, and save it as text in UTF-8") from err


def _merged(values: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in overrides.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _validate(model: type[T], values: Any, source: str) -> T:
    try:
        return model.model_validate(values)
    except ValidationError as err:
        raise ConfigError("\n".join(explain(err, source, model))) from err


def explain(err: ValidationError, source: str, model: type[BaseModel]) -> list[str]:
    """One line per mistake: file, key, what is wrong, what to do; what was given only where that is no secret."""
    lines = []
    hidden = model.model_config.get("hide_input_in_errors", False)
    problems = err.errors()
    inside = {problem["loc"][:-1] for problem in problems}
    for problem in problems:
        if problem["type"] == "too_short" and problem["loc"] in inside:
            continue  # what is wrong in a list was not counted; it is told by itself
        key = ".".join(str(part) for part in problem["loc"]) or "(whole)"
        if problem["type"] == "extra_forbidden":
            known = known_keys(model, problem["loc"][:-1])
            near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
            lines.append(f"{source}: {key}: unknown key; {hint}")
        elif problem["type"] == "missing":
            lines.append(f"{source}: {key}: missing; add it")
        else:
            text = _PLAIN.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
            got = "" if hidden else f", got {problem['input']!r:.80}"
            lines.append(f"{source}: {key}: {text[0].lower()}{text[1:]}{got}")
    return lines


def known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that a nested model allows; what in `path` only picks one of several is passed over."""
    here: Any = model
    for name in path:
        field = {f.alias or n: f for n, f in here.model_fields.items()}.get(str(name))
        if field is None:
            continue
        nested = [kind for kind in (field.annotation, *get_args(field.annotation)) if hasattr(kind, "model_fields")]
        if not nested:
            return []
        here = nested[0]
    return [field.alias or name for name, field in here.model_fields.items()]
