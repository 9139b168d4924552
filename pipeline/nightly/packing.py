"""Packing: tonight's evidence packs, from what the tiles' tasks kept of what the network saw.

In: the alerts that are to have a pack, and the tiles' answers. Out: a folder per alert. No scene is read.

A pack holds all that `verify` needs to make its detection again: the normal and tonight's looks around the alert, with
the network's halo and without loss; the evidence before tonight; the marks after it; and the profile. What earlier
nights saw is in the packs of those nights.
"""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import shapely

import models
import pipeline
from models.card import ModelCard, folder_of
from pipeline import grid
from pipeline.alerts import record
from pipeline.depot import Folder
from pipeline.nightly import crops, parts
from pipeline.nightly.parts import Part, Table
from pipeline.nightly.plan import Desk, Plan
from pipeline.nightly.task import TileAnswer
from pipeline.publish import chips, geojson, packs
from pipeline.schema import KINDS, Alert, Inspected, Reason, Status
from pipeline.sensors import BANDS

FORMAT = 1
PACKAGES = ("numpy", "onnxruntime", "rasterio", "scikit-image", "shapely", "torch", "xarray")
TOLERANCES = {"cpu": 1 / 1024, "gpu": 1 / 128}
"""Probabilities made again may differ by so much: another machine adds up in another order. A GPU works in half
precision, which on a CPU, on real clear-cuts, came out 0.004 apart at the most."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a night's packs come from."""

    desk: Desk
    plan: Plan
    answers: tuple[TileAnswer, ...]
    card: ModelCard
    weights: Path
    """Folder of the model cards and weights."""


def chosen(alerts: Sequence[Alert], before: Sequence[Alert], *, most: int) -> tuple[Alert, ...]:
    """The open alerts that are new, grown or confirmed tonight, confirmed ones and the surest first.

    Args:
        alerts: all alerts of tonight.
        before: all alerts of the night before.
        most: so many at most.
    """
    opened, changed = (Status.POSSIBLE, Status.CONFIRMED), geojson.changed(alerts, before)
    found = [alert for alert in alerts if alert.alert_id in changed and alert.status in opened]
    ranked = sorted(found, key=lambda a: (a.status != Status.CONFIRMED, -a.detection.confidence, a.alert_id))
    return tuple(ranked[:most])


def write(sources: Sources, alerts: Sequence[Alert], folder: Path) -> dict[str, str]:
    """Write the packs of some alerts.

    Args:
        sources: the night.
        alerts: from `chosen`.
        folder: a folder of each alert's own is made in it.

    Returns:
        Alert id to the SHA-256 of its pack's manifest. An alert that tonight's looks have not seen has none.

    Raises:
        WriteError: the disk is full, or the folder cannot be written to.
    """
    if not alerts:
        return {}
    tables = [_table(sources, here) for here in sorted({answer.tile.granule for answer in sources.answers})]
    made = {}
    for alert in sorted(alerts, key=lambda alert: alert.alert_id):
        found = [part for table in tables if (part := parts.around(alert, table)) is not None]
        if any(part.looks for part in found):
            made[alert.alert_id] = _write_one(sources, alert, found, folder / alert.alert_id)
    return made


@lru_cache(maxsize=1)
def versions() -> Mapping[str, Any]:
    """What the code was that ran."""
    return {
        "vanwatch": pipeline.__version__,
        "source_sha256": source_sha256(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


@lru_cache(maxsize=1)
def source_sha256() -> str:
    """Fingerprint of all modules of this project, as installed."""
    digest = hashlib.sha256()
    for package in (pipeline, models):
        root = Path(package.__file__ or "").parent
        for path in sorted(root.rglob("*.py")):
            name = f"{root.name}/{path.relative_to(root).as_posix()}"
            digest.update(f"{name}\0{packs.sha256(path)}\n".encode())
    return digest.hexdigest()


def _table(sources: Sources, here: grid.Granule) -> Table:
    mine = [answer for answer in sources.answers if answer.tile.granule == here]
    marks = np.sort(np.concatenate([answer.marks for answer in mine]), order=["kind", "row", "col"])
    return Table(
        granule=here,
        marks=marks,
        group=crops.groups(marks),
        crops=tuple(crop for answer in mine for crop in answer.crops),
        halo_px=sources.card.halo_px,
        seam=grid.union(tile.area for tile in sources.plan.tiles if tile.granule == here).boundary,
        scenes=tuple(inspected.scene.scene_id for inspected in sources.plan.new.get(here, ())),
        normal_scenes=tuple(sorted({scene for answer in mine for scene in answer.normal_scenes})),
    )


def _write_one(sources: Sources, alert: Alert, found: list[Part], folder: Path) -> str:
    facts = _facts(sources, alert) | {"parts": {part.granule.mgrs: _part_facts(part, sources) for part in found}}
    for part in found:
        _write_part(part, folder / part.granule.mgrs)
    main = max(found, key=lambda part: (len(part.looks) > 0, len(part.marks), part.granule.mgrs))
    shown = _shown(main)
    pictures = {"before": ("normal", main.normal[: len(BANDS)])}
    if shown:
        pictures["after"] = (f"look_{shown}", main.looks[shown - 1].layers["reflectance"])
    for name, (_, reflectance) in pictures.items():
        (folder / f"{name}.png").write_bytes(chips.png(chips.true_colour(reflectance)))
    facts["chips"] = {name: f"{main.granule.mgrs}/{source}.tif" for name, (source, _) in pictures.items()}
    packs.write_values(folder / "facts.json", facts | {"stretch": chips.STRETCH})
    packs.write_values(folder / "alert.json", record.to_record(alert))
    (folder / "alert.geojson").write_text(geojson.render([alert]), encoding="utf-8", newline="\n")
    return packs.seal(folder)


def _shown(part: Part) -> int:
    """Number of the newest look that shows most of the marks; else of the one that shows most of them; 0 for none."""
    at = part.marks["row"] - part.window.row, part.marks["col"] - part.window.col
    clear = [float((look.layers["reason"][at] == Reason.CLEAR).mean()) for look in part.looks]
    good = [number for number, share in enumerate(clear, start=1) if share > 0.5]
    return good[-1] if good else int(np.argmax(clear)) + 1 if clear else 0


def _facts(sources: Sources, alert: Alert) -> dict[str, Any]:
    profile = sources.desk.aoi.profile
    card = folder_of(profile.detect.model, sources.weights) / "card.json"
    return {
        "format": FORMAT,
        "alert_id": alert.alert_id,
        "aoi": alert.aoi,
        "as_of": sources.desk.as_of.isoformat(),
        "code": versions(),
        "model": {
            "name": profile.detect.model,
            "model_id": sources.card.model_id,
            "weights_sha256": sources.card.sha256,
            "card_sha256": packs.sha256(card),
            "thresholds": list(profile.rules.thresholds(sources.card.thresholds)),
        },
        "profile": json.loads(profile.model_dump_json(by_alias=True)),
        "reasons": {str(int(reason)): reason.name.lower() for reason in Reason},
        "tolerance": TOLERANCES[profile.detect.device],
    }


def _part_facts(part: Part, sources: Sources) -> dict[str, Any]:
    window = part.window
    judged = {item.scene.scene_id: item for item in sources.plan.new.get(part.granule, ())}
    looks = [_scene_facts(judged[look.scene_id]) | {"files": number} for number, look in enumerate(part.looks, start=1)]
    return {
        "window": [window.row, window.col, window.height, window.width],
        "halo_px": part.halo_px,
        "normal": {"anchor": sources.plan.anchor.isoformat(), "scenes": list(part.normal_scenes)},
        "looks": looks,
        "unseen": list(part.unseen),
        "seam": shapely.to_wkb(part.seam, hex=True),
    }


def _scene_facts(inspected: Inspected) -> dict[str, Any]:
    """What was decided about a scene, and where it came from."""
    scene, shift = inspected.scene, inspected.shift
    return {
        "scene_id": scene.scene_id,
        "revision": scene.revision,
        "sensed": scene.sensed.isoformat(),
        "published": scene.published.isoformat() if scene.published else None,
        "platform": scene.platform,
        "relative_orbit": scene.relative_orbit,
        "cloud_pct": scene.cloud_pct,
        "item_ids": list(scene.item_ids),
        "parts": [
            {
                "item_id": part.item_id,
                "catalog": part.catalog,
                "collection": part.collection,
                "datastrip": part.datastrip,
                "baseline": part.baseline,
                "generated": part.generated.isoformat() if part.generated else None,
                "offset": {"dn": offset.dn, "method": offset.method, "evidence": offset.evidence},
            }
            for part, offset in zip(scene.parts, inspected.offsets, strict=True)
        ],
        "shift": {
            "row_px": shift.row_px,
            "col_px": shift.col_px,
            "corrected": shift.corrected,
            "measured": shift.measured,
            "evidence": shift.evidence,
        },
    }


def _write_part(part: Part, folder: Path) -> None:
    place = packs.Grid(part.granule.epsg, part.granule.transform(part.window))
    packs.write_raster(folder / "normal.tif", part.normal, (*BANDS, *(f"spread of {name}" for name in BANDS)), place)
    kept: dict[str, Any] = {"own": part.own, "marks": part.marks}
    kept |= {f"before.{name}": values for name, values in part.before.items()}
    for number, look in enumerate(part.looks, start=1):
        layers = dict(look.layers)
        packs.write_raster(folder / f"look_{number}.tif", layers.pop("reflectance"), BANDS, place)
        packs.write_raster(folder / f"mask_{number}.tif", layers.pop("reason")[None], ("reason",), place)
        packs.write_raster(folder / f"probability_{number}.tif", layers.pop("probability"), KINDS, place)
        kept |= {f"{number}.{name}": values for name, values in layers.items()}
    with Folder(folder).writing("evidence.npz") as handle:
        np.savez_compressed(handle, **kept)
