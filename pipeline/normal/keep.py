"""Normals kept, so that a night does not build them again.

In: a depot, a key and a `Normal`. Out: the same `Normal`, bit for bit. Nothing kept here is needed: what is lost or
broken is rebuilt from scenes. One `.npz` file each, not compressed: reflectance hardly shrinks, and reading is what
every night does. The archive's own CRC-32 of every array tells a broken file.
"""

import json
import re
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from pipeline import grid
from pipeline.depot import Depot
from pipeline.errors import DamagedError, StateError
from pipeline.schema import Normal

FORMAT = 2
_LAYERS = {
    "median": ("band", "y", "x"),
    "spread": ("band", "y", "x"),
    "barest": ("y", "x"),
    "count": ("y", "x"),
    "season": ("y", "x"),
}


def save(depot: Depot, key: str, normal: Normal) -> None:
    """Write a normal: the file is whole or absent.

    Args:
        depot: where to.
        key: letters, digits, `.`, `_` and `-`; an older normal under the same key is replaced.
        normal: what to keep.

    Raises:
        ValueError: the key cannot be a file name.
        WriteError: the disk is full, or the depot cannot be written to.
    """
    with depot.writing(_name(key)) as handle:
        np.savez(handle, meta=np.frombuffer(_meta(normal).encode(), np.uint8), **_arrays(normal))


def load(depot: Depot, key: str) -> Normal | None:
    """Read a normal.

    Args:
        depot: as given to `save`.
        key: as given to `save`.

    Returns:
        The normal exactly as it was saved, or None if nothing is kept under the key.

    Raises:
        StateError: the file is out of reach; the message names it.
        DamagedError: it is broken, or of another version.
        ValueError: the key cannot be a file name.
    """
    name = _name(key)
    try:
        with depot.reading(name) as handle, np.load(handle, allow_pickle=False) as archive:
            values = {name: archive[name] for name in archive.files}
        return _normal(values)
    except FileNotFoundError:
        return None
    except OSError as err:
        raise StateError(f"{depot}/{name}: not readable ({err}); check the disk and its rights") from err
    except (ValueError, KeyError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile) as err:
        raise DamagedError(f"{depot}/{name}: not readable ({err}); delete it; it is rebuilt") from err


def drop(depot: Depot, keys: Iterable[str]) -> None:
    """Remove normals, where they are kept under the keys.

    Raises:
        ValueError: a key cannot be a file name.
        WriteError: the system or the store refused.
    """
    depot.delete([_name(key) for key in keys])


def fingerprint(depot: Depot, key: str) -> str:
    """What tells one normal's arrays from another's, without reading them: their checksums; empty if there is none."""
    try:
        with depot.reading(_name(key)) as handle, zipfile.ZipFile(handle) as archive:
            return " ".join(f"{entry.filename}:{entry.CRC:08x}" for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile):
        return ""


def all_kept(depot: Depot, keys: Iterable[str]) -> bool:
    """True if something is kept under each key; whether it is whole, only `load` tells.

    Raises:
        StateError: the depot cannot be listed.
        ValueError: a key cannot be a file name.
    """
    return {_name(key) for key in keys} <= set(depot.names())


def any_kept(depot: Depot, keys: Iterable[str]) -> bool:
    """True if something is kept under one of the keys; raises like `all_kept`."""
    return not {_name(key) for key in keys}.isdisjoint(depot.names())


def _name(key: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", key):
        raise ValueError(f"{key!r} cannot name a file; use letters, digits, '.', '_' and '-'")
    return f"{key}.npz"


def _meta(normal: Normal) -> str:
    window = normal.window
    return json.dumps(
        {
            "format": FORMAT,
            "window": [window.row, window.col, window.height, window.width],
            "scene_ids": list(normal.scene_ids),
            "caution": normal.caution,
            "band": [str(name) for name in normal.pixels["band"].values],
            "attrs": normal.pixels.attrs,
            "layers": {name: normal.pixels[name].attrs for name in _LAYERS},
        },
        sort_keys=True,
    )


def _arrays(normal: Normal) -> dict[str, Any]:
    return {name: normal.pixels[name].values for name in (*_LAYERS, "y", "x")}


def _normal(values: dict[str, Any]) -> Normal:
    meta = json.loads(values["meta"].tobytes().decode())
    if meta["format"] != FORMAT:
        raise ValueError(f"format {meta['format']}, this version reads {FORMAT}")
    pixels = xr.Dataset(
        {name: (dims, values[name], meta["layers"][name]) for name, dims in _LAYERS.items()},
        coords={"band": meta["band"], "y": values["y"], "x": values["x"]},
        attrs=meta["attrs"],
    )
    return Normal(grid.Window(*meta["window"]), pixels, tuple(meta["scene_ids"]), meta["caution"])
