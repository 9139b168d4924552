"""What ESA's names say: products, granules and datastrips carry their own facts.

In: identifiers as catalogues list them. Out: `Named` facts, empty where a name does not tell. Knows no catalogue.

Source: ESA, Sentinel-2 products specification document, naming conventions of products, tiles and datastrips.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.grid import Granule

PAD = timedelta(days=1)
"""The date of an item may be off by one near midnight (D8): asked for on both sides, sorted out by solar day."""
_TIME = r"\d{8}T\d{6}"
_PRODUCT = re.compile(
    rf"(S2[A-Z])_MSIL2A_({_TIME})(?:_N(\d\d)(\d\d))?_R(\d{{3}})_T(\d\d[C-X][A-Z]{{2}})_({_TIME})(?![\dT])"
)
_DATATAKE = re.compile(rf"GS2[A-Z]_({_TIME})_")
_STRIP = re.compile(rf"(?:^|_)S({_TIME})(?:_|$)")
_STRIP_FOLDER = re.compile(rf"/(DS_[A-Z0-9_]{{4}}_{_TIME}_S{_TIME})/")
_GRANULE_FOLDER = re.compile(rf"/L2A_T\d\d[C-X][A-Z]{{2}}_A\d{{6}}_({_TIME})/")
_STRIP_ITEM = re.compile(rf"^S2[A-Z]_T\d\d[C-X][A-Z]{{2}}_({_TIME})_L2A$")
_TILE = re.compile(r"_T(\d\d[C-X][A-Z]{2})(?:_|$)")
_TILE_ITEM = re.compile(r"^S2[A-Z]_(\d{1,2}[C-X][A-Z]{2})_\d{8}_\d+_L2A")
_BASELINE = re.compile(r"(?:^|_)N(\d\d)\.?(\d\d)(?:_|$)")
_VERSION = re.compile(r"^N?(\d{1,2})\.(\d{2})(?:\.\d+)?$")
_PLATFORM = re.compile(r"^(?:sentinel[- ]?2([a-z])|s2([a-z]))$")


@dataclass(frozen=True, slots=True)
class Named:
    """What a product name tells."""

    platform: str = ""
    datatake: datetime | None = None
    baseline: str = ""
    relative_orbit: int | None = None
    tile: str = ""
    processed: datetime | None = None


def product(text: str) -> Named:
    """Facts in the name of an L2A product; the forms with and without the baseline (`N0511`) are known."""
    match = _PRODUCT.search(text)
    if not match:
        return Named()
    platform_name, taken, major, minor, orbit, tile_name, processed = match.groups()
    return Named(
        platform(platform_name),
        instant(taken),
        f"{major}.{minor}" if major else "",
        int(orbit),
        tile_name,
        instant(processed),
    )


def instant(text: str) -> datetime | None:
    """A time in UTC from ISO 8601, long or compact; None where the text is none."""
    try:
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):  # near the years 1 and 9999 the shift to UTC overflows
        return None


def platform(text: str) -> str:
    """`sentinel-2a` from any spelling; empty for others, and for the stand-in S2X of an unknown satellite."""
    match = _PLATFORM.match(text.strip().lower())
    letter = (match.group(1) or match.group(2)) if match else ""
    return f"sentinel-2{letter}" if letter not in ("", "x") else ""


def baseline(text: str) -> str:
    """Processing baseline `NN.NN` from a version or from any identifier that carries it; else empty."""
    match = _VERSION.match(text.strip()) or _BASELINE.search(text)
    return f"{int(match.group(1)):02d}.{match.group(2)}" if match else ""


def tile(text: str) -> str:
    """MGRS tile in an identifier; else empty."""
    match = _TILE.search(text) or _TILE_ITEM.match(text)
    return match.group(1) if match else ""


def datatake(text: str) -> datetime | None:
    """Start of the datatake in a datatake identifier (`GS2B_...`)."""
    match = _DATATAKE.search(text)
    return instant(match.group(1)) if match else None


def datastrip(item_id: str, hrefs: tuple[str, ...]) -> str:
    """A datastrip identifier from the files' folders or the item's id, where the item does not name one."""
    for href in hrefs:
        folder = _STRIP_FOLDER.search(href)
        if folder:
            return folder.group(1)
    for href in hrefs:
        folder = _GRANULE_FOLDER.search(href)
        if folder:
            return f"S{folder.group(1)}"
    match = _STRIP_ITEM.match(item_id)
    return f"S{match.group(1)}" if match else ""


def strip_start(identifier: str) -> datetime | None:
    """When a datastrip's sensing began; the same for all its reprocessings, whatever they are called."""
    match = _STRIP.search(identifier)
    return instant(match.group(1)) if match else None


def scene_id(platform_name: str, granule: Granule, start: datetime, relative_orbit: int | None) -> str:
    """Name of an acquisition; `X` and `R000` stand for an unknown platform and orbit."""
    letter = platform_name[-1].upper() if platform_name else "X"
    return f"S2{letter}_{granule.mgrs}_{start:%Y%m%dT%H%M%S}_R{relative_orbit or 0:03d}"
