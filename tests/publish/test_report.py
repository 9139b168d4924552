"""The report in a real browser: all works offline, by mouse, by keyboard and on a phone, and nothing is loaded."""

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from shapely import box

from pipeline import grid
from pipeline.context import Feature
from pipeline.publish import index, qgis, rasters, report, series, surroundings
from pipeline.publish.series import Point
from pipeline.schema import Kind
from tests.publish import planted

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no browser (Debian's chromium) is installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as program:
        opened = program.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def trouble() -> list[str]:
    """What the browser complained about, and what it asked the network for."""
    return []


@pytest.fixture
def page(browser: Browser, published: Path, trouble: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True, reduced_motion="reduce")
    opened = context.new_page()
    watch(opened, trouble)
    opened.goto((published / "report.html").as_uri())
    yield opened
    context.close()
    assert trouble == []


def watch(page: Page, trouble: list[str]) -> None:
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: trouble.append(request.url) if not is_own(request.url) else None)


def is_own(url: str) -> bool:
    return url.startswith("data:") or (url.startswith("file:") and url.endswith((".html", "alerts.geojson")))


def cut(page: Page, alert_id: str = "VW-AAAAAAAA") -> float:
    text: str = page.eval_on_selector(f"#{alert_id} .compare", "box => box.style.getPropertyValue('--cut')")
    return float(text.removesuffix("%"))


@needs_browser
def test_slider_moves_by_mouse(page: Page) -> None:
    slider = page.locator("#VW-AAAAAAAA .cut")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 100, steps=5)
    page.mouse.up()
    assert 10 <= cut(page) <= 30
    assert cut(page, "VW-TTTTTTTT") == 50


@needs_browser
def test_slider_moves_by_keyboard_and_says_where_it_stands(page: Page) -> None:
    slider = page.locator("#VW-AAAAAAAA .cut")
    slider.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert cut(page) == 47
    assert slider.get_attribute("aria-valuetext") == "47 percent before"
    page.keyboard.press("End")
    assert cut(page) == 100


@needs_browser
def test_slider_shows_before_on_one_side_and_after_on_the_other(page: Page) -> None:
    page.locator("#VW-AAAAAAAA .compare").scroll_into_view_if_needed()
    assert bright(page, 0) > 200  # bare ground all over
    assert bright(page, 100) < 120  # forest


def bright(page: Page, percent: int) -> float:
    """Mean brightness of the middle of the clearing with the slider at a place."""
    page.eval_on_selector("#VW-AAAAAAAA .cut", f"s => {{ s.value = {percent}; s.dispatchEvent(new Event('input')) }}")
    box = page.locator("#VW-AAAAAAAA .compare").bounding_box()
    assert box
    clip = {"x": box["x"] + box["width"] * 0.55, "y": box["y"] + box["height"] * 0.45, "width": 20.0, "height": 20.0}
    return brightness(page.screenshot(clip=clip))  # type: ignore[arg-type]


def brightness(png: bytes) -> float:
    return float(np.asarray(Image.open(io.BytesIO(png)).convert("L")).mean())


@needs_browser
def test_colours_and_outline_can_be_switched(page: Page) -> None:
    card = page.locator("#VW-AAAAAAAA")
    assert [card.locator(f"img.after.{name}").is_visible() for name in ("true", "swir")] == [True, False]
    card.get_by_label("SWIR, NIR, red").check()
    assert [card.locator(f"img.after.{name}").is_visible() for name in ("true", "swir")] == [False, True]
    assert page.locator("#VW-TTTTTTTT img.after.true").is_visible()
    card.get_by_label("outline").uncheck()
    assert not card.locator("svg.outline").is_visible()


@needs_browser
def test_copy_buttons_put_coordinates_into_the_clipboard(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    buttons = page.locator("#VW-CCCCCCCC button.copy")
    expected = ("29.00520, 77.02020", "29°0'18.7\"N 77°1'12.7\"E")
    for number, text in enumerate(expected):
        buttons.nth(number).click()
        page.wait_for_function("text => document.getElementById('said').textContent === 'copied ' + text", arg=text)
        assert page.evaluate("navigator.clipboard.readText()") == text


@needs_browser
def test_filter_leaves_what_is_wanted(page: Page) -> None:
    page.locator(".filter").get_by_label("track").uncheck()
    page.locator(".filter").get_by_label("only what is new").check()
    shown = [card.get_attribute("id") for card in page.locator(".card").all() if card.is_visible()]
    assert shown == ["VW-CCCCCCCC"]
    assert page.locator(".filter output").text_content() == "1 of 3 shown"


@needs_browser
def test_map_leads_to_the_cards_by_keyboard(page: Page) -> None:
    page.locator("svg a[href='#VW-CCCCCCCC'][aria-label]").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#VW-CCCCCCCC"
    assert page.locator("#VW-CCCCCCCC").bounding_box()["y"] < 500  # type: ignore[index]


@needs_browser
def test_tab_meets_the_pins_of_the_map_from_first_to_last_and_the_first_lies_on_top(page: Page) -> None:
    cards = [card.get_attribute("id") for card in page.locator(".card").all()]
    assert len(cards) == 3
    met = []
    for _ in range(60):
        page.keyboard.press("Tab")
        met.append(
            page.evaluate("document.activeElement.closest('svg') && document.activeElement.getAttribute('href')")
        )
    assert [each for each in met if each][:3] == [f"#{card}" for card in cards]
    ring = "getComputedStyle(document.querySelector('.map a:focus-visible circle')).stroke"
    page.locator("svg a[aria-label]").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate(ring) == "rgb(255, 255, 255)"
    painted = [link.get_attribute("href") for link in page.locator("svg a:has(.pin)").all()]
    assert painted == [f"#{card}" for card in cards[::-1]]
    page.locator(f"svg a[href='#{cards[0]}'] .pin").click()
    assert page.evaluate("location.hash") == f"#{cards[0]}"


@needs_browser
def test_everything_that_can_be_used_has_a_name_and_can_be_reached_by_tab(page: Page) -> None:
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('a, button, input, summary, [role]')].filter(one =>
            !(one.textContent.trim() || one.getAttribute('aria-label') || (one.labels && one.labels.length)
              || one.id === 'said')).map(one => one.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate('document.activeElement.getAttribute("class") || document.activeElement.tagName'))
    assert {"skip", "cut", "copy", "SUMMARY"} <= reached
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator("h1").count() == 1


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_in_the_time_series_stand_out_from_the_card(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    card = brilliance(page.eval_on_selector(".card", "card => getComputedStyle(card).backgroundColor"))
    texts = page.eval_on_selector_all(".series text", "all => all.map(one => getComputedStyle(one).fill)")
    assert len(set(texts)) >= 4
    for ink in map(brilliance, texts):
        assert (max(ink, card) + 0.05) / (min(ink, card) + 0.05) >= 4.5


def brilliance(colour: str) -> float:
    """Relative luminance of `rgb(...)`. Source: WCAG 2.1."""
    shares = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@needs_browser
@pytest.mark.parametrize("width", [320, 390, 820])
def test_narrow_screens_need_no_sideways_scrolling(
    browser: Browser, published: Path, trouble: list[str], width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 700}, is_mobile=True, has_touch=True, offline=True
    )
    page = context.new_page()
    watch(page, trouble)
    page.goto((published / "report.html").as_uri())
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#VW-AAAAAAAA .compare").bounding_box()["width"] > width * 0.7  # type: ignore[index]
    context.close()
    assert trouble == []


@needs_browser
def test_print_shows_before_beside_after_and_no_controls(page: Page) -> None:
    page.emulate_media(media="print")
    before, after = (page.locator(f"#VW-AAAAAAAA img.{name}.true").bounding_box() for name in ("before", "after"))
    assert before
    assert after
    assert before["x"] + before["width"] <= after["x"] + 1
    assert not page.locator("#VW-AAAAAAAA .cut").is_visible()
    assert not page.locator(".filter").is_visible()


@needs_browser
def test_many_alerts_the_most_urgent_have_cards_and_the_others_lines_that_say_where_their_pictures_are(
    browser: Browser, trouble: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "CARDS", 1)
    planted.write_rasters(tmp_path)
    report.write(tmp_path, planted.found(tmp_path))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    watch(page, trouble)
    page.goto((tmp_path / "report.html").as_uri())
    assert page.locator("ul.counts li").first.inner_text() == "3 open alerts"
    assert page.locator(".card").count() == 1
    assert page.locator("#more").inner_text() == "2 alerts more, less urgent"
    lines = page.locator(".row")
    assert [line.locator("td").first.inner_text() for line in lines.all()] == ["2", "3"]
    for link in page.locator(".row a").all():
        assert (tmp_path / str(link.get_attribute("href"))).stat().st_size > 0
    assert page.locator(".row a").count() == 4
    for pin in page.locator(".map a.focus").all():
        assert page.locator(str(pin.get_attribute("href"))).count() == 1
    page.get_by_label("only what is new").check()
    assert page.locator(".row:visible").count() == 1
    assert "of 3 shown" in page.locator(".filter output").inner_text()
    page.close()
    assert trouble == []


@needs_browser
def test_print_puts_no_card_on_two_pages(page: Page) -> None:
    page.set_viewport_size({"width": 740, "height": 980})  # Letter within margins of 1 cm
    page.emulate_media(media="print")
    tallest = "Math.max(...[...document.querySelectorAll('.card')].map(card => card.getBoundingClientRect().height))"
    assert page.evaluate(tallest) < 980
    page.evaluate("document.querySelector('#VW-AAAAAAAA details').open = true")
    assert page.locator("#VW-AAAAAAAA table").is_visible()  # what a reader has opened is printed
    assert not page.locator("#VW-TTTTTTTT summary").first.is_visible()


@needs_browser
def test_page_without_scripts_shows_before_beside_after_and_no_controls_that_do_nothing(
    browser: Browser, published: Path
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto((published / "report.html").as_uri())
    before, after = (page.locator(f"#VW-AAAAAAAA img.{name}.true").bounding_box() for name in ("before", "after"))
    assert before
    assert after
    assert before["x"] + before["width"] <= after["x"] + 1
    assert not any(page.locator(each).first.is_visible() for each in (".filter", ".cut", "button.copy"))
    page.locator("#VW-AAAAAAAA").get_by_label("SWIR, NIR, red").check()
    assert page.locator("#VW-AAAAAAAA img.after.swir").is_visible()
    context.close()


class Links(HTMLParser):
    """Every address in a page that a browser would load by itself, and every one that a reader may follow."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.followed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "srcset", "poster", "data") or (name == "href" and tag in ("link", "image", "use")):
                self.loaded.append(value or "")
            elif name == "href":
                self.followed.append(value or "")


def test_page_holds_all_it_needs_and_sends_no_referrer(published: Path) -> None:
    text = (published / "report.html").read_text(encoding="utf-8")
    links = Links(text)
    assert links.loaded
    assert all(address.startswith("data:") for address in links.loaded)
    assert "url(http" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert '<meta name="referrer" content="no-referrer">' in text
    outside = [address for address in links.followed if "://" in address]
    assert all(address.startswith("https://browser.dataspace.copernicus.eu/?") for address in outside)
    assert any("fromTime=2025-11-01T00%3A00" in address and "lat=29.0" in address for address in outside)


def test_card_says_what_another_kind_that_is_as_probable_means(tmp_path: Path) -> None:
    planted.write_rasters(tmp_path)
    found = planted.found(tmp_path)
    (camp,) = (alert for alert in found.alerts if alert.detection.kind == Kind.CAMP)
    unsure = replace(camp, detection=replace(camp.detection, probabilities=(1.0, 0.954, 0.0), confidence=0.954))
    report.write(tmp_path, replace(found, alerts=(unsure,)))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b>Caution: kind may be clearing.</b> The evidence for a clearing is as strong here, or nearly so." in text


def test_card_names_scenes_between_its_days_as_such_that_may_show_it(published: Path) -> None:
    text = (published / "report.html").read_text(encoding="utf-8")
    assert "Scenes that may show it: S2A_43RGM_9." in text  # a cloud may lie over it in some of them


def test_cards_stand_in_the_order_of_priority_and_ended_alerts_have_none(published: Path) -> None:
    text = (published / "report.html").read_text(encoding="utf-8")
    ids = re.findall(r'<article id="([^"]+)"', text)
    rated = surroundings.rate(planted.alerts(), planted.alerts()[:1], planted.LAND)
    assert ids == sorted(rated, key=lambda alert_id: -rated[alert_id].priority.score)
    assert len(ids) == 3
    assert "VW-DDDDDDDD" not in ids


def test_health_tells_refused_scenes_with_reasons_failures_and_blindness(published: Path) -> None:
    text = (published / "report.html").read_text(encoding="utf-8")
    for part in ("shifted by 2.1 px", "could not be read after 4 attempts", "9.4 %", "cloud 8 %", "25 days or more"):
        assert part in text


def test_card_draws_the_index_over_its_normal_and_tells_the_numbers(published: Path) -> None:
    text = (published / "report.html").read_text(encoding="utf-8")
    assert text.count('class="series index"') == 1
    assert "2025-11-01: NDVI 0.21, normal 0.81 ± 0.04; NBR 0.02, normal 0.62 ± 0.05" in text
    assert '<td>0.18</td><td class="still">0.81 ± 0.04</td><td>-0.05</td>' in text


def test_draw_index_without_a_normal_draws_no_band_and_without_looks_nothing() -> None:
    bare = [replace(one, ndvi_normal=None) for one in planted.MEASURED]
    assert 'class="band"' in series.draw_index(planted.MEASURED, [], date(2025, 11, 1), "t")
    assert 'class="band"' not in series.draw_index(bare, [], date(2025, 11, 1), "t")
    assert series.draw_index([replace(one, ndvi=None) for one in bare], [], date(2025, 11, 1), "t") == ""


def test_map_shows_what_is_known_of_the_land_by_name_and_what_is_not_covered(published: Path) -> None:
    text = (published / "report.html").read_text(encoding="utf-8")
    for thing in planted.LAND:
        assert f": {thing.name}</title>" in text
    for role, title in (("protected", "protected areas"), ("settlement", "settlements"), ("permit", "permits")):
        assert f'<span class="swatch {role}">{title}</span>' in text
    assert '<span class="swatch known">' not in text
    assert text.count('class="uncovered"') == 1
    assert "<td>not covered</td><td>ever</td>" in text


def test_numbers_are_rounded_as_in_qgis(tmp_path: Path) -> None:
    planted.write_rasters(tmp_path)
    found = planted.found(tmp_path)
    alerts = tuple(
        replace(a, detection=replace(a.detection, confidence=0.985, probabilities=(0.998,) * 3)) for a in found.alerts
    )
    rated = {key: replace(one, priority=replace(one.priority, score=64.5)) for key, one in found.rated.items()}
    report.write(tmp_path, replace(found, alerts=alerts, rated=rated))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Confidence 99 %" in text
    assert "<b>1.00</b>" not in text
    assert "priority <b>65</b>" in text


def test_blind_places_too_small_to_have_an_area_are_counted_and_thin_cloud_has_one_name(tmp_path: Path) -> None:
    planted.write_rasters(tmp_path)
    found = planted.found(tmp_path)
    place = found.shown.blind[0]
    tiny = [replace(place, area_km2=0.004)] * 3
    seen = {key: counts | {"residual_cloud": 900} for key, counts in planted.RUN["seen"].items()}
    more = {"shown": replace(found.shown, blind=(place, *tiny)), "run": planted.RUN | {"seen": seen}}
    report.write(tmp_path, replace(found, **more))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "0.00 km²" not in text
    assert "and 3 smaller places" in text
    assert "thin cloud 1 %" in text
    assert "residual" not in text


def test_map_of_very_many_alerts_has_small_pins_without_numbers(tmp_path: Path) -> None:
    planted.write_rasters(tmp_path)
    found = planted.found(tmp_path)
    one = found.alerts[0]
    many = [replace(one, alert_id=f"VW-{number:08d}") for number in range(151)]
    more = {
        "shown": replace(found.shown, chips={a.alert_id: found.shown.chips[one.alert_id] for a in many}),
        "rated": {a.alert_id: found.rated[one.alert_id] for a in many},
    }
    report.write(tmp_path, replace(found, alerts=tuple(many), **more))
    assert '<svg class="many"' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_words_from_outside_cannot_become_markup(tmp_path: Path) -> None:
    planted.write_rasters(tmp_path)
    found = planted.found(tmp_path)
    nasty = '<script>alert("x")</script>'
    alerts = tuple(replace(alert, note=nasty, caution=(nasty,)) for alert in found.alerts)
    report.write(tmp_path, replace(found, alerts=alerts, area=replace(found.area, name=nasty)))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert nasty not in text
    assert text.count("<script>") == 1


def test_write_same_night_same_bytes(published: Path, tmp_path: Path) -> None:
    planted.write_rasters(tmp_path)
    report.write(tmp_path, planted.found(tmp_path))
    assert (tmp_path / "report.html").read_bytes() == (published / "report.html").read_bytes()


def test_write_no_alerts_and_no_raster_still_a_page(tmp_path: Path) -> None:
    report.write(tmp_path, planted.found(tmp_path, alerts=(), points={}))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No alert is open, but a part of the area was not seen" in text


def test_d9_area_across_the_antimeridian_is_drawn_where_it_lies(tmp_path: Path) -> None:
    place, park = (
        grid.split_at_antimeridian(box(*bounds))
        for bounds in ((179.98, -16.53, 180.02, -16.5), (179.9, -16.6, 180.1, -16.51))
    )
    with rasters.Mosaics(tmp_path, rasters.LAYERS, grid.tiles_over(place, tile_px=512)):
        pass  # nothing was seen
    area, land = replace(planted.AREA, geometry=place), (Feature("Fiji park", "protected", park),)
    shown = qgis.write(tmp_path, qgis.Content((), area, planted.NIGHT, blind_after_days=12, land=land))
    report.write(tmp_path, report.Found(area, planted.NIGHT, (), (), shown, {}, {}, planted.RUN, {}))
    assert "<title>Protected areas: Fiji park</title>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "vanwatch.qgz") as archive:
        (view,) = ElementTree.fromstring(archive.read("vanwatch.qgs")).iter("DefaultViewExtent")
    assert 4_000 < float(view.attrib["xmax"]) - float(view.attrib["xmin"]) < 6_000


@pytest.mark.parametrize(
    ("value", "letters", "text"),
    [(20.16703, "NS", "20°10'1.3\"N"), (-0.5, "EW", "0°30'0.0\"W"), (179.99999, "EW", "180°0'0.0\"E")],
)
def test_dms_tenths_of_seconds_carry_over(value: float, letters: str, text: str) -> None:
    assert report.dms(value, letters) == text


def test_draw_series_marks_clear_looks_blind_looks_and_the_moment() -> None:
    days = [date(2025, 10, day) for day in (1, 6, 11)]
    points = [Point(day, p, z, 1.0) for day, p, z in zip(days, (0.1, 0.9, 0.95), (0.5, 7.0, None), strict=True)]
    svg = series.draw(points, [date(2025, 10, 3), days[0]], days[1], "how it went")
    assert svg.count('class="clear"') == 3
    assert svg.count('class="blind"') == 1
    assert "first seen 2025-10-06" in svg
    assert 'aria-label="how it went"' in svg
    heights = [float(value) for value in re.findall(r'class="p" cx="[\d.]+" cy="([\d.]+)"', svg)]
    assert heights[0] > heights[1] > heights[2]
    assert series.draw([], [], days[0], "") == ""
    assert re.findall(r'class="z" x="[^"]+" y="[^"]+">([^<]+)<', svg) == ["0", "3.5", "7"]


def run_json(out: Path, night: str, aoi: str, **more: Any) -> None:
    folder = out / night / aoi
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(planted.RUN | {"as_of": night, "aoi": aoi, "name": aoi.title()} | more))
    (folder / "report.html").touch()


@needs_browser
def test_index_lists_areas_and_nights_and_leads_to_reports(
    browser: Browser, tmp_path: Path, trouble: list[str]
) -> None:
    run_json(tmp_path, "2025-11-07", "hills")
    run_json(tmp_path, "2025-11-06", "hills", failed=[])
    run_json(tmp_path, "2025-11-06", "coast", blind_pct=88.0)
    (tmp_path / "2025-11-05" / "broken").mkdir(parents=True)
    (tmp_path / "2025-11-05" / "broken" / "run.json").write_text("{}")
    index.write(tmp_path)
    page = browser.new_page()
    watch(page, trouble)
    page.goto((tmp_path / "index.html").as_uri())
    assert page.locator("h2").all_text_contents() == ["Coast coast", "Hills hills"]
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert "last night here: 2025-11-06" in page.locator("section", has_text="Coast").inner_text()
    page.get_by_role("link", name="2025-11-07", exact=True).click()
    assert page.url.endswith("2025-11-07/hills/report.html")
    page.close()
    assert trouble == []


def test_index_of_many_nights_lists_the_newest_and_counts_the_rest(tmp_path: Path) -> None:
    for day in range(1, 32):
        run_json(tmp_path, f"2025-10-{day:02d}", "hills")
    index.write(tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "2025-10-31/hills/report.html" in text
    assert "2025-10-01" not in text
    assert "and 1 older night in" in text
