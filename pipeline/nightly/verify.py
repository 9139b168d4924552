"""Verifying: does an evidence pack still say what its alert says, and does the model say it again?

In: a home and the id of an alert. Out: what agrees and what differs, a line each. Changes nothing, reads no scene.

What is compared: each file with the manifest, and the manifest with the night's `run.json`; the record of the alert
with its GeoJSON; the model with the one that was used; each look's probabilities with those that the model gives again
(within the pack's tolerance); the marks with those that the evidence before tonight and tonight's looks give again; and
the alert's kind, shape, sizes and confidence with those that the marks give again.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import card
from pipeline.detect import detector
from pipeline.detect.detector import Detector
from pipeline.errors import InputError, ModelError, VanwatchError
from pipeline.nightly import packing, rebuild
from pipeline.nightly.rebuild import Opened, OpenedPart
from pipeline.publish import geojson, packs

_MARK_TOLERANCE = 1e-4
_DAMAGED = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What other values than a pack's own may lead to, whoever has written them."""
_FIGURES = ("area_m2", "length_m", "width_m", "confidence", "hits", "looks", "z", "log_odds")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was compared."""

    what: str
    agrees: bool | None
    """None where nothing was compared: a remark."""
    text: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of verifying one alert."""

    alert_id: str
    night: str
    pack: str
    """Its folder."""
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 all the same, 1 something differs."""
        return 1 if any(finding.agrees is False for finding in self.findings) else 0


def verify(out: Path, alert_id: str, *, weights: Path, night: date | None = None, model: str = "") -> Verification:
    """Rebuild an alert from its pack and compare.

    Args:
        out: folder of all nights.
        alert_id: the alert.
        weights: folder of the models.
        night: whose pack; None for the newest.
        model: folder of the model that was used, if it no longer is where the profile says.

    Raises:
        InputError: there is no such alert, or no pack of it.
    """
    folder = find(out, alert_id, night)
    findings = [*_files(folder)]
    try:
        pack = rebuild.opened(folder)
        findings += _record(pack, alert_id)
        runs, told = _model(pack, weights, model)
        findings += told
        for part in pack.parts:
            findings += _part(pack, part, runs)
        findings += _figures(pack)
        findings += _code(pack)
    except VanwatchError as err:  # a pack so damaged that it cannot be opened: said like any other difference
        findings.append(Finding("pack", False, str(err)))
    except _DAMAGED as err:
        findings.append(Finding("pack", False, f"{folder}: damaged ({err!r:.120}); restore it from a backup"))
    return Verification(alert_id, folder.parents[2].name, str(folder), tuple(findings))


def find(out: Path, alert_id: str, night: date | None = None) -> Path:
    """The folder of an alert's newest pack, or of the one of a night.

    Raises:
        InputError: there is none.
    """
    known = re.fullmatch(r"VW-[A-Z2-7]{8}", alert_id)
    found = sorted(out.glob(f"[0-9]*/*/evidence/{alert_id}")) if known else []
    wanted = [path for path in found if night is None or path.parents[2].name == night.isoformat()]
    if wanted:
        return max(wanted, key=lambda path: path.parents[2].name)
    if found:
        nights = ", ".join(path.parents[2].name for path in found)
        raise InputError(f"{alert_id}: no pack of the night of {night} in {out}; there are those of {nights}")
    raise InputError(
        f"{alert_id}: no evidence pack in {out}; an alert has one from the night on which it is new, grows or is "
        "confirmed; check the id and --home"
    )


def _files(folder: Path) -> Iterator[Finding]:
    try:
        lines = packs.differences(folder)
        total = packs.count(folder)
    except VanwatchError as err:
        yield Finding("manifest", False, str(err))
        return
    yield Finding("files", not lines, f"{total - _damaged(lines)} of {total} are as the manifest says")
    for line in lines:
        yield Finding("file", False, line)
    run = folder.parents[1] / "run.json"
    try:
        told = packs.read_values(run)["packs"][folder.name] if run.is_file() else None
    except (VanwatchError, LookupError, TypeError):
        told = None
    if told is None:
        yield Finding("manifest", None, "no run.json beside the pack says what its fingerprint was")
    else:
        same = told == packs.sha256(folder / packs.MANIFEST)
        yield Finding("manifest", same, "is the one of run.json" if same else "is another one than run.json says")


def _damaged(lines: tuple[str, ...]) -> int:
    return sum(not line.endswith("is not in the manifest") for line in lines)


def _record(pack: Opened, alert_id: str) -> Iterator[Finding]:
    told = {"alert_id": pack.alert.alert_id, "aoi": pack.alert.aoi, "model": pack.alert.model}
    meant = {"alert_id": alert_id, "aoi": pack.facts["aoi"], "model": pack.facts["model"]["model_id"]}
    wrong = [f"{name} {told[name]} instead of {meant[name]}" for name in told if told[name] != meant[name]]
    yield Finding("record", not wrong, "; ".join(wrong) or f"is of {alert_id}, {pack.alert.detection.kind}")
    shown = (pack.folder / "alert.geojson").read_text(encoding="utf-8")
    same = shown == geojson.render([pack.alert])
    yield Finding("GeoJSON", same, "says what the record says" if same else "does not say what the record says")


def _model(pack: Opened, weights: Path, model: str) -> tuple[Detector | None, list[Finding]]:
    """The model that was used, if it is here."""
    used = pack.facts["model"]
    folder = Path(model).absolute() if model else card.folder_of(used["name"], weights)
    try:
        known = card.read_card(folder / "card.json")
        if known.sha256 != used["weights_sha256"]:
            text = f"{folder} holds {known.model_id}, {used['model_id']} was used; name its folder with --model"
            return None, [Finding("model", False, text)]
        found = detector.Detector.load(str(folder))
    except (ModelError, OSError, ValueError) as err:
        return None, [Finding("model", False, f"{used['model_id']} was used: {err}")]
    findings = [Finding("model", True, f"{used['model_id']}, sha256 {used['weights_sha256'][:12]}...")]
    if packs.sha256(folder / "card.json") != used["card_sha256"]:
        findings.append(Finding("model card", False, f"{folder / 'card.json'} is another one than the one used"))
    return found, findings


def _part(pack: Opened, part: OpenedPart, runs: Detector | None) -> Iterator[Finding]:
    for number, look in enumerate(part.looks, start=1):
        if runs is not None:
            yield _probability(pack, part, number, runs, f"look {look['scene_id']}")
    if not part.looks:
        yield Finding(f"marks on {part.granule.mgrs}", None, "were not seen by tonight's looks, and are taken as given")
        return
    yield _marks(part, rebuild.marks(pack, part))


def _probability(pack: Opened, part: OpenedPart, number: int, runs: Detector, what: str) -> Finding:
    told, again = part.probability(number)[:, part.own], rebuild.probability(part, number, runs)[:, part.own]
    if (np.isnan(told) != np.isnan(again)).any():
        return Finding(what, False, "other pixels are observed than the pack says")
    apart = float(np.nanmax(np.abs(told.astype(np.float64) - again)))
    limit = float(pack.facts["tolerance"])
    text = f"probabilities differ by {apart:.6f} at most, allowed are {limit:.6f}, on {told.shape[1]} pixels"
    return Finding(what, apart <= limit, text)


def _marks(part: OpenedPart, again: NDArray[np.void]) -> Finding:
    at = part.marks["row"] - part.window.row, part.marks["col"] - part.window.col
    told = part.marks[part.own[at]]
    what, total = f"marks on {part.granule.mgrs}", len(part.marks)
    places = [{tuple(int(mark[n]) for n in ("row", "col", "kind")) for mark in marks} for marks in (told, again)]
    if places[0] != places[1]:
        lost, new = len(places[0] - places[1]), len(places[1] - places[0])
        return Finding(what, False, f"{lost} of {total} are not made again, and {new} others are")
    wrong = [name for name in told.dtype.names or () if not _close(told[name], again[name])]
    given = f"; {total - len(told)} were not seen tonight and are taken as given" if total > len(told) else ""
    if wrong:
        return Finding(what, False, f"have another {', '.join(wrong)} when made again")
    return Finding(what, True, f"{len(told)} of {total} made again from the evidence before and tonight's looks{given}")


def _close(one: Any, other: Any) -> bool:
    return bool(np.allclose(one, other, rtol=0, atol=_MARK_TOLERANCE, equal_nan=True))


def _figures(pack: Opened) -> Iterator[Finding]:
    """The alert's own figures, from the marks."""
    told, again = pack.alert.detection, rebuild.detection(pack)
    if again is None:
        yield Finding("shape", False, f"the marks make no {told.kind} where the alert lies")
        return
    apart = told.footprint.symmetric_difference(again.footprint).area
    same = apart <= 1e-6 * told.footprint.area and told.geometry.equals_exact(again.geometry, 1e-7)
    yield Finding("shape", same, "is the one that the marks make" if same else "is not the one that the marks make")
    for name in _FIGURES:
        one, other = getattr(told, name), getattr(again, name)
        if one or other:
            both = _close(one, other)
            text = f"{_shown(one)}" if both else f"{_shown(one)} in the record, {_shown(other)} made again"
            yield Finding(name, both, text)
    both = _close(told.probabilities, again.probabilities)
    yield Finding("p_clearing, p_camp, p_track", both, ", ".join(_shown(value) for value in told.probabilities))
    yield _dates(pack, again.first_seen, again.last_seen)
    yield _scenes(pack)


def _dates(pack: Opened, first: date, last: date) -> Finding:
    """Looks of earlier nights may have made the event older than tonight's marks tell, never younger."""
    told = pack.alert.detection
    fits = told.first_seen <= first and told.last_seen >= last
    shown = f"{told.first_seen} to {told.last_seen}"
    return Finding("dates", fits, shown if fits else f"{shown} in the record, {first} to {last} made again")


def _scenes(pack: Opened) -> Finding:
    told = pack.alert.detection
    looks = [look for part in pack.parts if part.granule.mgrs == told.mgrs for look in part.looks]
    shown = {look["scene_id"] for look in looks if told.first_seen <= rebuild.day_of(look) <= told.last_seen}
    missing = sorted(shown - set(pack.alert.after_scenes))
    text = f"lacks {', '.join(missing)}" if missing else f"names the {len(shown)} looks that may have shown it"
    return Finding("after_scenes", not missing, text)


def _code(pack: Opened) -> Iterator[Finding]:
    """Another version may well say the same: a remark, no difference."""
    used, here = pack.facts["code"], packing.versions()
    others = {name: version for name, version in used["packages"].items() if here["packages"].get(name) != version}
    told = [f"vanwatch {used['vanwatch']}"] if used["source_sha256"] != here["source_sha256"] else []
    told += [f"{name} {version}" for name, version in sorted(others.items())]
    if told:
        yield Finding("code", None, f"made by other code than is here: {', '.join(told)}")
    else:
        yield Finding("code", None, f"made by the code that is here, vanwatch {used['vanwatch']}")


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else "unknown" if math.isnan(value) else f"{value:.4f}"
