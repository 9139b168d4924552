"""Evidence packs: the files of one alert's pack, and the manifest that says that none of them was changed.

In: values and arrays. Out: a folder whose bytes are the same for the same values. Knows nothing of what they mean.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from pipeline.errors import StateError
from pipeline.publish import cogs

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a raster lies."""

    epsg: int
    transform: Affine


def write_values(path: Path, values: Any) -> None:
    """Values as JSON, sorted; what JSON cannot carry is an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(values, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_raster(path: Path, values: NDArray[Any], names: tuple[str, ...], place: Grid) -> None:
    """An array as a GeoTIFF, without loss.

    Args:
        path: its folder is made if absent.
        values: (band, y, x) float32 or uint8; NaN is no data.
        names: one per band.
        place: where it lies.

    Raises:
        WriteError: the disk is full, or the folder cannot be written to.
    """
    real = values.dtype.kind == "f"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        cogs.telling(path),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            dtype=values.dtype.name,
            nodata=np.nan if real else None,
            count=len(values),
            height=values.shape[1],
            width=values.shape[2],
            crs=f"EPSG:{place.epsg}",
            transform=place.transform,
            compress="DEFLATE",
            predictor=3 if real else 1,
            zlevel=6,
            interleave="band",
        ) as target,
    ):
        target.write(values)
        target.descriptions = names


def read_raster(path: Path, shape: tuple[int, int, int]) -> NDArray[Any]:
    """What `write_raster` was given.

    Args:
        path: the file.
        shape: (band, y, x) that it must have; nothing is read of one with another.

    Raises:
        StateError: the file is missing or broken, or has another shape.
    """
    try:
        with rasterio.open(path) as source:
            found = (source.count, source.height, source.width)
            if found != shape:
                raise StateError(f"{path}: is {found} large instead of {shape}; restore it from a backup")
            values: NDArray[Any] = source.read()
            return values
    except RasterioError as err:
        raise StateError(f"{path}: not readable ({err}); restore it from a backup") from err


def read_values(path: Path) -> Any:
    """What `write_values` was given.

    Raises:
        StateError: the file is missing or broken.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as err:
        raise StateError(f"{path}: not readable ({err}); restore it from a backup") from err


def seal(folder: Path) -> str:
    """Write the manifest of all files in a pack.

    Returns:
        SHA-256 of the manifest: who keeps it elsewhere can tell later that nothing was changed, the manifest included.
    """
    files = {name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for name, path in _files(folder).items()}
    write_values(folder / MANIFEST, {"format": FORMAT, "files": files})
    return sha256(folder / MANIFEST)


def differences(folder: Path) -> tuple[str, ...]:
    """What of a pack is not as its manifest says, a line each; empty if all of it is.

    Raises:
        StateError: there is no manifest, or it is broken.
    """
    told, there = _manifest(folder), _files(folder)
    lines = [f"{name}: is missing" for name in sorted(set(told) - set(there))]
    lines += [f"{name}: is not in the manifest" for name in sorted(set(there) - set(told))]
    for name in sorted(set(told) & set(there)):
        found = sha256(there[name])
        if found != told[name]:
            lines.append(f"{name}: sha256 is {found[:12]}..., the manifest says {str(told[name])[:12]}...")
    return tuple(lines)


def count(folder: Path) -> int:
    """Files that the manifest names.

    Raises:
        StateError: there is no manifest, or it is broken.
    """
    return len(_manifest(folder))


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _manifest(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST
    values = read_values(path)
    try:
        if values["format"] != FORMAT:
            raise StateError(f"{path}: format {values['format']}, this version reads {FORMAT}")
        return {name: entry["sha256"] for name, entry in values["files"].items()}
    except (KeyError, TypeError, AttributeError) as err:
        raise StateError(f"{path}: is no manifest of a pack; restore it from a backup") from err


def _files(folder: Path) -> dict[str, Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found if path != folder / MANIFEST}
