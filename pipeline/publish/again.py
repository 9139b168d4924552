"""Again: rasters that the night before made of the very same things are linked, not made once more.

In: the folder of the night before, and a fingerprint of what the rasters are made of. Out: files in tonight's folder,
and what its `run.json` tells of them. What is not there, or not as it was when it was made, is not taken. Knows no
normals.
"""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.publish import packs
from pipeline.publish.sending import RUN

ENTRY = "rasters"
"""Of `run.json`: name of a raster to what `told` says of it."""


def take(name: str, made_of: str, earlier: Path, folder: Path) -> dict[str, Any] | None:
    """Link the rasters of one name, or copy them where the file system cannot link.

    Args:
        name: of the rasters, like `before`.
        made_of: fingerprint of what they would be made of tonight.
        earlier: folder of another night, which need not exist.
        folder: where to.

    Returns:
        What `told` says of them; None if they cannot be had and must be made.
    """
    known = _told(earlier, name)
    if known is None or known.get("made_of") != made_of:
        return None
    files = {str(file): str(digest) for file, digest in known.get("files", {}).items() if Path(file).name == file}
    if files and all(_taken(earlier / file, folder / file, digest) for file, digest in files.items()):
        return {"made_of": made_of, "files": files}
    for file in files:
        (folder / file).unlink(missing_ok=True)
    return None


def told(made_of: str, paths: Iterable[Path]) -> dict[str, Any]:
    """What `run.json` tells of rasters that were made tonight: what of, and the SHA-256 of each file."""
    return {"made_of": made_of, "files": {path.name: packs.sha256(path) for path in paths}}


def _told(earlier: Path, name: str) -> dict[str, Any] | None:
    """Of an earlier night; None where its manifest is gone, broken, or of a version that told nothing."""
    try:
        known = json.loads((earlier / RUN).read_text(encoding="utf-8"))[ENTRY][name]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known if isinstance(known, dict) and isinstance(known.get("files"), dict) else None


def _taken(source: Path, target: Path, digest: str) -> bool:
    """What is checked is the file as it lies in tonight's folder."""
    if source.is_symlink() or not source.is_file():
        return False
    try:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
        return packs.sha256(target) == digest
    except OSError:
        return False
