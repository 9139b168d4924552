"""A stranger's path, timed: from `git clone` to an alert on a map in QGIS.

python -m benchmarks.first_hour [SOURCE [FOLDER]]     SOURCE: what is cloned, by default this repository

In: an address that git can clone. Out: a line per step with its seconds, the machine, its load and the picture. Needs
Debian's git, make, python3, qgis and python3-qgis. What the package cache of uv holds is not downloaded again: the
line `packages` says how large it was.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = Path("tests/publish/qgis_program.py")


def main(source: str, folder: Path) -> None:
    """Walk the path once and print it."""
    clone, pictures = folder / "vanwatch", folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    print(
        f"machine     {platform.machine()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB; load {_load()} at the start"
    )
    print(f"packages    uv's cache held {_cache_mb():.0f} MB")
    steps: dict[str, Callable[[], str]] = {
        "clone": lambda: _run(["git", "clone", "--quiet", source, str(clone)], folder),
        "setup": lambda: _run(["make", "--silent", "setup"], clone),
        "demo": lambda: _run(["make", "--silent", "demo"], clone),
        "QGIS": lambda: _map(clone, pictures),
    }
    total, said = 0.0, ""
    for name, step in steps.items():
        start = time.perf_counter()
        said = step()
        seconds = time.perf_counter() - start
        total += seconds
        print(f"{name:<11} {seconds:7.1f} s", flush=True)
    print(f"together    {total:7.1f} s; load {_load()} at the end")
    told = json.loads(said)
    print(f"on the map  {told['alerts']} alerts, {told['drawn']:.0%} of the picture drawn: {pictures / 'alerts.png'}")
    if not (told["opened"] and told["alerts"] and told["drawn"] > 0):
        sys.exit("no alert came onto the map")


def _map(clone: Path, pictures: Path) -> str:
    night = next((clone / "demo" / "out" / "latest").iterdir()).resolve()
    return _run(["/usr/bin/python3", str(clone / PROGRAM), "map", str(night), str(pictures)], clone).splitlines()[-1]


def _run(command: list[str], folder: Path) -> str:
    """What a command prints; it sees nothing of the environment that this program runs in."""
    hidden = ("PYTHON", "VIRTUAL_ENV", "GDAL", "PROJ", "VANWATCH")
    mine = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=mine | {"QT_QPA_PLATFORM": "offscreen"}, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _cache_mb() -> float:
    cache = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
    return sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) / 1e6 if cache.exists() else 0.0


if __name__ == "__main__":
    given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        main(given[0] if given else str(ROOT), Path(given[1]) if len(given) > 1 else Path(scratch))
