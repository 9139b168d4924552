"""The pictures of the readme, from a run of the demo: report and notebook in a browser, map and sheet in QGIS.

python -m tests.gallery HOME PICTURES
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbclient
import nbformat
from nbconvert import HTMLExporter
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.publish.test_qgis import environment

QGIS = Path(__file__).parent / "publish" / "qgis_program.py"
BOOKS = Path(__file__).parents[1] / "notebooks"
_BOOK, _HEADING = "01_from_catalogue_to_alert.ipynb", "4 What each new look says"
"""What is shown of the notebooks: from this heading on."""
_SIZES = {"report": (1280, 2240), "report-phone": (390, 844)}
_DRAWN = {
    "report": "report",
    "report-phone": "report-phone",
    "notebook": "notebook",
    "qgis": "map",
    "sheet": "Alert_sheet_0",
}
_QUALITY = 88


def main(home: Path, pictures: Path) -> None:
    """Draw all pictures of the last night of the only AOI under `home`."""
    night = next((home / "out" / "latest").iterdir())
    chromium = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    if chromium is None:
        sys.exit("no browser: install Debian's chromium")
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        drawn = Path(scratch)
        with sync_playwright() as program:
            browser = program.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for name, (width, height) in _SIZES.items():
                page = browser.new_page(viewport={"width": width, "height": height})
                page.goto((night / "report.html").resolve().as_uri())
                page.screenshot(path=drawn / f"{name}.png")
            _notebook(browser, home, drawn)
            browser.close()
        command = ["/usr/bin/python3", str(QGIS), "look", str(night.resolve()), str(drawn)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
        if done.returncode:
            sys.exit(f"QGIS (Debian's qgis and python3-qgis) failed: {done.stderr.strip()}")
        for name, source in _DRAWN.items():
            image = Image.open(drawn / f"{source}.png").convert("RGB")
            image.save(pictures / f"{name}.jpg", quality=_QUALITY, optimize=True)
            print(pictures / f"{name}.jpg")


def _notebook(browser: Browser, home: Path, drawn: Path) -> None:
    """Run a notebook on the demo and take a picture of a part of it."""
    desk = drawn / "clone" / "notebooks"
    shutil.copytree(BOOKS, desk)
    (desk.parent / "demo").symlink_to(home.resolve(), target_is_directory=True)
    opened = nbformat.read(desk / _BOOK, as_version=4)
    kernel = nbclient.NotebookClient(opened, timeout=600, resources={"metadata": {"path": str(desk)}})
    kernel.execute(env=os.environ | {"PYTHONPATH": str(BOOKS.parent)})
    text, _ = HTMLExporter(mathjax_url="", require_js_url="", exclude_anchor_links=True).from_notebook_node(opened)
    shown = drawn / "notebook.html"
    shown.write_text(text, encoding="utf-8")
    page = browser.new_page(viewport={"width": 1100, "height": 1250})
    page.goto(shown.as_uri())
    page.get_by_role("heading", name=_HEADING).evaluate("heading => { heading.scrollIntoView(); scrollBy(0, -16); }")
    page.screenshot(path=drawn / "notebook.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
