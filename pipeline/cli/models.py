"""Commands that make, measure and certify a model: train, evaluate, detectability."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import options
from pipeline.errors import ConfigError
from pipeline.learn.settings import MAX_SEED

Simulated = Annotated[bool, typer.Option("--simulated", help="On simulated ground alone: needs no real data.")]


def train(
    config: Annotated[Path, typer.Option(help="Training configuration.")] = Path("configs/train.toml"),
    out: Annotated[
        Path, typer.Option(help="Folder for the model, its curves and checkpoints.", callback=options.on_disk)
    ] = Path("runs/model"),
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, max=MAX_SEED, help="Several give mean and spread; the median ships."),
    ] = None,
    network: Annotated[str, typer.Option(help="Another network of models/registry.py, like fc-siam-diff.")] = "",
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of the configuration's.")] = None,
    simulated: Simulated = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")] = False,
    as_json: options.Json = False,
) -> None:
    """Train a change network on injected changes; the result is a model folder with card and weights.

    The real ground of configs/train.toml does not come with Vanwatch; --simulated does without it.

    Example: vanwatch train --simulated --out runs/mine --seed 1 --seed 2 --seed 3
    """
    from pipeline.learn import seeds, settings
    from pipeline.learn.train import Instead

    chosen = seed or [settings.read_settings(config).fit.seed]
    say = logging.getLogger("vanwatch").info
    instead = Instead(network=network, epochs=epochs, simulated=simulated)
    card = seeds.train_seeds(config, out, chosen, instead=instead, resume=resume, report=say)
    if as_json:
        print(card.model_dump_json(indent=1))
    else:
        how = "vanwatch evaluate --simulated" if simulated else "vanwatch evaluate"
        print(f"{card.model_id} is in {out}; use it as detect.model in a profile, or compare it: {how}")


def evaluate(
    model: Annotated[list[str] | None, typer.Option(help="In models/weights/, or a path; the first one leads.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of real data. Default: the configuration's.")] = None,
    train_config: Annotated[Path, typer.Option("--config", help="Where chips come from.")] = Path("configs/train.toml"),
    out: Annotated[
        Path, typer.Option(help="Folder for the table, plots and pictures.", callback=options.on_disk)
    ] = Path("out/evaluate"),
    simulated: Simulated = False,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the bootstrap and of fitted classifiers.")] = 0,
    benchmark: Annotated[str, typer.Option(help="Another table: oscd (licence CC-BY-NC-SA; benchmark only).")] = "",
    root: Annotated[Path | None, typer.Option(help="Folder of the benchmark's data.")] = None,
    bands: Annotated[int, typer.Option(help="Bands of the benchmark: 6 or 13.")] = 6,
    seeds: Annotated[int, typer.Option(min=1, help="Ways to fold the benchmark's training images.")] = 5,
    as_json: options.Json = False,
) -> None:
    """Put models and everything they must beat to the same trials: one table, with intervals.

    The real places that it judges on do not come with Vanwatch; --simulated does without them.

    Example: vanwatch evaluate --simulated --model vanwatch-s --model runs/mine --out out/evaluate
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

    if simulated and data:
        raise ConfigError("--data and --simulated: real data, or none; give one of them")
    results = contest.run(contest.Contest(chosen, train_config, data, simulated, seed), out, report=say)
    print(report.as_json(results) if as_json else f"{summary.text(results)}\nwritten to {out}\n", end="")


def detectability(
    aoi: Annotated[str, typer.Option("--aoi", help="Id in aoi/ or path of a GeoJSON file.")],
    home: options.Home = Path(),
    as_of: Annotated[str, typer.Option("--as-of", help="The night, like 2026-05-01. Default: today (UTC).")] = "",
    catalog: options.Catalog = "",
    model: Annotated[str, typer.Option(help="Model in place of the profile's.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Default: out/detectability/<aoi> below the home.", callback=options.on_disk)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other changes in other places.")] = 1,
    changes: Annotated[int, typer.Option(min=1, help="Planted per kind and class of size.")] = 60,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Plant changes of known size and contrast in an area's own looks: how small a change would be found there.

    Example: vanwatch detectability --aoi gadchiroli-forest
    """
    from pipeline.evaluate import detectability_report
    from pipeline.nightly import detectability as planted
    from pipeline.nightly import run

    night = options.as_past_date(as_of, "--as-of") if as_of else datetime.now(UTC).date()
    wanted = planted.Options(catalog, model, seed, changes, workers=workers)
    place = run.Home(home, out or home / "out" / "detectability", home / "state")
    report = planted.measure(place, aoi, night, wanted)
    folder = out or place.out / report.aoi
    detectability_report.write(report, folder)
    if as_json:
        options.print_json(detectability_report.facts(report))
    else:
        print(f"{detectability_report.summary(report)}\nwritten to {folder}")
    raise typer.Exit(1 if report.failed else 0)
