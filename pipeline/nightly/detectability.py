"""How small a change would be found in an AOI: changes planted in its own looks, on a night apart from the live state.

In: a home, an AOI, a date. Out: a `Report`. Scenes, normals and looks come about as on a night of this date on which
nothing was kept from earlier ones.
"""

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from pipeline import config
from pipeline.alerts import detections
from pipeline.aoi import Aoi
from pipeline.depot import Folder
from pipeline.errors import ReadError, SceneError
from pipeline.evaluate import detectability
from pipeline.evaluate.detectability import Quiet, Report
from pipeline.grid import Tile
from pipeline.learn.planting import Wish
from pipeline.nightly import deliver, injected, plan, ready, state, watched, workers
from pipeline.nightly.injected import PlantAnswer, PlantJob
from pipeline.nightly.plan import Desk, Plan
from pipeline.nightly.run import Home
from pipeline.nightly.task import TileJob
from pipeline.nightly.workers import Workers
from pipeline.schema import KINDS


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say."""

    catalog: str = ""
    """Name, URL or file to use in place of the profile's catalogues."""
    model: str = ""
    """Model in place of the profile's."""
    seed: int = 1
    changes: int = 60
    """Planted per kind and class of size."""
    max_tiles: int = 16
    """Of larger AOIs so many tiles are drawn."""
    workers: int | None = None
    """Processes on this machine; 0 for none, None for one per core."""


def measure(place: Home, name: str, as_of: date, options: Options) -> Report:
    """Plant changes in an AOI's looks and count which are found.

    Args:
        place: nothing but a scratch folder in `out`, which is removed, is written.
        name: id in `aoi/`, or path of a GeoJSON file.
        as_of: the night.
        options: catalogue, model, seed and sizes.

    Raises:
        ConfigError: the AOI, its profile or its model is wrong.
        CatalogError: no catalogue answered.
        SceneError: no look of the night is clear.
        ReadError: no tile could be read.
    """
    aoi = _with_model(watched.aois(place.aois, place.configs, [name])[0], options.model)
    catalogs = watched.catalogs(place.configs, aoi, options.catalog)
    deliver.check_model(place.weights, aoi)
    ready.check_here(aoi)
    place.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=place.out) as folder:
        scratch = Path(folder)
        with workers.connect(None, workers=options.workers, scratch=scratch) as crew:
            desk = Desk(aoi, as_of, catalogs, state.Store(Folder(scratch / "state")), scratch, crew)
            return _report(place, desk, options, crew)


def _with_model(aoi: Aoi, model: str) -> Aoi:
    if not model:
        return aoi
    return replace(
        aoi, profile=aoi.profile.model_copy(update={"detect": aoi.profile.detect.model_copy(update={"model": model})})
    )


def _report(place: Home, desk: Desk, options: Options, crew: Workers) -> Report:
    tonight = plan.make(desk, state.Manifest())
    rng = np.random.default_rng(options.seed)
    tiles = _drawn(tonight.tiles, options.max_tiles, rng)
    shares = _shared_out(_wishes(options.changes, rng), tiles, rng)
    looks = desk.aoi.profile.evidence.confirm_looks
    jobs = [
        PlantJob(_tile_job(tile, place.weights, desk, tonight), wishes, looks, options.seed)
        for tile, wishes in zip(tiles, shares, strict=True)
    ]
    outcomes = crew.run(injected.run, jobs, label=f"{desk.aoi.id}: planted tiles")
    done = [(o.job.tile.tile, o.result) for o in outcomes if o.result is not None]
    failed = tuple(f"tile {o.job.tile.tile.key}: {o.error}" for o in outcomes if o.result is None)
    if failed and not done:
        raise ReadError(f"{desk.aoi.id}: no tile could be read; the first: {failed[0]}")
    trials = tuple(trial for _, answer in done for trial in answer.trials)
    if not trials:
        raise SceneError(
            f"{desk.aoi.id}: no change could be planted: none of the looks up to {desk.as_of} is clear over half of a "
            "tile; name another night with --as-of, or a longer search.window_days in the profile"
        )
    most = max(len(trial.found) for trial in trials)
    rules, card = desk.aoi.profile.rules, deliver.card_of(place.weights, desk.aoi)
    return Report(
        aoi=desk.aoi.id,
        as_of=desk.as_of.isoformat(),
        model=card.model_id,
        seed=options.seed,
        looks=most,
        scenes=tuple(sorted({scene for _, answer in done for scene in answer.scenes})),
        tiles=len(done),
        tiles_of_aoi=len(tonight.tiles),
        min_area_ha={kind: getattr(rules, kind).min_area_m2 / 1e4 for kind in KINDS},
        min_length_m=rules.track.min_length_m,
        thresholds=dict(zip(KINDS, rules.thresholds(card.thresholds), strict=True)),
        unplaced=sum(map(len, shares)) - len(trials),
        failed=failed,
        problems=tonight.problems,
        groups=detectability.groups(trials, looks=sorted({1, most})),
        rates=tuple(detectability.rate(item) for item in _quiet(done, rules, most)),
        trials=trials,
    )


def _drawn(tiles: Sequence[Tile], most: int, rng: np.random.Generator) -> list[Tile]:
    """Some tiles, or all, in order."""
    numbers = np.sort(rng.permutation(len(tiles))[:most])
    return [tiles[number] for number in numbers]


def _wishes(count: int, rng: np.random.Generator) -> list[Wish]:
    """The same number of changes in each class of size, evenly spread on a log scale."""
    made = []
    for kind, edges in detectability.SIZES.items():
        for low, high in itertools.pairwise(edges):
            sizes = np.exp(rng.uniform(np.log(low), np.log(high), count))
            made += [Wish(kind, float(size)) for size in sizes]
    return made


def _shared_out(wishes: Sequence[Wish], tiles: Sequence[Tile], rng: np.random.Generator) -> list[tuple[Wish, ...]]:
    """Wishes per tile, by the area that a tile answers for."""
    if not tiles:
        return []
    areas = np.array([tile.area.area for tile in tiles])
    owner = rng.choice(len(tiles), len(wishes), p=areas / areas.sum())
    return [tuple(w for w, mine in zip(wishes, owner, strict=True) if mine == number) for number in range(len(tiles))]


def _tile_job(tile: Tile, weights: Path, desk: Desk, tonight: Plan) -> TileJob:
    return TileJob(
        tile=tile,
        profile=desk.aoi.profile,
        as_of=desk.as_of,
        anchor=tonight.anchor,
        history=tonight.history.get(tile.granule, ()),
        new=tonight.new.get(tile.granule, ()),
        weights=weights,
        store=desk.store,
        scratch=desk.scratch,
        crops=desk.crops,
        before="",
    )


def _quiet(done: Sequence[tuple[Tile, PlantAnswer]], rules: config.Rules, most: int) -> list[Quiet]:
    """Alerts where nothing was planted: per look alone, and after all looks."""
    counted = []
    for looks in sorted({1, most}):
        parts = [(tile, item) for tile, answer in done for item in answer.standing if item.looks == looks]
        km2 = sum(item.km2 for _, item in parts)
        alerts = dict.fromkeys(KINDS, 0)
        for granule, slot in sorted({(tile.granule, item.slot) for tile, item in parts}):
            mine = [item.marks for tile, item in parts if (tile.granule, item.slot) == (granule, slot)]
            for found in detections.find(np.concatenate(mine), granule, rules):
                alerts[found.kind] += 1
        counted += [Quiet(kind, looks, alerts[kind], km2) for kind in KINDS]
    return counted
