"""The command line: each command parses and calls one function."""

import io
import logging
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli import accuracy, alerts, areas, models, nights, notify, status
from pipeline.errors import InputError, PartError


class Level(StrEnum):
    """How much is logged."""

    INFO = "info"
    WARNING = "warning"


def _version(wanted: bool) -> None:
    if wanted:
        print(f"vanwatch {__version__}")
        raise typer.Exit


def _setup(
    log_level: Annotated[Level, typer.Option("--log", help="What goes to standard error.")] = Level.INFO,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Vanwatch: nightly change alerts from Sentinel-2. An alert is a lead for a person to check, never proof."""
    logging.basicConfig(
        level=log_level.value.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr, force=True
    )
    for noisy in ("rasterio", "matplotlib", "httpx", "asyncio", "alembic", "pyogrio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.callback()(_setup)
for _command in (nights.nightly, nights.replay, nights.detect, models.train, models.evaluate, models.detectability):
    app.command()(_command)
app.command()(alerts.verify)
app.command()(alerts.verdict)
_verdicts = typer.Typer(no_args_is_help=True, help="Read back what analysts decided.")
_verdicts.command("import")(alerts.import_)
app.add_typer(_verdicts, name="verdicts")
_accuracy = typer.Typer(no_args_is_help=True, help="Say how right a map is, from a sample that people look at.")
_accuracy.command("draw")(accuracy.draw)
_accuracy.command("estimate")(accuracy.estimate)
app.add_typer(_accuracy, name="accuracy")
_aoi = typer.Typer(no_args_is_help=True, help="Check, list, preview and add areas of interest.")
_ABOUT: tuple[tuple[str, Callable[..., None]], ...] = (
    ("check", areas.check),
    ("list", areas.list_),
    ("preview", areas.preview),
    ("add", areas.add),
)
for _name, _about in _ABOUT:
    _aoi.command(_name)(_about)
app.add_typer(_aoi, name="aoi")
app.command()(nights.demo)
app.command()(status.status)
app.command()(notify.notify)


def main() -> None:
    """Run the command line; the project's own errors become one line and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal of few letters is no reason to fail: names have any
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except InputError as err:
        print(f"vanwatch: {err}", file=sys.stderr)
        sys.exit(2)
    except PartError as err:
        print(f"vanwatch: {err}", file=sys.stderr)
        sys.exit(1)
