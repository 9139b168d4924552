"""A preview: what watching one AOI means, in figures and on a map.

In: the name of an AOI. Out: a `Preview` and a PNG.
"""

from dataclasses import dataclass
from pathlib import Path

from models import card
from pipeline import disk
from pipeline.config import Profile
from pipeline.errors import ConfigError
from pipeline.watch import areas, checks, estimates, maps

_USUAL_HALO_PX = 128  # for an estimate without a card


@dataclass(frozen=True, slots=True)
class Preview:
    """An estimate and the picture that shows it."""

    estimate: estimates.Estimate
    png: str


def preview(home: Path, name: str, out: Path | None = None) -> Preview:
    """Estimate one AOI and draw it.

    Args:
        home: folder with `aoi/` and `configs/`.
        name: id in `aoi/` or path of a GeoJSON file.
        out: PNG to write; None means `<id>.png` in the current folder.

    Raises:
        ConfigError: there is no such AOI, it is wrong, or the PNG cannot be written.
    """
    area = areas.find(home, name)
    path = out or Path(f"{area.id}.png")
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--out {path}: a preview is a PNG; give a name that ends in .png")
    found = estimates.estimate(area, halo_px=_halo_px(area.profile))
    with disk.writing(path, ConfigError):
        maps.draw(area, found, path)
    return Preview(found, str(path))


def describe_preview(found: Preview) -> str:
    """A preview in words."""
    return f"{estimates.describe(found.estimate)}\nmap: {found.png}"


def _halo_px(profile: Profile) -> int:
    try:
        return card.read_card(card.folder_of(profile.detect.model, checks.WEIGHTS) / "card.json").halo_px
    except (OSError, ValueError):
        return _USUAL_HALO_PX  # a preview needs no model; `check` is where a wrong card is an error
