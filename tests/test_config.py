import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from pipeline import config
from pipeline.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "configs"
PROFILES = [CONFIGS / f"{name}.toml" for name in ("forest", "border", "demo")]


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Key path to default of every knob."""
    found: dict[tuple[str, ...], Any] = {}
    for name, field in model.model_fields.items():
        key = (*path, field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= leaves(field.annotation, key)
        else:
            found[key] = field.get_default()
    return found


def value_at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


LEAST = 'title = "t"\nuse = "research"\n[search]\ncatalogs = ["local"]\n'


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_load_profile_shipped_profile_loads_and_its_catalogs_exist(path: Path) -> None:
    profile = config.load_profile(path)
    assert set(profile.search.catalogs) <= set(config.load_catalogs(CONFIGS / "catalogs.toml"))
    assert "copernicus" not in profile.search.catalogs, "its files need keys that nobody has by default"


def test_load_profile_forest_names_and_explains_every_knob() -> None:
    text = (CONFIGS / "forest.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    for path, default in leaves(config.Profile).items():
        if default is None:  # TOML has no word for it
            assert f"\n# {path[-1]} = " in text
        elif default == ():  # nor for an empty list of tables that may still be filled
            assert f"\n# [[{path[-1]}]]" in text
        else:
            value_at(values, path)
    for line in text.splitlines():
        if re.match(r"\w+ =", line) and not line.startswith(("threshold", "min_area_m2", "min_length_m", "title")):
            assert "#" in line, f"forest.toml does not explain: {line}"


def test_load_profile_forest_shows_the_defaults() -> None:
    shown = config.load_profile(CONFIGS / "forest.toml")
    least = config.Profile.model_validate({"title": shown.title, "use": shown.use, "search": shown.search})
    assert shown == least


@pytest.mark.parametrize("path", sorted(leaves(config.Profile)), ids=".".join)
def test_load_profile_wrong_type_of_any_knob_names_file_and_key(tmp_path: Path, path: tuple[str, ...]) -> None:
    overrides: Any = {"not": "a value"}
    for key in reversed(path):
        overrides = {key: overrides}
    with pytest.raises(ConfigError) as caught:
        config.load_profile(written(tmp_path, LEAST), overrides, source="aoi/mine.geojson")
    assert str(caught.value).startswith(f"aoi/mine.geojson: properties.overrides: {'.'.join(path)}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEAST + "[tiles]\nsise_px = 512\n", r"mine\.toml: tiles\.sise_px: unknown key; did you mean 'size_px'\?"),
        (LEAST + "[zoo]\nx = 1\n", r"mine\.toml: zoo: unknown key; known keys: .*blind_after_days"),
        (LEAST + "[register]\nrefuse_px = 1.0\n", r"register\.refuse_px: unknown key; did you mean 'refuse_above_px'"),
        (LEAST + "[rules.clearing]\nthreshold = 0.5\nmin_area_m2 = -5\n", r"rules\.clearing\.min_area_m2: .*got -5"),
        (LEAST + '[tiles]\nsize_px = "512"\n', r"tiles\.size_px: input should be a valid integer, got '512'"),
        (LEAST + "[tiles]\nsize_px = 1000\n", r"tiles: size_px must be a multiple of 256"),
        (LEAST + "[normal]\nmin_looks = 13\n", r"normal: min_looks must not exceed max_looks"),
        ('use = "research"\n[search]\ncatalogs = ["a"]\n', r"mine\.toml: title: missing; add it"),
        (LEAST.replace("research", "war"), r"use: input should be 'environment', 'research' or 'enforcement'"),
        (LEAST.replace('["local"]', "[]"), r"search\.catalogs: .*at least 1 item"),
        (LEAST.replace('["local"]', "[3]"), r"search\.catalogs\.0: input should be a valid string, got 3"),
        (LEAST.replace('["local"]', '"local"'), r"search\.catalogs: must be a list, like \[\.\.\.\], got 'local'"),
        ("title = ", r"mine\.toml: not readable as TOML: .*; correct it"),
        ("title = " + "1" * 5000, r"mine\.toml: not readable as TOML: .*; correct it"),
        ("title = " + "[" * 5000, r"mine\.toml: not readable as TOML: .*; correct it"),
        (LEAST + "[rules.camp]\nmin_area_m2 = inf\n", r"rules\.camp\.min_area_m2: .*finite number, got inf"),
    ],
)
def test_load_profile_mistake_names_file_key_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load_profile(written(tmp_path, text))


def test_load_profile_several_mistakes_all_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load_profile(written(tmp_path, LEAST + "[read]\nattempts = 0\n[mask]\nresidual_blue = 7.0\n"))
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["read.attempts", "mask.residual_blue"]


def test_load_profile_wrong_entry_of_a_list_told_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load_profile(written(tmp_path, LEAST.replace('["local"]', "[3]")))
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["search.catalogs.0"]


def test_load_profile_absent_names_the_others(tmp_path: Path) -> None:
    written(tmp_path, LEAST)
    with pytest.raises(ConfigError, match=r"forest\.toml: no such file; there are: mine"):
        config.load_profile(tmp_path / "forest.toml")


def test_load_profile_that_begins_with_a_byte_order_mark_read(tmp_path: Path) -> None:
    path = written(tmp_path, LEAST)
    plain = config.load_profile(path)
    path.write_text(LEAST, encoding="utf-8-sig")
    assert config.load_profile(path) == plain


def test_profile_paths_hidden_files_of_other_systems_are_no_profiles(tmp_path: Path) -> None:
    path = written(tmp_path, LEAST)
    (tmp_path / "._mine.toml").write_bytes(b"\0\5\x16\7")
    assert config.profile_paths(tmp_path) == (path,)


def test_load_profile_not_text_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not readable as TOML"):
        config.load_profile(tmp_path / "mine.toml")


def test_load_profile_overrides_change_only_what_they_name(tmp_path: Path) -> None:
    path = written(tmp_path, LEAST + "[rules.clearing]\nthreshold = 0.6\nmin_area_m2 = 900.0\n")
    plain = config.load_profile(path)
    changed = config.load_profile(path, {"rules": {"clearing": {"min_area_m2": 2000.0}}})
    assert changed.rules.clearing == plain.rules.clearing.model_copy(update={"min_area_m2": 2000.0})
    assert changed.model_copy(update={"rules": plain.rules}) == plain


def test_load_profile_kind_given_in_part_keeps_its_own_defaults(tmp_path: Path) -> None:
    profile = config.load_profile(written(tmp_path, LEAST + "[rules.track]\nthreshold = 0.7\n"))
    assert profile.rules.track == config.KindRules(threshold=0.7, min_area_m2=1000, min_length_m=200)
    assert profile.rules.camp == config.Rules().camp


def test_profile_attributes_are_frozen() -> None:
    profile = config.load_profile(CONFIGS / "demo.toml")
    with pytest.raises(ValidationError, match="frozen"):
        profile.title = "other"  # type: ignore[misc]


@given(st.integers(1, 20_000))
def test_tiles_any_size_accepted_only_as_multiple_of_patches(size_px: int) -> None:
    fits = size_px % config.PATCH_PX == 0 and config.PATCH_PX <= size_px <= 10980
    try:
        config.Tiles(size_px=size_px)
    except ValidationError:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[one]\ncollections = []\n", r"mine\.toml: one: url: missing; add it"),
        ('[one]\nurl = "u"\nsigner = "mine"\n', r"mine\.toml: one: signer: "),
        ('[one]\nurl = "u"\npage = 3\n', r"one: page: unknown key; did you mean 'page_size'"),
        ('[one]\nurl = ""\n', r"mine\.toml: one: \(whole\): url names no host"),
        ('[one]\nurl = "https://"\n', r"url names no host"),
        ('[one]\nurl = "https://stac.test:80a/v1"\n', r"url names no host"),
        ('one = "u"\n', r"mine\.toml: one: \(whole\): "),
    ],
)
def test_load_catalogs_mistake_names_entry_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load_catalogs(written(tmp_path, text))


def test_load_catalogs_shipped_names_the_three_public_ones() -> None:
    known = config.load_catalogs(CONFIGS / "catalogs.toml")
    assert {"earth-search", "earth-search-c1", "planetary-computer", "copernicus", "local"} <= set(known)
    assert known["planetary-computer"].signer == "planetary-computer"
