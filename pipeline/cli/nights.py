"""Commands that look for change: nightly, replay, detect, and the demo."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import watch
from pipeline.cli import notify, options
from pipeline.errors import ConfigError


def nightly(
    home: options.Home = Path(),
    as_of: Annotated[str, typer.Option("--as-of", help="The night, like 2026-05-01. Default: today (UTC).")] = "",
    aoi: options.Aoi = None,
    catalog: options.Catalog = "",
    scheduler: options.Scheduler = None,
    workers: options.Workers = None,
    quiet: Annotated[bool, typer.Option("--no-notify", help="Nobody is told of this night, now or later.")] = False,
    as_json: options.Json = False,
) -> None:
    """One night: new scenes since the last one, to published alerts, and to who is to be told.

    Exit code: 0 done; 1 some part failed or somebody could not be told, the rest is delivered; 2 wrong input, nothing
    was changed; 3 done, but an area is blind or its catalogue silent for longer than its profile allows.

    Example: vanwatch nightly --aoi gadchiroli-forest --as-of 2026-05-01
    """
    from pipeline.nightly import run

    night = options.as_past_date(as_of, "--as-of") if as_of else datetime.now(UTC).date()
    wanted = run.Options(tuple(dict.fromkeys(aoi or ())), catalog, scheduler, workers)
    report = run.nightly(run.home(home), night, wanted, notify=not quiet)
    _print_nights(report, as_json=as_json)
    for line in report.alarms:
        print(f"  alarm: {line}", file=sys.stderr)
    raise typer.Exit(report.exit_code or (run.ALARM if report.alarms else 0))


def replay(
    first: Annotated[str, typer.Option("--from", help="First night.")],
    last: Annotated[str, typer.Option("--to", help="Last night, included.")],
    home: options.Home = Path(),
    aoi: options.Aoi = None,
    catalog: options.Catalog = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Where results and state of the replay go.", callback=options.on_disk)
    ] = None,
    database: Annotated[
        str, typer.Option("--database", help="Empty database for its ledger. Default: a file in its state.")
    ] = "",
    scheduler: options.Scheduler = None,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Run past nights, each as it would have been, apart from the live state.

    Example: vanwatch replay --from 2026-03-01 --to 2026-04-30 --aoi gadchiroli-forest --out replay/
    """
    from pipeline.nightly import run

    start, end = options.as_date(first, "--from"), options.as_past_date(last, "--to")
    folder = out or home / "out" / f"replay_{start}_{end}"
    place = run.Home(home, folder, folder / "state", database=database)
    report = run.replay(place, start, end, run.Options(tuple(dict.fromkeys(aoi or ())), catalog, scheduler, workers))
    _print_nights(report, as_json=as_json)
    raise typer.Exit(report.exit_code)


def detect(
    before: Annotated[Path | None, typer.Argument(help="GeoTIFF of the earlier date.")] = None,
    after: Annotated[Path | None, typer.Argument(help="GeoTIFF of the later date, on the same grid.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder with <id>/before.tif and <id>/after.tif.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for change.tif and alerts.geojson.", callback=options.on_disk)
    ] = Path("out"),
    bands: Annotated[str, typer.Option(help="Names of the bands in file order, like B02,B03,B04,B08,B11,B12.")] = "",
    day: Annotated[str, typer.Option("--date", help="Day of the later image, like 2026-05-01.")] = "",
    model: Annotated[str, typer.Option(help="Folder in models/weights/, or a path.")] = "vanwatch-s",
    profile: Annotated[Path | None, typer.Option(help="Profile whose rules and use count.")] = None,
    as_json: options.Json = False,
) -> None:
    """Change between two GeoTIFFs on one grid, without state or catalogue.

    Example: vanwatch detect before.tif after.tif --out found/
    """
    from models import card
    from pipeline import config
    from pipeline.nightly import pair, run

    rules, weights = config.Rules(), card.folder_of(model, run.BUILT_IN_WEIGHTS)
    if profile:
        told = config.load_profile(profile)
        watch.check_card(told, source=str(profile), model=model)
        rules = told.rules
    names = tuple(name.strip() for name in bands.split(",")) if bands else ()
    seen = options.as_past_date(day, "--date") if day else None
    wanted = pair.PairOptions(weights, names, rules, seen)
    if pairs and not (before or after):
        reports = pair.detect_folder(pairs, out, wanted)
    elif before and after and not pairs:
        reports = (pair.detect(before, after, out, wanted),)
    else:
        raise ConfigError("give either BEFORE and AFTER, or --pairs DIR")
    if as_json:
        options.print_json(reports)
    else:
        for report in reports:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.alerts.items())) or "nothing"
            print(f"{report.name}: {report.error or kinds} ({report.observed_km2:.1f} km2 observed)")
        print(f"written to {out}")
    raise typer.Exit(1 if any(report.error for report in reports) else 0)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the world and the results.", callback=options.on_disk)] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(help="Another seed, another world.")] = 7,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Simulate a world, serve it from a real local STAC API, and run nights on it.

    Example: vanwatch demo --out demo/
    """
    from pipeline import demo as planted

    result = planted.run_demo(out, seed=seed, workers=workers)
    if as_json:
        options.print_json(result)
    else:
        planted.describe(result)
    raise typer.Exit(result.exit_code)


def _print_nights(report: Any, *, as_json: bool) -> None:
    if as_json:
        options.print_json(report)
        return
    for night in report.nights:
        counts, where = night.counts or {}, night.folder or night.url
        text = night.error or ", ".join(f"{value} {key}" for key, value in counts.items() if value)
        print(f"{night.as_of} {night.aoi}: {text or 'nothing new'}" + (f" -> {where}" if where else ""))
        for line in night.failed:
            print(f"  failed: {line}", file=sys.stderr)
    for sent in report.told:
        print(f"  {notify.line(sent)}", file=sys.stderr if sent.error else sys.stdout)
