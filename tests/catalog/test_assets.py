from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.catalog import assets, parse
from pipeline.schema import Scene

Read = Callable[[str], Any]
ELSEWHERE = Path("/elsewhere")


def one(item: Any, **options: Any) -> Scene:
    parsed = parse.scenes([item], catalog="test", **{"base": ELSEWHERE, **options})
    assert parsed.problems == ()
    return parsed.scenes[0]


@pytest.mark.parametrize(
    ("href", "place", "expected"),
    [
        ("https://host/a.tif", "/data", "https://host/a.tif"),
        ("s3://bucket/a.tif", "", "s3://bucket/a.tif"),
        ("/vsis3/bucket/a.tif", "/data", "/vsis3/bucket/a.tif"),
        ("file:///data/a.tif", "", "/data/a.tif"),
        ("./x/../a.tif", "/data/items", "/data/items/a.tif"),
        ("../a.tif", "https://host/items/one.json", "https://host/a.tif"),
    ],
)
def test_absolute_of_each_form_is_a_url_or_a_path(href: str, place: str, expected: str) -> None:
    assert assets.absolute(href, place) == expected


def test_scenes_with_relative_hrefs_and_no_base_are_refused(stac: Read) -> None:
    parsed = parse.scenes([stac("S2B_T33XWJ_20220413T150756_L2A")], catalog="test")
    assert parsed.scenes == ()
    assert "relative to nothing" in parsed.problems[0]


def test_scenes_with_relative_hrefs_resolve_against_the_item_url(stac: Read) -> None:
    item = stac("S2B_T33XWJ_20220413T150756_L2A")
    item["links"] = [{"rel": "self", "href": "https://host/items/one.json"}]
    asset = one(item, base=None).parts[0].asset("B02")
    assert asset is not None
    assert asset.href.startswith("https://host/items/GRANULE/")


def test_scenes_prefer_cogs_to_jp2_whatever_the_key(stac: Read) -> None:
    item = stac("S2B_24MUA_20250731_0_L2A")
    item["assets"]["blue"], item["assets"]["blue-jp2"] = item["assets"]["blue-jp2"], item["assets"]["blue"]
    asset = one(item).parts[0].asset("B02")
    assert asset is not None
    assert asset.href.endswith("B02.tif")
    del item["assets"]["blue-jp2"]
    asset = one(item).parts[0].asset("B02")
    assert asset is not None
    assert asset.href.endswith("B02.jp2")


def test_scenes_alternate_href_is_used_where_given(stac: Read) -> None:
    item = stac("S2C_MSIL2A_20260527T014651_N0512_R017_T55WFR_20260527T042005")
    by_name = {name: one(item, alternate=name).parts[0].asset("B04") for name in ("", "https", "other")}
    assert {name: asset.href.split(":")[0] for name, asset in by_name.items() if asset} == {
        "": "s3",
        "https": "https",
        "other": "s3",
    }


def test_scenes_signed_hrefs_lose_their_signature(stac: Read) -> None:
    item = stac("S2B_MSIL2A_20240419T095549_R122_T46XER_20240419T124342")
    plain = one(item, signer="planetary-computer")
    for raw in item["assets"].values():
        raw["href"] += "?st=2024&sig=secret"
    signed = one(item, signer="planetary-computer")
    assert signed.parts == plain.parts
    assert signed.parts[0].signer == "planetary-computer"


@pytest.mark.parametrize(
    ("flag", "baseline", "raster", "expected"),
    [
        (True, "05.11", -0.1, 0),
        (False, "05.11", 0, -1000),
        (False, "02.14", -0.1, 0),
        (False, "", -0.1, None),
        (None, "05.11", -0.1, -1000),
        (None, "05.11", 0, 0),
        (None, "05.11", None, None),
        (None, "05.11", -0.7, None),
        (None, "03.01", -0.1, 0),
        (None, "", None, None),
    ],
)
def test_d1_offset_hint_of_each_case_follows_flag_then_baseline_then_raster(
    stac: Read, flag: bool | None, baseline: str, raster: float | None, expected: int | None
) -> None:
    item = stac("S2A_28QCH_20200714_0_L2A")
    del item["properties"]["sentinel:product_id"]
    item["properties"] |= {"s2:processing_baseline": baseline, "sentinel:utm_zone": 28}
    if flag is not None:
        item["properties"]["earthsearch:boa_offset_applied"] = flag
    for raw in item["assets"].values():
        raw["raster:bands"] = [{"scale": 0.0001} if raster is None else {"scale": 0.0001, "offset": raster}]
    assert one(item).parts[0].offset_hint == expected
