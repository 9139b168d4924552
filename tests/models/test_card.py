import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from models import card as cards
from models.card import Calibration, ModelCard, Network, Normalisation, Source, Terms


def _facts(**changes: Any) -> dict[str, Any]:
    kinds = ("clearing", "camp", "track")
    facts: dict[str, Any] = {
        "name": "tiny",
        "version": "1",
        "network": Network(name="siamese", parameters={"width": 8}),
        "bands": ("B02", "B03"),
        "coarse_bands": (),
        "inputs": "reflectance",
        "normalisation": Normalisation(mean=(0.1, 0.1), std=(0.1, 0.1)),
        "stride": 4,
        "halo_px": 32,
        "patch_px": 256,
        "kinds": kinds,
        "calibration": {kind: Calibration() for kind in kinds},
        "thresholds": dict.fromkeys(kinds, 0.5),
        "training_data": (Source(name="made", licence="Apache-2.0"),),
        "terms": Terms(licence="Apache-2.0", allowed=("environment", "research")),
        "seed": 1,
        "created": date(2026, 1, 1),
        "sha256": "0" * 64,
    }
    return facts | changes


def test_read_card_written_card_round_trips(tmp_path: Path) -> None:
    card = ModelCard(**_facts())
    path = tmp_path / "card.json"
    path.write_text(card.model_dump_json())
    assert cards.read_card(path) == card
    assert card.model_id == "tiny-1+00000000"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("halo_px", 30, "multiples of the stride"),
        ("halo_px", "32", "halo_px"),
        ("halo_px", 32 * 10**6, "halo_px: Input should be less"),
        (
            "normalisation",
            {"mean": [0.1, float("nan")], "std": [0.1, 0.1]},
            r"mean\.1: Input should be a finite number",
        ),
        ("calibration", {"camp": {"bias": float("inf")}}, r"camp\.bias: Input should be a finite number"),
        ("sha256", "abc", "sha256"),
        ("colour", "red", "colour"),
        ("training_data", [], "training_data"),
        ("calibration", {"clearing": {}}, "calibration needs exactly"),
        ("thresholds", {"clearing": 0.5}, "thresholds needs exactly"),
        ("normalisation", {"mean": [0.1], "std": [0.1]}, "one value per band"),
        ("coarse_bands", ["B11"], "B11"),
        ("indices", ["EVI"], "known are NDVI"),
        ("indices", ["NBR"], "indices need B08, B12"),
        ("terms", {"licence": "x", "allowed": ["research"], "forbidden": ["research"]}, "both allowed and forbidden"),
        ("terms", {"licence": "x", "allowed": ["war"]}, "terms.allowed"),
    ],
)
def test_read_card_wrong_value_names_file_and_key(tmp_path: Path, key: str, value: Any, words: str) -> None:
    values = json.loads(ModelCard(**_facts()).model_dump_json()) | {key: value}
    path = tmp_path / "card.json"
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=words) as caught:
        cards.read_card(path)
    assert str(path) in str(caught.value)


def test_read_card_missing_key_is_named(tmp_path: Path) -> None:
    values = json.loads(ModelCard(**_facts()).model_dump_json())
    del values["terms"]
    (tmp_path / "card.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match="terms"):
        cards.read_card(tmp_path / "card.json")


def test_folder_of_named_model_before_a_path_and_a_path_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    for folder in (weights / "named", tmp_path / "here" / "named", tmp_path / "here" / "own"):
        folder.mkdir(parents=True)
        (folder / "card.json").touch()
    monkeypatch.chdir(tmp_path / "here")
    assert cards.folder_of("named", weights) == weights / "named"
    assert cards.folder_of("own", weights) == tmp_path / "here" / "own"
    assert cards.folder_of(str(tmp_path / "here" / "named"), weights) == tmp_path / "here" / "named"
    assert cards.folder_of("gone", weights) == weights / "gone"


def test_d35_permits_only_what_the_terms_name() -> None:
    terms = Terms(licence="some", allowed=("environment",), forbidden=("enforcement",))
    assert terms.permits("environment")
    assert not terms.permits("enforcement")
    assert not terms.permits("research")
