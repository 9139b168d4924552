"""Commands about how right a map is: draw a sample, and judge it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options

if TYPE_CHECKING:
    from pipeline.evaluate.accuracy import Share
    from pipeline.evaluate.sample import Judged


def draw(
    aoi: Annotated[str, typer.Argument(help="Id of an area of which a night was run.")],
    out: Annotated[
        Path, typer.Option(help="GeoJSON to write; its design goes beside it.", callback=options.on_disk)
    ] = Path("sample.geojson"),
    home: options.Home = Path(),
    night: Annotated[str, typer.Option("--night", help="Like 2026-05-01. Default: the newest.")] = "",
    each: Annotated[int, typer.Option(min=2, help="Points of each kind of alert, and beside alerts.")] = 50,
    elsewhere: Annotated[int, typer.Option(min=2, help="Points where no alert is near.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another sample.")] = 1,
    as_json: options.Json = False,
) -> None:
    """Draw pixels of a night's map at random, for people to say what is there: column reference, in QGIS.

    Example: vanwatch accuracy draw gadchiroli-forest --out sample.geojson
    """
    from pipeline.evaluate import sample
    from pipeline.nightly import run, sampled

    with sampled.map_of(run.home(home), aoi, options.as_date(night, "--night") if night else None) as folder:
        found = sample.draw(folder, out, each=each, elsewhere=elsewhere, seed=seed)
    if as_json:
        options.print_json(found)
        return
    words = ", ".join((*sample.CLASSES, sample.UNSURE))
    print(f"{found.points} points are in {found.sample}, their design in {found.design}: keep them together.")
    print(f"Fill in the column reference: {words}. Then: vanwatch accuracy estimate {found.sample}")


def estimate(
    path: Annotated[Path, typer.Argument(metavar="SAMPLE", help="What was drawn, filled in: GeoJSON, GPKG or CSV.")],
    as_json: options.Json = False,
) -> None:
    """Say how right the map is, from a sample that was filled in: shares with 95 % intervals, and areas.

    Example: vanwatch accuracy estimate sample.geojson
    """
    from pipeline.evaluate import sample

    found = sample.judge(path)
    if as_json:
        options.print_json(found)
    else:
        print("\n".join(_lines(found)))


def _lines(found: "Judged") -> list[str]:
    from pipeline import grid

    told = found.accuracy
    hectares = told.pixels * grid.RESOLUTION_M**2 / 1e4
    lines = [
        f"{found.aoi}, night of {found.night}: {told.looked_at} points on {hectares:,.0f} ha",
        f"left out: {found.unsure} unsure, {found.open} not filled in; {found.unseen_ha:,.0f} ha never seen clearly",
        *(f"left out: {name}, {pixels} pixels: people could not tell" for name, pixels in found.unjudged.items()),
        "",
        f"{'':10}{'of what is shown, true':>26}{'of what is there, shown':>26}{'there is, ha':>24}",
    ]
    for name, one in told.classes.items():
        area = f"{one.area.value * hectares:,.1f} +- {one.area.plus_minus * hectares:,.1f}"
        lines.append(f"{name:10}{_share(one.users):>26}{_share(one.producers):>26}{area:>24}")
    return [
        *lines,
        "",
        f"all in all {_share(told.overall)} are right; intervals hold in 95 of 100 samples",
        "+- 0.0: the sample held no error of this sort, which does not mean that there is none",
    ]


def _share(value: "Share | None") -> str:
    return "-" if value is None else f"{100 * value.value:.1f} +- {100 * value.plus_minus:.1f} %"
