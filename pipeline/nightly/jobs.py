"""Jobs: what each tile of a night is asked, and what its outcome says of the scenes that it was to read.

In: a desk, its plan and what the night before left; later the outcomes. Out: one `TileJob` a tile, and the ledger with
the reads that failed and what the others missed. Runs no job and reads no pixel.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.alerts import record
from pipeline.grid import Tile
from pipeline.nightly import deliver, evict, grounds, state
from pipeline.nightly.plan import Desk, Plan
from pipeline.nightly.task import TileAnswer, TileJob
from pipeline.nightly.workers import Outcome
from pipeline.scenes import blocks
from pipeline.schema import Inspected, Reason

_CLEAR = Reason.CLEAR.name.lower()


def make(desk: Desk, tonight: Plan, before: state.Manifest, *, attempt: int, weights: Path) -> list[TileJob]:
    """One job for each tile of the plan, in its order.

    Args:
        desk: where the night works.
        tonight: its plan.
        before: what the night before left.
        attempt: which try of this night it is: each writes arrays of its own.
        weights: folder of the models; workers that share no folder with this process have their own.
    """
    known = [record.from_record(values) for values in before.alerts]
    places = grounds.places(grounds.overdue(known, desk.as_of, desk.aoi.profile.evidence), tonight.tiles)
    return [
        TileJob(
            tile=tile,
            profile=desk.aoi.profile,
            as_of=desk.as_of,
            anchor=tonight.anchor,
            history=tonight.history.get(tile.granule, ()),
            new=_scenes_for(tile, tonight, before),
            weights=None if desk.apart else weights,
            store=desk.store,
            scratch=desk.tasks_scratch,
            crops=desk.crops,
            before=before.tiles.get(tile.key, ""),
            places=places.get(tile.key, ()),
            attempt=attempt,
            again=tuple(sorted(day for granule, day in tonight.again if granule == tile.granule)),
        )
        for tile in tonight.tiles
    ]


def eviction(desk: Desk, jobs: Sequence[TileJob], *, weights: Path) -> evict.Eviction:
    """Lets go of decoded blocks as these jobs are done, where their tasks keep them in the desk's scratch folder.

    Raises:
        ModelError: there is no card of the model, or it is wrong.
    """
    store = blocks.BlockStore(desk.scratch, desk.aoi.profile.read)
    return evict.Eviction(jobs, store, halo_px=deliver.card_of(weights, desk.aoi).halo_px)


def _scenes_for(tile: Tile, tonight: Plan, before: state.Manifest) -> tuple[Inspected, ...]:
    """Tonight's scenes; of those that are tried again, only the tiles that had failed, unless the day is forgotten."""
    chosen = []
    for inspected in tonight.new.get(tile.granule, ()):
        earlier = _tried_again(inspected, tonight, before)
        if earlier is None or tile.key in earlier:
            chosen.append(inspected)
    return tuple(chosen)


def _tried_again(inspected: Inspected, tonight: Plan, before: state.Manifest) -> Sequence[str] | None:
    """The tiles on which a scene had failed, where tonight goes on with it; None where it is looked at as a whole."""
    scene = inspected.scene
    if (scene.granule, scene.sensed.date()) in tonight.again:
        return None
    return before.ledger.get(scene.scene_id, {}).get("failed_tiles")


def with_outcomes(
    tonight: Plan, before: state.Manifest, outcomes: Sequence[Outcome[TileJob, TileAnswer]]
) -> dict[str, dict[str, Any]]:
    """The ledger, with tiles whose read failed, which are tried again on the next nights, and what a scene missed."""
    ledger = {key: {k: v for k, v in entry.items() if k != "failed_tiles"} for key, entry in tonight.ledger.items()}
    missed: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        for inspected in outcome.job.new:
            key = inspected.scene.scene_id
            if key not in missed:
                earlier = _tried_again(inspected, tonight, before)
                missed[key] = Counter(before.ledger[key].get("missed", {}) if earlier is not None else {})
            if outcome.result is None or key in outcome.result.unread:
                ledger[key].setdefault("failed_tiles", []).append(outcome.job.tile.key)
                ledger[key]["state"] = "partly"
            else:
                seen = outcome.result.seen.get(key, {})
                missed[key].update({reason: pixels for reason, pixels in seen.items() if reason != _CLEAR})
    for key, pixels in missed.items():
        ledger[key]["missed"] = dict(sorted(pixels.items()))
    return ledger


def unread(ledger: dict[str, dict[str, Any]], as_of: date) -> tuple[str, ...]:
    """Scenes of tonight that could not be read at all or in part."""
    return tuple(
        f"scene {key}: {entry.get('why') or 'read failed on ' + ', '.join(entry.get('failed_tiles', []))}"
        for key, entry in sorted(ledger.items())
        if entry["night"] == as_of.isoformat() and entry["state"] in ("failed", "partly")
    )
