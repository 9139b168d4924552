"""Commands about areas of interest: check, list, preview, add."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import watch
from pipeline.cli import options


def check(home: options.Home = Path(), as_json: options.Json = False) -> None:
    """Check all areas, profiles, catalogues and model cards, without network.

    Example: vanwatch aoi check
    """
    result = watch.check(home)
    if as_json:
        options.print_json(result)
    else:
        print(watch.describe(result))


def list_(home: options.Home = Path(), as_json: options.Json = False) -> None:
    """List the areas.

    Example: vanwatch aoi list --json
    """
    rows = watch.listing(home)
    if as_json:
        options.print_json(rows)
    else:
        print(watch.table(rows))


def preview(
    name: Annotated[str, typer.Argument(help="Id in aoi/ or path of a GeoJSON file.")],
    home: options.Home = Path(),
    out: Annotated[Path | None, typer.Option(help="PNG to write. Default: <id>.png.", callback=options.on_disk)] = None,
    as_json: options.Json = False,
) -> None:
    """Draw one area with its tiles, and estimate scenes, bytes and minutes a night.

    Example: vanwatch aoi preview gadchiroli-forest --out map.png
    """
    result = watch.preview(home, name, out)
    if as_json:
        options.print_json(result)
    else:
        print(watch.describe_preview(result))


def add(
    path: Annotated[Path, typer.Argument(help="GeoJSON file.")],
    home: options.Home = Path(),
    as_json: options.Json = False,
) -> None:
    """Check a GeoJSON file and copy it into aoi/.

    Example: vanwatch aoi add drawn.geojson
    """
    added = watch.add(path, home)
    if as_json:
        options.print_json(added)
    else:
        print(watch.describe_added(added))
