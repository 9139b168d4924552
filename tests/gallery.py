"""The pictures of the readme, from a run of the demo: the report in a browser, the map and a sheet in QGIS.

python -m tests.gallery HOME PICTURES
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.publish.test_qgis import environment

QGIS = Path(__file__).parent / "publish" / "qgis_program.py"
_SIZES = {"report": (1280, 1560), "report-phone": (390, 844)}
_DRAWN = {"report": "report", "report-phone": "report-phone", "qgis": "map", "sheet": "Alert_sheet_0"}
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
            browser.close()
        command = ["/usr/bin/python3", str(QGIS), "look", str(night.resolve()), str(drawn)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
        if done.returncode:
            sys.exit(f"QGIS (Debian's qgis and python3-qgis) failed: {done.stderr.strip()}")
        for name, source in _DRAWN.items():
            image = Image.open(drawn / f"{source}.png").convert("RGB")
            image.save(pictures / f"{name}.jpg", quality=_QUALITY, optimize=True)
            print(pictures / f"{name}.jpg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
