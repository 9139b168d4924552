"""From the tiles' answers to alerts and files: once per AOI, after all tiles.

In: a `Night`. Out: the published folder, the manifest to commit, and counts. Everything is written aside and swapped
in whole.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.card import ModelCard, folder_of, read_card
from pipeline import context, disk, grid, watch
from pipeline.alerts import detections, link, merge, record, verdicts
from pipeline.alerts.verdicts import Said
from pipeline.aoi import Aoi
from pipeline.context import Feature
from pipeline.detect import opinion
from pipeline.errors import ConfigError, ModelError
from pipeline.ledger.manifest import News, Outlook
from pipeline.ledger.overpasses import Overpass
from pipeline.ledger.rows import LOOK
from pipeline.nightly import grounds, mosaics, news, packing, pages, state
from pipeline.nightly.plan import Desk, Plan
from pipeline.nightly.readings import Readings
from pipeline.nightly.task import TileAnswer
from pipeline.publish import again, cogs, geojson, items, night, surroundings
from pipeline.publish import verdicts as edited
from pipeline.schema import Alert, Detection, Status

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Night:
    """What a night has found, before it is published."""

    desk: Desk
    plan: Plan
    answers: tuple[TileAnswer, ...]
    failed: tuple[str, ...]
    before: state.Manifest
    said: tuple[Said, ...]
    """Verdicts that count tonight."""
    seconds: dict[str, float]
    outlook: Outlook = field(default_factory=Outlook)
    """How well the AOI is seen."""
    overpasses: tuple[Overpass, ...] = ()
    """The next expected ones."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a night."""

    folder: Path
    after: state.Manifest
    """To be committed."""
    counts: dict[str, int]
    """For people."""
    news: tuple[News, ...]
    """Of its alerts."""


def check_model(weights: Path, aoi: Aoi) -> None:
    """Refuse a model that cannot be used, or whose terms forbid what the profile is for.

    Raises:
        ConfigError: card or weights are missing or wrong, the terms forbid the use, or the opinion on clouds that is
            asked cannot be had.
    """
    watch.check_card(aoi.profile, source=str(aoi.path), weights=weights)
    try:
        opinion.check(aoi.profile.evidence)
    except ConfigError as err:
        raise ConfigError(f"{aoi.path}: {err}") from err


def land_of(aoi: Aoi) -> tuple[Feature, ...]:
    """What is known about the land in and around an AOI.

    Raises:
        ConfigError: a layer that the profile names is missing or wrong.
    """
    return context.load(aoi.profile.context, aoi.configs, aoi.geometry, source=str(aoi.path))


def card_of(weights: Path, aoi: Aoi) -> ModelCard:
    """The card of the model that an AOI's profile names.

    Raises:
        ModelError: there is no such card, or it is wrong.
    """
    path = folder_of(aoi.profile.detect.model, weights) / "card.json"
    try:
        return read_card(path)
    except (OSError, ValueError) as err:
        raise ModelError(f"{aoi.path}: detect.model: {err}") from err


def publish(found: Night, *, out: Path, weights: Path) -> Published:
    """Turn answers into alerts, write every file of the night, and swap them in.

    Args:
        found: the night.
        out: folder of all nights.
        weights: folder of the model cards.

    Raises:
        WriteError: the disk is full, or `out` cannot be written to; what was published before stays.
    """
    aoi = found.desk.aoi
    earlier = tuple(record.from_record(values) for values in found.before.alerts)
    card = card_of(weights, aoi)
    alerts = _alerts(found, verdicts.apply(earlier, found.said), model=card.model_id)
    files_of = found.before.tiles | {answer.tile.key: answer.arrays for answer in found.answers}
    tiles = {tile.key: files_of[tile.key] for tile in found.plan.tiles if tile.key in files_of}
    counts = _counts(found, alerts)
    land = land_of(aoi)
    rated = surroundings.rate(alerts, earlier, land)
    extras = surroundings.extras(rated)
    spare = partial(edited.set_aside, kept=out / edited.EDITED / aoi.id)
    tonight = night.Night(out, found.desk.as_of, aoi.id, spare=spare)
    with cogs.frugal(), disk.writing(out), tonight as files:
        shown = [alert for alert in alerts if alert.status in (Status.POSSIBLE, Status.CONFIRMED)]
        geojson.write(files.folder / "alerts.geojson", shown, extras)
        changes = geojson.changed(alerts, earlier)
        changed = [alert for alert in alerts if alert.alert_id in changes]
        geojson.write(files.folder / "changes.geojson", changed, extras, changes)
        read = Readings.of(shown, found.desk.store, found.before)
        sources = packing.Sources(found.desk, found.plan, found.answers, card, weights)
        drawn = mosaics.write(sources, files.folder, earlier=_earlier(found, out), tiles=tiles, read=read)
        alerts = read.measures.noted(alerts)
        packed = packing.chosen(alerts, earlier, most=aoi.profile.packs.most)
        facts = _run(found, counts) | {
            "packs": packing.write(sources, packed, files.folder / "evidence"),
            again.ENTRY: drawn,
        }
        pages.write(
            files.folder,
            pages.Told(found.desk.aoi, found.desk.as_of, alerts, earlier, rated, facts, land, found.plan.uncovered),
            read.series.points(),
            found.plan.ledger,
        )
        items.write(files.folder, facts, found.plan.tiles, model=card.model_id)
        files.write_run(facts, timings=_timings(found))
    after = state.Manifest(
        as_of=found.desk.as_of,
        granules=found.plan.granules,
        ledger=found.plan.ledger,
        alerts=tuple(record.to_record(alert) for alert in alerts),
        tiles=tiles,
    )
    return Published(files.final, after, counts, news.of_alerts(alerts, earlier, rated))


def _earlier(found: Night, out: Path) -> Path | None:
    """Where the night before lies, unless somebody has taken it away."""
    return out / found.before.as_of.isoformat() / found.desk.aoi.id if found.before.as_of else None


def _alerts(found: Night, earlier: tuple[Alert, ...], *, model: str) -> tuple[Alert, ...]:
    """Shapes of every granule, merged where they meet, linked to the alerts of the night before."""
    profile = found.desk.aoi.profile
    shapes: list[Detection] = []
    marks = {}
    for here in sorted({answer.tile.granule for answer in found.answers}):
        mine = np.concatenate([answer.marks for answer in found.answers if answer.tile.granule == here])
        marks[here] = np.sort(mine, order=["kind", "row", "col"])
        seam = grid.union(tile.area for tile in found.plan.tiles if tile.granule == here).boundary
        shapes += detections.find(marks[here], here, profile.rules, seam=seam)
    overdue = grounds.overdue(earlier, found.desk.as_of, profile.evidence)
    asked = grounds.places(overdue, found.plan.tiles)
    tonight = link.Tonight(
        aoi=found.desk.aoi.id,
        as_of=found.desk.as_of,
        model=model,
        before_scenes={answer.tile.granule.mgrs: answer.normal_scenes for answer in found.answers},
        after_scenes={
            here.mgrs: {i.scene.scene_id: i.scene.sensed.date() for i in scenes}
            for here, scenes in found.plan.new.items()
        },
        earlier_scenes=_compared(found.before.ledger),
        cautions=_cautions(found),
        unplaced=frozenset(
            scene_id for scene_id, entry in found.plan.ledger.items() if not entry.get("measured", True)
        ),
        grounds=grounds.judge(overdue, asked, {a.tile.key: a.place_days for a in found.answers}, marks),
    )
    return link.link(merge.merge(shapes, profile.rules), earlier, tonight=tonight, rules=profile.evidence)


def _compared(ledger: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, date]]:
    """MGRS tile to the scenes in which earlier nights looked for change, with their dates."""
    scenes: dict[str, dict[str, date]] = {}
    for scene_id, entry in ledger.items():
        if entry.get("purpose") == LOOK and entry["state"] in ("used", "partly"):
            scenes.setdefault(entry["mgrs"], {})[scene_id] = datetime.fromisoformat(entry["sensed"]).date()
    return scenes


def _cautions(found: Night) -> dict[str, tuple[str, ...]]:
    """Granule to why confidence is lowered there: `season` where most of its normal is of other seasons."""
    totals: dict[str, tuple[int, int]] = {}
    for answer in found.answers:
        mgrs = answer.tile.granule.mgrs
        off, known = totals.get(mgrs, (0, 0))
        totals[mgrs] = (off + answer.off_season[0], known + answer.off_season[1])
    return {mgrs: ("season",) if 2 * off > known else () for mgrs, (off, known) in sorted(totals.items())}


def _counts(found: Night, alerts: tuple[Alert, ...]) -> dict[str, int]:
    tonight = found.desk.as_of.isoformat()
    states = [entry["state"] for entry in found.plan.ledger.values() if entry["night"] == tonight]
    counts = {status.value: sum(alert.status == status for alert in alerts) for status in Status}
    scenes = {f"scenes {name}": states.count(name) for name in ("used", "refused", "waiting", "partly", "failed")}
    return counts | scenes | {"tiles": len(found.answers), "% blind": round(blind_pct(found))}


def _run(found: Night, counts: dict[str, int]) -> dict[str, Any]:
    """The manifest of the night: everything but the timings is the same on every repetition."""
    plan, tonight = found.plan, found.desk.as_of.isoformat()
    return {
        **packing.versions(),
        "aoi": found.desk.aoi.id,
        "name": found.desk.aoi.name,
        "title": found.desk.aoi.profile.title,
        "as_of": tonight,
        "profile": json.loads(found.desk.aoi.profile.model_dump_json(by_alias=True)),
        "catalog": plan.catalog,
        "granules": list(plan.granules),
        "uncovered_km2": round(plan.uncovered_km2, 3),
        "normal": {
            "anchor": plan.anchor.isoformat(),
            "scenes": list(_normal_scenes(found)),
            "caution": {mgrs: list(words) for mgrs, words in _cautions(found).items()},
        },
        "scenes": {key: entry for key, entry in sorted(plan.ledger.items()) if entry["night"] == tonight},
        "seen": _seen(found),
        "blind_pct": blind_pct(found),
        "blindness": _blindness(found),
        "alarms": [alarm.text for alarm in found.outlook.alarms],
        "tiles": sorted(answer.tile.key for answer in found.answers),
        "failed": sorted(found.failed),
        "counts": counts,
    }


def _normal_scenes(found: Night) -> tuple[str, ...]:
    return tuple(sorted({scene for answer in found.answers for scene in answer.normal_scenes}))


def _blindness(found: Night) -> dict[str, Any]:
    seen = found.outlook
    return {
        "half_seen_since": seen.clear_on.isoformat() if seen.clear_on else None,
        "days": seen.blind_days,
        "why": seen.why_blind,
        "newest_scene": seen.newest_scene.isoformat() if seen.newest_scene else None,
        "expected_overpasses": [
            [each.day.isoformat(), each.mgrs, each.platform, each.relative_orbit] for each in found.overpasses
        ],
    }


def blind_pct(found: Night) -> float:
    """Share of the AOI without a clear look for longer than `blind_after_days`.

    Tiles that failed count as blind, and so does what no granule covers.
    """
    covered = sum(int(tile.owned().sum()) for tile in found.plan.tiles)
    total = covered + grid.pixels(found.plan.uncovered_km2)
    lost = total - sum(answer.blind[1] for answer in found.answers)
    return round(100 * (lost + sum(answer.blind[0] for answer in found.answers)) / max(1, total), 1)


def _seen(found: Night) -> dict[str, dict[str, int]]:
    """Pixels of the AOI by reason, scene by scene."""
    total: dict[str, dict[str, int]] = {}
    for answer in found.answers:
        for scene, reasons in answer.seen.items():
            entry = total.setdefault(scene, {})
            for name, count in reasons.items():
                entry[name] = entry.get(name, 0) + count
    return total


def _timings(found: Night) -> dict[str, Any]:
    stages: dict[str, float] = {}
    blocks: dict[str, int] = {}
    for answer in found.answers:
        for name, value in answer.seconds.items():
            stages[name] = stages.get(name, 0.0) + value
        for name, number in answer.blocks.items():
            blocks[name] = blocks.get(name, 0) + number
    rounded = {name: round(value, 3) for name, value in (found.seconds | stages).items()}
    return {"seconds": rounded, "blocks": blocks}
