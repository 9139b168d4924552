"""The command line: each command parses and calls one function."""

import json
import logging
import sys
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import watch
from pipeline.errors import ConfigError, InputError, PartError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
aoi_app = typer.Typer(no_args_is_help=True, help="Check, list, preview and add areas of interest.")
app.add_typer(aoi_app, name="aoi")

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="VANWATCH_HOME", help="Folder with aoi/, configs/, state/ and out/.")
]
AoiOption = Annotated[
    list[str] | None, typer.Option("--aoi", help="Id in aoi/ or path of a GeoJSON file; may be given several times.")
]
CatalogOption = Annotated[
    str, typer.Option("--catalog", help="Name in configs/catalogs.toml, STAC API URL, or ItemCollection file.")
]
SchedulerOption = Annotated[str | None, typer.Option("--scheduler", help="Dask scheduler, like tcp://host:8786.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=0, help="Processes on this machine; 0: none. Default: one per core.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


class Level(StrEnum):
    """How much is logged."""

    INFO = "info"
    WARNING = "warning"


@app.callback()
def _setup(
    log_level: Annotated[Level, typer.Option("--log", help="What goes to standard error.")] = Level.INFO,
) -> None:
    """Vanwatch: nightly change alerts from Sentinel-2. An alert is a lead for a person to check, never proof."""
    logging.basicConfig(
        level=log_level.value.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr, force=True
    )
    for noisy in ("rasterio", "matplotlib", "httpx", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _date(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as err:
        raise ConfigError(f"{option} {text}: not a date like 2026-05-01") from err


@app.command()
def nightly(
    home: HomeOption = Path(),
    as_of: Annotated[str, typer.Option("--as-of", help="The night, like 2026-05-01. Default: today (UTC).")] = "",
    aoi: AoiOption = None,
    catalog: CatalogOption = "",
    scheduler: SchedulerOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """One night: new scenes since the last one, to published alerts.

    Example: vanwatch nightly --aoi gadchiroli-forest --as-of 2026-05-01
    """
    from pipeline.nightly import run

    night = _date(as_of, "--as-of") if as_of else datetime.now(UTC).date()
    options = run.Options(tuple(aoi or ()), catalog, scheduler, workers)
    report = run.nightly(run.home(home), night, options)
    _print_nights(report, as_json=as_json)
    raise typer.Exit(report.exit_code)


@app.command()
def replay(
    first: Annotated[str, typer.Option("--from", help="First night.")],
    last: Annotated[str, typer.Option("--to", help="Last night, included.")],
    home: HomeOption = Path(),
    aoi: AoiOption = None,
    catalog: CatalogOption = "",
    out: Annotated[Path | None, typer.Option("--out", help="Where results and state of the replay go.")] = None,
    scheduler: SchedulerOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run past nights, each as it would have been, apart from the live state.

    Example: vanwatch replay --from 2026-03-01 --to 2026-04-30 --aoi gadchiroli-forest --out replay/
    """
    from pipeline.nightly import run

    start, end = _date(first, "--from"), _date(last, "--to")
    folder = out or home / "out" / f"replay_{start}_{end}"
    place = run.Home(home, folder, folder / "state")
    report = run.replay(place, start, end, run.Options(tuple(aoi or ()), catalog, scheduler, workers))
    _print_nights(report, as_json=as_json)
    raise typer.Exit(report.exit_code)


@app.command()
def detect(
    before: Annotated[Path | None, typer.Argument(help="GeoTIFF of the earlier date.")] = None,
    after: Annotated[Path | None, typer.Argument(help="GeoTIFF of the later date, on the same grid.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder with <id>/before.tif and <id>/after.tif.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for change.tif and alerts.geojson.")] = Path("out"),
    bands: Annotated[str, typer.Option(help="Names of the bands in file order, like B02,B03,B04,B08,B11,B12.")] = "",
    day: Annotated[str, typer.Option("--date", help="Day of the later image, like 2026-05-01.")] = "",
    model: Annotated[str, typer.Option(help="Folder in models/weights/, or a path.")] = "vanwatch-s",
    profile: Annotated[Path | None, typer.Option(help="Profile whose rules and use count.")] = None,
    as_json: JsonOption = False,
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
    seen = _date(day, "--date") if day else None
    options = pair.PairOptions(weights, names, rules, seen)
    if pairs and not (before or after):
        reports = pair.detect_folder(pairs, out, options)
    elif before and after and not pairs:
        reports = (pair.detect(before, after, out, options),)
    else:
        raise ConfigError("give either BEFORE and AFTER, or --pairs DIR")
    if as_json:
        _print_json(reports)
    else:
        for report in reports:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.alerts.items())) or "nothing"
            print(f"{report.name}: {report.error or kinds} ({report.observed_km2:.1f} km2 observed)")
        print(f"written to {out}")
    raise typer.Exit(1 if any(report.error for report in reports) else 0)


@app.command()
def train(
    config: Annotated[Path, typer.Option(help="Training configuration.")] = Path("configs/train.toml"),
    out: Annotated[Path, typer.Option(help="Folder for the model, its curves and checkpoints.")] = Path("runs/model"),
    seed: Annotated[list[int] | None, typer.Option(help="Several give mean and spread; the median ships.")] = None,
    network: Annotated[str, typer.Option(help="Another network of models/registry.py, like fc-siam-diff.")] = "",
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of the configuration's.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a change network on injected changes; the result is a model folder with card and weights.

    Example: vanwatch train --config configs/train.toml --out runs/mine --seed 1 --seed 2 --seed 3
    """
    from pipeline.learn import seeds, settings
    from pipeline.learn.train import Instead

    chosen = seed or [settings.read_settings(config).fit.seed]
    say = logging.getLogger("vanwatch").info
    instead = Instead(network=network, epochs=epochs)
    card = seeds.train_seeds(config, out, chosen, instead=instead, resume=resume, report=say)
    if as_json:
        print(card.model_dump_json(indent=1))
    else:
        print(f"{card.model_id} is in {out}; use it as detect.model in a profile, or compare it: vanwatch evaluate")


@app.command()
def evaluate(
    model: Annotated[list[str] | None, typer.Option(help="In models/weights/, or a path; the first one leads.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of real data. Default: the configuration's.")] = None,
    train_config: Annotated[Path, typer.Option("--config", help="Where chips come from.")] = Path("configs/train.toml"),
    out: Annotated[Path, typer.Option(help="Folder for the table, plots and pictures.")] = Path("out/evaluate"),
    seed: Annotated[int, typer.Option(help="Of the bootstrap and of fitted classifiers.")] = 0,
    benchmark: Annotated[str, typer.Option(help="Another table: oscd (licence CC-BY-NC-SA; benchmark only).")] = "",
    root: Annotated[Path | None, typer.Option(help="Folder of the benchmark's data.")] = None,
    bands: Annotated[int, typer.Option(help="Bands of the benchmark: 6 or 13.")] = 6,
    seeds: Annotated[int, typer.Option(min=1, help="Ways to fold the benchmark's training images.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Put models and everything they must beat to the same trials: one table, with intervals.

    Example: vanwatch evaluate --model vanwatch-s --model runs/fc-siam-diff --out out/evaluate
    """
    say = logging.getLogger("vanwatch").info
    chosen = tuple(model or ("vanwatch-s",))
    if benchmark:
        from pipeline.evaluate import folds_report
        from pipeline.learn import oscd

        found = oscd.run(oscd.Benchmark(benchmark, root, bands, seeds, chosen), out, report=say)
        print(folds_report.as_json(found) if as_json else folds_report.text(found), end="")
        return
    from pipeline.evaluate import report, summary
    from pipeline.learn import contest

    results = contest.run(contest.Contest(chosen, train_config, data, seed), out, report=say)
    print(report.as_json(results) if as_json else f"{summary.text(results)}\nwritten to {out}\n", end="")


@app.command()
def detectability(
    aoi: Annotated[str, typer.Option("--aoi", help="Id in aoi/ or path of a GeoJSON file.")],
    home: HomeOption = Path(),
    as_of: Annotated[str, typer.Option("--as-of", help="The night, like 2026-05-01. Default: today (UTC).")] = "",
    catalog: CatalogOption = "",
    model: Annotated[str, typer.Option(help="Model in place of the profile's.")] = "",
    out: Annotated[Path | None, typer.Option(help="Default: out/detectability/<aoi> below the home.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other changes in other places.")] = 1,
    changes: Annotated[int, typer.Option(min=1, help="Planted per kind and class of size.")] = 60,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plant changes of known size and contrast in an area's own looks: how small a change would be found there.

    Example: vanwatch detectability --aoi gadchiroli-forest --as-of 2026-05-01
    """
    from pipeline.evaluate import detectability_report
    from pipeline.nightly import detectability as planted
    from pipeline.nightly import run

    night = _date(as_of, "--as-of") if as_of else datetime.now(UTC).date()
    options = planted.Options(catalog, model, seed, changes, workers=workers)
    place = run.Home(home, out or home / "out" / "detectability", home / "state")
    report = planted.measure(place, aoi, night, options)
    folder = out or place.out / report.aoi
    detectability_report.write(report, folder)
    if as_json:
        _print_json(detectability_report.facts(report))
    else:
        print(f"{detectability_report.summary(report)}\nwritten to {folder}")
    raise typer.Exit(1 if report.failed else 0)


@aoi_app.command("check")
def aoi_check(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """Check all areas, profiles, catalogues and model cards, without network.

    Example: vanwatch aoi check
    """
    result = watch.check(home)
    if as_json:
        _print_json(result)
    else:
        print(watch.describe(result))


@aoi_app.command("list")
def aoi_list(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """List the areas.

    Example: vanwatch aoi list --json
    """
    rows = watch.listing(home)
    if as_json:
        _print_json(rows)
    else:
        print(watch.table(rows))


@aoi_app.command("preview")
def aoi_preview(
    name: Annotated[str, typer.Argument(help="Id in aoi/ or path of a GeoJSON file.")],
    home: HomeOption = Path(),
    out: Annotated[Path | None, typer.Option(help="PNG to write. Default: <id>.png.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw one area with its tiles, and estimate scenes, bytes and minutes a night.

    Example: vanwatch aoi preview gadchiroli-forest --out map.png
    """
    result = watch.preview(home, name, out)
    if as_json:
        _print_json(result)
    else:
        print(watch.describe_preview(result))


@aoi_app.command("add")
def aoi_add(
    path: Annotated[Path, typer.Argument(help="GeoJSON file.")],
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Check a GeoJSON file and copy it into aoi/.

    Example: vanwatch aoi add drawn.geojson
    """
    added = watch.add(path, home)
    if as_json:
        _print_json(added)
    else:
        print(watch.describe_added(added))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the world and the results.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another seed, another world.")] = 7,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a world, serve it from a real local STAC API, and run nights on it.

    Example: vanwatch demo --out demo/
    """
    from pipeline import demo as planted

    result = planted.run_demo(out, seed=seed, workers=workers)
    if as_json:
        _print_json(result)
    else:
        planted.describe(result)
    raise typer.Exit(result.exit_code)


def _print_nights(report: Any, *, as_json: bool) -> None:
    if as_json:
        _print_json(report)
        return
    for night in report.nights:
        counts = night.counts or {}
        text = night.error or ", ".join(f"{value} {key}" for key, value in counts.items() if value)
        print(f"{night.as_of} {night.aoi}: {text or 'nothing new'}" + (f" -> {night.folder}" if night.folder else ""))
        for line in night.failed:
            print(f"  failed: {line}", file=sys.stderr)


def _print_json(value: Any) -> None:
    print(json.dumps(_plain(value), indent=1, sort_keys=True, default=str))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def main() -> None:
    """Run the command line; the project's own errors become one line and an exit code."""
    try:
        app()
    except InputError as err:
        print(f"vanwatch: {err}", file=sys.stderr)
        sys.exit(2)
    except PartError as err:
        print(f"vanwatch: {err}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
