"""ItemCollection files: read as if they were a catalogue, and written for later nights to read.

In: paths. Out: raw item dicts with absolute hrefs. Knows nothing of Sentinel-2.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import disk
from pipeline.catalog import assets
from pipeline.config import Catalog
from pipeline.errors import CatalogError


def read(catalog: Catalog, *, name: str) -> list[dict[str, Any]]:
    """Read all items of an ItemCollection, or the one Item, of a file.

    Args:
        catalog: its `url` is the file's path; where it lists collections, items of others are left out.
        name: of the catalogue, for messages.

    Returns:
        Items whose relative asset hrefs are made absolute against the file's folder.

    Raises:
        CatalogError: the file cannot be read or holds no STAC items.
    """
    path = Path(catalog.url)
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as err:
        raise CatalogError(f"catalogue {name}: not readable as JSON ({err}); check or replace {path}") from err
    items = [document] if isinstance(document, dict) and document.get("type") == "Feature" else None
    if items is None and isinstance(document, dict) and document.get("type") == "FeatureCollection":
        items = document.get("features")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise CatalogError(f"catalogue {name}: {path}: holds no STAC items; give an ItemCollection (GeoJSON features)")
    folder = str(path.parent.absolute())
    wanted = [item for item in items if not catalog.collections or item.get("collection") in catalog.collections]
    return [_placed(item, folder) for item in wanted]


def save(items: Sequence[dict[str, Any]], path: Path) -> None:
    """Write an ItemCollection whole: aside first, then in its place.

    Raises:
        WriteError: the file cannot be written.
    """
    text = json.dumps({"type": "FeatureCollection", "features": list(items)})
    with disk.whole(path) as handle:
        handle.write(text.encode())


def _placed(item: dict[str, Any], folder: str) -> dict[str, Any]:
    """The item with absolute hrefs, so that it may be saved anywhere."""
    listed = item.get("assets")
    if not isinstance(listed, dict):
        return item
    return {**item, "assets": {key: _absolute(raw, folder) for key, raw in listed.items()}}


def _absolute(raw: Any, folder: str) -> Any:
    if not isinstance(raw, dict) or not isinstance(raw.get("href"), str):
        return raw
    placed = {**raw, "href": assets.absolute(raw["href"], folder)}
    if isinstance(raw.get("alternate"), dict):
        placed["alternate"] = {name: _absolute(other, folder) for name, other in raw["alternate"].items()}
    return placed
