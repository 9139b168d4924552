from datetime import UTC, datetime

import pytest

from pipeline import grid
from pipeline.catalog import naming


def test_product_with_baseline_gives_all_facts() -> None:
    named = naming.product("S2B_MSIL2A_20250731T130249_N0511_R095_T24MUA_20250731T132745.SAFE")
    taken, processed = datetime(2025, 7, 31, 13, 2, 49, tzinfo=UTC), datetime(2025, 7, 31, 13, 27, 45, tzinfo=UTC)
    assert named == naming.Named("sentinel-2b", taken, "05.11", 95, "24MUA", processed)


def test_product_without_baseline_gives_the_other_facts() -> None:
    named = naming.product("S2A_MSIL2A_20190101T000001_R116_T58UFE_20201007T214651")
    assert (named.baseline, named.relative_orbit, named.tile) == ("", 116, "58UFE")


def test_product_of_another_kind_gives_nothing() -> None:
    assert naming.product("S2B_MSIL1C_20250731T130249_N0511_R095_T24MUA_20250731T132745") == naming.Named()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sentinel-2A", "sentinel-2a"),
        ("sentinel-2c", "sentinel-2c"),
        ("S2B", "sentinel-2b"),
        ("S2X", ""),
        ("sentinel-2", ""),
        ("landsat-8", ""),
    ],
)
def test_platform_any_spelling_is_normalised(text: str, expected: str) -> None:
    assert naming.platform(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("05.11", "05.11"),
        ("5.09", "05.09"),
        ("N0509", "05.09"),
        ("S2B_OPER_MSI_L2A_DS_2BPS_20250731T143919_S20250731T131905_N05.11", "05.11"),
        ("S2A_13TDE_20231008_0_L2A", ""),
        ("", ""),
    ],
)
def test_baseline_any_form_is_normalised(text: str, expected: str) -> None:
    assert naming.baseline(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("S2C_OPER_MSI_L2A_TL_2CPS_20260527T042005_A008996_T55WFR", "55WFR"),  # 2CPS looks like a tile
        ("S2A_T01KAB_20230821T221944_L2A", "01KAB"),
        ("S2B_4QFJ_20200101_0_L2A", "4QFJ"),
        ("LC08_L2SP_033032_20231008_02_T1", ""),
    ],
)
def test_tile_in_identifier_is_found(text: str, expected: str) -> None:
    assert naming.tile(text) == expected


def test_datastrip_from_folders_and_item_ids_has_the_same_start() -> None:
    cdse = "s3://eodata/x.SAFE/DATASTRIP/DS_S2RP_20230612T214223_S20200322T075811/MTD_DS.xml"
    granule = "https://blob/x.SAFE/GRANULE/L2A_T36NYH_A015891_20200322T075811/IMG_DATA/R10m/B02.jp2"
    names = (
        naming.datastrip("x", (granule, cdse)),
        naming.datastrip("x", (granule,)),
        naming.datastrip("S2B_T36NYH_20200322T075811_L2A", ()),
        "S2B_OPER_MSI_L2A_DS_ESRI_20201006T080533_S20200322T075811_N02.12",
    )
    assert {naming.strip_start(name) for name in names} == {datetime(2020, 3, 22, 7, 58, 11, tzinfo=UTC)}
    assert naming.datastrip("S2B_24MUA_20250731_0_L2A", ()) == ""
    assert naming.strip_start("") is None


@pytest.mark.parametrize("text", ["", "no time", "0001-01-01T00:00:00+14:00", "20250231T000000"])
def test_instant_of_nonsense_is_none(text: str) -> None:
    assert naming.instant(text) is None


def test_instant_without_zone_is_utc_and_others_are_converted() -> None:
    assert naming.instant("2025-07-31T13:00:00") == naming.instant("2025-07-31T15:00:00+02:00")


def test_scene_id_of_unknown_facts_has_stand_ins() -> None:
    start = datetime(2020, 1, 13, 10, 50, tzinfo=UTC)
    assert naming.scene_id("", grid.granule("31TDG"), start, None) == "S2X_31TDG_20200113T105000_R000"
    assert naming.scene_id("sentinel-2c", grid.granule("4QFJ"), start, 7) == "S2C_04QFJ_20200113T105000_R007"
