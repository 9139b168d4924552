"""The AOIs of a home: listed, found, and new ones added.

In: a home folder. Out: rows and `Aoi` values.
"""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import aoi, config, disk
from pipeline.aoi import Aoi
from pipeline.errors import ConfigError
from pipeline.watch import estimates


@dataclass(frozen=True, slots=True)
class Row:
    """One AOI in the list."""

    id: str
    name: str
    enabled: bool
    profile: str
    use: str
    model: str
    area_km2: float
    tiles: int
    granules: tuple[str, ...]
    overrides: bool
    """True if the AOI changes its profile."""
    path: str


def listing(home: Path) -> tuple[Row, ...]:
    """The AOIs of a home, by file name.

    Raises:
        ConfigError: any AOI or the profile that it names is wrong.
    """
    return tuple(_row(area, home / "configs") for area in aoi.load_all(home / "aoi", home / "configs"))


def table(rows: Sequence[Row]) -> str:
    """A list of AOIs as aligned columns."""
    cells = [("ID", "KM2", "TILES", "PROFILE", "USE", "WATCHED", "NAME")]
    for row in rows:
        profile = f"{row.profile}*" if row.overrides else row.profile
        on = "yes" if row.enabled else "no"
        cells.append((row.id, f"{row.area_km2:,.0f}", str(row.tiles), profile, row.use, on, row.name))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    note = ["* with overrides of its own"] if any(row.overrides for row in rows) else []
    return "\n".join(lines + note)


def find(home: Path, name: str) -> Aoi:
    """An AOI by its id in `aoi/`, or by the path of a GeoJSON file.

    Raises:
        ConfigError: there is none of that id, or the file is wrong.
    """
    if name.endswith((".geojson", ".json")) or os.sep in name:
        return aoi.load(Path(name), home / "configs")
    known = aoi.load_all(home / "aoi", home / "configs")
    for area in known:
        if area.id == name:
            return area
    near = difflib.get_close_matches(name, [area.id for area in known], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(area.id for area in known)}"
    raise ConfigError(f"{home / 'aoi'}: no AOI {name!r}; {hint}")


def add(path: Path, home: Path) -> Row:
    """Check a GeoJSON file and copy it to `aoi/<id>.geojson`.

    Returns:
        The new AOI.

    Raises:
        ConfigError: the file is wrong, or its id is taken; nothing was changed.
        WriteError: the copy cannot be written.
    """
    content = aoi.read(path)
    area = aoi.load(path, home / "configs", content=content)
    target = home / "aoi" / f"{area.id}.geojson"
    taken = [other.path for other in _others(home) if other.id == area.id]
    if target.exists() or taken:
        raise ConfigError(f"{path}: properties.id: {area.id!r} is taken by {(taken or [target])[0]}; choose another")
    with disk.whole(target) as handle:
        handle.write(content)
    return _row(aoi.load(target, home / "configs"), home / "configs")


def describe_added(row: Row) -> str:
    """What was done and what to do next, in words."""
    return f"{row.path}: {row.name}, {row.area_km2:,.0f} km2; next: vanwatch aoi preview {row.id}"


def _others(home: Path) -> tuple[Aoi, ...]:
    """The AOIs that are there; none in a new home."""
    return aoi.load_all(home / "aoi", home / "configs") if any(config.shown((home / "aoi").glob("*.geojson"))) else ()


def _row(area: Aoi, configs: Path) -> Row:
    tiles = estimates.tiles_of(area)
    return Row(
        id=area.id,
        name=area.name,
        enabled=area.enabled,
        profile=area.profile_name,
        use=area.profile.use,
        model=area.profile.detect.model,
        area_km2=area.area_km2,
        tiles=len(tiles),
        granules=tuple(sorted({tile.granule.mgrs for tile in tiles})),
        overrides=area.profile != config.load_profile(configs / f"{area.profile_name}.toml"),
        path=str(area.path),
    )
