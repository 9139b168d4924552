"""The index: one page over all AOIs and nights.

In: the folders of nights, by what their `run.json` tells. Out: `out/index.html`, which loads nothing from elsewhere.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

from pipeline import disk
from pipeline.publish import texts

_NIGHTS = 30
"""So many of an AOI are listed; older ones are still in their folders."""


def write(out: Path) -> None:
    """Write `index.html` anew from the nights that lie in a folder.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    nights: dict[str, list[Path]] = {}
    for path in sorted(out.glob("[0-9]*/*/run.json"), reverse=True):
        nights.setdefault(path.parent.name, []).append(path)
    areas = [_area(name, paths) for name, paths in sorted(nights.items())]
    areas = [area for area in areas if area["nights"]]
    newest = max((area["nights"][0]["as_of"] for area in areas), default="")
    text = texts.render("index.html", areas=areas, newest=newest, style=texts.source("report.css"))
    with disk.whole(out / "index.html") as handle:
        handle.write(text.encode())


def _area(name: str, paths: list[Path]) -> dict[str, Any]:
    rows = [row for path in paths[:_NIGHTS] if (row := _night(path)) is not None]
    return {
        "id": name,
        "title": rows[0]["title"] if rows else name,
        "nights": rows,
        "older": max(0, len(paths) - _NIGHTS),
    }


def _night(path: Path) -> dict[str, Any] | None:
    """One row; None where a folder holds something else."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        date.fromisoformat(run["as_of"])
        counts = run["counts"]
        return {
            "as_of": run["as_of"],
            "title": run.get("name") or run["aoi"],
            "folder": f"{path.parent.parent.name}/{path.parent.name}",
            "report": (path.parent / "report.html").exists(),
            "confirmed": counts.get("confirmed", 0),
            "possible": counts.get("possible", 0),
            "scenes": counts.get("scenes used", 0),
            "refused": counts.get("scenes refused", 0),
            "failed": len(run["failed"]),
            "blind_pct": run["blind_pct"],
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
