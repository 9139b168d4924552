"""Nodes, hours, bytes and money of a state, a country and the tropics, from figures of one tile and stated inputs.

In: what `benchmarks.tile` measured, and the inputs below. Out: the tables of docs/scale.md.
`python -m benchmarks.scale` prints them from the figures that stand here; `--measure` measures first.
"""

import argparse
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks.tile import Figures, measure

MEASURED = Figures(
    look_cpu_s=1.56,
    spare_cpu_s=0.20,
    history_cpu_s=0.80,
    driver_cpu_s=0.50,
    blocks_mb=56.6,
    arrays_mb=7.1,
    normal_mb=31.8,
    rasters_mb=19.6,
)
"""Of one run of `--measure`; see docs/scale.md for the machine."""
AREAS_KM2 = {"a state": 135_000, "a country": 3_290_000, "the tropics": 18_300_000}
"""Chhattisgarh; India; tropical forest of the world (FAO, FRA 2020: 45 % of 4.06 billion ha)."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is assumed; every line of it may be replaced."""

    tiles_per_km2: float = 1464 / 134_907
    """Of the planned state of tests/nightly/test_graph.py: tiles at the edges of granules and of the AOI are partly
    empty, and cost what whole ones do."""
    looks_a_night: float = 6.75 / 30.4375
    """How often a place is imaged at 20 degrees north, clouds or not (`vanwatch aoi preview`)."""
    history_looks: int = 12
    """`normal.max_looks`."""
    refresh_days: int = 30
    """`normal.refresh_days`: so often normals are built anew."""
    hours: float = 4.0
    """In which a night should be done."""
    cores_a_node: int = 16
    core_hour: float = 0.045
    """USD, one core with 4 GB on demand."""
    gb_month: float = 0.023
    """USD, object storage."""
    puts_1000: float = 0.005
    """USD a thousand writes."""
    gets_1000: float = 0.0004
    """USD a thousand reads."""
    rasters_kept_days: int = 365


@dataclass(frozen=True, slots=True)
class Scale:
    """What one area needs."""

    name: str
    km2: float
    tiles: int
    tasks: int
    """Of a usual night."""
    core_h: float
    """Of the workers on a usual night."""
    refresh_core_h: float
    """More, on the night on which normals are built."""
    driver_h: float
    """Of one driver for the whole area, and no less than the night takes, however many workers there are."""
    drivers: int
    """So many parts of the area, each with a driver of its own, for a night to be done in time."""
    nodes: int
    refresh_nodes: int
    read_tb: float
    """From the catalogue's store on a usual night."""
    state_tb: float
    """Kept: arrays of two nights, and the normals."""
    out_tb: float
    """Rasters of the days that are kept."""
    compute: float
    """USD a month."""
    storage: float
    requests: float


def scale(name: str, km2: float, known: Figures, told: Inputs) -> Scale:
    """What an area needs."""
    tiles = round(km2 * told.tiles_per_km2)
    looks = tiles * told.looks_a_night
    core_h = (looks * known.look_cpu_s + tiles * known.spare_cpu_s) / 3600
    refresh_core_h = tiles * told.history_looks * known.history_cpu_s / 3600
    driver_h = tiles * known.driver_cpu_s / 3600
    drivers = math.ceil(driver_h / (told.hours / 2))
    left = told.hours - driver_h / drivers  # tiles first, then the driver alone
    nodes, most = (math.ceil(hours / left / told.cores_a_node) for hours in (core_h, core_h + refresh_core_h))
    nights = 30.4375
    state_tb = tiles * (2 * known.arrays_mb + known.normal_mb) / 1e6
    out_tb = tiles * known.rasters_mb * told.rasters_kept_days / 1e6
    hours = nights * (core_h + driver_h) + nights / told.refresh_days * refresh_core_h
    writes = nights * looks + nights / told.refresh_days * tiles
    return Scale(
        name=name,
        km2=km2,
        tiles=tiles,
        tasks=tiles + round(looks / 100),  # and each new scene of a granule of about a hundred tiles is judged
        core_h=core_h,
        refresh_core_h=refresh_core_h,
        driver_h=driver_h,
        drivers=drivers,
        nodes=nodes,
        refresh_nodes=most,
        read_tb=looks * known.blocks_mb / 1e6,
        state_tb=state_tb,
        out_tb=out_tb,
        compute=hours * told.core_hour,
        storage=1000 * (state_tb + out_tb) * told.gb_month,
        requests=writes / 1000 * told.puts_1000 + 4 * nights * tiles / 1000 * told.gets_1000,
    )


def lines(known: Figures = MEASURED, told: Inputs = Inputs()) -> Iterator[str]:
    """Both tables, as Markdown."""
    yield "| measured of one tile of 1024 px | |"
    yield "|---|---:|"
    for field in fields(known):
        name, unit = field.name.rsplit("_", 2 if field.name.endswith("_cpu_s") else 1)[0], field.name.rsplit("_", 1)[1]
        kind = {"s": "CPU s", "mb": "MB"}[unit]
        yield f"| {name} | {getattr(known, field.name):.2f} {kind} |"
    yield ""
    found = [scale(name, km2, known, told) for name, km2 in AREAS_KM2.items()]
    rows: dict[str, list[str]] = {
        "area, 1000 km2": [f"{each.km2 / 1000:,.0f}" for each in found],
        "tiles": [f"{each.tiles:,}" for each in found],
        "tasks a night": [f"{each.tasks:,}" for each in found],
        "core hours a night": [f"{each.core_h:,.1f}" for each in found],
        "more when normals are built": [f"{each.refresh_core_h:,.1f}" for each in found],
        "driver, hours": [f"{each.driver_h:,.1f}" for each in found],
        f"drivers for a night of {told.hours:g} h": [f"{each.drivers:,}" for each in found],
        f"nodes of {told.cores_a_node} cores for it": [f"{each.nodes:,}" for each in found],
        "nodes when normals are built": [f"{each.refresh_nodes:,}" for each in found],
        "read a night, TB": [f"{each.read_tb:,.2f}" for each in found],
        "state, TB": [f"{each.state_tb:,.2f}" for each in found],
        f"rasters of {told.rasters_kept_days} nights, TB": [f"{each.out_tb:,.1f}" for each in found],
        "compute, USD a month": [f"{each.compute:,.0f}" for each in found],
        "storage, USD a month": [f"{each.storage:,.0f}" for each in found],
        "requests, USD a month": [f"{each.requests:,.1f}" for each in found],
    }
    yield f"| | {' | '.join(each.name for each in found)} |"
    yield f"|---|{'---:|' * len(found)}"
    for title, cells in rows.items():
        yield f"| {title} | {' | '.join(cells)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure a tile first: about a minute of one core")
    known = MEASURED
    if parser.parse_args().measure:
        with tempfile.TemporaryDirectory() as folder:
            known = measure(Path(folder))
        print(known)
    print("\n".join(lines(known)))


if __name__ == "__main__":
    main()
