"""Which file of an item holds which band, and where it lies.

In: raw STAC items. Out: `Asset` values and what the catalogue says of the offset. Opens no file.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from pipeline.schema import Asset
from pipeline.sensors import SENTINEL2, Band

Raw = Mapping[str, Any]
"""A JSON object as the catalogue gave it."""
BANDS: tuple[Band, ...] = (*SENTINEL2.bands, SENTINEL2.classes)


def mapping(value: Any) -> Raw:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """The value if it is a text, else an empty one; halves of characters, which no file can hold, are dropped."""
    return value.encode(errors="ignore").decode() if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """The value if it is a number of a sensible size, else None."""
    sensible = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
    return float(value) if sensible else None


def choose(item: Raw) -> dict[str, Raw]:
    """The raw asset of each band that the item lists; GeoTIFF before JPEG 2000, which has no blocks to read alone."""
    listed = mapping(item.get("assets"))
    chosen = {}
    for band in BANDS:
        found = [mapping(listed.get(key)) for key in band.asset_keys]
        usable = [raw for raw in found if text(raw.get("href"))]
        if usable:
            chosen[band.name] = min(usable, key=_is_jp2)
    return chosen


def asset(raw: Raw, *, alternate: str, place: str, unsigned: bool) -> Asset:
    """One band's file.

    Args:
        raw: the asset's JSON object.
        alternate: name of the STAC alternate whose href is used where the asset has it.
        place: folder or URL to which a relative href belongs; empty if there is none.
        unsigned: whether a signature in the href is dropped, because one is made just before the read.

    Raises:
        ValueError: the href is relative and belongs nowhere.
    """
    other = mapping(mapping(raw.get("alternate")).get(alternate))
    href = absolute(text(other.get("href")) or text(raw["href"]), place)
    return Asset(href.split("?")[0] if unsigned else href, _shape(raw), _transform(raw))


def absolute(href: str, place: str) -> str:
    """A URL or an absolute path.

    Args:
        href: as the catalogue gives it.
        place: absolute folder, or URL of the document that holds the href; empty if there is none.

    Raises:
        ValueError: the href is relative and belongs nowhere.
    """
    if href.startswith("file://"):
        return urlsplit(href).path
    if "://" in href or href.startswith("/"):
        return href
    if not place:
        raise ValueError(f"the href {href!r:.80} is relative to nothing; give the catalogue absolute hrefs")
    return urljoin(place, href) if "://" in place else os.path.normpath(Path(place) / href)


def offset_dn(raw: Raw) -> int | None:
    """DN to add (-1000 or 0) by the asset's `raster:bands` or `raster:offset`; None where it says nothing sensible."""
    bands = raw.get("raster:bands") or raw.get("bands")
    first = mapping(bands[0]) if isinstance(bands, list) and bands else {}
    for value in (raw.get("raster:offset"), first.get("raster:offset"), first.get("offset")):
        told = number(value)
        if told is not None:
            dn = round(told / SENTINEL2.scale)
            return dn if dn in (-1000, 0) else None
    return None


def _is_jp2(raw: Raw) -> bool:
    return "jp2" in text(raw.get("type")).lower() or text(raw["href"]).lower().split("?")[0].endswith(".jp2")


def _numbers(value: Any, count: int) -> list[float]:
    """The first `count` numbers of a list; empty where there are not so many."""
    found = [number(entry) for entry in value[:count]] if isinstance(value, list) else []
    good = [entry for entry in found if entry is not None]
    return good if len(good) == count else []


def _shape(raw: Raw) -> tuple[int, int] | None:
    numbers = _numbers(raw.get("proj:shape"), 2)
    return (int(numbers[0]), int(numbers[1])) if numbers else None


def _transform(raw: Raw) -> tuple[float, float, float, float, float, float] | None:
    numbers = _numbers(raw.get("proj:transform"), 6)
    if not numbers:
        return None
    a, b, c, d, e, f = numbers
    return a, b, c, d, e, f
