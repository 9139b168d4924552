import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import watch
from pipeline.errors import ConfigError

REPO = Path(__file__).parents[2]


def rewrite_card(weights: Path, **changes: Any) -> None:
    path = weights / "vanwatch-s" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def mistakes(home: Path, weights: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        watch.check(home, weights=weights)
    return str(caught.value).splitlines()


def test_check_shipped_home_all_well(home: Path, weights: Path) -> None:
    report = watch.check(home, weights=weights)
    assert report.models == ("vanwatch-s-1+e3b0c442",)
    assert set(report.profiles) == {"border", "demo", "forest"}
    assert {"gadchiroli-forest", "champhai-border"} <= set(report.aois) - set(report.disabled)
    assert "taveuni-island" in report.disabled
    text = watch.describe(report)
    assert all(name in text for name in (*report.aois, *report.profiles, *report.catalogs, "all is well"))


def test_check_in_a_fresh_interpreter_imports_nothing_heavy(home: Path, weights: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline import watch;"
        f"watch.check(Path({str(home)!r}), weights=Path({str(weights)!r}));"
        "heavy = {'torch', 'torchgeo', 'matplotlib', 'dask', 'geopandas'} & set(sys.modules);"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_check_mistakes_of_all_files_named_at_once(home: Path, weights: Path) -> None:
    (home / "aoi" / "broken.geojson").write_text("{")
    (home / "configs" / "extra.toml").write_text('title = "t"\nuse = "research"\n[search]\ncatalogs = ["nowhere"]\n')
    (home / "configs" / "wrong.toml").write_text("title = 1\n")
    found = mistakes(home, weights)
    for start in ("aoi/broken.geojson: not readable", "configs/wrong.toml: title", "configs/wrong.toml: use: missing"):
        assert any(line.startswith(f"{home}/{start}") for line in found)
    assert any("extra.toml: search.catalogs: 'nowhere' is not in catalogs.toml; there are: earth" in x for x in found)
    assert len(found) == len(set(found))


def test_check_mistake_in_the_deployment_named(home: Path, weights: Path) -> None:
    (home / "configs" / "deployment.toml").write_text('stat = "elsewhere"\n')
    assert mistakes(home, weights) == [f"{home}/configs/deployment.toml: stat: unknown key; did you mean 'state'?"]


@pytest.mark.parametrize(
    "url", ["mysql://host/name", "no url", "postgresql://me:se@c:ret@host/name", "postgresql://me:se@cret@host/name"]
)
def test_check_database_that_is_no_ledger_named_without_its_password(
    home: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("VANWATCH_DATABASE", url)
    with pytest.raises(ConfigError, match=r"^database: .* VANWATCH_DATABASE$") as caught:
        watch.check(home, weights=weights)
    assert "ret" not in str(caught.value)


def test_check_no_catalogs_file_said_once(home: Path, weights: Path) -> None:
    (home / "configs" / "catalogs.toml").unlink()
    found = mistakes(home, weights)
    assert len(found) == 1
    assert "catalogs.toml: no such file" in found[0]


def test_check_model_that_is_not_there_names_those_that_are(home: Path, weights: Path) -> None:
    path = home / "configs" / "demo.toml"
    path.write_text(path.read_text() + '[detect]\nmodel = "vanwatch-x"\n')
    found = mistakes(home, weights)
    assert len(found) == 1
    assert "demo.toml: detect.model: 'vanwatch-x' has no" in found[0]
    assert found[0].endswith("there are: vanwatch-s")


def test_d35_check_terms_that_forbid_the_use_refused(home: Path, weights: Path) -> None:
    rewrite_card(weights, terms={"licence": "OlmoEarth", "allowed": ["environment", "research"]})
    found = mistakes(home, weights)
    assert [Path(line.split(":")[0]).name for line in found] == ["border.toml"]
    assert "the terms of vanwatch-s (OlmoEarth) do not permit use = 'enforcement', only environment, res" in found[0]


def test_d35_check_override_of_the_use_checked_too(home: Path, weights: Path) -> None:
    rewrite_card(weights, terms={"licence": "x", "allowed": ["environment", "research"]})
    (home / "configs" / "border.toml").unlink()
    (home / "aoi" / "champhai-border.geojson").unlink()
    path = home / "aoi" / "kodagu-ghats.geojson"
    document = json.loads(path.read_text())
    document["properties"]["overrides"]["use"] = "enforcement"
    path.write_text(json.dumps(document))
    found = mistakes(home, weights)
    assert len(found) == 1
    assert "kodagu-ghats.geojson: properties.overrides: detect.model: the terms of" in found[0]


def test_check_broken_card_or_no_weights_refused(home: Path, weights: Path) -> None:
    rewrite_card(weights, stride=0)
    assert all("card.json: stride: " in line for line in mistakes(home, weights))
    rewrite_card(weights, stride=16)
    (weights / "vanwatch-s" / "weights.safetensors").unlink()
    assert all("no " in line and "install the model again" in line for line in mistakes(home, weights))


def test_check_weights_cut_off_refused_and_told_once_a_profile(home: Path, weights: Path) -> None:
    (weights / "vanwatch-s" / "weights.safetensors").write_bytes(b"cut")
    found = mistakes(home, weights)
    assert [Path(line.split(":")[0]).name for line in found] == ["border.toml", "demo.toml", "forest.toml"]
    assert all("is damaged or of another card" in line for line in found)


def test_check_mistake_of_a_profile_is_not_told_again_for_its_areas(home: Path, weights: Path) -> None:
    path = home / "configs" / "forest.toml"
    path.write_text(path.read_text().replace('"earth-search", ', '"earth-serch", '))
    assert len(mistakes(home, weights)) == 1


def test_check_home_without_anything_says_what_to_do(tmp_path: Path, weights: Path) -> None:
    found = mistakes(tmp_path, weights)
    assert any("no such folder; check --home, or add an AOI" in line for line in found)
    assert any("catalogs.toml: no such file" in line for line in found)


def tell(home: Path, aois: str, addresses: str) -> None:
    (home / "configs" / "notify.toml").write_text(f"[groups.desk]\naois = [{aois}]\naddresses = {{ {addresses} }}\n")


def test_check_names_who_is_told_and_shows_no_address(
    home: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VANWATCH_MAIL", "mailto://me:s3cr3t@example.org")
    tell(home, '"kodagu-ghats"', 'mail = "${VANWATCH_MAIL}", hook = "json://127.0.0.1/s3cr3t"')
    report = watch.check(home, weights=weights)
    assert report.told == ("desk/mail", "desk/hook")
    assert "told      desk/mail, desk/hook" in watch.describe(report)
    assert "s3cr3t" not in watch.describe(report) + repr(report)


def test_check_wrong_notification_is_told_with_all_other_mistakes(home: Path, weights: Path) -> None:
    tell(home, '"kodagu"', 'mail = "${NOT_SET_ANYWHERE}"')
    rewrite_card(weights, sha256="0" * 64)
    told = mistakes(home, weights)
    assert any("groups.desk.aois: 'kodagu' is not in aoi/" in line for line in told)
    assert any("groups.desk.addresses.mail: NOT_SET_ANYWHERE is not set" in line for line in told)
    assert any("is damaged or of another card" in line for line in told)


def test_check_address_that_cannot_be_used_is_a_mistake(home: Path, weights: Path) -> None:
    tell(home, '"*"', 'mail = "slak://s3cr3t"')
    (line,) = mistakes(home, weights)
    assert "notify.toml: groups.desk.addresses.mail: Apprise cannot use it as slak://" in line
    assert "s3cr3t" not in line
