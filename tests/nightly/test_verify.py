"""Verifying packs of the planted world: all of them agree, and whatever is changed in one is told."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch

from models import card, loading
from pipeline import packed
from pipeline.alerts import record
from pipeline.depot import Folder
from pipeline.errors import InputError
from pipeline.nightly import run, verify
from pipeline.nightly.verify import Verification
from pipeline.publish import geojson, packs
from tests.nightly.planted import World


@pytest.fixture
def out(watched: run.Home, tmp_path: Path) -> Path:
    """Results that a test may change."""
    shutil.copytree(watched.out, tmp_path / "out", symlinks=True)
    return tmp_path / "out"


@pytest.fixture
def pack(out: Path) -> Path:
    """The newest pack of a clearing."""
    found = sorted(out.glob("2*/planted-world/evidence/*"), key=lambda path: (path.parents[2].name, path.name))
    return next(path for path in reversed(found) if record_of(path)["detection"]["kind"] == "clearing")


def record_of(pack: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pack / "alert.json").read_text())
    return found


def verified(out: Path, pack: Path, **more: Any) -> Verification:
    night = date.fromisoformat(pack.parents[2].name)
    return verify.verify(out, pack.name, night=night, **{"weights": run.BUILT_IN_WEIGHTS, **more})


def differing(found: Verification) -> list[str]:
    assert found.exit_code == (1 if any(f.agrees is False for f in found.findings) else 0)
    return [finding.what for finding in found.findings if finding.agrees is False]


def sealed_again(pack: Path) -> None:
    """Whoever changes a pack may well make a new manifest, and change run.json too."""
    told = packs.seal(pack)
    run_json = pack.parents[1] / "run.json"
    values = json.loads(run_json.read_text())
    values["packs"][pack.name] = told
    run_json.write_text(json.dumps(values))


def test_every_pack_agrees_in_everything(out: Path) -> None:
    found = sorted(out.glob("2*/planted-world/evidence/*"))
    assert len(found) >= 4
    for pack in found:
        result = verified(out, pack)
        assert differing(result) == []
        compared = {finding.what for finding in result.findings if finding.agrees}
        assert {"files", "manifest", "record", "GeoJSON", "model", "shape", "area_m2", "confidence"} <= compared
        assert any(what.startswith("look S2") for what in compared)
        assert any(what.startswith("marks on ") for what in compared)


def test_packs_are_made_for_what_is_new_grown_or_confirmed_and_no_other(watched: run.Home) -> None:
    nights = sorted(watched.out.glob("2*/planted-world"))
    carried = 0
    for folder in nights:
        changed = {f["id"] for f in json.loads((folder / "changes.geojson").read_text())["features"]}
        shown = {f["id"] for f in json.loads((folder / "alerts.geojson").read_text())["features"]}
        made = {path.name for path in folder.glob("evidence/*")}
        assert made == changed & shown
        assert set(json.loads((folder / "run.json").read_text())["packs"]) == made
        carried += len(shown - made)
    assert carried


def test_pack_holds_what_an_investigator_asks_for(pack: Path) -> None:
    facts = json.loads((pack / "facts.json").read_text())
    assert (pack / "before.png").is_file()
    assert (pack / "after.png").is_file()
    assert facts["model"]["weights_sha256"] == card.read_card(run.BUILT_IN_WEIGHTS / "vanwatch-s" / "card.json").sha256
    assert facts["profile"]["rules"]["camp"]["min_area_m2"] == 400
    (part,) = facts["parts"].values()
    assert part["normal"]["scenes"]
    look = part["looks"][0]
    assert look["revision"]
    assert look["parts"][0]["offset"]["method"]
    assert look["shift"]["evidence"]


def test_night_again_gives_packs_of_the_same_bytes(
    world: World, watched: run.Home, first_night: run.Home, local: run.Options
) -> None:
    place = first_night
    run.nightly(place, world.nights[0], replace(local, workers=1))
    one, two = (p.out / world.nights[0].isoformat() / "planted-world" / "evidence" for p in (place, watched))
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    assert [name for name in names if (one / name).read_bytes() != (two / name).read_bytes()] == []
    assert names


def test_no_pack_where_the_profile_wants_none(world: World, make_home: Any, local: run.Options) -> None:
    place = make_home(packs={"most": 1})
    run.over(place, world.nights[:1], local)
    assert len(list(place.out.glob("2*/planted-world/evidence/*"))) == 1


@pytest.mark.parametrize(
    "name", ["facts.json", "alert.geojson", "after.png", "*/normal.tif", "*/look_1.tif", "*/evidence.npz"]
)
def test_one_flipped_byte_anywhere_is_told(out: Path, pack: Path, name: str) -> None:
    (path,) = pack.glob(name)
    content = bytearray(path.read_bytes())
    content[2 * len(content) // 3] ^= 0x10
    path.write_bytes(content)
    found = verified(out, pack)
    assert "file" in differing(found)
    assert any(path.name in finding.text for finding in found.findings if finding.agrees is False)


def test_edited_record_is_told_even_where_manifest_and_run_json_were_made_again(out: Path, pack: Path) -> None:
    values = record_of(pack)
    values["detection"] |= {"area_m2": 99_900.0, "confidence": 0.99, "first_seen": "2030-01-01"}
    packs.write_values(pack / "alert.json", values)
    (pack / "alert.geojson").write_text(geojson.render([record.from_record(values)]))
    assert {"file", "area_m2"} <= set(differing(verified(out, pack)))
    sealed_again(pack)
    assert differing(verified(out, pack)) == ["area_m2", "confidence", "dates"]


def test_edited_kind_is_told(out: Path, pack: Path) -> None:
    values = record_of(pack)
    values["detection"]["kind"] = "track"
    packs.write_values(pack / "alert.json", values)
    assert {"GeoJSON", "shape"} <= set(differing(verified(out, pack)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda pack: edit_raster(pack, "look_1.tif"), "look "),
        (lambda pack: edit_raster(pack, "normal.tif"), "look "),
        (lambda pack: edit_raster(pack, "probability_1.tif"), "look "),
        (lambda pack: edit_arrays(pack, "marks", "log_odds"), "marks on "),
    ],
)
def test_edited_pixels_are_told_even_where_the_manifest_was_made_again(
    out: Path, pack: Path, change: Callable[[Path], None], told: str
) -> None:
    change(pack)
    sealed_again(pack)
    assert any(what.startswith(told) for what in differing(verified(out, pack)))


def edit_raster(pack: Path, name: str) -> None:
    import rasterio

    (path,) = pack.glob(f"*/{name}")
    with rasterio.open(path, "r+") as target:
        target.write(target.read() * 0.5)


def edit_arrays(pack: Path, name: str, field: str) -> None:
    (path,) = pack.glob("*/evidence.npz")
    arrays = packed.load(Folder(path.parent), path.name)
    arrays[name][field] += 1
    np.savez_compressed(path, **arrays)


def test_marks_of_a_pack_that_was_written_before_they_told_of_clouds_are_made_again(out: Path, pack: Path) -> None:
    (path,) = pack.glob("*/evidence.npz")
    kept = packed.load(Folder(path.parent), path.name)
    names = [name for name in kept["marks"].dtype.names if name != "beside_cloud"]
    fields = [(name, kept["marks"].dtype[name]) for name in names]
    earlier = np.empty(len(kept["marks"]), np.dtype(fields))
    for name in names:
        earlier[name] = kept["marks"][name]
    np.savez_compressed(path, **(kept | {"marks": earlier}))
    sealed_again(pack)
    found = verified(out, pack)
    assert differing(found) == []
    assert any(finding.what.startswith("marks on ") and finding.agrees for finding in found.findings)


def test_arrays_that_do_not_fit_the_window_are_one_line_and_not_unpacked(out: Path, pack: Path) -> None:
    (path,) = pack.glob("*/evidence.npz")
    kept = packed.load(Folder(path.parent), path.name)
    beyond = kept["marks"].copy()
    beyond["row"][-1] += 20_000
    wrong: list[dict[str, Any]] = [
        {"own": np.zeros((20_000, 20_000), np.bool_)},
        {"own": kept["own"][:-1]},
        {"1.weight": kept["1.weight"].astype(np.uint16)},
        {"marks": beyond},
        {"marks": np.zeros(3, np.float32)},
        {"more": kept["own"]},
    ]
    for arrays in wrong:
        np.savez_compressed(path, **(kept | arrays))
        sealed_again(pack)
        found = verified(out, pack)
        assert differing(found) == ["pack"]
        (line,) = [finding.text for finding in found.findings if finding.what == "pack"]
        assert "\n" not in line
        assert "restore it from a backup" in line


def test_facts_of_any_damage_are_one_line(out: Path, pack: Path) -> None:
    path = pack / "facts.json"
    whole = path.read_text()
    (part,) = pack.glob("*/evidence.npz")
    at = part.parent.name

    def damaged(*where: str, **values: Any) -> str:
        """Facts in which what `where` leads to is gone, or has other values."""
        facts = json.loads(whole)
        place = facts
        for name in where[:-1]:
            place = place[int(name) if isinstance(place, list) else name]
        if values:
            place[where[-1]].update(values)
        else:
            del place[where[-1]]
        return json.dumps(facts)

    texts = [
        *(damaged("code"), damaged("tolerance"), damaged("model", "model_id"), damaged("parts", at, "window")),
        *(damaged("parts", at, "looks", "0", "sensed"), damaged("parts", at, "looks", "0", "scene_id")),
        *(damaged("parts", at, looks=[1]), damaged("parts", at, halo_px=5000), damaged("parts", at, halo_px=-8)),
        *("[]", "[" * 200_000, "", "null", damaged("model", thresholds="abc"), damaged("parts", at, seam="00")),
    ]
    for text in texts:
        path.write_text(text)
        sealed_again(pack)
        found = verified(out, pack)
        assert differing(found)[-1:] == ["pack"], text[:100]
        line = found.findings[-1].text
        assert "\n" not in line
        assert "restore it from a backup" in line


@pytest.mark.parametrize("name", ["before.z", "before.day", "1.z", "1.weight", "own", "marks"])
def test_arrays_that_are_gone_are_one_line(out: Path, pack: Path, name: str) -> None:
    (path,) = pack.glob("*/evidence.npz")
    kept = packed.load(Folder(path.parent), path.name)
    del kept[name]
    np.savez_compressed(path, **kept)
    sealed_again(pack)
    found = verified(out, pack)
    assert differing(found) == ["pack"]
    assert f"evidence.npz: {name}: not as the window asks" in found.findings[-1].text


def test_geojson_that_is_gone_and_run_json_that_is_none_are_told(out: Path, pack: Path) -> None:
    (pack / "alert.geojson").unlink()
    (pack.parents[1] / "run.json").write_text("[]")
    found = verified(out, pack)
    assert differing(found) == ["files", "file", "pack"]
    assert any(finding.what == "manifest" and finding.agrees is None for finding in found.findings)


def test_replaced_weights_are_told_and_not_run(out: Path, pack: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(run.BUILT_IN_WEIGHTS, weights)
    path = weights / "vanwatch-s" / loading.WEIGHTS
    tensors = safetensors.torch.load_file(path)
    name = sorted(tensors)[0]
    tensors[name] = tensors[name] + 0.1
    path.write_bytes(safetensors.torch.save(tensors))
    assert differing(verified(out, pack, weights=weights)) == ["model"]  # the card still speaks of the old ones
    told = json.loads((weights / "vanwatch-s" / "card.json").read_text())
    told["sha256"] = packs.sha256(path)
    (weights / "vanwatch-s" / "card.json").write_text(json.dumps(told))
    found = verified(out, pack, weights=weights)
    assert differing(found) == ["model"]
    assert not any(finding.what.startswith("look ") for finding in found.findings)
    named = str(run.BUILT_IN_WEIGHTS / "vanwatch-s")
    assert differing(verified(out, pack, weights=weights, model=named)) == []


def test_another_card_of_the_same_weights_is_told(out: Path, pack: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(run.BUILT_IN_WEIGHTS, weights)
    path = weights / "vanwatch-s" / "card.json"
    told = json.loads(path.read_text())
    told["calibration"]["clearing"]["bias"] += 2
    path.write_text(json.dumps(told))
    found = differing(verified(out, pack, weights=weights))
    assert found[0] == "model card"
    assert any(what.startswith("look ") for what in found)


def test_lost_run_json_is_a_remark_and_no_difference(out: Path, pack: Path) -> None:
    (pack.parents[1] / "run.json").unlink()
    found = verified(out, pack)
    assert differing(found) == []
    assert any(finding.what == "manifest" and finding.agrees is None for finding in found.findings)


def test_newest_pack_is_taken_unless_a_night_is_named(out: Path, pack: Path) -> None:
    nights = sorted(path.parents[2].name for path in out.glob(f"2*/*/evidence/{pack.name}"))
    assert len(nights) > 1
    assert verify.find(out, pack.name).parents[2].name == nights[-1]
    first = date.fromisoformat(nights[0])
    assert verify.find(out, pack.name, first).parents[2].name == nights[0]
    with pytest.raises(InputError, match=f"no pack of the night of 2001-01-01.*{nights[0]}"):
        verify.find(out, pack.name, date(2001, 1, 1))
    with pytest.raises(InputError, match="no evidence pack"):
        verify.find(out, "VW-22222222")
