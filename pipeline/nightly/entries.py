"""Entries: what the ledger says of a scene.

In: a scene, what was decided about it, and its earlier entry. Out: the entry as plain values. Reads nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pipeline.ledger.rows import LOOK, NORMAL
from pipeline.nightly.history import History
from pipeline.schema import Inspected, Scene

Entry = dict[str, Any]


def of_look(scene: Scene, as_of: date, earlier: Mapping[str, Any]) -> Entry:
    """A scene in which a night looks for change, before anything is decided.

    Args:
        scene: as listed; only its late datastrips where the others were used before.
        as_of: the night.
        earlier: its entry so far; empty for a new scene.
    """
    known = earlier.get("datastrips", []) if earlier.get("state") == "used" else []
    strips = [*known, *(part.datastrip for part in scene.parts)]
    return _facts(scene, as_of) | {"purpose": LOOK, "datastrips": strips}


def decisions(judged: Inspected) -> Entry:
    """What is added for a scene that is used."""
    return {
        "state": "used",
        "offsets": [[offset.dn, offset.method, offset.evidence] for offset in judged.offsets],
        "shift": [judged.shift.row_px, judged.shift.col_px, judged.shift.evidence],
        "corrected": judged.shift.corrected,
        "measured": judged.shift.measured,
        "processed": processed(judged.scene),
    }


def processed(scene: Scene) -> str:
    """How well a scene was processed, in a text that is greater for a better revision: of its worst datastrip.

    Baselines first, then when it was processed, where the catalogue tells.
    """
    return min(f"{part.baseline} {part.generated.isoformat() if part.generated else ''}" for part in scene.parts)


def of_history(pasts: Iterable[History], as_of: date, *, besides: Mapping[str, Entry]) -> dict[str, Entry]:
    """Scenes that were considered for the normal, and not looked at for change."""
    found: dict[str, Entry] = {}
    for past in pasts:
        for judged in past.scenes:
            found[judged.scene.scene_id] = _facts(judged.scene, as_of) | decisions(judged) | {"purpose": NORMAL}
        for lost in past.lost:
            state = {"state": "refused" if lost.final else "failed", "why": lost.why, "purpose": NORMAL}
            found[lost.scene.scene_id] = _facts(lost.scene, as_of) | state
    return {scene_id: entry for scene_id, entry in sorted(found.items()) if scene_id not in besides}


def listed_again(scenes: Iterable[Scene], ledger: Mapping[str, Entry]) -> dict[str, Entry]:
    """Entries of used scenes that are now listed under more items: kept, so that everything is known, not looked at."""
    changed = {}
    for scene in scenes:
        entry = ledger.get(scene.scene_id, {})
        listed = sorted({tuple(item) for item in entry.get("listed", ())} | set(scene.listed))
        if entry.get("state") == "used" and len(listed) > len(entry.get("listed", ())):
            items = sorted({*entry["items"], *scene.item_ids})
            changed[scene.scene_id] = entry | {"items": items, "listed": [list(item) for item in listed]}
    return changed


def _facts(scene: Scene, as_of: date) -> Entry:
    return {
        "sensed": scene.sensed.isoformat(),
        "mgrs": scene.granule.mgrs,
        "platform": scene.platform,
        "relative_orbit": scene.relative_orbit,
        "items": list(scene.item_ids),
        "listed": [list(item) for item in scene.listed],
        "revision": scene.revision,
        "night": as_of.isoformat(),
        "cloud_pct": scene.cloud_pct,
    }
